"""Whom an act is about: an address, a whole domain, or a contact by the CRM's own id of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prefcenter.domain.address import RULES_VERSIONS, Address, parse, parse_domain
from prefcenter.domain.digest import Digest
from prefcenter.domain.terms import AddressKind, Channel
from prefcenter.security.digests import Digester
from prefcenter.services.decisions import address_kind


@dataclass(frozen=True, slots=True)
class ContactId:
    """The CRM's own id of a contact."""

    text: str


Addressee = str | ContactId
"""An address (or `@domain`) as somebody wrote it, or a contact."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where an act is written: the digest to write under, and all records that may already be there.

    `exacts` are the digests of the exact address under every live key; `exact`, the one that writes, is among them.
    `domains` are the whole-domain records that speak about the address too, which no act on it changes. `address` is
    None for a whole domain and for a contact.
    """

    write_to: Digest
    records_of: Sequence[Digest]
    exact: Digest | None
    exacts: frozenset[Digest] = frozenset()
    domains: Sequence[Digest] = ()
    address: Address | None = None


class Targets:
    """Targets of one controller."""

    def __init__(self, country: str, digester: Digester) -> None:
        self._country = country
        self._digester = digester

    def of(self, whom: Addressee, channel: Channel | None = None) -> Target:
        """Digests of a contact, of an address, or of a whole domain given as `@acme.example`. Raises InvalidAddress."""
        if isinstance(whom, ContactId):
            contacts = self._digester.of_contact(whom.text)
            return Target(contacts[0], contacts, None)
        return self.of_kind(whom, address_kind(whom, channel))

    def of_kind(self, text: str, kind: AddressKind) -> Target:
        """The same for an address or a whole domain whose kind is known."""
        if kind is AddressKind.EMAIL and text.strip().startswith("@"):
            domains = self._digester.of_domain(parse_domain(text), RULES_VERSIONS)
            return Target(domains[0], domains, None)
        address = parse(text, kind, country=self._country)
        digests = self._digester.of_address(address)
        return Target(digests.subject, digests.subjects, digests.exact, digests.exacts, digests.domains, address)
