"""Contacts as they are kept: described in the ledger, their plaintext encrypted beside the record (OCC-5, OC-5)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from prefcenter.domain.contact import strictest_class
from prefcenter.domain.digest import Digest
from prefcenter.domain.errors import StoreDamaged, VersionConflict
from prefcenter.domain.events import Described, Held, Refused, Released
from prefcenter.domain.record import Record
from prefcenter.domain.terms import AddressClass, Channel
from prefcenter.security.fields import FieldCipher
from prefcenter.services.acts import Drafts, until_first
from prefcenter.services.ports import Store
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
    """Reads the contacts of one controller, and writes them into records."""

    def __init__(self, controller: str, store: Store, targets: Targets, cipher: FieldCipher) -> None:
        self._controller = controller
        self._store = store
        self._targets = targets
        self._cipher = cipher

    async def load(self, subjects: Sequence[Digest]) -> Mapping[Digest, Contact]:
        """The contacts among the subjects, as they stand; those that are none, or were erased, are left out."""

        async def read() -> Mapping[Digest, Contact]:
            return await self.read(await self._store.load(self._controller, subjects))

        return await until_first(read)

    async def read(self, records: Sequence[Record]) -> Mapping[Digest, Contact]:
        """The contacts that records describe.

        Raises VersionConflict where one was written since its record was read, StoreDamaged where it cannot be opened.
        """
        described = [record for record in records if record.description is not None]
        subjects = [record.subject for record in described]
        sealed = await self._store.load_sealed(self._controller, subjects) if subjects else {}
        try:
            return {record.subject: self._opened(record, sealed.get(record.subject)) for record in described}
        except StoreDamaged:
            present = await self._store.load(self._controller, subjects)
            if {record.subject: record.version for record in present} == {
                record.subject: record.version for record in described
            }:
                raise
            raise VersionConflict("a contact was written while it was read") from None

    async def load_held(self, drafts: Drafts, contact: Record) -> list[Digest]:
        """Take in the records of all that a contact holds; gives every digest that they may be under.

        A contact is described under one key, and its addresses may have been written to under another before or since.
        """
        held = [subject for known in (await self.read([contact])).values() for subject in self.records_of(known)]
        drafts.add(await self._store.load(self._controller, held))
        return held

    def records_of(self, contact: Contact) -> list[Digest]:
        """Every digest under which an address of a contact may be on record."""
        return [
            subject
            for address in contact.addresses
            for subject in self._targets.of(address.address, address.channel).records_of
        ]

    def subjects(self, contact: Contact, noted: Collection[Digest] = ()) -> dict[Digest, AddressClass | None]:
        """The records that a contact is to be noted on, with the class that it says their address has.

        They are under the key that writes now, and under older keys where it was `noted` already: a link of an old
        message knows no other. Two spellings of one mailbox are on one record, which is personal where either is.
        """
        said: dict[Digest, list[AddressClass | None]] = {}
        for address in contact.addresses:
            target = self._targets.of(address.address, address.channel)
            for subject in (target.write_to, *(older for older in target.records_of if older in noted)):
                said.setdefault(subject, []).append(address.address_class)
        return {subject: strictest_class(classes) for subject, classes in said.items()}

    def write(
        self, drafts: Drafts, subject: Digest, before: Contact | None, contact: Contact, received_ms: int
    ) -> None:
        """Fold a contact into its own record and those of its addresses; what it let go of forgets it.

        An address that is new to it takes over the refusals that are the contact's own, as of when they were made.
        """
        record = drafts.record(subject)
        noted = record.description.addresses if record.description else ()
        held = self.subjects(contact, noted)
        known = frozenset(() if before is None else self.records_of(before))
        for address, address_class in held.items():
            drafts.fold(address, Held(received_ms, subject, address_class))
            if address not in known:
                self._take_over(drafts, record, address, received_ms)
        for address in noted:
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
        description = drafts.record(subject).description
        held = tuple(address for address in description.addresses if address not in erased) if description else ()
        self._describe(drafts, subject, replace(contact, addresses=kept), held, now_ms)

    def _opened(self, record: Record, sealed: bytes | None) -> Contact:
        description = record.description
        if sealed is None or description is None:
            raise StoreDamaged("a contact's sealed field is missing; run `prefcenter audit verify`")
        contact_id, addresses = _decode(self._cipher.decrypt(record.subject, description.version, sealed))
        kept = tuple(ContactAddress(*address) for address in addresses)
        return Contact(contact_id, kept, description.audiences, description.source, description.attested_by)

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
