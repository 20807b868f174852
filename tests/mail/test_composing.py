"""Letters are worded in every language alike, and nothing in them can break out of its place."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from email import message_from_bytes, policy
from importlib.resources import files

import pytest
from aiosmtplib.email import flatten_message
from hypothesis import example, given, reject
from hypothesis import strategies as st

from prefcenter.domain.address import parse
from prefcenter.domain.errors import InvalidAddress
from prefcenter.domain.terms import AddressKind
from prefcenter.mail.composing import LANGUAGES, compose
from prefcenter.services.outbox import Letter, LetterKind
from tests.factories import NOW

URL = "https://preferences.example/c/token"


def a_letter(language: str = "en", name: str = "Acme", kind: LetterKind = LetterKind.CONFIRMATION) -> Letter:
    return Letter(kind, "pat@example.com", language, URL, name, ("News", "<b>Offers</b>"))


def bodies(letter: Letter) -> tuple[str, str]:
    message = compose(letter, "7", "preferences@example.org", NOW)
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert html is not None
    return plain.get_content(), html.get_content()


@pytest.mark.parametrize("kind", LetterKind)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_letter_is_worded_in_every_language(kind: LetterKind, language: str) -> None:
    texts = tomllib.loads(files("prefcenter.mail").joinpath("texts", f"{language}.toml").read_text(encoding="utf-8"))
    assert {name: sorted(words) for name, words in texts.items()} == {
        each.value: ["button", "lead", "note", "subject"] for each in LetterKind
    }
    message = compose(a_letter(language, kind=kind), "7", "preferences@example.org", NOW)
    assert message["Content-Language"] == language
    assert message["Subject"] == texts[kind]["subject"]
    for body in bodies(a_letter(language, kind=kind)):
        assert URL in body
        assert "Acme" in body


def test_arabic_is_read_from_right_to_left() -> None:
    assert 'lang="ar" dir="rtl"' in bodies(a_letter("ar"))[1]
    assert 'lang="cy" dir="ltr"' in bodies(a_letter("cy"))[1]


def test_a_language_that_is_not_spoken_here_is_english() -> None:
    assert bodies(a_letter("tlh")) == bodies(a_letter("en"))


def test_labels_are_text_and_no_markup() -> None:
    plain, html = bodies(a_letter())
    assert "<b>Offers</b>" in plain
    assert "&lt;b&gt;Offers&lt;/b&gt;" in html


@pytest.mark.parametrize("name", ["Acme\r\nBcc: kim@example.com", "Acme\nX: y"])
def test_a_name_adds_no_header(name: str) -> None:
    with pytest.raises(ValueError, match=r"linefeed|CR"):
        compose(a_letter(name=name), "7", "preferences@example.org", NOW)


LOCAL_PARTS = st.lists(st.sampled_from(["a", "-", ".", "=", "?", "_", "'", "%", "é", "=?", "?=", "=?utf-8?q?", "=?b?"]))


@given(LOCAL_PARTS)
@example(["=?utf-8?q?kim?="])
@example(["=?us-ascii?q?kim=40b.example?="])
@example(["=?utf-8?b?$=?="])
def test_whatever_an_address_looks_like_the_message_names_it_or_there_is_none(parts: list[str]) -> None:
    try:
        address = parse("".join(parts) + "@example.com", AddressKind.EMAIL, country="GB").current.exact
    except InvalidAddress:
        reject()
    letter = replace(a_letter(), address=address)
    if "=?" in address:
        with pytest.raises(InvalidAddress):
            compose(letter, "7", "preferences@example.org", NOW)
    else:
        message = compose(letter, "7", "preferences@example.org", NOW)
        read = message_from_bytes(bytes(message), policy=policy.default)
        assert [one.addr_spec for named in (message["To"], read["To"]) for one in named.addresses] == [address] * 2


def test_the_fields_of_one_click_stand_in_the_message_as_they_are() -> None:
    url = f"<https://preferences.example/u/{'A-z_9' * 24}>"
    headers = {
        "List-Unsubscribe": url,
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "List-Id": f"<{'news.' * 20}example>",
    }
    message = compose(replace(a_letter(), headers=headers), "7", "preferences@example.org", NOW)
    written = flatten_message(message).decode("ascii").split("\r\n")
    for name, value in headers.items():
        assert f"{name}: {value}" in written


def test_a_field_of_one_click_adds_no_other() -> None:
    letter = replace(a_letter(), headers={"List-Unsubscribe": "<https://a.example>\r\nBcc: kim@example.com"})
    with pytest.raises(ValueError, match=r"linefeed|CR"):
        compose(letter, "7", "preferences@example.org", NOW)


def test_names_in_any_script_are_encoded_and_read_back() -> None:
    message = compose(a_letter(name="Müller, „Söhne“ & Töchter"), "7", "preferences@example.org", NOW)
    assert message["From"].addresses[0].display_name == "Müller, „Söhne“ & Töchter"
    assert bytes(message).isascii()
