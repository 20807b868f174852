"""What every page behind a link has in common: its token is opened, and whatever is wrong with it is one page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from multidict import MultiMapping

from prefcenter.domain.errors import InvalidLink
from prefcenter.web.rendering import page

GONE_OR_WRONG = 404
"""For tokens that are altered, cut short, of another kind or over: who sent one learns nothing of which it is."""

READING_METHODS = "GET, HEAD, OPTIONS, POST"

FORM_BYTES_MAX = 65_536
"""Many times what the page sends with the token of a portal and a switch for each of 200 choices."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Form = MultiMapping[object]


def with_link_page(handler: Handler) -> Handler:
    """The handler, with one friendly page for every link that does not work."""

    @wraps(handler)
    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except InvalidLink:
            return page(request, "bad_link.html", GONE_OR_WRONG)

    return answer


async def tell_methods(_request: web.Request) -> web.Response:
    """`OPTIONS` says which methods there are, and does nothing."""
    return web.Response(status=204, headers={"Allow": READING_METHODS})


async def read_form(request: web.Request) -> Form | None:
    """The fields of a form, urlencoded or multipart; None for a body that is neither or cannot be read.

    Raises HTTPRequestEntityTooLarge for a longer one: whoever has a link may send forms, and most have nothing else.
    """
    if (request.content_length or 0) > FORM_BYTES_MAX:
        raise web.HTTPRequestEntityTooLarge(FORM_BYTES_MAX, request.content_length or 0)
    try:
        return await request.post()
    except (ValueError, LookupError, RuntimeError, HttpProcessingError):  # what aiohttp raises for what is no form
        return None


def says(form: Form | None, name: str, value: str) -> bool:
    """Whether a form says so, in whatever case and with blanks around it."""
    said = None if form is None else form.get(name)
    return isinstance(said, str) and said.strip().casefold() == value.casefold()
