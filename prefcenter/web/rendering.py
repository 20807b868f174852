"""Pages for people: HTML that carries no script, asks nobody else for anything, and that nothing keeps (UN-4)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

PAGE_FIELDS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'"
    ),
    "X-Robots-Tag": "noindex",
    "Referrer-Policy": "no-referrer",
}
"""Besides the fields of every response: a link's token must not reach anybody through a search or a `Referer`."""


def page(template: str, status: int = 200, **context: Any) -> web.Response:
    """A page of a template, with what that needs to know."""
    text = _environment().get_template(template).render(context)
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8", headers=PAGE_FIELDS)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("prefcenter.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
