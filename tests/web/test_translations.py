"""The catalogues say everything that the pages say, and nothing else."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from prefcenter.domain.policy import DataUse, Purpose
from prefcenter.services.brand import brand_of
from prefcenter.services.policy_files import load_policy
from prefcenter.web.translations import LANGUAGES, SOURCE_LANGUAGE, translations
from prefcenter.web.wordings import page_wording
from tests.web.serving_home import POLICIES

WEB = Path(__file__).resolve().parents[2] / "prefcenter" / "web"
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2")]
OPTIONS = {"templates/**.html": {"trimmed": "true", "newstyle_gettext": "true"}}
OTHERS = [language for language in LANGUAGES if language != SOURCE_LANGUAGE]
SHOWN = {"preference-page@1.toml": "2ebe62a5d822a6d3f970dd2e6cca9cbdeae41edc82682d0d9459915bc61658d5"}
"""The texts that people consented to, by their SHA-256 digests; a changed text is a new file, and a line more here."""

PLACES = re.compile(r"%\(\w+\)s")


def messages() -> set[str]:
    """Every text that a page may show, as it stands in templates and tables."""
    keywords = {"word": None, "_": None, "gettext": None}
    found = extract_from_dir(WEB, METHODS, OPTIONS, keywords=keywords)
    return {message for _file, _line, message, _comments, _context in found if isinstance(message, str)}


@pytest.mark.parametrize("language", OTHERS)
def test_every_text_is_translated_and_nothing_is_left_over(language: str) -> None:
    with (WEB / "locales" / f"{language}.po").open("rb") as file:
        catalogue = read_po(file, locale=language)
    translated = {entry.id: entry.string for entry in catalogue if entry.id}
    assert set(translated) == messages()
    assert [text for text, said in translated.items() if not said] == []
    assert [entry.id for entry in catalogue if entry.id and entry.fuzzy] == []


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_has_the_places_and_elements_of_its_text(language: str) -> None:
    for text in messages():
        said = translations(language).gettext(text)
        assert sorted(set(PLACES.findall(said))) == sorted(set(PLACES.findall(text))), text
        assert re.findall(r"</?\w+", said) == re.findall(r"</?\w+", text), text


@pytest.mark.parametrize("controller", sorted(path.stem for path in POLICIES.glob("*.toml")))
def test_what_a_shipped_policy_offers_is_called_something_in_every_language(controller: str) -> None:
    policy = load_policy(POLICIES / f"{controller}.toml", known_clauses=None)
    brand = brand_of(policy)
    offered: list[Purpose | DataUse] = [*policy.purposes, *policy.data_uses]
    for one in offered:
        assert [brand.label(one.id, one.label, language)[1] for language in LANGUAGES] == list(LANGUAGES)


def test_texts_of_consent_have_every_language_and_name_their_version() -> None:
    for language in LANGUAGES:
        wording = page_wording(language)
        assert wording.id == f"preference-page.{language}@1"
        assert "{name}" in wording.text


def test_texts_that_people_consented_to_are_never_changed() -> None:
    found = {file.name: sha256(file.read_bytes()).hexdigest() for file in (WEB / "wordings").glob("*.toml")}
    assert found == SHOWN
