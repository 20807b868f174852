"""Double opt-in over HTTP: `GET /c/{token}` shows what waits for the person, `POST` is their yes (OCC-15, TCC-1).

Programs open links before people do, so opening one confirms nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from prefcenter.security.tokens import LinkKind
from prefcenter.services.acts import Outcome
from prefcenter.services.controller import ControllerServices
from prefcenter.services.link_desk import LinkHome, open_link
from prefcenter.services.links import Link
from prefcenter.web.data_signals import refuse_signalled
from prefcenter.web.link_pages import read_form, says, tell_methods, with_link_page
from prefcenter.web.rendering import page

PATH = "/c/{token}"
FIELD, VALUE = "confirm", "yes"


class Confirming:
    """The handlers. Hand `routes` to the application as open ones."""

    def __init__(self, home: LinkHome) -> None:
        self._home = home

    @property
    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [
            web.get(PATH, with_link_page(self.show)),
            web.post(PATH, with_link_page(self.confirm)),
            web.options(PATH, tell_methods),
        ]

    async def show(self, request: web.Request) -> web.Response:
        """What the link would confirm, and one button."""
        services, link = await self._open(request)
        cells = await services.confirmations.pending(link)
        if not cells:
            return page("nothing_to_confirm.html")
        labels = [services.confirmations.label(cell) for cell in cells]
        return page("confirm.html", name=services.policy.name, labels=labels)

    async def confirm(self, request: web.Request) -> web.Response:
        """Record the consents, once; saying yes again changes nothing."""
        services, link = await self._open(request)
        if not says(await read_form(request), FIELD, VALUE):
            return page("incomplete.html", 400)
        outcome = await services.confirmations.confirm(link)
        await refuse_signalled(request, services, link.target)
        return page("nothing_to_confirm.html" if outcome is Outcome.ABSENT else "confirmed.html")

    async def _open(self, request: web.Request) -> tuple[ControllerServices, Link]:
        return await open_link(self._home, request.match_info["token"], LinkKind.CONFIRM)
