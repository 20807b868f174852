"""The languages of the pages: their catalogues, and which one somebody reads.

A catalogue is a `.po` file in `locales/`, read when its language is first asked for; there is no compiled copy that
could be older than it.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import cache
from gettext import GNUTranslations, NullTranslations
from importlib.resources import files

from aiohttp import web
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from prefcenter.web.languages import read_languages

SOURCE_LANGUAGE = "en"
LANGUAGES: Mapping[str, str] = {
    "en": "English",
    "de": "Deutsch",
    "fr": "Français",
    "es": "Español",
    "cy": "Cymraeg",
    "ar": "العربية",
}
"""Each by the name that its own readers give it."""

RIGHT_TO_LEFT = frozenset({"ar"})
SWITCH = "lang"
"""The field of a URL's query that chooses a language, whatever the browser prefers."""


def language_of(request: web.BaseRequest) -> str:
    """The language that was chosen, or the first one of `Accept-Language` that there is."""
    chosen = request.query.get(SWITCH, "")
    preferred = (tag.partition("-")[0] for tag in read_languages(request.headers.get("Accept-Language")))
    return next((language for language in (chosen, *preferred) if language in LANGUAGES), SOURCE_LANGUAGE)


@cache
def translations(language: str) -> NullTranslations:
    """The catalogue of a language; what the templates say stands there in English."""
    if language == SOURCE_LANGUAGE:
        return NullTranslations()
    with (files("prefcenter.web") / "locales" / f"{language}.po").open("rb") as text:
        catalogue = read_po(text, locale=language)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return GNUTranslations(compiled)
