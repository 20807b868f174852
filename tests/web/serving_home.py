"""A server in this process: the real application on a real home, listening on a port of this machine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from prefcenter.api.schema import ApiSettings, PreferenceSchema
from prefcenter.bootstrap import open_services
from prefcenter.bootstrap.live import LiveHome, live_home
from prefcenter.domain.events import EVERYTHING
from prefcenter.domain.terms import AddressClass, Channel
from prefcenter.services.callers import ApiKeys, CallerScope
from prefcenter.services.decisions import Question
from prefcenter.settings import ServingSettings, Settings
from prefcenter.web.app import Surroundings, create_app
from prefcenter.web.authentication import Authenticator
from prefcenter.web.counted import CountedServices
from prefcenter.web.graphql import GraphQLView
from prefcenter.web.key_sets import key_sets
from prefcenter.web.keys import CALLER
from prefcenter.web.listening import listening_socket
from prefcenter.web.log import web_log
from prefcenter.web.metrics import new_metrics
from prefcenter.web.people import open_routes
from prefcenter.web.portals import Portal
from prefcenter.web.rate_limits import RateLimits
from prefcenter.web.server import serving
from prefcenter.web.timed_store import TimedStore

POLICIES = Path(__file__).resolve().parents[2] / "fixtures" / "policies"
CONTROLLER = "opencontact"
HOST = "127.0.0.1"
QUESTION = Question("pat@acme.example", "client-marketing", Channel.EMAIL, address_class=AddressClass.BUSINESS)


@dataclass(frozen=True)
class Answer:
    """One response, read to its end."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def document(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Running:
    """A server that answers, and what it is made of."""

    port: int
    home: LiveHome
    around: Surroundings
    session: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    async def ask(
        self,
        path: str,
        token: str | None = None,
        *,
        method: str = "GET",
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The answer to one request; redirects are not followed."""
        fields = {"Authorization": f"Bearer {token}"} if token else {}
        sent = self.session.request(
            method, self.url + path, data=body, headers={**fields, **(headers or {})}, allow_redirects=False
        )
        async with sent as response:
            return Answer(response.status, await response.read(), response.headers)

    async def raw(self, *parts: bytes, pause_s: float = 0.0) -> bytes:
        """Everything that comes back for bytes that are sent part by part."""
        reader, writer = await asyncio.open_connection(HOST, self.port)
        try:
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(pause_s)
            return await reader.read()
        finally:
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def who(request: web.Request) -> web.Response:
    """A route of the tests: tells the caller."""
    caller = request[CALLER]
    person = caller.person.address if caller.person else None
    scopes = sorted(caller.scopes)
    return web.json_response(
        {"id": caller.id, "scopes": scopes, "controllers": sorted(caller.controllers), "person": person}
    )


async def echo(request: web.Request) -> web.Response:
    """A route of the tests: tells how many bytes came in."""
    return web.json_response({"bytes": len(await request.read())})


ROUTES = (web.get("/who", who), web.post("/echo", echo))


@asynccontextmanager
async def running(
    settings: Settings,
    given: ServingSettings | None = None,
    routes: Iterable[web.AbstractRouteDef] = ROUTES,
    *,
    recheck_seconds: float = 30.0,
    with_api: bool = False,
) -> AsyncIterator[Running]:
    """A server of a home, stopped on the way out as a signal would stop it."""
    given = given or ServingSettings()
    metrics, log = new_metrics(), web_log()
    home = LiveHome(
        settings,
        around_store=lambda store: TimedStore(store, metrics),
        make_services=partial(CountedServices, metrics=metrics),
        on_failure=metrics.home_failed,
        recheck_seconds=recheck_seconds,
    )
    bound = listening_socket(HOST, 0)
    async with live_home(home), aiohttp.ClientSession() as session:
        portal = Portal(given.portal, key_sets(given.portal.jwks), home, log) if given.portal else None
        authenticator = Authenticator(home, log, portal)
        around = Surroundings(given, authenticator, RateLimits(given.limits), metrics, log)
        api = GraphQLView(PreferenceSchema(ApiSettings()), home).routes if with_api else ()
        try:
            async with serving(create_app(home, around, [*routes, *api], open_routes(home)), around, [bound], []):
                yield Running(bound.getsockname()[1], home, around, session)
        finally:
            await authenticator.close()


async def make_key(
    settings: Settings,
    *scopes: CallerScope,
    controllers: Iterable[str] = (),
    expires_ms: int | None = None,
) -> tuple[str, str]:
    """An API key that another process makes: its id and its text."""
    async with open_services(settings) as services:
        keys = ApiKeys(services.store, services.clock)
        key, text = await keys.create("test", scopes or (CallerScope.DECIDE,), tuple(controllers), expires_ms)
        return key.id, text


async def revoke(settings: Settings, key_id: str) -> None:
    """Revoke a key, as another process does."""
    async with open_services(settings) as services:
        await ApiKeys(services.store, services.clock).revoke(key_id)


async def opt_out(settings: Settings, address: str) -> None:
    """Record an opt-out, as another process does."""
    async with open_services(settings) as services:
        await (await services.controller(CONTROLLER)).recording.opt_out(address, EVERYTHING, "page")


def take_store_away(settings: Settings) -> None:
    """Put the store where nobody looks for it."""
    (settings.home / "store.sqlite3").rename(settings.home / "aside.sqlite3")


def put_store_back(settings: Settings) -> None:
    """Undo `take_store_away`."""
    (settings.home / "aside.sqlite3").rename(settings.home / "store.sqlite3")


async def reason(home: LiveHome, question: Question = QUESTION) -> str:
    """What a live home decides."""
    deciding = await home.deciding(CONTROLLER)
    return (await deciding.decisions.decide(question, home.clock())).reason.value
