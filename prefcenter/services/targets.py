"""Whom an act is about: an address, a whole domain, or a contact by the CRM's own id of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from string import hexdigits
from typing import TYPE_CHECKING

from prefcenter.domain.address import RULES_VERSIONS, Address, parse, parse_domain
from prefcenter.domain.digest import HASH_BYTES, Digest, DigestKind, Digests
from prefcenter.domain.errors import InvalidAddress, InvalidInput
from prefcenter.domain.terms import AddressKind, Channel
from prefcenter.security.digests import Digester
from prefcenter.services.decisions import address_kind

if TYPE_CHECKING:
    from prefcenter.security.vector_digests import Forms


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
    `elsewhere` are records that speak about the address too, of whole domains and of vendors' hashes; a consent has to
    be weighed against them. `address` is None for a whole domain and for a contact.
    """

    write_to: Digest
    records_of: Sequence[Digest]
    exact: Digest | None
    exacts: frozenset[Digest] = frozenset()
    elsewhere: Sequence[Digest] = ()
    address: Address | None = None

    @property
    def mailbox(self) -> str:
        """The exact address, to write to. Raises InvalidInput for a target that is no address in plaintext."""
        if self.address is None:
            raise InvalidInput("address: it is needed in plaintext")
        return self.address.current.exact


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

    def of_mailboxes(self, forms: Mapping[int, Forms]) -> tuple[Digests, ...]:
        """Where refusals of many plain addresses are written, and where they may already be: as `records_of` has it.

        Their mailbox forms are given by rules version, newest first, each beginning with the byte of its kind.
        """
        return self._digester.of_mailboxes(forms)

    def of_hash(self, kind: DigestKind, text: str) -> Target:
        """The target of a vendor's hash of an address, in hex. Raises InvalidAddress for anything else."""
        vendors_hash = text.strip().lower()
        if len(vendors_hash) != 2 * HASH_BYTES[kind] or not set(vendors_hash) <= set(hexdigits):
            raise InvalidAddress(f"is no {kind.name} hash in hex")
        digests = self._digester.of_hash(kind, vendors_hash)
        return Target(digests[0], digests, None)

    @property
    def hash_mark(self) -> Target:
        """What is on record as soon as any vendor's hash is."""
        marks = self._digester.hash_marks
        return Target(marks[0], marks, None)

    def with_hashes(self, target: Target) -> Target:
        """The same target, its own records and those of its vendors' hashes taken together."""
        return replace(target, records_of=(*target.records_of, *self._hashes_of(target)))

    def to_weigh(self, target: Target) -> Target:
        """The same target, the records of its vendors' hashes among those elsewhere that speak about it."""
        return replace(target, elsewhere=(*target.elsewhere, *self._hashes_of(target)))

    def _hashes_of(self, target: Target) -> Sequence[Digest]:
        return () if target.address is None else self._digester.of_address(target.address, with_hashes=True).hashes
