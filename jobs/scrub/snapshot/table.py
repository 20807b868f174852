"""A sorted table of digests that tells the number kept with each, by a look into a narrow part of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from prefcenter.security.compiled import compiled
from prefcenter.security.vector_digests import DigestArray, Halves, Offsets

Codes: TypeAlias = NDArray[np.uint32]

MOST_INDEX_BITS = 20
RECORDS_A_BUCKET = 8
NOT_FOUND = 0
SOUGHT_TOGETHER = 64


@dataclass(frozen=True)
class DigestTable:
    """Digests in ascending order, each once, and a number for each that is not 0.

    Digests are evenly spread, so their first bits say between which rows one would stand.
    """

    digests: DigestArray
    codes: Codes

    def __len__(self) -> int:
        return len(self.codes)

    @classmethod
    def empty(cls) -> DigestTable:
        return cls(DigestArray(np.empty(0, np.uint64), np.empty(0, np.uint64)), np.empty(0, np.uint32))

    @classmethod
    def of(cls, digests: DigestArray, codes: Codes, of_differing: int | None = None) -> DigestTable:
        """A table of digests in any order.

        Of one that repeats the last number counts, or another one where they differ.
        """
        order = np.lexsort((np.arange(len(codes)), digests.low, digests.high))
        high, low, codes = digests.high[order], digests.low[order], codes[order]
        is_last = np.ones(len(codes), np.bool_)
        is_last[:-1] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
        if of_differing is not None:
            differ = ~is_last[:-1] & (codes[1:] != codes[:-1])
            ends = np.flatnonzero(is_last)
            codes[ends[np.searchsorted(ends, np.flatnonzero(differ))]] = of_differing
        return cls(DigestArray(high[is_last], low[is_last]), codes[is_last])

    def is_sorted(self) -> bool:
        return bool(_is_ascending(self.digests.high, self.digests.low))

    def find(self, sought: DigestArray) -> Codes:
        """The number of each digest that is sought, 0 for those that are not in the table."""
        found = np.zeros(len(sought), np.uint32)
        if len(self):
            own = self.digests
            _find(own.high, own.low, self.codes, self._bits, self._index, sought.high, sought.low, found)
        return found

    @cached_property
    def _bits(self) -> int:
        return max(1, min(MOST_INDEX_BITS, (len(self) // RECORDS_A_BUCKET).bit_length()))

    @cached_property
    def _index(self) -> Offsets:
        """Row at which each bucket of equal first bits begins, and the end."""
        index = np.zeros((1 << self._bits) + 1, np.int64)
        _count_buckets(self.digests.high, self._bits, index)
        np.cumsum(index, out=index)
        return index


@compiled
def _is_ascending(high: Halves, low: Halves) -> bool:
    for row in range(1, high.size):
        if high[row - 1] > high[row] or (high[row - 1] == high[row] and low[row - 1] >= low[row]):
            return False
    return True


@compiled
def _count_buckets(high: Halves, bits: int, index: Offsets) -> None:
    shift = np.uint64(64 - bits)
    for row in range(high.size):
        index[np.int64(high[row] >> shift) + 1] += 1


@compiled
def _find(
    high: Halves, low: Halves, codes: Codes, bits: int, index: Offsets, sought_high: Halves, sought_low: Halves,
    found: Codes,
) -> None:  # fmt: skip
    """Several are sought together, for their rows come from memory while others are waited for."""
    shift, rest, half = np.uint64(64 - bits), np.uint64(bits), np.uint64(32)
    size = high.size
    rows, seen = np.empty(SOUGHT_TOGETHER, np.int64), np.empty(SOUGHT_TOGETHER, np.uint64)
    for first in range(0, sought_high.size, SOUGHT_TOGETHER):
        count = min(SOUGHT_TOGETHER, sought_high.size - first)
        for number in range(count):
            upper = sought_high[first + number]
            bucket = np.int64(upper >> shift)
            # Where it would stand in its bucket, if the digests of that stood evenly.
            width = np.uint64(index[bucket + 1] - index[bucket])
            rows[number] = min(index[bucket] + np.int64((((upper << rest) >> half) * width) >> half), size - 1)
        for number in range(count):
            seen[number] = high[rows[number]]
        for number in range(count):
            upper, row = sought_high[first + number], rows[number]
            if seen[number] < upper:
                row += 1
                while row < size and high[row] < upper:
                    row += 1
            else:
                while row > 0 and high[row - 1] >= upper:
                    row -= 1
            while row < size and high[row] == upper:
                if low[row] == sought_low[first + number]:
                    found[first + number] = codes[row]
                    break
                row += 1
