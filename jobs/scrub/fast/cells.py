"""A column of cells as bytes in one buffer, and which of them are alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from prefcenter.security.compiled import compiled

Octets: TypeAlias = NDArray[np.uint8]
Numbers: TypeAlias = NDArray[np.int64]


def decoded_utf8(cell: bytes) -> str:
    """The text of a cell as the lists' own reader gives it: an odd byte is a lone surrogate, which nothing accepts."""
    return cell.decode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class Cells:
    """Cell i is `octets[starts[i]:ends[i]]`, in an encoding of which ASCII is a part and that `decode` knows."""

    octets: Octets
    starts: Numbers
    ends: Numbers
    decode: Callable[[bytes], str] = decoded_utf8

    def __len__(self) -> int:
        return len(self.starts)

    @classmethod
    def of(cls, texts: Sequence[str]) -> Cells:
        """Cells of texts that are in memory already, as those of a spreadsheet are."""
        contents = [text.encode("utf-8", "surrogatepass") for text in texts]
        ends = np.cumsum([len(content) for content in contents], dtype=np.int64)
        sizes = np.array([len(content) for content in contents], np.int64)
        octets = np.frombuffer(b"".join(contents), np.uint8)
        return cls(octets, ends - sizes, ends, lambda cell: cell.decode("utf-8", "surrogatepass"))

    def text(self, index: int) -> str:
        return self.decode(self.octets[self.starts[index] : self.ends[index]].tobytes())

    def taken(self, indexes: Numbers) -> Cells:
        """Some of the cells, over the same buffer."""
        return Cells(self.octets, self.starts[indexes], self.ends[indexes], self.decode)

    def distinct(self) -> tuple[Numbers, Numbers]:
        """The first cell of each different content, and for each cell which of these it is like."""
        first, like = np.empty(len(self), np.int64), np.empty(len(self), np.int64)
        count = _distinct(self.octets, self.starts, self.ends, first, like)
        return first[:count], like


@compiled
def _distinct(octets: Octets, starts: Numbers, ends: Numbers, first: Numbers, like: Numbers) -> int:
    """Open addressing by FNV-1a; contents are compared byte by byte, so that no two hashes can be taken for one."""
    slots = 16
    while slots < 2 * starts.size:
        slots *= 2
    table = np.full(slots, -1, np.int64)
    count = 0
    for index in range(starts.size):
        start, size = starts[index], ends[index] - starts[index]
        hashed = np.uint64(0xCBF29CE484222325)
        for place in range(start, start + size):
            hashed = (hashed ^ np.uint64(octets[place])) * np.uint64(0x100000001B3)
        slot = np.int64((hashed ^ (hashed >> np.uint64(32))) & np.uint64(slots - 1))
        while True:
            known = table[slot]
            if known < 0:
                table[slot] = first[count] = index
                like[index] = count
                count += 1
                break
            other = starts[known]
            same = ends[known] - other == size
            place = 0
            while same and place < size:
                same = octets[other + place] == octets[start + place]
                place += 1
            if same:
                like[index] = like[known]
                break
            slot = (slot + 1) & (slots - 1)
    return count
