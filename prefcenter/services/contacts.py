"""Contacts: who a person is to the CRM, and at which addresses; their choices hang on the addresses only."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from prefcenter.domain.digest import Digest
from prefcenter.domain.errors import InvalidAddress, InvalidInput, UnknownContact
from prefcenter.domain.policy import ALL_AUDIENCES, Policy
from prefcenter.security.digests import Digester
from prefcenter.security.fields import FieldCipher
from prefcenter.services.acts import Acts, Drafts, Once, Outcome, Outcomes
from prefcenter.services.contact_files import Contact, ContactAddress, ContactFiles
from prefcenter.services.ports import Change, Clock, Store
from prefcenter.services.reach import load_within_reach
from prefcenter.services.slugs import check_slug
from prefcenter.services.targets import ContactId, Target, Targets

ADDRESSES_MAX = 50
_CONTACT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:~-]{0,127}", re.ASCII)
_EXPECTED_ID = "contact: expected the CRM's own id: 1 to 128 letters, digits and . _ : ~ -, and no address"


@dataclass(frozen=True, slots=True)
class KeptContact:
    """A contact as it is on record, and the digest that the change feed speaks of it by."""

    contact: Contact
    subject: Digest


class Contacts:
    """The contacts of one controller. Bad input raises InvalidInput, and nothing is changed."""

    def __init__(self, policy: Policy, digester: Digester, store: Store, clock: Clock, cipher: FieldCipher) -> None:
        self._policy = policy
        self._store = store
        self._clock = clock
        self._acts = Acts(policy.controller, store, clock)
        self._targets = Targets(policy.country, digester)
        self._files = ContactFiles(policy.controller, store, self._targets, cipher)

    async def get(self, contact_id: str) -> KeptContact | None:
        """A contact by the CRM's own id of it; None for one that is not there, or was erased."""
        kept = await self._files.load(self._target(contact_id).records_of)
        return next((KeptContact(contact, subject) for subject, contact in kept.items()), None)

    async def upsert(self, contact: Contact, *, once: Once | None = None) -> Outcome:
        """Make a contact, or make it what is given: an address or audience that is left out is gone from it.

        What was refused for an address stays with the address. One that is new to the contact takes over what the
        contact itself refused, except for bounces and registries.
        """
        wanted = self._checked(contact)
        return await self._rewrite(contact.id, lambda _: wanted, once)

    async def add_address(self, contact_id: str, address: ContactAddress, *, once: Once | None = None) -> Outcome:
        """Add one address, or say another class of it. Raises UnknownContact."""

        def add(before: Contact | None) -> Contact:
            contact = _existing(before)
            if address in contact.addresses:
                return contact
            others = [item for item in contact.addresses if not self._is_same(item, address)]
            return replace(contact, addresses=self._checked_addresses((*others, address)))

        return await self._rewrite(contact_id, add, once)

    async def remove_address(self, contact_id: str, address: ContactAddress, *, once: Once | None = None) -> Outcome:
        """Take one address away; `absent` where the contact does not hold it. Raises UnknownContact."""
        self._check_address(0, address)

        def remove(before: Contact | None) -> Contact:
            contact = _existing(before)
            kept = tuple(item for item in contact.addresses if not self._is_same(item, address))
            return replace(contact, addresses=kept)

        outcome = await self._rewrite(contact_id, remove, once)
        return Outcome.ABSENT if outcome is Outcome.UNCHANGED else outcome

    async def _rewrite(
        self, contact_id: str, change: Callable[[Contact | None], Contact], once: Once | None
    ) -> Outcome:
        target = self._target(contact_id)

        async def gather() -> tuple[Sequence[Change], Outcomes]:
            drafts = await load_within_reach(self._store, self._policy.controller, target.records_of)
            subject = _subject(drafts, target)
            before = (await self._files.read([drafts.record(subject)])).get(subject)
            after = change(before)
            if before is not None and _says_the_same(before, after):
                return (), (Outcome.UNCHANGED,)
            drafts.add(await self._store.load(self._policy.controller, list(self._files.subjects(after))))
            self._files.write(drafts, subject, before, after, max(self._clock(), drafts.latest_ms()))
            return drafts.changes, (Outcome.RECORDED,)

        (outcome,) = await self._acts.commit(gather, once)
        return outcome

    def _checked(self, contact: Contact) -> Contact:
        """The contact in the one form in which it is kept. Raises InvalidInput, naming the field."""
        self._target(contact.id)
        check_slug(contact.source, "source")
        if contact.attested_by is not None:
            check_slug(contact.attested_by, "attested by")
        audiences = tuple(sorted(set(contact.audiences)))
        if set(audiences) - self._known_audiences():
            raise InvalidInput("audiences: one is not of this policy")
        return replace(contact, audiences=audiences, addresses=self._checked_addresses(contact.addresses))

    def _checked_addresses(self, addresses: Sequence[ContactAddress]) -> tuple[ContactAddress, ...]:
        if len(addresses) > ADDRESSES_MAX:
            raise InvalidInput(f"addresses: {ADDRESSES_MAX} at most")
        for position, address in enumerate(addresses):
            self._check_address(position, address)
        return tuple(dict.fromkeys(addresses))

    def _check_address(self, position: int, address: ContactAddress) -> None:
        try:
            target = self._targets.of(address.address, address.channel)
        except InvalidAddress as error:
            raise InvalidAddress(f"addresses[{position}] {error.why}") from None
        if target.exact is None:
            raise InvalidAddress(f"addresses[{position}] is a whole domain, which no contact holds")

    def _is_same(self, one: ContactAddress, other: ContactAddress) -> bool:
        """Whether two are the same exact address, told for the same channel."""
        exacts = {self._targets.of(each.address, each.channel).exact for each in (one, other)}
        return one.channel is other.channel and len(exacts) == 1

    def _known_audiences(self) -> set[str]:
        named = [purpose.audiences for purpose in self._policy.purposes]
        named += [data_use.audiences for data_use in self._policy.data_uses]
        return set().union(*named) - {ALL_AUDIENCES}

    def _target(self, contact_id: str) -> Target:
        if not _CONTACT_ID.fullmatch(contact_id):
            raise InvalidInput(_EXPECTED_ID)
        return self._targets.of(ContactId(contact_id))


def _subject(drafts: Drafts, target: Target) -> Digest:
    """The record of a contact, under whatever key it was made; that of a new one is under the present key."""
    known = drafts.existing(target.records_of)
    described = [record for record in known if record.description is not None]
    return next((record.subject for record in (*described, *known)), target.write_to)


def _says_the_same(before: Contact, after: Contact) -> bool:
    """Whether nothing changed but the order of the addresses, which means nothing."""
    return replace(after, addresses=before.addresses) == before and set(after.addresses) == set(before.addresses)


def _existing(contact: Contact | None) -> Contact:
    if contact is None:
        raise UnknownContact("contact: none of this controller has that id")
    return contact
