"""Pages for people: HTML that asks nobody else for anything, and that nothing keeps (UN-4)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from aiohttp import web
from babel.dates import format_date
from jinja2 import Environment, PackageLoader, StrictUndefined

from prefcenter.services.brand import Brand
from prefcenter.web.translations import LANGUAGES, RIGHT_TO_LEFT, SWITCH, language_of, translations

PAGE_FIELDS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'"
    ),
    "X-Robots-Tag": "noindex",
    "Referrer-Policy": "no-referrer",
}
"""Besides the fields of every response: a link's token must not reach anybody through a search or a `Referer`."""

SCRIPTED_PAGE_FIELDS: Mapping[str, str] = {
    **PAGE_FIELDS,
    "Content-Security-Policy": PAGE_FIELDS["Content-Security-Policy"] + "; script-src 'self'; connect-src 'self'",
}
"""For the one page that saves in place where the browser can; its only script is a file of our own."""

NO_BRAND = Brand(name="")


def page(
    request: web.BaseRequest,
    template: str,
    status: int = 200,
    *,
    brand: Brand = NO_BRAND,
    fields: Mapping[str, str] = PAGE_FIELDS,
    **context: Any,
) -> web.Response:
    """A page of a template in the reader's language, with what that needs to know."""
    language = language_of(request)
    text = _environment(language).get_template(template).render(context, brand=brand, root=root_from(request))
    head = {**fields, "Content-Language": language, "Vary": "Accept-Language"}
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8", headers=head)


def root_from(request: web.BaseRequest) -> str:
    """The way from a page to where the paths of this server begin, which may be beneath a path of a proxy's."""
    return "../" * (request.rel_url.raw_path.count("/") - 1) or "./"


def day_in_words(at_ms: int, language: str) -> str:
    """A day of UTC as readers of a language write it."""
    return format_date(datetime.fromtimestamp(at_ms / 1_000, UTC), "long", locale=language)


@cache
def _environment(language: str) -> Environment:
    environment = Environment(
        loader=PackageLoader("prefcenter.web"),
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    catalogue = translations(language)
    environment.install_gettext_callables(  # type: ignore[attr-defined] # the extension adds it
        catalogue.gettext, catalogue.ngettext, newstyle=True
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.filters["day"] = lambda at_ms: day_in_words(at_ms, language)
    environment.globals.update(
        language=language,
        direction="rtl" if language in RIGHT_TO_LEFT else "ltr",
        languages=LANGUAGES,
        switch=SWITCH,
    )
    return environment
