"""Contacts as they are kept: described in the ledger, their plaintext encrypted beside the record (OCC-5, OC-5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import msgspec

from prefcenter.domain.contact import strictest_class
from prefcenter.domain.digest import Digest
from prefcenter.domain.errors import StoreDamaged
from prefcenter.domain.events import Described, Held, Refused, Released
from prefcenter.domain.record import Record
from prefcenter.domain.terms import AddressClass, Channel
from prefcenter.security.fields import FieldCipher
from prefcenter.services.acts import Drafts
from prefcenter.services.reach import is_taken_over
from prefcenter.services.targets import Targets


@dataclass(frozen=True, slots=True)
class ContactAddress:
    """An address of a contact as the CRM wrote it. A class of None: nobody said whose address it is."""

    channel: Channel
    address: str
    address_class: AddressClass | None = None


@dataclass(frozen=True, slots=True)
class Contact:
    """What a CRM says about one person: its own id of them, their addresses, and where they came from.

    `source` and `attested_by` are slugs: where the data is from, and who answers for the person having been informed
    (OCC-5, OCC-20). `audiences` are those of the policy that the person belongs to.
    """

    id: str
    addresses: tuple[ContactAddress, ...]
    audiences: tuple[str, ...]
    source: str
    attested_by: str | None = None


_Plaintext = tuple[str, list[tuple[Channel, str, AddressClass | None]]]
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Plaintext).decode


class ContactFiles:
    """Writes contacts into records, and reads them back."""

    def __init__(self, targets: Targets, cipher: FieldCipher) -> None:
        self._targets = targets
        self._cipher = cipher

    def read(self, record: Record, sealed: Mapping[Digest, bytes]) -> Contact | None:
        """The contact of a record; None where it is none any more. Raises StoreDamaged where it cannot be read."""
        description = record.description
        if description is None:
            return None
        if record.subject not in sealed:
            raise StoreDamaged("a contact's sealed field is missing; run `prefcenter audit verify`")
        plaintext = self._cipher.decrypt(record.subject, description.version, sealed[record.subject])
        contact_id, addresses = _decode(plaintext)
        kept = tuple(ContactAddress(*address) for address in addresses)
        return Contact(contact_id, kept, description.audiences, description.source, description.attested_by)

    def subjects(self, contact: Contact) -> dict[Digest, AddressClass | None]:
        """The records that its addresses are on, with the class that the contact says they have.

        Two spellings of one mailbox are on one record, which is personal where either is said to be.
        """
        said: dict[Digest, list[AddressClass | None]] = {}
        for address in contact.addresses:
            subject = self._targets.of(address.address, address.channel).write_to
            said.setdefault(subject, []).append(address.address_class)
        return {subject: strictest_class(classes) for subject, classes in said.items()}

    def write(self, drafts: Drafts, subject: Digest, contact: Contact, received_ms: int) -> None:
        """Fold a contact into its own record and those of its addresses; what it let go of forgets it.

        An address that is new to it takes over the refusals that are the contact's own, as of when they were made.
        """
        record, held = drafts.record(subject), self.subjects(contact)
        before = record.description.addresses if record.description else ()
        for address, address_class in held.items():
            drafts.fold(address, Held(received_ms, subject, address_class))
            if address not in before:
                self._take_over(drafts, record, address, received_ms)
        for address in before:
            if address not in held:
                drafts.fold(address, Released(received_ms, subject))
        self._describe(drafts, subject, contact, tuple(held), received_ms)

    def forget(self, drafts: Drafts, subject: Digest, contact: Contact, gone: Iterable[Digest], now_ms: int) -> None:
        """Drop the addresses whose records an erasure takes from a contact that goes on without them."""
        erased = frozenset(gone)
        kept = tuple(
            address
            for address in contact.addresses
            if erased.isdisjoint(self._targets.of(address.address, address.channel).records_of)
        )
        after = replace(contact, addresses=kept)
        self._describe(drafts, subject, after, tuple(self.subjects(after)), now_ms)

    def _take_over(self, drafts: Drafts, contact: Record, address: Digest, received_ms: int) -> None:
        for refusal in contact.refusals:
            if is_taken_over(refusal, drafts.record(address)):
                stated_ms = refusal.at.time_ms
                refused = Refused(received_ms, stated_ms, refusal.reason, refusal.scope, refusal.source)
                drafts.fold(address, refused)

    def _describe(
        self, drafts: Drafts, subject: Digest, contact: Contact, addresses: tuple[Digest, ...], received_ms: int
    ) -> None:
        described = Described(received_ms, contact.audiences, contact.source, contact.attested_by, addresses)
        drafts.fold(subject, described)
        items = [(item.channel, item.address, item.address_class) for item in contact.addresses]
        plaintext = _encode((contact.id, items))
        drafts.seal(subject, self._cipher.encrypt(subject, drafts.record(subject).version, plaintext))
