"""Slugs keep addresses and free text out of records."""

from __future__ import annotations

import pytest

from prefcenter.domain.errors import InvalidInput
from prefcenter.services.slugs import SLUG_CHARACTERS_MAX, check_slug


@pytest.mark.parametrize("slug", ["form", "command-line", "tps.2026", "list_7", "a1", "a" * SLUG_CHARACTERS_MAX])
def test_short_lower_case_words_are_slugs(slug: str) -> None:
    assert check_slug(slug, "source") == slug


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Form",
        "a form",
        "7form",
        "form-",
        "form--two",
        "-form",
        "förm",
        "form\n",
        "pat@acme.example",
        "form@3",
        "a" * (SLUG_CHARACTERS_MAX + 1),
    ],
)
def test_anything_else_is_refused_and_never_quoted(text: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        check_slug(text, "source")
    assert str(raised.value).startswith("source: expected a short slug")
    assert not text or text not in str(raised.value)


@pytest.mark.parametrize("wording", ["newsletter", "newsletter@3", "newsletter-form@123456"])
def test_a_wording_may_name_its_version(wording: str) -> None:
    assert check_slug(wording, "wording", may_have_version=True) == wording


@pytest.mark.parametrize("wording", ["newsletter@", "newsletter@1234567", "newsletter@v3", "pat@acme.example", "@3"])
def test_what_follows_the_at_sign_of_a_wording_is_a_number(wording: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        check_slug(wording, "wording", may_have_version=True)
    assert wording not in str(raised.value)
