"""Class, role accounts and class columns: business only on somebody's word, and never at a free-mail domain (OC-3)."""

from __future__ import annotations

import pytest

from prefcenter.domain.address import classify, parse, read_address_class
from prefcenter.domain.terms import AddressClass, AddressKind

BUSINESS, PERSONAL = AddressClass.BUSINESS, AddressClass.PERSONAL


@pytest.mark.parametrize(
    ("text", "stated", "unknown", "expected"),
    [
        ("pat@acme.example", BUSINESS, PERSONAL, BUSINESS),
        ("pat@acme.example", None, PERSONAL, PERSONAL),
        ("pat@acme.example", None, BUSINESS, BUSINESS),
        ("pat@acme.example", PERSONAL, BUSINESS, PERSONAL),
        ("pat@gmail.com", BUSINESS, BUSINESS, PERSONAL),
        ("pat@gmail.com", None, BUSINESS, PERSONAL),
        ("pat@mail.gmail.com", BUSINESS, PERSONAL, PERSONAL),
        ("news@pat.fastmail.com", BUSINESS, PERSONAL, PERSONAL),
    ],
)
def test_business_is_believed_only_away_from_free_mail(
    text: str, stated: AddressClass | None, unknown: AddressClass, expected: AddressClass
) -> None:
    address = parse(text, AddressKind.EMAIL, country="GB")
    assert classify(address, stated, unknown=unknown) is expected


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("020 7946 0123", AddressKind.PHONE),
        ("10 High St, SW1A 1AA", AddressKind.POST),
        ("push:abc", AddressKind.PUSH),
    ],
)
def test_other_kinds_are_what_they_are_stated_to_be(text: str, kind: AddressKind) -> None:
    address = parse(text, kind, country="GB")
    assert address.may_be_business
    assert not address.is_role
    assert classify(address, None, unknown=PERSONAL) is PERSONAL
    assert classify(address, BUSINESS, unknown=PERSONAL) is BUSINESS


@pytest.mark.parametrize(
    "cell", ["business", " Business ", "WORK", "office", "company", "B2B", "Geschäftlich", "ｗｏｒｋ"]
)
def test_words_for_business_are_read(cell: str) -> None:
    assert read_address_class(cell) is BUSINESS


@pytest.mark.parametrize("cell", ["personal", "Home", "private", " b2c\u00a0", "Privat", "privé", "PARTICULIER"])
def test_words_for_personal_are_read(cell: str) -> None:
    assert read_address_class(cell) is PERSONAL


@pytest.mark.parametrize("cell", ["", "  ", "?", "n/a", "not business", "business?", "mixed", "1"])
def test_anything_else_states_no_class(cell: str) -> None:
    assert read_address_class(cell) is None


@pytest.mark.parametrize(
    "text", ["info@acme.example", "Sales@acme.example", "no-reply+1@acme.example", "postmaster@x.example"]
)
def test_role_accounts_are_told(text: str) -> None:
    assert parse(text, AddressKind.EMAIL, country="GB").is_role


@pytest.mark.parametrize("text", ["pat@acme.example", "info.pat@acme.example", "news@pat.fastmail.com"])
def test_people_are_no_role_accounts(text: str) -> None:
    assert not parse(text, AddressKind.EMAIL, country="GB").is_role
