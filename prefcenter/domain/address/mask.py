"""Addresses for people to recognise and nobody to use: what logs, reports and pages may show of one."""

from __future__ import annotations

from prefcenter.domain.address.limits import MAX_TEXT_CHARACTERS
from prefcenter.domain.address.parsing import infer_kind, parse
from prefcenter.domain.address.phone import mask_phone_without_country
from prefcenter.domain.address.push import PUSH_MASK
from prefcenter.domain.errors import InvalidAddress
from prefcenter.domain.terms import AddressKind

MASKED = "***"
NO_COUNTRY = "ZZ"


def mask(text: str, kind: AddressKind | None = None) -> str:
    """A mask of any text whatever; what does not parse shows nothing, for its parts cannot be told apart."""
    inferred = infer_kind(text) if kind is None else kind
    if inferred is AddressKind.PUSH:
        return PUSH_MASK
    try:
        return parse(text, inferred, country=NO_COUNTRY).masked
    except InvalidAddress:
        is_short_phone = inferred is AddressKind.PHONE and len(text) <= MAX_TEXT_CHARACTERS
        return mask_phone_without_country(text) if is_short_phone else MASKED
