"""What is kept of contacts in the clear: who holds an address, what a contact is. Addresses are digests here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from prefcenter.domain.digest import Digest
from prefcenter.domain.terms import AddressClass


@dataclass(frozen=True, slots=True)
class Holder:
    """A contact that holds an address, on the record of that address."""

    contact: Digest
    address_class: AddressClass | None
    since_ms: int


@dataclass(frozen=True, slots=True)
class Description:
    """What a contact is, on the contact's own record. `addresses` are the subjects it holds.

    `version` is that of the event that described it so; the plaintext sealed beside the record is bound to it.
    """

    audiences: tuple[str, ...]
    source: str
    attested_by: str | None
    addresses: tuple[Digest, ...]
    version: int


def strictest_class(said: Iterable[AddressClass | None]) -> AddressClass | None:
    """The class of an address of which several things are said: personal where anything says so (OC-3)."""
    classes = set(said)
    if AddressClass.PERSONAL in classes:
        return AddressClass.PERSONAL
    return AddressClass.BUSINESS if AddressClass.BUSINESS in classes else None
