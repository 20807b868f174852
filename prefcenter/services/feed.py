"""The change feed: every event of a controller's ledger, for a tool that keeps a copy in step.

A cursor is a position in each partition, so a reader that was away resumes where it stopped and misses nothing. Events
of one record come in their order; those of different records may not. Digests stand for addresses, and the CRM's own
id for contacts, as long as they are not erased.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prefcenter.domain.digest import Digest, DigestKind
from prefcenter.domain.errors import InvalidAddress, InvalidInput
from prefcenter.domain.events import Event, Held, Released
from prefcenter.domain.policy import Policy
from prefcenter.domain.terms import Channel
from prefcenter.security.digests import Digester
from prefcenter.security.fields import FieldCipher
from prefcenter.security.seals import Sealer
from prefcenter.services.contact_files import ContactFiles
from prefcenter.services.feed_cursors import FeedCursors
from prefcenter.services.ports import LedgerEvent, Store
from prefcenter.services.targets import Targets

PAGE_EVENTS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """One event. `event` None: its body was erased since. `contact_id` None: no contact, or one that was erased."""

    cursor: str
    subject_id: str
    contact_id: str | None
    version: int
    partition: int
    position: int
    event: Event | None


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Some events, and the cursor after the last of them, which is the one that came in where there are none."""

    events: tuple[FeedEvent, ...]
    end_cursor: str
    has_more: bool


def subject_id(subject: Digest) -> str:
    """How a record is called outside: kind, key and digest, the same for as long as the key writes."""
    return f"{subject.kind.name.lower()}-{subject.key}-{subject.value.hex()}"


class Feed:
    """The feed of one controller."""

    def __init__(self, policy: Policy, sealer: Sealer, digester: Digester, store: Store, cipher: FieldCipher) -> None:
        self._controller = policy.controller
        self._cursors = FeedCursors(sealer)
        self._store = store
        self._targets = Targets(policy.country, digester)
        self._files = ContactFiles(policy.controller, store, self._targets, cipher)

    async def page(self, after: str | None, first: int) -> FeedPage:
        """Up to `first` events after a cursor; None: from the beginning.

        Raises InvalidInput for a cursor that this feed did not give, or not to this store as it is now.
        """
        positions = list(self._cursors.positions(after))
        limit = min(first, PAGE_EVENTS_MAX)
        found = await self._store.since(self._controller, positions, limit + 1)
        if not found:
            await self._require_reached(positions)
        contacts = await self._contacts(found)
        events = []
        for item in found[:limit]:
            positions[item.partition] = item.position
            events.append(_event(item, self._cursors.text(positions), contacts))
        return FeedPage(tuple(events), self._cursors.text(positions), len(found) > limit)

    async def end(self) -> str:
        """The cursor after everything that has happened so far."""
        return self._cursors.text([head.position for head in await self._store.heads(self._controller)])

    def subject_ids(self, addresses: Sequence[str], channel: Channel) -> Sequence[tuple[str, ...] | None]:
        """What the feed calls each address, under the newest key first; None for text that is no address."""
        return [self._ids(address, channel) for address in addresses]

    def _ids(self, address: str, channel: Channel) -> tuple[str, ...] | None:
        try:
            return tuple(map(subject_id, self._targets.of(address, channel).records_of))
        except InvalidAddress:
            return None

    async def _require_reached(self, positions: Sequence[int]) -> None:
        """A reader who is ahead of the ledger would miss what is written until it has caught up with them."""
        heads = await self._store.heads(self._controller)
        if any(position > head.position for position, head in zip(positions, heads, strict=True)):
            raise InvalidInput("after: ahead of this store, which is an older copy; read the feed from its beginning")

    async def _contacts(self, found: Sequence[LedgerEvent]) -> Mapping[Digest, str]:
        """The CRM's own ids of the contacts that events speak of."""
        subjects = list({contact for item in found if (contact := _contact_of(item)) is not None})
        contacts = await self._files.load(subjects) if subjects else {}
        return {subject: contact.id for subject, contact in contacts.items()}


def _contact_of(item: LedgerEvent) -> Digest | None:
    if item.subject.kind is DigestKind.CONTACT:
        return item.subject
    return item.event.contact if isinstance(item.event, Held | Released) else None


def _event(item: LedgerEvent, cursor: str, contacts: Mapping[Digest, str]) -> FeedEvent:
    contact = _contact_of(item)
    contact_id = None if contact is None else contacts.get(contact)
    place = (item.version, item.partition, item.position)
    return FeedEvent(cursor, subject_id(item.subject), contact_id, *place, item.event)
