"""Double opt-in over HTTP: `GET /c/{token}` shows what waits for the person, `POST` is their yes (OCC-15, TCC-1).

Programs open links before people do, so opening one confirms nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from prefcenter.security.tokens import LinkKind
from prefcenter.services.acts import Outcome
from prefcenter.services.brand import brand_of
from prefcenter.services.controller import ControllerServices
from prefcenter.services.link_desk import LinkHome, open_link
from prefcenter.services.links import Link
from prefcenter.web.data_signals import refuse_signalled
from prefcenter.web.link_pages import read_form, says, tell_methods, with_link_page
from prefcenter.web.rendering import page
from prefcenter.web.translations import language_of

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
            return page(request, "nothing_to_confirm.html")
        brand, language = brand_of(services.policy), language_of(request)
        labels = [
            brand.label(cell.purpose or cell.data_use or "", services.confirmations.label(cell), language)
            for cell in cells
        ]
        return page(request, "confirm.html", brand=brand, labels=labels)

    async def confirm(self, request: web.Request) -> web.Response:
        """Record the consents, once; saying yes again changes nothing."""
        services, link = await self._open(request)
        if not says(await read_form(request), FIELD, VALUE):
            return page(request, "incomplete.html", 400)
        outcome = await services.confirmations.confirm(link)
        await refuse_signalled(request, services, link.target)
        template = "nothing_to_confirm.html" if outcome is Outcome.ABSENT else "confirmed.html"
        return page(request, template, brand=brand_of(services.policy))

    async def _open(self, request: web.Request) -> tuple[ControllerServices, Link]:
        return await open_link(self._home, request.match_info["token"], LinkKind.CONFIRM)
