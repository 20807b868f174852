"""A snapshot as one file: arrays to be mapped into memory, then what they mean, under a MAC of the ledger key.

A file that was damaged, cut off, made by another store or put in another's place is not a snapshot: the MAC, the hash
of the arrays, their order and known answers are checked whenever one is opened.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from jobs.scrub.snapshot.consents import NEVER_MS, Consents
from jobs.scrub.snapshot.snapshot import Snapshot
from jobs.scrub.snapshot.spill import Entries, Spilled, digests_of
from jobs.scrub.snapshot.state import UNTOLD, State, state_as_json, state_from_json
from jobs.scrub.snapshot.table import DigestTable
from prefcenter.domain.events import Cell
from prefcenter.domain.ledger import Head
from prefcenter.domain.terms import Channel
from prefcenter.security.seals import MAC_BYTES, Sealer
from prefcenter.security.vector_digests import DigestArray
from prefcenter.services.checkpoint import heads_as_json, heads_from_json

SNAPSHOT_FORMAT = "prefcenter-snapshot/2"
SEAL_LABEL = "scrub snapshot"
READ_BYTES = 1 << 24
FOOTER = struct.Struct(f"<QQ{MAC_BYTES}s")
"""Length of the description, number of the key, MAC; the last bytes of the file."""

STATE_ARRAYS = (np.uint64, np.uint64, np.uint32)
CONSENT_ARRAYS = (np.uint64, np.uint64, np.uint32, np.int64, np.int64)

KnownAnswers = Sequence[tuple[bytes, int]]


class UnusableSnapshot(Exception):
    """The file is no snapshot of this controller and keyring."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a snapshot file is made of. `known` are digests of which the states were noted while they were read.

    The entries of `spilled` are states, of which `untold` is that of digests with several records; those of `consents`
    name their cell by its place in `cells`.
    """

    controller: str
    heads: tuple[Head, ...]
    exported_at: int
    states: Sequence[State | None]
    untold: int
    spilled: Spilled
    cells: Sequence[Cell]
    consents: Spilled
    known: KnownAnswers


def write_snapshot(file: IO[bytes], contents: Contents, sealer: Sealer) -> None:
    """Write a snapshot to an empty file."""
    rooms = _rooms(contents)
    layout = _Layout.of(contents.spilled.count, rooms)
    count = _write_states(file, layout.states, contents)
    consents = _write_consents(file, layout.consents, contents.consents)
    file.truncate(layout.end)
    file.flush()
    described = _description(contents, rooms, count, consents)
    description = json.dumps({**described, "sha256": _hash_of(file, layout.end)}).encode()
    file.seek(layout.end)
    key = sealer.active_key_id
    file.write(description + FOOTER.pack(len(description), key, sealer.seal(key, SEAL_LABEL, description)))
    file.flush()
    os.fsync(file.fileno())


def _rooms(contents: Contents) -> list[int]:
    """How many consents there are to each cell."""
    rooms = np.zeros(len(contents.cells), np.int64)
    for part in contents.consents.parts():
        rooms += np.bincount(part["cell"], minlength=len(rooms))
    return [int(room) for room in rooms]


def _write_states(file: IO[bytes], section: _Section, contents: Contents) -> int:
    row = 0
    for part in contents.spilled.parts():
        table = DigestTable.of(digests_of(part), part["code"], contents.untold)
        section.write(file, row, (table.digests.high, table.digests.low, table.codes))
        row += len(table)
    return row


def _write_consents(file: IO[bytes], sections: Sequence[_Section], consents: Spilled) -> list[int]:
    rows = [0] * len(sections)
    for part in consents.parts():
        for cell, entries in _by_cell(part, len(sections)):
            numbers = np.arange(rows[cell] + 1, rows[cell] + len(entries) + 1, dtype=np.uint32)
            arrays = (entries["high"], entries["low"], numbers, entries["given_ms"], entries["expires_ms"])
            sections[cell].write(file, rows[cell], arrays)
            rows[cell] += len(entries)
    return rows


def _by_cell(part: Entries, cells: int) -> Iterator[tuple[int, Entries]]:
    """The consents of a part to one cell after the other, each address once and in ascending order."""
    ordered = part[np.lexsort((part["low"], part["high"], part["cell"]))]
    is_first = np.ones(len(ordered), np.bool_)
    for name in ("cell", "high", "low"):
        is_first[1:] &= ordered[name][1:] == ordered[name][:-1]
    is_first[1:] = ~is_first[1:]
    firsts = np.flatnonzero(is_first)
    entries = ordered[firsts]
    entries["given_ms"][np.diff(firsts, append=len(ordered)) > 1] = NEVER_MS
    bounds = np.searchsorted(entries["cell"], np.arange(cells + 1))
    for cell, (start, end) in enumerate(pairwise(bounds.tolist())):
        yield cell, entries[start:end]


def open_snapshot(path: Path, controller: str, sealer: Sealer) -> Snapshot:
    """Map a snapshot file into memory. Raises UnusableSnapshot, and FileNotFoundError where there is none."""
    with path.open("rb") as file, ThreadPoolExecutor(1, thread_name_prefix="prefcenter-snapshot") as hashing:
        try:
            document, size = _read_description(file, sealer)
            if document["format"] != SNAPSHOT_FORMAT or document["controller"] != controller:
                raise UnusableSnapshot
            sha256 = hashing.submit(_hash_of, file, size)
            snapshot = _mapped(file, document)
            require_order(snapshot)
            # Nothing else is asked of arrays before it is known that they are those that were written.
            if sha256.result() != document["sha256"]:
                raise UnusableSnapshot
        except (KeyError, ValueError, TypeError, struct.error, OSError):
            raise UnusableSnapshot from None
    require_known_answers(snapshot, [(bytes.fromhex(digest), code) for digest, code in document["known"]])
    return snapshot


def require_known_answers(snapshot: Snapshot, known: KnownAnswers) -> None:
    """Raise UnusableSnapshot unless the base tells what is known and nothing besides."""
    digests = DigestArray.of([digest for digest, _ in known])
    absent = DigestArray(~digests.high, ~digests.low)
    told = zip(snapshot.base.find(digests).tolist(), known, strict=True)
    is_right = all(found == code or snapshot.states[found] == UNTOLD for found, (_, code) in told)
    if not is_right or snapshot.base.find(absent).any():
        raise UnusableSnapshot


def require_order(snapshot: Snapshot) -> None:
    """Raise UnusableSnapshot unless the digests of each table ascend."""
    tables = [snapshot.base, *(consents.rows for consents in snapshot.consents.values())]
    if not all(table.is_sorted() for table in tables):
        raise UnusableSnapshot


@dataclass(frozen=True, slots=True)
class _Section:
    """Arrays of equal length, one after the other from an offset on, with room for so many rows."""

    start: int
    room: int
    kinds: Sequence[type[Any]]

    @property
    def offsets(self) -> Iterator[int]:
        """Where each array stands, and the end; all of them at multiples of 8."""
        offset = self.start
        yield offset
        for kind in self.kinds:
            offset += (self.room * np.dtype(kind).itemsize + 7) // 8 * 8
            yield offset

    @property
    def end(self) -> int:
        *_, end = self.offsets
        return end

    def write(self, file: IO[bytes], row: int, arrays: Sequence[NDArray[Any]]) -> None:
        """Write some rows at their place."""
        for offset, array in zip(self.offsets, arrays, strict=False):
            file.seek(offset + row * array.itemsize)
            file.write(array.tobytes())

    def mapped(self, file: IO[bytes], count: int) -> list[NDArray[Any]]:
        """The rows that are used."""
        if not count:
            return [np.empty(0, kind) for kind in self.kinds]
        placed = zip(self.kinds, self.offsets, strict=False)
        return [np.asarray(np.memmap(file, kind, "r", offset, (count,))) for kind, offset in placed]


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the arrays stand: those of the states, and those of the consents to each cell."""

    states: _Section
    consents: Sequence[_Section]

    @classmethod
    def of(cls, room: int, consent_rooms: Sequence[int]) -> _Layout:
        states = _Section(0, room, STATE_ARRAYS)
        sections, end = list[_Section](), states.end
        for consent_room in consent_rooms:
            sections.append(_Section(end, consent_room, CONSENT_ARRAYS))
            end = sections[-1].end
        return cls(states, sections)

    @property
    def end(self) -> int:
        return self.consents[-1].end if self.consents else self.states.end


def _description(contents: Contents, rooms: Sequence[int], count: int, consents: Sequence[int]) -> Mapping[str, Any]:
    return {
        "format": SNAPSHOT_FORMAT,
        "controller": contents.controller,
        "heads": heads_as_json(contents.heads),
        "exportedAt": contents.exported_at,
        "states": [state_as_json(state) for state in contents.states if state is not None],
        "room": contents.spilled.count,
        "count": count,
        "cells": [[cell.purpose, cell.channel, cell.data_use] for cell in contents.cells],
        "consentRooms": rooms,
        "consentCounts": consents,
        "known": [[digest.hex(), code] for digest, code in contents.known],
    }


def _read_description(file: IO[bytes], sealer: Sealer) -> tuple[Mapping[str, Any], int]:
    """What the arrays mean, under its MAC, and how many bytes they take."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - FOOTER.size))
    length, key, mac = FOOTER.unpack(file.read(FOOTER.size))
    file.seek(size - FOOTER.size - length)
    description = file.read(length)
    if not sealer.holds(key, mac, SEAL_LABEL, description):
        raise UnusableSnapshot
    return json.loads(description), size - FOOTER.size - length


def _hash_of(file: IO[bytes], size: int) -> str:
    """The hash of the first bytes of a file, in whose other uses this does not meddle."""
    digest, place = hashlib.sha256(), 0
    buffer = memoryview(bytearray(min(size, READ_BYTES)))
    while place < size and (read := os.preadv(file.fileno(), [buffer[: size - place]], place)):
        digest.update(buffer[:read])
        place += read
    return digest.hexdigest()


def _mapped(file: IO[bytes], document: Mapping[str, Any]) -> Snapshot:
    layout = _Layout.of(document["room"], document["consentRooms"])
    high, low, codes = layout.states.mapped(file, document["count"])
    consents = [
        section.mapped(file, count) for section, count in zip(layout.consents, document["consentCounts"], strict=True)
    ]
    cells = [_cell_from_json(*parts) for parts in document["cells"]]
    return Snapshot(
        heads_from_json(document["heads"]),
        (None, *map(state_from_json, document["states"])),
        DigestTable(DigestArray(high, low), codes),
        dict(zip(cells, (_consents(*arrays) for arrays in consents), strict=True)),
        document["exportedAt"],
    )


def _consents(
    high: NDArray[Any], low: NDArray[Any], rows: NDArray[Any], given_ms: NDArray[Any], expires_ms: NDArray[Any]
) -> Consents:
    return Consents(DigestTable(DigestArray(high, low), rows), given_ms, expires_ms)


def _cell_from_json(purpose: str | None, channel: str | None, data_use: str | None) -> Cell:
    return Cell(purpose, None if channel is None else Channel(channel), data_use)
