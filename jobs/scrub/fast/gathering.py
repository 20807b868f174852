"""Putting the records of a block into one output: their bytes as they stand, some cells blanked, others added."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from jobs.scrub.fast.blocks import Decided
from jobs.scrub.fast.cells import Numbers, Octets
from jobs.scrub.fast.records import Records
from jobs.scrub.fast.row_kinds import Kinds
from jobs.scrub.tally import Output
from prefcenter.security.compiled import compiled
from prefcenter.security.vector_digests import Forms

Flags: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Changes:
    """What happens to a record on its way to an output: bytes to add to it, and wanted columns to blank."""

    is_taken: bool
    added: bytes = b""
    blanked: frozenset[int] = frozenset()


def changes_for(output: Output, decided: Decided, added: Callable[[tuple[str, ...]], bytes]) -> list[Changes]:
    """What happens to each kind of row on its way to an output; `added` makes the bytes of the cells to add."""
    return [
        Changes(True, added(row.added), decided.blanked(row)) if row.outcome.output is output else Changes(False)
        for row in decided.rows
    ]


def gathered(
    records: Records,
    kinds: Kinds,
    changes: Sequence[Changes],
    blank: bytes = b"",
    further: Sequence[bytes] | None = None,
) -> tuple[bytes | memoryview, int]:
    """The records that are taken, in their order, and how many they are.

    `changes` are by kind of record; `blank` stands in blanked cells. `further` is added to each that is taken, behind
    what is added to its kind.
    """
    taken = np.array([each.is_taken for each in changes], np.bool_)
    blanked = np.zeros((len(changes), len(records.starts)), np.bool_)
    for kind, each in enumerate(changes):
        blanked[kind, list(each.blanked)] = True
    numbers, texts = kinds, [each.added for each in changes]
    if further is not None:
        rows = np.flatnonzero(taken.take(kinds))
        numbers = np.zeros(len(kinds), np.int64)
        numbers[rows] = np.arange(len(further))
        texts = [texts[kind] + more for kind, more in zip(kinds[rows].tolist(), further, strict=True)]
    added = Forms.of(texts)
    is_blanked = np.asarray(blanked.any(axis=1))
    count, room = _room(records.begins, records.ends, kinds, numbers, taken, added.offsets, blanked, len(blank))
    if not count:
        return b"", 0
    out = np.empty(room, np.uint8)
    size = _gather(
        records.octets, records.begins, records.ends, records.text_ends, records.starts, records.stops, kinds, numbers,
        taken, is_blanked, added.octets, added.offsets, blanked, np.frombuffer(blank, np.uint8), out,
    )  # fmt: skip
    return out[:size].data, count


@compiled
def _room(
    begins: Numbers, ends: Numbers, kinds: Kinds, numbers: Numbers, taken: Flags, offsets: Numbers, blanked: Flags,
    blank_size: int,
) -> tuple[int, int]:  # fmt: skip
    """How many records are taken, and how many bytes they come to at most."""
    count, room = 0, 0
    for row in range(ends.size):
        if taken[kinds[row]]:
            count += 1
            room += ends[row] - begins[row] + offsets[numbers[row] + 1] - offsets[numbers[row]]
            for column in range(blanked.shape[1]):
                room += blank_size * blanked[kinds[row], column]
    return count, room


@compiled
def _gather(
    octets: Octets, begins: Numbers, ends: Numbers, text_ends: Numbers, starts: Numbers, stops: Numbers,
    kinds: Kinds, numbers: Numbers, taken: Flags, is_blanked: Flags, added: Octets, offsets: Numbers, blanked: Flags,
    blank: Octets, out: Octets,
) -> int:  # fmt: skip
    place, row = 0, 0
    while row < ends.size:
        kind, number, start = kinds[row], numbers[row], begins[row]
        if not taken[kind]:
            row += 1
            continue
        if not is_blanked[kind] and offsets[number] == offsets[number + 1]:
            # Neighbours that stay as they are are one piece.
            end = start
            while row < ends.size and begins[row] == end and taken[kinds[row]] and not is_blanked[kinds[row]]:
                if offsets[numbers[row]] < offsets[numbers[row] + 1]:
                    break
                end = ends[row]
                row += 1
            place = _copy(octets, start, end, out, place)
            continue
        while True:
            cell = _next_blanked(starts, stops, row, blanked[kind], start)
            if cell < 0:
                break
            place = _copy(octets, start, starts[cell, row], out, place)
            place = _copy(blank, 0, blank.size, out, place)
            start = stops[cell, row]
        place = _copy(octets, start, text_ends[row], out, place)
        place = _copy(added, offsets[number], offsets[number + 1], out, place)
        place = _copy(octets, text_ends[row], ends[row], out, place)
        row += 1
    return place


@compiled
def _next_blanked(starts: Numbers, stops: Numbers, row: int, blanked: Flags, place: int) -> int:
    """The first cell to blank that begins at a place or later and holds anything; -1 where there is none."""
    first = -1
    for column in range(blanked.size):
        start = starts[column, row]
        is_due = blanked[column] and start >= place and stops[column, row] > start
        if is_due and (first < 0 or start < starts[first, row]):
            first = column
    return first


@compiled
def _copy(octets: Octets, start: int, end: int, out: Octets, place: int) -> int:
    """Copy a piece to a place, and give the place behind it.

    Numba compiles an assignment of slices for seconds; numbers without a sign are indexes that need no second look.
    """
    source, target = np.uint64(start), np.uint64(place)
    for offset in range(np.uint64(max(0, end - start))):
        out[target + offset] = octets[source + offset]
    return place + end - start
