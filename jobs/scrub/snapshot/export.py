"""Exporting a store's records into a snapshot once, and then only what was touched since.

The heads are read before the records are, so whatever is written meanwhile is among what was touched since.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from jobs.scrub.snapshot.snapshot import NEVER_MS, Consents, Snapshot, StateNumbers
from jobs.scrub.snapshot.snapshot_file import Contents, UnusableSnapshot, open_snapshot, write_snapshot
from jobs.scrub.snapshot.spill import SpilledDigests
from jobs.scrub.snapshot.state import State, state_of
from jobs.scrub.snapshot.table import DigestTable
from prefcenter.domain.digest import Digest
from prefcenter.domain.events import Cell
from prefcenter.domain.record import Grant, Record
from prefcenter.security.seals import Sealer
from prefcenter.security.vector_digests import DigestArray
from prefcenter.services.ports import Store

EVENTS_A_PAGE = 5_000
FEWEST_EVENTS_TO_EXPORT_ANEW = 50_000
SHARE_TO_EXPORT_ANEW = 20
KNOWN_ANSWERS_MAX = 256


@dataclass(frozen=True, slots=True)
class SnapshotKeeper:
    """Keeps the snapshot of one controller in a directory, readable by its owner only; without one, for one use."""

    controller: str
    store: Store
    sealer: Sealer
    directory: Path | None = None

    async def current(self) -> Snapshot:
        """A snapshot with every event that the store had acknowledged when this was called."""
        base = await self._kept()
        if base is None:
            base = await self._export()
        subjects = await self._touched_since(base)
        if subjects is None:
            base = await self._export()
            subjects = await self._touched_since(base) or []
        return await self._with_changes(base, subjects)

    @property
    def _path(self) -> Path | None:
        return None if self.directory is None else self.directory / f"{self.controller}.snapshot"

    async def _kept(self) -> Snapshot | None:
        """The snapshot of an earlier time, unless it is unusable or the store is not the one it was made of."""
        if self._path is None:
            return None
        try:
            kept = open_snapshot(self._path, self.controller, self.sealer)
        except (UnusableSnapshot, OSError):
            return None
        return kept if await self.store.holds_heads(self.controller, kept.heads) else None

    async def _export(self) -> Snapshot:
        heads = await self.store.heads(self.controller)
        collected = _Collected()
        with SpilledDigests(self.directory_made()) as spilled:
            async for page in self.store.scan(self.controller):
                collected.add(page, spilled)
            contents = Contents(
                self.controller, heads, collected.numbers.states, spilled, collected.cells, collected.consents(),
                collected.known,
            )  # fmt: skip
            return self.write(contents)

    def write(self, contents: Contents) -> Snapshot:
        """Write a snapshot in the place of an earlier one, and open it. Raises UnusableSnapshot for a faulty one."""
        descriptor, name = tempfile.mkstemp(suffix=".snapshot", prefix=".", dir=self.directory_made())
        written = Path(name)
        try:
            with os.fdopen(descriptor, "w+b") as file:
                write_snapshot(file, contents, self.sealer)
            snapshot = open_snapshot(written, self.controller, self.sealer)
            if self._path is not None:
                written.replace(self._path)
            return snapshot
        finally:
            written.unlink(missing_ok=True)

    def directory_made(self) -> Path | None:
        if self.directory is not None:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self.directory

    async def _touched_since(self, base: Snapshot) -> list[Digest] | None:
        """The subjects of all events after the base; None where they are so many that it is better made anew."""
        positions = [head.position for head in base.heads]
        most = max(FEWEST_EVENTS_TO_EXPORT_ANEW, len(base.base) // SHARE_TO_EXPORT_ANEW)
        subjects, count = dict[Digest, None](), 0
        while events := await self.store.since(self.controller, positions, EVENTS_A_PAGE):
            for event in events:
                positions[event.partition] = event.position
                subjects[event.subject] = None
            count += len(events)
            if count > most:
                return None
        return list(subjects)

    async def _with_changes(self, base: Snapshot, subjects: Sequence[Digest]) -> Snapshot:
        if not subjects:
            return base
        numbers, found = StateNumbers(base.states), dict[Digest, Record]()
        for start in range(0, len(subjects), EVENTS_A_PAGE):
            records = await self.store.load(self.controller, subjects[start : start + EVENTS_A_PAGE])
            found |= {record.subject: record for record in records}
        codes = [numbers.number_of(_changed_state(found.get(subject) or Record(subject))) for subject in subjects]
        digests = DigestArray.of([subject.value for subject in subjects])
        changes = DigestTable.of(digests, np.array(codes, np.uint32))
        return replace(base, states=tuple(numbers.states), changes=changes)


def _changed_state(record: Record) -> State:
    state = state_of(record)
    return replace(state, is_plain=False) if state.has_grants else state


class _Collected:
    """States and consents of the records read so far."""

    def __init__(self) -> None:
        self.numbers = StateNumbers()
        self.known: list[tuple[bytes, int]] = []
        self._cells: dict[Cell, int] = {}
        self._grants: list[tuple[bytes, int, int, int]] = []

    def add(self, records: Sequence[Record], spilled: SpilledDigests) -> None:
        states = [state_of(record) for record in records]
        codes = [self.numbers.number_of(state) for state in states]
        values = [record.subject.value for record in records]
        spilled.add(DigestArray.of(values), np.array(codes, np.uint32))
        if len(self.known) < KNOWN_ANSWERS_MAX:
            self.known += [(values[0], codes[0]), (values[-1], codes[-1])]
        for record, state in zip(records, states, strict=True):
            if state.is_plain and state.has_grants:
                self._grants += map(self._grant_row, record.grants)

    @property
    def cells(self) -> Sequence[Cell]:
        return list(self._cells)

    def consents(self) -> Consents:
        return Consents(
            DigestArray.of([exact for exact, *_ in self._grants]),
            np.array([cell for _, cell, *_ in self._grants], np.uint32),
            _times(given for *_, given, _ in self._grants),
            _times(expires for *_, expires in self._grants),
        )

    def _grant_row(self, grant: Grant) -> tuple[bytes, int, int, int]:
        expires_ms = NEVER_MS if grant.expires_ms is None else grant.expires_ms
        return grant.exact.value, self._cells.setdefault(grant.cell, len(self._cells)), grant.at.time_ms, expires_ms


def _times(times: Iterable[int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.fromiter(times, np.int64)
