"""A block of a list of text as places in its bytes: where each record stands in it, and where its wanted cells are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from jobs.scrub.fast.cells import Cells, Numbers, Octets, decoded_utf8

BARE, QUOTED, WOVEN, EMPTY, ABSENT = range(5)
"""How a cell is written: as it is, between two marks, or so that only its format's own reader can tell its content.

One that is empty holds nothing though something stands there, and one that is absent stands nowhere.
"""


@dataclass(frozen=True, slots=True)
class Records:
    """The complete records at the start of a block, which are `used` bytes of it.

    Record i is `octets[begins[i]:ends[i]]`; what is added to it goes before `text_ends[i]`. It has `widths[i]` cells.
    The cells of wanted column c begin at `starts[c]` and end at `stops[c]`, with their quotes; `written[c]` says how.
    """

    octets: Octets
    used: int
    begins: Numbers
    ends: Numbers
    text_ends: Numbers
    widths: Numbers
    starts: Numbers
    stops: Numbers
    written: Octets
    unwoven: Callable[[bytes], bytes]

    def __len__(self) -> int:
        return len(self.ends)

    def cells(self, wanted: int, rows: Numbers, decode: Callable[[bytes], str] = decoded_utf8) -> Cells:
        """The cells of a wanted column in some records; those that are woven stand unwoven behind the block."""
        how, starts, stops = self.written[wanted], self.starts[wanted], self.stops[wanted]
        if len(rows) < len(self):
            how, starts, stops = how.take(rows), starts.take(rows), stops.take(rows)
        if not how.any():
            return Cells(self.octets, starts, stops, decode)
        starts, stops = starts.copy(), stops.copy()
        quoted, woven, empty = (np.flatnonzero(mask) for mask in (how == QUOTED, how == WOVEN, how >= EMPTY))
        starts[quoted] += 1
        stops[quoted] -= 1
        stops[empty] = starts[empty]
        if not len(woven):
            return Cells(self.octets, starts, stops, decode)
        texts = [self.unwoven(self.octets[starts[row] : stops[row]].tobytes()) for row in woven.tolist()]
        sizes = np.array([len(text) for text in texts], np.int64)
        stops[woven] = len(self.octets) + np.cumsum(sizes)
        starts[woven] = stops[woven] - sizes
        octets = np.concatenate([self.octets, np.frombuffer(b"".join(texts), np.uint8)])
        return Cells(octets, starts, stops, decode)
