"""Exporting a store's records into a snapshot once, and then only what was touched since.

The heads are read before the records are, so whatever is written meanwhile is among what was touched since. Memory
holds a page of records at a time: digests and consents are put into files and sorted there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from jobs.scrub.snapshot.consents import NEVER_MS
from jobs.scrub.snapshot.snapshot import Snapshot, StateNumbers
from jobs.scrub.snapshot.snapshot_file import Contents, UnusableSnapshot, open_snapshot, write_snapshot
from jobs.scrub.snapshot.spill import CONSENT_ENTRY, STATE_ENTRY, Spilled
from jobs.scrub.snapshot.state import UNTOLD, State, state_of
from jobs.scrub.snapshot.table import DigestTable
from jobs.scrub.snapshot.written_file import remove_leftovers, written_beside
from prefcenter.domain.digest import Digest
from prefcenter.domain.events import Cell
from prefcenter.domain.ledger import Head
from prefcenter.domain.record import Record
from prefcenter.security.seals import Sealer
from prefcenter.security.vector_digests import DigestArray
from prefcenter.services.ports import RecordColumns, Store

EVENTS_A_PAGE = 5_000
FEWEST_EVENTS_TO_EXPORT_ANEW = 50_000
SHARE_TO_EXPORT_ANEW = 20
FEWEST_CHANGES_TO_TAKE_IN = 10_000
"""So many records that were touched are taken into the file; fewer are read in a moment the next time too."""

ROWS_A_SLICE = 1 << 18
KNOWN_ANSWERS_MAX = 256


@dataclass(frozen=True, slots=True)
class SnapshotKeeper:
    """Keeps the snapshot of one controller in a directory, readable by its owner only; without one, for one use.

    Records that were touched since are taken into the file as soon as there are `take_in_from` of them, and all are
    read anew once `export_anew_from` events, and a share of all records, came after they were.
    """

    controller: str
    store: Store
    sealer: Sealer
    directory: Path | None = None
    take_in_from: int = FEWEST_CHANGES_TO_TAKE_IN
    export_anew_from: int = FEWEST_EVENTS_TO_EXPORT_ANEW

    async def current(self) -> Snapshot:
        """A snapshot with every event that the store had acknowledged when this was called."""
        heads = await self.store.heads(self.controller)
        base = await self._kept()
        if base is not None and base.heads == heads:
            return base
        subjects = None if base is None else await self._touched_since(base)
        if base is None or subjects is None:
            base = await self._export()
            subjects = await self._touched_since(base) or []
        changed = await self._with_changes(base, subjects)
        return changed if len(subjects) < self.take_in_from else self._taken_in(changed, heads)

    @property
    def _path(self) -> Path | None:
        return None if self.directory is None else self.directory / f"{self.controller}.snapshot"

    async def _kept(self) -> Snapshot | None:
        """The snapshot of an earlier time, unless it is unusable or the store is not the one it was made of."""
        if self.directory is None or self._path is None:
            return None
        try:
            remove_leftovers(self.directory, self.controller)
            kept = open_snapshot(self._path, self.controller, self.sealer)
        except (UnusableSnapshot, OSError):
            return None
        return kept if await self.store.holds_heads(self.controller, kept.heads) else None

    async def _export(self) -> Snapshot:
        """A snapshot of every record there is."""
        heads = await self.store.heads(self.controller)
        with _Collected(StateNumbers(), self.directory_made()) as collected:
            async for page in self.store.scan_columns(self.controller):
                collected.add(page)
            return self.write(collected.contents(self.controller, heads, _events_in(heads)))

    def _taken_in(self, changed: Snapshot, heads: tuple[Head, ...]) -> Snapshot:
        """A snapshot of which the base holds what was touched until those heads, or after them."""
        with _Collected(StateNumbers(changed.states), self.directory_made()) as collected:
            collected.add_snapshot(changed)
            return self.write(collected.contents(self.controller, heads, changed.exported_at))

    def write(self, contents: Contents) -> Snapshot:
        """Write a snapshot in the place of an earlier one, and open it.

        Raises UnusableSnapshot for a faulty one, and OSError where it has no place or no room.
        """
        with written_beside(self.directory_made(), self.controller) as (file, written):
            write_snapshot(file, contents, self.sealer)
            snapshot = open_snapshot(written, self.controller, self.sealer)
            if self._path is not None:
                written.replace(self._path)
            return snapshot

    def directory_made(self) -> Path | None:
        if self.directory is not None:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self.directory

    async def _touched_since(self, base: Snapshot) -> list[Digest] | None:
        """The subjects of all events after the base.

        None where they and those that it took in are so many that it is better made anew.
        """
        positions = [head.position for head in base.heads]
        most = base.exported_at + max(self.export_anew_from, len(base.base) // SHARE_TO_EXPORT_ANEW)
        subjects = dict[Digest, None]()
        while events := await self.store.since(self.controller, positions, EVENTS_A_PAGE):
            for event in events:
                positions[event.partition] = event.position
                subjects[event.subject] = None
            if sum(positions) > most:
                return None
        return list(subjects)

    async def _with_changes(self, base: Snapshot, subjects: Sequence[Digest]) -> Snapshot:
        """The base with the states of records that were touched beside it."""
        if not subjects:
            return base
        numbers, codes = StateNumbers(base.states), list[int]()
        for start in range(0, len(subjects), EVENTS_A_PAGE):
            asked = subjects[start : start + EVENTS_A_PAGE]
            found = {record.subject: record for record in await self.store.load(self.controller, asked)}
            changed = (_changed_state(found.get(subject) or Record(subject)) for subject in asked)
            codes += map(numbers.number_of, changed)
        digests = DigestArray.of([subject.value for subject in subjects])
        untold = numbers.number_of(UNTOLD)
        told = np.array(codes, np.uint32)
        told[_stand_under_others(base, digests, subjects)] = untold
        changes = DigestTable.of(digests, told, untold)
        return replace(base, states=tuple(numbers.states), changes=changes)


def _stand_under_others(base: Snapshot, digests: DigestArray, subjects: Sequence[Digest]) -> list[bool]:
    """Of each digest that was touched: does the base know it as that of another record?"""
    known = [base.states[number] for number in base.find(digests).tolist()]
    families = [(subject.kind, subject.key, subject.rules) for subject in subjects]
    return [state is not None and state.family != family for state, family in zip(known, families, strict=True)]


def _changed_state(record: Record) -> State:
    state = state_of(record)
    return replace(state, is_plain=False) if state.has_grants else state


def _events_in(heads: Iterable[Head]) -> int:
    return sum(head.position for head in heads)


class _Collected:
    """States and consents of the records read so far, in files."""

    def __init__(self, numbers: StateNumbers, directory: Path | None) -> None:
        self._numbers = numbers
        self._states = Spilled(STATE_ENTRY, directory)
        self._consents = Spilled(CONSENT_ENTRY, directory)
        self._cells: dict[Cell, int] = {}
        self._known: list[tuple[bytes, int]] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(self._states)
        self._stack.enter_context(self._consents)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def add(self, page: RecordColumns) -> None:
        """Take a page of the store's records."""
        states = [state_of(record) for record in page.told]
        codes = np.array([self._numbers.number_of(state) for state in states], np.uint32)[page.like]
        self._states.add(DigestArray.of(page.digests), code=codes)
        self._know((page.digests[0], int(codes[0])), (page.digests[-1], int(codes[-1])))
        told = zip(page.told, states, strict=True)
        self._add_grants([grant_row for record, state in told if state.is_plain for grant_row in self._grants(record)])

    def add_snapshot(self, snapshot: Snapshot) -> None:
        """Take all that a snapshot holds, its changes after what they take the place of."""
        for table in (snapshot.base, snapshot.changes):
            for rows in _slices(len(table)):
                digests = table.digests.part(rows)
                codes = snapshot.find(digests)
                self._states.add(digests, code=codes)
                self._know((digests.value(0), int(codes[0])))
        for cell, consents in snapshot.consents.items():
            for rows in _slices(len(consents)):
                self._consents.add(
                    consents.rows.digests.part(rows),
                    cell=np.full(rows.stop - rows.start, self._number_of(cell), np.uint32),
                    given_ms=consents.given_ms[rows],
                    expires_ms=consents.expires_ms[rows],
                )

    def contents(self, controller: str, heads: tuple[Head, ...], exported_at: int) -> Contents:
        untold = self._numbers.number_of(UNTOLD)
        return Contents(
            controller, heads, exported_at, self._numbers.states, untold, self._states, list(self._cells),
            self._consents, self._known,
        )  # fmt: skip

    def _know(self, *answers: tuple[bytes, int]) -> None:
        if len(self._known) < KNOWN_ANSWERS_MAX:
            self._known += answers

    def _grants(self, record: Record) -> list[tuple[bytes, int, int, int]]:
        return [
            (
                grant.exact.value,
                self._number_of(grant.cell),
                grant.at.time_ms,
                NEVER_MS if grant.expires_ms is None else grant.expires_ms,
            )
            for grant in record.grants
        ]

    def _add_grants(self, grants: Sequence[tuple[bytes, int, int, int]]) -> None:
        if not grants:
            return
        values, cells, given_ms, expires_ms = zip(*grants, strict=True)
        self._consents.add(
            DigestArray.of(values),
            cell=np.array(cells, np.uint32),
            given_ms=np.array(given_ms, np.int64),
            expires_ms=np.array(expires_ms, np.int64),
        )

    def _number_of(self, cell: Cell) -> int:
        return self._cells.setdefault(cell, len(self._cells))


def _slices(rows: int) -> list[slice]:
    return [slice(start, min(rows, start + ROWS_A_SLICE)) for start in range(0, rows, ROWS_A_SLICE)]
