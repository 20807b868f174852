"""One serving process, put together: the live home, the application, and the signals that end it."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from prefcenter.api.schema import ApiSettings, PreferenceSchema
from prefcenter.bootstrap.live import LiveHome, live_home
from prefcenter.settings import GraphQLSettings, ServingSettings, Settings
from prefcenter.web.app import Surroundings, create_app
from prefcenter.web.authentication import Authenticator
from prefcenter.web.counted import CountedServices
from prefcenter.web.graphql import GraphQLView
from prefcenter.web.key_sets import key_sets
from prefcenter.web.log import WebLog, web_log
from prefcenter.web.metrics import Metrics, new_metrics
from prefcenter.web.people import open_routes
from prefcenter.web.portals import Portal
from prefcenter.web.rate_limits import RateLimits
from prefcenter.web.server import serving
from prefcenter.web.timed_store import TimedStore


@dataclass(frozen=True, slots=True)
class Listeners:
    """Bound sockets of one process: for everybody, and for metrics alone where those have a place of their own."""

    public: Sequence[socket.socket]
    metrics: Sequence[socket.socket] = field(default=())


async def run_until_stopped(
    settings: Settings,
    given: ServingSettings,
    listeners: Listeners,
    announce: Callable[[], None],
    lifeline: int | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT, or until the other end of the lifeline is closed; gives the exit code."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop.set)
    if lifeline is not None:
        loop.add_reader(lifeline, stop.set)
    await serve_home(settings, given, listeners, announce, stop)
    return 0


async def serve_home(
    settings: Settings,
    given: ServingSettings,
    listeners: Listeners,
    announce: Callable[[], None],
    stop: asyncio.Event,
) -> None:
    """Serve a home until the event is set; then drain, advance the checkpoint and close the store."""
    metrics, log = new_metrics(), web_log()
    async with live_home(_home(settings, metrics)) as home, _authenticating(home, given, log) as authenticator:
        around = Surroundings(given, authenticator, RateLimits(given.limits), metrics, log)
        view = GraphQLView(PreferenceSchema(_api_settings(given.graphql)), home)
        app = create_app(home, around, view.routes, open_routes(home))
        async with _posting(home, given), serving(app, around, listeners.public, listeners.metrics):
            log.listening(_port(listeners.public), _port(listeners.metrics))
            announce()
            await stop.wait()
            log.stopping()


@asynccontextmanager
async def _posting(home: LiveHome, given: ServingSettings) -> AsyncIterator[None]:
    """Letters go out meanwhile, where a mail host is set up."""
    if given.mail is None:
        yield
        return
    from prefcenter.mail.host import MailHost
    from prefcenter.mail.postman import Postman, posting

    async with posting(Postman(home, MailHost(given.mail), given.mail.sender)):
        yield


@asynccontextmanager
async def _authenticating(home: LiveHome, given: ServingSettings, log: WebLog) -> AsyncIterator[Authenticator]:
    """What makes callers of credentials: API keys, and tokens of the portal that is trusted, if there is one."""
    portal = None if given.portal is None else Portal(given.portal, key_sets(given.portal.jwks), home, log)
    authenticator = Authenticator(home, log, portal)
    try:
        yield authenticator
    finally:
        await authenticator.close()


def _api_settings(given: GraphQLSettings) -> ApiSettings:
    documents = () if given.documents is None else (given.documents,)
    return ApiSettings(documents, given.any_document, given.introspection, given.leaf_lists)


def _port(bound: Sequence[socket.socket]) -> int | None:
    return bound[0].getsockname()[1] if bound else None


def _home(settings: Settings, metrics: Metrics) -> LiveHome:
    """A home whose store is timed and whose decisions are counted."""
    return LiveHome(
        settings,
        around_store=lambda store: TimedStore(store, metrics),
        make_services=partial(CountedServices, metrics=metrics),
        on_failure=metrics.home_failed,
    )
