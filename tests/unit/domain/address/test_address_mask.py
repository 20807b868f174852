"""Masks and kinds of single texts."""

from __future__ import annotations

import pytest

from prefcenter.domain.address import infer_kind, mask, parse
from prefcenter.domain.errors import InvalidAddress
from prefcenter.domain.terms import AddressKind


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("pat@acme.example", "***@acme.example"),
        ("Pat Example <pat@bücher.example>", "***@xn--bcher-kva.example"),
        ("news@pat.fastmail.com", "***@fastmail.com"),
        ("pat@acme.example, kim@acme.example", "***"),
        ("+44 20 7946 0123", "+44 ***23"),
        ("+44 20 7946 0123 ext 99", "+44 ***23"),
        ("020 7946 0123 ext 99", "***23"),
        ("447700900123.0", "***23"),
        ("4.477E+11", "***"),
        ("push:abc", "push:***"),
        ("push:", "push:***"),
        ("Pat, 10 High St, London, SW1A 1AA, UK", "GB SW1A ***"),
        ("Pat, 10 Main St, Springfield, IL 62701, USA", "US ***"),
        ("Pat, 10 High St, London, SW1A 1AA", "***"),
        ("Pat Example", "***"),
        ("", "***"),
        ("1" * 2_000, "***"),
        ("a@" * 2_000, "***"),
    ],
)
def test_a_mask_shows_what_people_recognise_and_no_more(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    ("text", "kind", "masked"),
    [
        ("abc", AddressKind.PUSH, "push:***"),
        ("pat", AddressKind.EMAIL, "***"),
        ("pat@acme.example", AddressKind.PHONE, "***"),
        ("12", AddressKind.PHONE, "***"),
        ("1" * 2_000, AddressKind.PHONE, "***"),
        ("020 7946 0123", AddressKind.EMAIL, "***"),
    ],
)
def test_a_stated_kind_is_believed(text: str, kind: AddressKind, masked: str) -> None:
    assert mask(text, kind) == masked


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("pat@acme.example", AddressKind.EMAIL),
        ("mailto:pat@acme.example", AddressKind.EMAIL),
        ("push:pat@acme.example", AddressKind.PUSH),
        ("\ufeff PUSH:abc", AddressKind.PUSH),
        ("tel:+442079460123", AddressKind.PHONE),
        ("Tel: 020 7946 0123", AddressKind.PHONE),
        ("020 7946 0123", AddressKind.PHONE),
        ("(020) 7946-0123 ext. 12", AddressKind.PHONE),
        ("447700900123.0", AddressKind.PHONE),
        ("4.477E+11", AddressKind.PHONE),
        ("2/10 High St, SW1A 1AA", AddressKind.POST),
        ("post:GB|SW1A1AA|10|pat", AddressKind.POST),
        ("1234", AddressKind.POST),
        ("acme", AddressKind.POST),
        ("", AddressKind.POST),
    ],
)
def test_the_kind_of_a_text_is_inferred(text: str, kind: AddressKind) -> None:
    assert infer_kind(text) is kind


@pytest.mark.parametrize("kind", AddressKind)
def test_an_overlong_text_is_refused_unread(kind: AddressKind) -> None:
    with pytest.raises(InvalidAddress, match="too long"):
        parse("push:" + "1" * 2_000, kind, country="GB")


def test_a_push_token_may_have_512_characters_and_no_more() -> None:
    assert parse("push:" + "a" * 512, AddressKind.PUSH, country="GB").current.exact == "push:" + "a" * 512
    with pytest.raises(InvalidAddress):
        parse("push:" + "a" * 513, AddressKind.PUSH, country="GB")


@pytest.mark.parametrize(
    "text",
    [
        "post:GB|SW1A1AA",
        "post:ZZ|SW1A1AA|10|pat",
        "post:GB|SW1A1AA|10 High!|pat",
        "post:GB|SW1A1AA|10|Pat",
        "post:GB|SW1A1AA|10|pat|pat",
    ],
)
def test_what_only_looks_like_a_postal_form_is_refused(text: str) -> None:
    with pytest.raises(InvalidAddress):
        parse(text, AddressKind.POST, country="GB")


def test_the_country_may_be_written_in_either_case() -> None:
    assert parse("020 7946 0123", AddressKind.PHONE, country="gb").current.exact == "+442079460123"
    assert parse("10 High St, SW1A 1AA", AddressKind.POST, country="gb").current.mailbox == "post:GB|SW1A1AA|10"


def test_an_address_outside_the_known_countries_is_refused() -> None:
    with pytest.raises(InvalidAddress, match="country"):
        parse("Pat, 1 Sample St, 1000 Sample", AddressKind.POST, country="BE")


def test_trunk_prefixes_written_twice_are_refused_rather_than_guessed() -> None:
    with pytest.raises(InvalidAddress, match="possible"):
        parse("+4400207946012", AddressKind.PHONE, country="GB")


@pytest.mark.parametrize(
    "text",
    [
        "\uff9ea@acme.example",
        "\ufdfa" * 20 + "@acme.example",
        "\u023a" * 90 + "@" + "acme." * 11 + "example",
        "\ud800@acme.example",
        "mailto:\ud800@acme.example",
        "a" * 183 + ".+@" + "a" * 60 + ".example",
    ],
)
def test_an_email_whose_forms_are_no_addresses_is_refused(text: str) -> None:
    with pytest.raises(InvalidAddress):
        parse(text, AddressKind.EMAIL, country="GB")
