"""One connection: how long its heads and bodies may take, and what it is told when it sends no HTTP.

aiohttp bounds only the time between requests. A head that trickles in would hold its connection, and the library's
own answer to what it cannot parse quotes it; both are put right here.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from prefcenter.settings import ServingLimits
from prefcenter.web.errors import (
    FAULT,
    FIELDS,
    HEAD_TOO_LARGE,
    HEAD_TOO_SLOW,
    MALFORMED,
    BodyTooSlow,
    HttpError,
    error_body,
    error_response,
)
from prefcenter.web.log import WebLog

BUSY = HttpError(503, "unavailable", "too many connections are open")
LINGERING_SECONDS = 2.0
"""How long what is left of a refused body is read, so that its sender gets to see the answer."""

HEADER_FIELDS_MAX = 64
HEAD_LINE_BYTES_MAX = 8_190


@dataclass(slots=True)
class Connections:
    """Makes the connections of one server, and counts those that are open."""

    server: web.Server
    limits: ServingLimits
    log: WebLog
    open: int = 0

    def __call__(self) -> asyncio.Protocol:
        return Connection(self)


class Connection(web.RequestHandler):
    """aiohttp's connection, with a limit on the time that a head may take and our own errors."""

    __slots__ = ("_connections", "_head_deadline")

    def __init__(self, connections: Connections) -> None:
        limits = connections.limits
        super().__init__(
            connections.server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type] # aiohttp itself allows for none, and ours is in the middleware
            keepalive_timeout=limits.keep_alive_seconds,
            lingering_time=LINGERING_SECONDS,
            max_line_size=HEAD_LINE_BYTES_MAX,
            max_field_size=limits.header_field_bytes_max,
            max_headers=HEADER_FIELDS_MAX,
        )
        self._connections = connections
        self._head_deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connections.open += 1
        super().connection_made(transport)
        if self._connections.open > self._connections.limits.connections_max:
            self._refuse(BUSY)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._connections.open -= 1
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # The base waits for the next request while no whole head has come in since the last one was answered.
        if self._waiter is None or self._waiter.done():
            self._stop_waiting()
        elif self._head_deadline is None:
            self._await_head()

    def _await_head(self) -> None:
        self._head_deadline = self._loop.call_later(self._connections.limits.head_seconds_max, self._head_is_late)

    def _stop_waiting(self) -> None:
        if self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None

    def _head_is_late(self) -> None:
        self._head_deadline = None
        if self._waiter is not None and not self._waiter.done():
            self._tell(HEAD_TOO_SLOW)
            self._force_close = True
            self._waiter.cancel()
            self._hang_up_later()

    def _refuse(self, error: HttpError) -> None:
        """Say what is wrong and hang up."""
        self._tell(error)
        self.force_close()

    def _tell(self, error: HttpError) -> None:
        """Say what is wrong where there is no request that a response could belong to."""
        request_id = secrets.token_hex(8)
        self._connections.log.refused(error, request_id)
        if self.transport is not None:
            self.transport.write(_raw_response(error, request_id))

    def _hang_up_later(self) -> None:
        """End our side only: a peer that goes on sending to a closed connection may never see what it was told."""
        transport = self.transport
        if transport is not None:
            transport.write_eof()
            self._loop.call_later(LINGERING_SECONDS, transport.close)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it quotes what was sent
    ) -> web.StreamResponse:
        """Answer what is no HTTP, or a failure outside of the application; both end the connection."""
        error = FAULT if status >= 500 else HEAD_TOO_LARGE if isinstance(exc, LineTooLong) else MALFORMED
        request_id = secrets.token_hex(8)
        self._connections.log.refused(error, request_id, exc if status >= 500 else None)
        if request.writer.output_size > 0:
            raise ConnectionError("a response was begun already")
        response = error_response(error, request_id)
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kw: Any) -> None:  # noqa: ARG002 - the arguments may quote what was sent
        """Failures of a connection are told by their place; aiohttp's words could hold what a person typed."""
        self._connections.log.failed(kw.get("exc_info"))


def _raw_response(error: HttpError, request_id: str) -> bytes:
    body = error_body(error, request_id)
    fields = {
        **FIELDS,
        "Content-Type": "application/json; charset=utf-8",
        "Content-Length": str(len(body)),
        "Connection": "close",
        "X-Request-Id": request_id,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {error.status} {error.code}\r\n{head}\r\n".encode() + body


def bound_body_time(request: web.Request, seconds_max: float) -> asyncio.TimerHandle:
    """From now on the body has so many seconds to arrive; then whoever reads it gets `BodyTooSlow`."""
    body = request.content

    def is_late() -> None:
        if not body.is_eof():
            body.set_exception(BodyTooSlow())

    return asyncio.get_running_loop().call_later(seconds_max, is_late)
