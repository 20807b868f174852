"""Putting the records of a block into one output: their bytes as they stand, with cells added before the line end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from jobs.scrub.fast.answers import Answered
from jobs.scrub.fast.cells import Octets
from jobs.scrub.fast.splitting import Records
from prefcenter.security.compiled import compiled
from prefcenter.security.vector_digests import Forms

Taken: TypeAlias = NDArray[np.bool_]


def gathered(records: Records, codes: Answered, is_taken: Sequence[bool], added: Sequence[bytes]) -> bytes:
    """The records whose outcome is taken, in their order; `added` are the bytes to add for each outcome."""
    return _with_added(records, codes, np.array(is_taken, np.bool_)[codes], added)


def gathered_each(records: Records, is_taken: Taken, added: Sequence[bytes]) -> bytes:
    """The records that are taken, in their order, each with bytes of its own added."""
    numbers = np.zeros(len(records), np.uint32)
    numbers[is_taken] = np.arange(len(added))
    return _with_added(records, numbers, is_taken, added)


def _with_added(
    records: Records, numbers: NDArray[np.unsignedinteger[Any]], taken: Taken, added: Sequence[bytes]
) -> bytes:
    """The records that are taken; the number of each says which bytes are added to it."""
    cells = Forms.of(added)
    out = np.empty(_room(records.ends, numbers, taken, cells.offsets), np.uint8)
    _gather(records.octets, records.ends, records.text_ends, numbers, taken, cells.octets, cells.offsets, out)
    return out.tobytes()


@compiled
def _room(ends: NDArray[np.int64], codes: Answered, taken: Taken, offsets: NDArray[np.int64]) -> int:
    room, start = 0, 0
    for row in range(ends.size):
        if taken[row]:
            room += ends[row] - start + offsets[codes[row] + 1] - offsets[codes[row]]
        start = ends[row]
    return room


@compiled
def _gather(
    octets: Octets, ends: NDArray[np.int64], text_ends: NDArray[np.int64], codes: Answered, taken: Taken,
    added: Octets, offsets: NDArray[np.int64], out: Octets,
) -> None:  # fmt: skip
    place, start, row = 0, 0, 0
    while row < ends.size:
        if not taken[row]:
            start = ends[row]
            row += 1
            continue
        first, last = offsets[codes[row]], offsets[codes[row] + 1]
        if first == last:
            # Neighbours to which nothing is added are one piece.
            while row < ends.size and taken[row] and offsets[codes[row]] == offsets[codes[row] + 1]:
                row += 1
            size = ends[row - 1] - start
            out[place : place + size] = octets[start : start + size]
            place += size
            start = ends[row - 1]
            continue
        size = text_ends[row] - start
        out[place : place + size] = octets[start : start + size]
        place += size
        out[place : place + last - first] = added[first:last]
        place += last - first
        size = ends[row] - text_ends[row]
        out[place : place + size] = octets[text_ends[row] : ends[row]]
        place += size
        start = ends[row]
        row += 1
