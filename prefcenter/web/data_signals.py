"""Global Privacy Control: the field that browsers send, and the file that says that it is honoured."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from aiohttp import web

from prefcenter.services.controller import ControllerServices
from prefcenter.services.targets import Target

PATH = "/.well-known/gpc.json"
HONOURED_SINCE = date(2026, 11, 24)
"""When what the file says last changed."""


def is_signalled(request: web.BaseRequest) -> bool:
    """Whether the person's browser asks that their data be neither sold nor used for targeted advertising."""
    return request.headers.get("Sec-GPC", "").strip() == "1"


async def refuse_signalled(request: web.BaseRequest, services: ControllerServices, target: Target) -> None:
    """Honour the signal of a request that acts for a person."""
    if is_signalled(request):
        await services.data_signals.honour(target)


async def _tell(_request: web.Request) -> web.Response:
    return web.json_response({"gpc": True, "lastUpdate": HONOURED_SINCE.isoformat()})


def data_signal_routes() -> Sequence[web.AbstractRouteDef]:
    """The file that says that the signal is honoured here."""
    return [web.get(PATH, _tell)]
