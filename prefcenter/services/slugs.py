"""`source`, `cause`, `wording` and the like are short slugs, so that no address or free text gets into a record."""

from __future__ import annotations

import re

from prefcenter.domain.errors import InvalidInput

SLUG_CHARACTERS_MAX = 40
_SLUG = re.compile(r"[a-z][a-z0-9]*(?:[._-][a-z0-9]+)*", re.ASCII)
_VERSIONED_SLUG = re.compile(_SLUG.pattern + r"(?:@[0-9]{1,6})?", re.ASCII)


def check_slug(text: str, field: str, *, may_have_version: bool = False) -> str:
    """The slug itself. A wording may name its version: `newsletter-form@3`. Raises InvalidInput, never quoting it."""
    pattern = _VERSIONED_SLUG if may_have_version else _SLUG
    if len(text) > SLUG_CHARACTERS_MAX or not pattern.fullmatch(text):
        version = ", and @ with a version number" if may_have_version else ""
        raise InvalidInput(
            f"{field}: expected a short slug: a lower-case letter, then letters, digits and single . _ -,"
            f" {SLUG_CHARACTERS_MAX} at most{version}"
        )
    return text
