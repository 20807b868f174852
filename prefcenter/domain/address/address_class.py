"""Whose address it is: business only where somebody said so and the domain does not say otherwise (OC-3)."""

from __future__ import annotations

import unicodedata

from prefcenter.domain.address.forms import Address
from prefcenter.domain.terms import AddressClass

BUSINESS_WORDS = frozenset(
    {
        "b2b", "business", "commercial", "company", "corporate", "employer", "office", "organisation", "organization",
        "professional", "trade", "work", "dienstlich", "firma", "geschäftlich", "gewerblich", "bureau", "entreprise",
        "professionnel", "professionnelle", "société",
    }
)  # fmt: skip
PERSONAL_WORDS = frozenset(
    {
        "b2c", "consumer", "domestic", "home", "household", "individual", "personal", "private", "residential",
        "haushalt", "persönlich", "privat", "domicile", "particulier", "personnel", "personnelle", "privé", "privée",
    }
)  # fmt: skip


def classify(address: Address, stated: AddressClass | None, *, unknown: AddressClass) -> AddressClass:
    """The class that rules apply to; `unknown` is what the controller's policy assumes when nobody stated one."""
    claimed = unknown if stated is None else stated
    if claimed is AddressClass.BUSINESS and address.may_be_business:
        return AddressClass.BUSINESS
    return AddressClass.PERSONAL


def read_address_class(text: str) -> AddressClass | None:
    """What a cell of a list's class column states, or None where it states nothing that is certain."""
    word = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    if word in BUSINESS_WORDS:
        return AddressClass.BUSINESS
    return AddressClass.PERSONAL if word in PERSONAL_WORDS else None
