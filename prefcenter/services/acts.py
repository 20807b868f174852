"""How an act becomes events: read the records, fold, append with retry, and only once for an idempotency key."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from prefcenter.domain.digest import Digest
from prefcenter.domain.errors import IdempotencyConflict, StoreBusy, VersionConflict
from prefcenter.domain.events import Event
from prefcenter.domain.record import Record, written_by
from prefcenter.security.seals import Sealer
from prefcenter.services.ports import RECEIPT_LIFE_MS, Change, Clock, Receipt, Store

ATTEMPTS_MAX = 50
RETRY_PAUSE_S = 0.002

T = TypeVar("T")


class Outcome(StrEnum):
    """What an act came to. `pending`: nothing is open before the person confirms; `absent`: nothing of it was there."""

    RECORDED = "recorded"
    UNCHANGED = "unchanged"
    PENDING = "pending"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Once:
    """An idempotency key of a caller, and what came with it, as keyed digests of 16 bytes each."""

    name: bytes
    input: bytes


def once_of(sealer: Sealer, caller_id: str, idempotency_key: str, content: bytes) -> Once:
    """The same for the same caller, key and content, also after a rotation of the keyring's keys.

    Nothing of the content can be guessed from it without the keyring.
    """
    name = sealer.seal(sealer.first_key_id, "idempotency name", caller_id, idempotency_key)
    return Once(name, sealer.seal(sealer.first_key_id, "idempotency input", content))


class Drafts:
    """Records while acts are folded into them, one event after the other, and what is to be appended in the end."""

    def __init__(self, stored: Iterable[Record]) -> None:
        self._before = {record.subject: record for record in stored}
        self._now = dict(self._before)
        self._events: dict[Digest, list[Event]] = {}
        self._sealed: dict[Digest, bytes] = {}
        self._other_names: dict[Digest, tuple[Digest, ...]] = {}

    def add(self, stored: Iterable[Record]) -> None:
        """Take in records that turned out to be concerned too; those that are here already stay as they are."""
        for record in stored:
            self._before.setdefault(record.subject, record)
            self._now.setdefault(record.subject, record)

    def record(self, subject: Digest) -> Record:
        """A record as it stands by now; an empty one stands in for one that is not there yet."""
        return self._now.get(subject) or Record(subject)

    def existing(self, subjects: Iterable[Digest]) -> list[Record]:
        """Those of the subjects that have a record by now."""
        return [self._now[subject] for subject in subjects if subject in self._now]

    def latest_ms(self) -> int:
        """The latest time on any of the records: a clock that was set back must not write before it."""
        return max((record.latest_ms for record in self._before.values()), default=0)

    def fold(
        self, subject: Digest, event: Event, dossier: Sequence[Record] = (), exacts: frozenset[Digest] = frozenset()
    ) -> Record | None:
        """Fold one event in; None where it says nothing new. `dossier` and `exacts` are as `written_by` takes them."""
        after = written_by(self.record(subject), event, dossier, exacts)
        if after is not None:
            self._now[subject] = after
            self._events.setdefault(subject, []).append(event)
        return after

    def seal(self, subject: Digest, content: bytes) -> None:
        """Keep encrypted plaintext beside a record that an event was folded into."""
        self._sealed[subject] = content

    def name(self, subject: Digest, others: Iterable[Digest]) -> None:
        """Tell what else the person of an erased record may be called, be there records of it or not."""
        self._other_names[subject] = tuple(others)

    @property
    def changes(self) -> list[Change]:
        """What has to be appended: one change a record."""
        return [
            Change(
                self._before.get(subject) or Record(subject),
                tuple(events),
                self._now[subject],
                self._sealed.get(subject),
                self._other_names.get(subject, ()),
            )
            for subject, events in self._events.items()
        ]


async def until_first(work: Callable[[], Awaitable[T]]) -> T:
    """Do work anew for as long as another writer was first. Raises StoreBusy where others kept being first."""
    for attempt in range(ATTEMPTS_MAX):
        try:
            return await work()
        except VersionConflict:
            await asyncio.sleep(RETRY_PAUSE_S * attempt)
    raise StoreBusy("other writers kept being first; nothing was acknowledged")


Outcomes = tuple[Outcome, ...]
Gather = Callable[[], Awaitable[tuple[Sequence[Change], Outcomes]]]
"""Reads the records as they stand and says what an act has to append to them, and what it comes to."""


class Acts:
    """The acts of one controller."""

    def __init__(self, controller: str, store: Store, clock: Clock) -> None:
        self._controller = controller
        self._store = store
        self._clock = clock

    async def commit(self, gather: Gather, once: Once | None = None) -> Outcomes:
        """Gather and append, anew where another writer was first. What a key was used for before is not done again.

        Raises IdempotencyConflict where the key came with another input, StoreBusy where others kept being first.
        """
        return await until_first(lambda: self._attempt(gather, once))

    async def _attempt(self, gather: Gather, once: Once | None) -> Outcomes:
        told = await self.result_before(once)
        if told is not None:
            return tuple(Outcome(word) for word in told.split(",") if word)
        changes, outcomes = await gather()
        receipt = None if once is None else self.receipt(once, ",".join(outcomes))
        if changes or receipt:
            await self._store.append(self._controller, changes, receipt=receipt)
        return outcomes

    async def result_before(self, once: Once | None) -> str | None:
        """What the user of an idempotency key was told when it was first used; None where it was not."""
        if once is None:
            return None
        receipt = await self._store.receipt(self._controller, once.name, self._clock() - RECEIPT_LIFE_MS)
        if receipt is not None and receipt.input != once.input:
            raise IdempotencyConflict("idempotency key: it was used with another input before; nothing was changed")
        return None if receipt is None else receipt.result.decode()

    def receipt(self, once: Once, result: str) -> Receipt:
        """The receipt of an act that is done now."""
        return Receipt(once.name, once.input, result.encode(), self._clock())
