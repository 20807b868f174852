"""What those who look after a server ask: is it alive, may it be sent requests, and how does it do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from aiohttp import web

from prefcenter.domain.errors import StoreBusy, StoreError
from prefcenter.services.controller import ControllerServices
from prefcenter.web.metrics import CONTENT_TYPE, Metrics

READY_SECONDS_MAX = 5.0


class DecidingHome(Protocol):
    """A home, as far as its readiness goes."""

    async def deciding(self, controller: str) -> ControllerServices:
        """The services of a controller, for decisions. Raises StoreError or KeyringError where there are none."""

    def controllers(self) -> Sequence[str]:
        """The controllers of the home."""


def health_routes(home: DecidingHome, is_draining: Callable[[], bool]) -> Sequence[web.RouteDef]:
    """`/healthz` says that the process answers; `/readyz` that store and keyring do, for every controller.

    Which controllers there are is nobody's business here, so the answer names none; the log does.
    """

    async def alive(_request: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def ready(_request: web.Request) -> web.Response:
        if is_draining():
            raise web.HTTPServiceUnavailable
        await _try_all(home)
        return web.json_response({"status": "ready"})

    return [web.get("/healthz", alive), web.get("/readyz", ready)]


async def _try_all(home: DecidingHome) -> None:
    """Read the store as every controller's decisions would. Raises what keeps one of them from deciding."""
    controllers = home.controllers()
    if not controllers:
        raise StoreError("the home has no policy")
    try:
        async with asyncio.timeout(READY_SECONDS_MAX):
            for controller in controllers:
                services = await home.deciding(controller)
                await services.decisions.heads()
    except TimeoutError:
        raise StoreBusy("the store did not answer in time") from None


def metrics_route(metrics: Metrics) -> web.RouteDef:
    """`/metrics` in the text format of Prometheus."""

    async def tell(_request: web.Request) -> web.Response:
        return web.Response(body=metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})

    return web.get("/metrics", tell)
