"""How far an act reaches: to the one contact that holds an address, and to that contact's other addresses.

Choices hang on addresses only. What a person refuses at one of them, the contact refuses at all of them, and at each
that it gets later. It goes one hop: no further from those addresses to other contacts. Where two contacts hold the
address nobody knows whose act it was, and it stays where it is. Bounces and registries speak of one address, and
consents open none but the exact one that gave them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from prefcenter.domain.contact import Description
from prefcenter.domain.digest import KIND_OF_SUBJECT, Digest, DigestKind
from prefcenter.domain.errors import UnknownContact
from prefcenter.domain.events import Paused, Refusal, Refused
from prefcenter.domain.record import Record, sets_aside
from prefcenter.domain.terms import KIND_OF_CHANNEL, Channel, RefusalReason
from prefcenter.domain.time import EQUAL_WITHIN_MS
from prefcenter.services.acts import Drafts
from prefcenter.services.ports import Store
from prefcenter.services.targets import Target

CHANNEL_REASONS = frozenset({RefusalReason.BOUNCED, RefusalReason.ON_REGISTRY})
"""Reasons that speak of one channel of one address, whoever brings them."""


async def load_within_reach(store: Store, controller: str, subjects: Sequence[Digest]) -> Drafts:
    """Records of addresses or contacts, of the contacts that hold the addresses, and of all that those contacts hold.

    One round trip where no contact is concerned, three otherwise.
    """
    return await with_reached(store, controller, await store.load(controller, subjects), subjects)


async def with_reached(store: Store, controller: str, loaded: Iterable[Record], subjects: Collection[Digest]) -> Drafts:
    """The same for records that were loaded already, as those of the subjects."""
    records = list(loaded)
    contacts = {holder.contact for record in records for holder in record.holders}.difference(subjects)
    records += await store.load(controller, list(contacts)) if contacts else []
    held = {address for record in records if record.description for address in record.description.addresses}
    others = held.difference(record.subject for record in records)
    records += await store.load(controller, list(others)) if others else []
    return Drafts(records)


def contact_of(drafts: Drafts, target: Target) -> Record | None:
    """The contact that an act on a target reaches: itself, or the only one that holds the address.

    Raises UnknownContact for a contact that is not there.
    """
    if target.write_to.kind is DigestKind.CONTACT:
        known = [record for record in drafts.existing(target.records_of) if record.description is not None]
        if not known:
            raise UnknownContact("contact: none of this controller has that id")
        return known[0]
    holders = {holder.contact for record in drafts.existing(target.records_of) for holder in record.holders}
    return drafts.record(holders.pop()) if len(holders) == 1 else None


def fold_far(drafts: Drafts, target: Target, event: Refused | Paused, *, unless_standing: bool = False) -> bool:
    """Fold a person's act into the record of its target and all that it reaches; False where nothing was new.

    `unless_standing` leaves out the records on which the same refusal stands already.
    """
    reached = list(_reached(drafts, target, event))
    if unless_standing and isinstance(event, Refused):
        dossier = drafts.existing((*target.records_of, *reached))
        reached = [subject for subject in reached if not stands_already(drafts.record(subject), event, dossier)]
    written = [drafts.fold(subject, event) for subject in reached]
    return any(record is not None for record in written)


def stands_already(record: Record, event: Refused, dossier: Sequence[Record]) -> bool:
    """Whether the same refusal from the same source and minute is on the record, and no consent there or in the
    dossier later.

    An older one does not say as much: a consent from in between may be imported yet, and must not set this one aside.
    Whether such a consent is in force still does not matter: the same refusal once more never does harm. One from
    another source is another act: what comes from the page can be taken back, and must not take this one with it.
    """
    said = (event.reason, event.scope, event.source)
    recent = [old for old in record.refusals if is_as_late(old, event.received_ms)]
    alike = [old for old in recent if (old.reason, old.scope, old.source) == said]
    consents = [(grant, holder) for holder in dossier for grant in holder.grants]
    return any(
        not any(sets_aside(grant, old, same_record=holder is record) for grant, holder in consents) for old in alike
    )


def is_as_late(refusal: Refusal, now_ms: int) -> bool:
    """Whether a refusal counts as one of now: no consent from in between could be later than it."""
    return now_ms - refusal.at.time_ms <= EQUAL_WITHIN_MS


def _reached(drafts: Drafts, target: Target, event: Refused | Paused) -> Iterator[Digest]:
    if target.write_to.kind is not DigestKind.CONTACT:
        yield target.write_to
    if isinstance(event, Refused) and event.reason in CHANNEL_REASONS:
        return
    contact = contact_of(drafts, target)
    if contact is None or contact.description is None:
        return
    yield contact.subject
    channel = event.scope.channel if isinstance(event, Refused) else None
    yield from (other for other in others(contact.description, target) if is_sent_to(channel, other))


def others(description: Description, target: Target) -> list[Digest]:
    """The addresses of a contact besides the one that an act is about."""
    return [address for address in description.addresses if address not in target.records_of]


def is_sent_to(channel: Channel | None, subject: Digest) -> bool:
    """Whether a refusal of a channel can mean an address of that kind; one of all channels can mean each."""
    return channel is None or KIND_OF_CHANNEL[channel] is KIND_OF_SUBJECT.get(subject.kind)


def is_taken_over(refusal: Refusal, address: Record) -> bool:
    """Whether a new address of a contact has to take over a refusal of the contact's own.

    It is not where the address has the same one already, from the same time or later.
    """
    if refusal.reason in CHANNEL_REASONS or not is_sent_to(refusal.scope.channel, address.subject):
        return False
    return not any(
        (own.reason, own.scope) == (refusal.reason, refusal.scope) and own.at.time_ms >= refusal.at.time_ms
        for own in address.refusals
    )
