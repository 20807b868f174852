"""A working store in memory, for tests that need a store and care for no file.

It keeps the same promises as the ones that ship and runs through the same contract suite. Chains are made and checked
by the same two functions; everything else (versions, positions, erasure, the fold in the audit) is written anew here,
so that a mistake in one of the two stores shows as a difference between them.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce

from prefcenter.domain.digest import Digest, Digests
from prefcenter.domain.errors import InvalidInput, StoreError, VersionConflict
from prefcenter.domain.events import Erased, Event
from prefcenter.domain.ledger import PARTITIONS, Head, partition_of
from prefcenter.domain.record import Record, fold
from prefcenter.security.keyring import Keyring
from prefcenter.security.seals import SALT_BYTES, Sealer
from prefcenter.services.ports import (
    LETTERS_COUNTED_MS,
    RECEIPT_LIFE_MS,
    Alike,
    AlikeRecords,
    ApiKey,
    AuditReport,
    Change,
    LedgerEvent,
    Receipt,
    RecordColumns,
    RecordPage,
    Send,
    WaitingLetter,
    alike_records,
    one_by_one,
)
from prefcenter.storage.chain import EventRow, chain_faults, link

SCAN_PAGE_RECORDS = 1_000


@dataclass
class KeptEvent:
    """One event of the ledger: what a feed shows, and what its chain seals."""

    shown: LedgerEvent
    row: EventRow


@dataclass
class KeptLetter:
    """A letter: when it is due next, and None for the content of one that is over."""

    letter: WaitingLetter
    content: bytes | None
    due_ms: int


@dataclass
class Shelf:
    """Everything that is kept for one controller."""

    records: dict[Digest, Record] = field(default_factory=dict)
    sealed: dict[Digest, bytes] = field(default_factory=dict)
    receipts: dict[bytes, Receipt] = field(default_factory=dict)
    sends: dict[tuple[str, Digest, bytes], int] = field(default_factory=dict)
    chains: list[list[KeptEvent]] = field(default_factory=lambda: [[] for _ in range(PARTITIONS)])
    letters: dict[str, KeptLetter] = field(default_factory=dict)
    policy: str | None = None
    imports: dict[bytes, int] = field(default_factory=dict)

    @property
    def heads(self) -> tuple[Head, ...]:
        return tuple(Head(chain[-1].row.position, chain[-1].row.mac) if chain else Head() for chain in self.chains)

    def history(self, subject: Digest) -> list[KeptEvent]:
        chain = self.chains[partition_of(subject.value)]
        return [kept for kept in chain if kept.shown.subject == subject]


@dataclass
class Cabinet:
    """Everything that one database would hold, and how often it was written to."""

    shelves: dict[str, Shelf] = field(default_factory=dict)
    api_keys: dict[str, ApiKey] = field(default_factory=dict)
    writes: int = 0


class MemoryStore:
    """The `Store` port in memory. Stores that share a cabinet stand for processes that share a database."""

    def __init__(self, keyring: Keyring, cabinet: Cabinet | None = None) -> None:
        self._cabinet = cabinet or Cabinet()
        self._keyring = keyring
        self._sealers: dict[str, Sealer] = {}
        self._is_closed = False

    async def _turn(self) -> None:
        """Let other tasks in between, as a real store does, so that they can conflict."""
        await asyncio.sleep(0)
        if self._is_closed:
            raise StoreError("the store is closed")

    def _sealer(self, controller: str) -> Sealer:
        if controller not in self._sealers:
            self._sealers[controller] = Sealer(self._keyring, controller)
        return self._sealers[controller]

    def _shelf(self, controller: str) -> Shelf:
        return self._cabinet.shelves.get(controller) or Shelf()

    def _shelf_to_write(self, controller: str) -> Shelf:
        self._cabinet.writes += 1
        return self._cabinet.shelves.setdefault(controller, Shelf())

    async def load(self, controller: str, subjects: Sequence[Digest]) -> Sequence[Record]:
        await self._turn()
        records = self._shelf(controller).records
        return [records[subject] for subject in dict.fromkeys(subjects) if subject in records]

    async def load_alike(self, controller: str, subjects: Sequence[Digests]) -> Sequence[AlikeRecords]:
        return alike_records(await self.load(controller, [subject for digests in subjects for subject in digests]))

    async def load_sealed(self, controller: str, subjects: Sequence[Digest]) -> Mapping[Digest, bytes]:
        await self._turn()
        sealed = self._shelf(controller).sealed
        return {subject: sealed[subject] for subject in subjects if subject in sealed}

    async def append(
        self,
        controller: str,
        changes: Sequence[Change],
        *,
        bulk: bool = False,
        receipt: Receipt | None = None,
        alike: Sequence[Alike] = (),
    ) -> None:
        await self._turn()
        changes = one_by_one(changes, alike)
        self._check_versions(controller, changes)
        self._check_receipt(controller, receipt)
        shelf = self._shelf_to_write(controller)
        for change in changes:
            shelf.records[change.after.subject] = change.after
            for version, event in enumerate(change.events, change.before.version + 1):
                self._add_event(controller, shelf, change.after.subject, version, event)
            if any(isinstance(event, Erased) for event in change.events):
                _erase(shelf, change)
            elif change.sealed is not None:
                shelf.sealed[change.after.subject] = change.sealed
        _keep(shelf, receipt)

    def _check_receipt(self, controller: str, receipt: Receipt | None) -> None:
        if receipt is None:
            return
        known = self._shelf(controller).receipts.get(receipt.name)
        if known is not None and receipt.received_ms - known.received_ms <= RECEIPT_LIFE_MS:
            raise VersionConflict("the receipt's name is taken")

    async def receipt(self, controller: str, name: bytes, since_ms: int) -> Receipt | None:
        await self._turn()
        known = self._shelf(controller).receipts.get(name)
        return known if known is not None and known.received_ms >= since_ms else None

    async def record_sends(
        self,
        controller: str,
        purpose: str,
        sends: Sequence[Send],
        *,
        forget_before_ms: int,
        receipt: Receipt | None = None,
    ) -> int:
        await self._turn()
        self._check_receipt(controller, receipt)
        shelf = self._shelf_to_write(controller)
        noted = shelf.sends
        for place in [key for key, sent_ms in noted.items() if key[0] == purpose and sent_ms < forget_before_ms]:
            del noted[place]
        before = len(noted)
        for send in sends:
            if send.sent_ms >= forget_before_ms:
                noted.setdefault((purpose, send.subject, send.campaign), send.sent_ms)
        new = len(noted) - before
        _keep(shelf, None if receipt is None else replace(receipt, result=str(new).encode()))
        return new

    async def sends(
        self, controller: str, purpose: str, subjects: Sequence[Digest], since_ms: int
    ) -> Mapping[Digest, Sequence[int]]:
        await self._turn()
        wanted, times = set(subjects), dict[Digest, list[int]]()
        for (its_purpose, subject, _), sent_ms in self._shelf(controller).sends.items():
            if its_purpose == purpose and subject in wanted and sent_ms > since_ms:
                times[subject] = sorted([*times.get(subject, []), sent_ms])
        return times

    async def scan_sends(self, controller: str, purpose: str) -> AsyncIterator[Sequence[Send]]:
        await self._turn()
        noted = self._shelf(controller).sends.items()
        sends = [Send(subject, campaign, ms) for (its, subject, campaign), ms in noted if its == purpose]
        sends.sort(key=lambda send: send.sent_ms)
        for start in range(0, len(sends), SCAN_PAGE_RECORDS):
            yield sends[start : start + SCAN_PAGE_RECORDS]

    async def page(self, controller: str, after: str | None, limit: int) -> RecordPage:
        await self._turn()
        records = list(self._shelf(controller).records.values())
        if after not in (None, *map(str, range(len(records)))):
            raise InvalidInput("after: not a place that a page of records gave")
        start = int(after or 0)
        stop = start + limit
        return RecordPage(records[start:stop], str(stop) if stop < len(records) else None)

    async def marker(self) -> int:
        await self._turn()
        return self._cabinet.writes

    async def history(self, controller: str, subjects: Sequence[Digest]) -> Sequence[LedgerEvent]:
        await self._turn()
        events = [kept.shown for chain in self._shelf(controller).chains for kept in chain]
        return [event for event in events if event.subject in set(subjects)]

    async def queue_letter(
        self, controller: str, subject: Digest, content: bytes | None, now_ms: int, *, letters_max: int
    ) -> bool:
        await self._turn()
        known = [kept.letter for kept in self._shelf(controller).letters.values()]
        recent = [one for one in known if one.subject == subject and one.queued_ms > now_ms - LETTERS_COUNTED_MS]
        if len(recent) >= letters_max:
            return False
        shelf = self._shelf_to_write(controller)
        letter = WaitingLetter(f"{controller}-{self._cabinet.writes}", controller, subject, now_ms, 0, b"")
        shelf.letters[letter.id] = KeptLetter(letter, content, now_ms)
        return True

    async def claim_letters(self, now_ms: int, *, until_ms: int, limit: int) -> Sequence[WaitingLetter]:
        await self._turn()
        every = [kept for shelf in self._cabinet.shelves.values() for kept in shelf.letters.values()]
        waiting = sorted((kept for kept in every if kept.due_ms <= now_ms), key=lambda kept: kept.due_ms)
        claimed = []
        for kept in [kept for kept in waiting if kept.content is not None][:limit]:
            kept.letter = replace(kept.letter, attempts=kept.letter.attempts + 1)
            kept.due_ms = until_ms
            claimed.append(replace(kept.letter, content=kept.content or b""))
        return claimed

    async def finish_letter(self, letter_id: str) -> None:
        await self._turn()
        for kept in self._letters(letter_id):
            kept.content = None

    async def postpone_letter(self, letter_id: str, due_ms: int) -> None:
        await self._turn()
        for kept in self._letters(letter_id):
            kept.due_ms = due_ms

    def _letters(self, letter_id: str) -> list[KeptLetter]:
        shelves = self._cabinet.shelves.values()
        return [shelf.letters[letter_id] for shelf in shelves if letter_id in shelf.letters]

    async def api_key(self, key_id: str) -> ApiKey | None:
        await self._turn()
        return self._cabinet.api_keys.get(key_id)

    async def api_keys(self) -> Sequence[ApiKey]:
        await self._turn()
        return sorted(self._cabinet.api_keys.values(), key=lambda key: (key.created_ms, key.id))

    async def put_api_key(self, key: ApiKey) -> None:
        await self._turn()
        self._cabinet.writes += 1
        known = self._cabinet.api_keys.get(key.id)
        if known is not None and known.revoked_ms is not None:
            key = replace(key, revoked_ms=min(known.revoked_ms, key.revoked_ms or known.revoked_ms))
        if known is not None and known.last_used_ms is not None:
            key = replace(key, last_used_ms=max(known.last_used_ms, key.last_used_ms or 0))
        self._cabinet.api_keys[key.id] = key

    def _check_versions(self, controller: str, changes: Sequence[Change]) -> None:
        records = self._shelf(controller).records
        stored = [records.get(change.before.subject, Record(change.before.subject)) for change in changes]
        is_stale = any(record.version != change.before.version for record, change in zip(stored, changes, strict=True))
        if is_stale or len({record.subject for record in stored}) != len(stored):
            raise VersionConflict("a record moved on since it was read")

    def _add_event(self, controller: str, shelf: Shelf, subject: Digest, version: int, event: Event) -> None:
        number = partition_of(subject.value)
        sealer, head = self._sealer(controller), shelf.heads[number]
        body, key = repr(event).encode(), sealer.active_key_id
        row = EventRow(head.position + 1, subject, version, key, os.urandom(SALT_BYTES), body, b"")
        row = replace(row, mac=link(sealer, key, number, row, head.mac))
        shelf.chains[number].append(KeptEvent(LedgerEvent(number, row.position, subject, version, event), row))

    async def scan(self, controller: str) -> AsyncIterator[Sequence[Record]]:
        await self._turn()
        records = list(self._shelf(controller).records.values())
        for start in range(0, len(records), SCAN_PAGE_RECORDS):
            yield records[start : start + SCAN_PAGE_RECORDS]

    async def scan_columns(self, controller: str) -> AsyncIterator[RecordColumns]:
        async for page in self.scan(controller):
            yield RecordColumns([record.subject.value for record in page], range(len(page)), page)

    async def since(self, controller: str, positions: Sequence[int], limit: int) -> Sequence[LedgerEvent]:
        await self._turn()
        chains = self._shelf(controller).chains
        waiting = [deque(chain[position:]) for chain, position in zip(chains, positions, strict=True)]
        turn, feed = sum(positions), list[LedgerEvent]()
        while len(feed) < limit and any(waiting):
            if queue := waiting[turn % PARTITIONS]:
                feed.append(queue.popleft().shown)
            turn += 1
        return sorted(feed, key=lambda item: (item.partition, item.position))

    async def heads(self, controller: str) -> tuple[Head, ...]:
        await self._turn()
        return self._shelf(controller).heads

    async def holds_heads(self, controller: str, heads: Sequence[Head]) -> bool:
        await self._turn()
        chains = self._shelf(controller).chains
        macs = [{kept.row.position: kept.row.mac for kept in chain} for chain in chains]
        return all(macs[number].get(head.position) == head.mac for number, head in enumerate(heads) if head.position)

    async def unknown_keys(self) -> Sequence[int]:
        """None: what a shelf holds was written with the keyring that it is read with."""
        await self._turn()
        return ()

    async def controllers(self) -> Sequence[str]:
        await self._turn()
        return sorted(self._cabinet.shelves)

    async def policy_in_force(self, controller: str) -> str | None:
        await self._turn()
        return self._shelf(controller).policy

    async def adopt_policy(self, controller: str, document: str, *, instead_of: str | None) -> None:
        await self._turn()
        if self._shelf(controller).policy != instead_of:
            raise VersionConflict("another policy came into force meanwhile")
        self._shelf_to_write(controller).policy = document

    async def first_import_ms(self, controller: str, fingerprint: bytes, now_ms: int) -> int:
        await self._turn()
        return self._shelf_to_write(controller).imports.setdefault(fingerprint, now_ms)

    async def records_per_key(self) -> Mapping[int, int]:
        await self._turn()
        return dict(Counter(subject.key for shelf in self._cabinet.shelves.values() for subject in shelf.records))

    async def audit(self, controller: str, expected: Sequence[Sequence[Head]]) -> AuditReport:
        await self._turn()
        shelf = self._cabinet.shelves.get(controller)
        if shelf is None:
            return AuditReport(0, 0, (f"controller {controller} is not in the store",))
        findings = tuple(self._findings(controller, shelf, expected))
        return AuditReport(sum(map(len, shelf.chains)), len(shelf.records), findings)

    def _findings(self, controller: str, shelf: Shelf, expected: Sequence[Sequence[Head]]) -> Iterator[str]:
        if shelf.policy is None:
            yield "no policy is in force any more"
        for number, chain in enumerate(shelf.chains):
            signed = [heads[number] for heads in expected]
            yield from chain_faults(self._sealer(controller), number, (kept.row for kept in chain), signed)
        histories: dict[Digest, list[KeptEvent]] = {subject: [] for subject in shelf.records}
        for kept in (kept for chain in shelf.chains for kept in chain):
            histories.setdefault(kept.shown.subject, []).append(kept)
        for subject, history in histories.items():
            if shelf.records.get(subject) != _refolded(subject, history):
                yield "a record is not what its events say"

    async def close(self) -> None:
        self._is_closed = True


def _keep(shelf: Shelf, receipt: Receipt | None) -> None:
    if receipt is not None:
        shelf.receipts[receipt.name] = receipt


def _erase(shelf: Shelf, change: Change) -> None:
    _drop_bodies(shelf.history(change.after.subject), change.erases_up_to)
    shelf.sealed.pop(change.after.subject, None)
    for place in [key for key in shelf.sends if key[1] in change.forgotten]:
        del shelf.sends[place]
    for letter_id in [its_id for its_id, kept in shelf.letters.items() if kept.letter.subject in change.forgotten]:
        del shelf.letters[letter_id]


def _drop_bodies(history: Sequence[KeptEvent], before_version: int) -> None:
    for kept in history:
        if kept.shown.version < before_version and not kept.row.is_erased:
            kept.row = replace(kept.row, salt=None, body=kept.row.body_hash)
            kept.shown = replace(kept.shown, event=None)


def _refolded(subject: Digest, history: Sequence[KeptEvent]) -> Record | None:
    """The record that the events left make; None where their versions have a gap or an erasure lacks its event."""
    if [kept.shown.version for kept in history] != list(range(1, len(history) + 1)):
        return None
    left = [kept.shown.event for kept in history if kept.shown.event is not None]
    is_erased = len(left) < len(history)
    if is_erased and not (left and isinstance(left[0], Erased)):
        return None
    return reduce(fold, left, Record(subject, len(history) - len(left)))
