"""One way in for every kind of address."""

from __future__ import annotations

from prefcenter.domain.address.blanks import stripped
from prefcenter.domain.address.email import parse_email
from prefcenter.domain.address.forms import Address
from prefcenter.domain.address.limits import MAX_TEXT_CHARACTERS, require_readable_length
from prefcenter.domain.address.phone import looks_like_phone, parse_phone
from prefcenter.domain.address.post import POST, parse_post
from prefcenter.domain.address.push import looks_like_push, parse_push
from prefcenter.domain.terms import AddressKind


def parse(text: str, kind: AddressKind, *, country: str) -> Address:
    """The address in a text, or InvalidAddress, which says why and never quotes the text.

    `country` (ISO 3166-1 alpha-2) is where national phone numbers and postal addresses without a country belong.
    """
    require_readable_length(text)
    if kind is AddressKind.EMAIL:
        return parse_email(text)
    if kind is AddressKind.PHONE:
        return parse_phone(text, country.upper())
    return parse_post(text, country.upper()) if kind is AddressKind.POST else parse_push(text)


def infer_kind(text: str) -> AddressKind:
    """The kind that a text would be parsed as if nothing else says so. Total: what is none of the others is post."""
    if looks_like_push(text):
        return AddressKind.PUSH
    if stripped(text[:MAX_TEXT_CHARACTERS]).startswith(POST):
        return AddressKind.POST
    if "@" in text:
        return AddressKind.EMAIL
    if len(text) <= MAX_TEXT_CHARACTERS and looks_like_phone(text):
        return AddressKind.PHONE
    return AddressKind.POST
