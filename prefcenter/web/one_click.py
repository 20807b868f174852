"""One click (RFC 8058): `POST /u/{token}` refuses, and is on disk before the answer. Everything else only reads.

There is no cookie, no login, no redirect and no script, and nothing of the request counts but the token and the one
field that says what to do. Programs that look at links before people do send GET, HEAD and OPTIONS, and POST without
that field; none of them changes anything.
"""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from prefcenter.domain.policy import Policy
from prefcenter.security.tokens import LinkKind
from prefcenter.services.brand import brand_of
from prefcenter.services.controller import ControllerServices
from prefcenter.services.link_desk import LinkHome, open_link
from prefcenter.services.links import Link, bare_opt_out
from prefcenter.web.data_signals import refuse_signalled
from prefcenter.web.link_pages import read_form, says, tell_methods, with_link_page
from prefcenter.web.page_words import MESSAGES
from prefcenter.web.rendering import page

PATH = "/u/{token}"
SOURCE = "one-click"
FIELD, VALUE = "List-Unsubscribe", "One-Click"


class OneClick:
    """The handlers. Hand `routes` to the application as open ones."""

    def __init__(self, home: LinkHome) -> None:
        self._home = home

    @property
    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [
            web.get(PATH, with_link_page(self.show)),
            web.post(PATH, with_link_page(self.refuse)),
            web.options(PATH, tell_methods),
        ]

    async def show(self, request: web.Request) -> web.Response:
        """The page with one button."""
        services, link = await self._open(request)
        return page(request, "unsubscribe.html", brand=brand_of(services.policy), what=_what(services.policy, link))

    async def refuse(self, request: web.Request) -> web.Response:
        """Record the refusal of whoever the link is for, once, however often it is sent."""
        services, link = await self._open(request)
        if not says(await read_form(request), FIELD, VALUE):
            return page(request, "incomplete.html", 400)
        scope = bare_opt_out(services.policy, link.purpose)
        await services.own_acts.opt_out(link.target, [scope], SOURCE)
        await refuse_signalled(request, services, link.target)
        return page(request, "unsubscribed.html", brand=brand_of(services.policy), what=_what(services.policy, link))

    async def _open(self, request: web.Request) -> tuple[ControllerServices, Link]:
        return await open_link(self._home, request.match_info["token"], LinkKind.UNSUBSCRIBE)


def _what(policy: Policy, link: Link) -> str:
    return MESSAGES[bare_opt_out(policy, link.purpose).purpose_class]
