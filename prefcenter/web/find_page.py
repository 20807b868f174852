"""Lost the mail? `/find` sends a link to one's page by mail, and says the same whether or not the address is known."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from aiohttp import web

from prefcenter.domain.errors import InvalidAddress, InvalidInput, MailUnavailable
from prefcenter.services.brand import Brand, brand_of
from prefcenter.services.controller import ControllerServices
from prefcenter.services.link_desk import LinkHome
from prefcenter.web.keys import ORIGIN, RATE_FIELDS, RATE_LIMITS
from prefcenter.web.link_pages import read_form, tell_methods
from prefcenter.web.page_form import said
from prefcenter.web.page_words import word
from prefcenter.web.rendering import page
from prefcenter.web.translations import language_of

PATH = "/find"
OF_CONTROLLER = "/find/{controller}"

SENT = word("If we write to that address, a link is on its way. It works for 24 hours. Please look into your mailbox.")
NO_ADDRESS = word("This is not an email address. Please check it.")
NO_MAIL = word("No email can be sent from here. Please use the link in one of our messages.")


class FindPage:
    """The handlers. Hand `routes` to the application as open ones."""

    def __init__(self, home: LinkHome) -> None:
        self._home = home

    @property
    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [
            web.get(PATH, self.choose),
            web.get(OF_CONTROLLER, self.show),
            web.post(OF_CONTROLLER, self.send),
            web.options(OF_CONTROLLER, tell_methods),
        ]

    async def choose(self, request: web.Request) -> web.Response:
        """Who may have written: every organisation of this home; a home of one shows its form."""
        brands = [brand async for brand in self._brands()]
        if len(brands) == 1:
            return _form(request, brands[0])
        return page(request, "find_whom.html", brands=sorted(brands, key=lambda brand: brand.name.casefold()))

    async def show(self, request: web.Request) -> web.Response:
        return _form(request, brand_of((await self._services(request)).policy))

    async def send(self, request: web.Request) -> web.Response:
        """Send a link. Neither the answer nor its time tells whether the address is known."""
        request[RATE_FIELDS] = (await request.app[RATE_LIMITS].take_for_find(request[ORIGIN])).fields
        services = await self._services(request)
        brand, form = brand_of(services.policy), await read_form(request)
        try:
            await services.finding.ask("" if form is None else said(form, "address"), language_of(request))
        except InvalidAddress:
            return _form(request, brand, NO_ADDRESS, 400)
        except MailUnavailable:
            return _form(request, brand, NO_MAIL, 503)
        return _form(request, brand, SENT)

    async def _services(self, request: web.Request) -> ControllerServices:
        try:
            return await self._home.controller(request.match_info["controller"])
        except InvalidInput:
            raise web.HTTPNotFound from None

    async def _brands(self) -> AsyncIterator[Brand]:
        for controller in self._home.controllers():
            try:
                yield brand_of((await self._home.controller(controller)).policy)
            except InvalidInput:  # a file that is no policy (any more) must not hide the others
                continue


def _form(request: web.Request, brand: Brand, notice: str | None = None, status: int = 200) -> web.Response:
    return page(request, "find.html", status, brand=brand, notice=notice, is_problem=status != 200)
