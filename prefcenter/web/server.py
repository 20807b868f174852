"""One serving process: it listens, answers, and when it is told to stop loses nothing that it acknowledged."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiohttp import WSCloseCode, web

from prefcenter.web.app import Surroundings, metrics_app
from prefcenter.web.connections import Connections
from prefcenter.web.keys import WEB_SOCKETS

CLEANUP_SECONDS = 1.0
"""How long what still runs at the end of the draining time gets to take notice."""

BACKLOG_CONNECTIONS_MAX = 512


@asynccontextmanager
async def serving(
    app: web.Application, around: Surroundings, listeners: Sequence[socket.socket], metrics: Sequence[socket.socket]
) -> AsyncIterator[None]:
    """Answer on bound sockets; on the way out stop accepting, finish what runs within the limit, and hang up."""
    async with _answering(app, around, listeners):
        if not metrics:
            yield
            return
        async with _answering(metrics_app(around), around, metrics):
            yield


@asynccontextmanager
async def _answering(
    app: web.Application, around: Surroundings, listeners: Sequence[socket.socket]
) -> AsyncIterator[None]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=CLEANUP_SECONDS)
    await runner.setup()
    if runner.server is None:
        raise RuntimeError("a runner that is set up has a server")
    connections = Connections(runner.server, around.settings.limits, around.log)
    loop = asyncio.get_running_loop()
    servers = [
        await loop.create_server(connections, sock=bound, backlog=BACKLOG_CONNECTIONS_MAX) for bound in listeners
    ]
    try:
        yield
    finally:
        around.is_draining = True
        for server in servers:
            server.close()
        await _drain(app, around)
        await runner.cleanup()


async def _drain(app: web.Application, around: Surroundings) -> None:
    """Close the WebSockets, and wait for the requests that run."""
    closing = [one.close(code=WSCloseCode.GOING_AWAY, message=b"stopping") for one in app.get(WEB_SOCKETS, ())]
    try:
        async with asyncio.timeout(around.settings.limits.drain_seconds_max):
            await asyncio.gather(*closing, return_exceptions=True)
            await around.open_requests.none_left.wait()
    except TimeoutError:
        around.log.cut_off(around.open_requests.count)
