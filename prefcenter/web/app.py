"""The application: its routes, and what happens around every request.

From the outside in: an id, a log line and a number; one shape for whatever goes wrong; the limits; the caller. Paths
that need no caller are named here, and every other one is refused without one.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from weakref import WeakSet

from aiohttp import web
from aiohttp.typedefs import Middleware

from prefcenter.settings import ServingSettings
from prefcenter.web.authentication import Authenticator
from prefcenter.web.connections import bound_body_time
from prefcenter.web.errors import FIELDS, error_of, error_response
from prefcenter.web.health import DecidingHome, health_routes, metrics_route
from prefcenter.web.keys import (
    AUTHENTICATOR,
    CALLER,
    METRICS,
    OPEN_PATHS,
    ORIGIN,
    RATE_FIELDS,
    RATE_LIMITS,
    REQUEST_ID,
    WEB_SOCKETS,
)
from prefcenter.web.log import Answered, WebLog
from prefcenter.web.metrics import Metrics
from prefcenter.web.origins import origin_of
from prefcenter.web.problem_pages import is_for_people, problem_page
from prefcenter.web.rate_limits import RateLimits

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

OPERATION_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked by machines that look after the server: no caller, and no limit that could make a live server look dead."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class OpenRequests:
    """Counts the requests that are being answered, and tells when there is none."""

    def __init__(self) -> None:
        self.count = 0
        self.none_left = asyncio.Event()
        self.none_left.set()

    @contextmanager
    def one_more(self) -> Iterator[None]:
        self.count += 1
        self.none_left.clear()
        try:
            yield
        finally:
            self.count -= 1
            if not self.count:
                self.none_left.set()


@dataclass(slots=True)
class Surroundings:
    """What happens around the requests of one server."""

    settings: ServingSettings
    authenticator: Authenticator
    limits: RateLimits
    metrics: Metrics
    log: WebLog
    open_requests: OpenRequests = field(default_factory=OpenRequests)
    is_draining: bool = False


def create_app(
    home: DecidingHome,
    around: Surroundings,
    routes: Iterable[web.AbstractRouteDef] = (),
    open_routes: Iterable[web.AbstractRouteDef] = (),
) -> web.Application:
    """The application with its own routes and others that are given, such as the GraphQL view.

    `open_routes` are for everybody: people who come by a link need nothing beyond it.
    """
    app = web.Application(
        middlewares=[_accounting(around), _telling_errors(around), _admitting(around)],
        client_max_size=around.settings.limits.body_bytes_max,
    )
    app[AUTHENTICATOR] = around.authenticator
    app[METRICS] = around.metrics
    app[RATE_LIMITS] = around.limits
    app[WEB_SOCKETS] = WeakSet()
    app.on_response_prepare.append(_complete_fields(around))
    app.add_routes(health_routes(home, lambda: around.is_draining))
    if around.settings.metrics is None:
        app.add_routes([metrics_route(around.metrics)])
    app.add_routes(routes)
    app[OPEN_PATHS] = frozenset(
        route.resource.canonical for route in app.add_routes(open_routes) if route.resource is not None
    )
    return app


def metrics_app(around: Surroundings) -> web.Application:
    """What a listener for metrics alone answers."""
    app = web.Application(middlewares=[_accounting(around), _telling_errors(around), _admitting(around)])
    app.on_response_prepare.append(_complete_fields(around))
    app.add_routes([metrics_route(around.metrics)])
    return app


def route_of(request: web.Request) -> str:
    """The template of a request's path; paths themselves may hold tokens, and are never logged or counted."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "unmatched"


def _complete_fields(around: Surroundings) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    async def complete(request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(FIELDS)
        response.headers["X-Request-Id"] = request[REQUEST_ID]
        for name, value in request.get(RATE_FIELDS, {}).items():
            response.headers.setdefault(name, value)
        if around.is_draining and response.status != HTTPStatus.SWITCHING_PROTOCOLS:
            response.headers["Connection"] = "close"
            response.force_close()

    return complete


def _accounting(around: Surroundings) -> Middleware:
    @web.middleware
    async def account(request: web.Request, handler: Handler) -> web.StreamResponse:
        request[REQUEST_ID] = secrets.token_hex(8)
        loop = asyncio.get_running_loop()
        started_s, status = loop.time(), 499
        try:
            with around.open_requests.one_more(), around.metrics.open_requests.track_inprogress():
                response = await handler(request)
            status = response.status
            return response
        except web.HTTPException as redirect:
            status = redirect.status
            raise
        finally:
            _note(around, request, status, loop.time() - started_s)

    return account


def _note(around: Surroundings, request: web.Request, status: int, seconds: float) -> None:
    caller = request.get(CALLER)
    method = request.method if request.method in METHODS else "other"
    caller_id = caller.id if caller else None
    answered = Answered(request[REQUEST_ID], method, route_of(request), status, seconds, caller_id)
    around.metrics.answered(answered)
    if answered.route not in OPERATION_PATHS:
        around.log.answered(answered)


def _telling_errors(around: Surroundings) -> Middleware:
    @web.middleware
    async def tell_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except Exception as failure:
            if isinstance(failure, web.HTTPException) and failure.status < 400:
                raise
            error = error_of(failure)
            if error.status >= 500:
                around.log.failed(failure, request[REQUEST_ID])
            if request.writer.output_size > 0:
                raise ConnectionResetError("a response was begun already") from failure
            if is_for_people(request):
                return problem_page(request, error, request[REQUEST_ID])
            return error_response(error, request[REQUEST_ID])

    return tell_errors


def _admitting(around: Surroundings) -> Middleware:
    limits = around.settings.limits

    @web.middleware
    async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
        if route_of(request) not in OPERATION_PATHS:
            await _admit(around, request)
        if not request.can_read_body:
            return await handler(request)
        if (request.content_length or 0) > limits.body_bytes_max:
            raise web.HTTPRequestEntityTooLarge(limits.body_bytes_max, request.content_length or 0)
        deadline = bound_body_time(request, limits.body_seconds_max)
        try:
            return await handler(request)
        finally:
            deadline.cancel()

    return admit


async def _admit(around: Surroundings, request: web.Request) -> None:
    origin = origin_of(request, around.settings.trusted_proxies)
    request[ORIGIN] = origin
    request[RATE_FIELDS] = (await around.limits.take_for_origin(origin)).fields
    if request.match_info.http_exception is not None or route_of(request) in request.app.get(OPEN_PATHS, ()):
        return
    if "Authorization" not in request.headers and _asks_for_web_socket(request):
        return
    caller = await around.authenticator.caller(request.headers.get("Authorization"))
    request[CALLER] = caller
    request[RATE_FIELDS] = (await around.limits.take_for_caller(caller.id)).fields


def _asks_for_web_socket(request: web.Request) -> bool:
    """Browsers cannot name credentials when they open a WebSocket; they are due in its first message."""
    return request.headers.get("Upgrade", "").casefold() == "websocket"
