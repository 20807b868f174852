"""Cutting a block of a delimited list into records by compiled code: where each ends, and where its wanted cells are.

The grammar is that of `jobs.lists.records`, which the suite holds this against. Records and cells are places in the
block; nothing is copied.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jobs.scrub.fast.cells import Numbers, Octets
from jobs.scrub.fast.records import BARE, QUOTED, WOVEN, Records
from prefcenter.security.compiled import compiled

QUOTE, RETURN, NEWLINE = b'"\r\n'
CUT_OFF, LEFT_OPEN = -1, -2


def split(octets: Octets, delimiter: str, columns: Sequence[int], *, is_last: bool) -> tuple[Records, bool]:
    """Cut a block that begins with a record, and tell whether a quote is left open in it.

    `columns` are those wanted, each once; `is_last`: nothing comes after the block. A cell is woven that has quotes
    inside or text after the closing one.
    """
    most = _count_ends(octets) + 1
    slots = np.full(max(columns) + 1, -1, np.int64)
    slots[list(columns)] = np.arange(len(columns))
    ends, text_ends, widths = (np.empty(most, np.int64) for _ in range(3))
    starts, stops = (np.zeros((len(columns), most), np.int64) for _ in range(2))
    written = np.zeros((len(columns), most), np.uint8)
    count, used, is_left_open = _split(
        octets, ord(delimiter), slots, is_last, ends, text_ends, widths, starts, stops, written
    )
    begins = np.concatenate([np.zeros(1, np.int64), ends[:count]])[:count]
    records = Records(
        octets, used, begins, ends[:count], text_ends[:count], widths[:count], starts[:, :count], stops[:, :count],
        written[:, :count], _unwoven,
    )  # fmt: skip
    return records, is_left_open


def _unwoven(cell: bytes) -> bytes:
    """The content of a cell that begins with a quote: doubled ones are one, and what follows the closing one stays."""
    place = 1
    while True:
        closing = cell.index(b'"', place)
        if cell[closing + 1 : closing + 2] != b'"':
            return cell[1:closing].replace(b'""', b'"') + cell[closing + 1 :]
        place = closing + 2


@compiled
def _count_ends(octets: Octets) -> int:
    count = 0
    for octet in octets:
        count += octet in (NEWLINE, RETURN)
    return count


@compiled
def _split(
    octets: Octets, delimiter: int, slots: Numbers, is_last: bool, ends: Numbers, text_ends: Numbers, widths: Numbers,
    starts: Numbers, stops: Numbers, written: Octets,
) -> tuple[int, int, bool]:  # fmt: skip
    count, used, place, column = 0, 0, 0, 0
    size = octets.size
    while place < size or column > 0:
        start, how = place, BARE
        if place < size and octets[place] == QUOTE:
            place, how = _closed(octets, place, is_last)
            if place < 0:
                return count, used, place == LEFT_OPEN
        closing = place
        while place < size and octets[place] != delimiter and octets[place] != NEWLINE and octets[place] != RETURN:
            place += 1
        if place == size and not is_last:
            return count, used, False
        if how == QUOTED and place > closing:
            how = WOVEN
        if column < slots.size and slots[column] >= 0:
            starts[slots[column], count], stops[slots[column], count] = start, place
            written[slots[column], count] = how
        column += 1
        if place < size and octets[place] == delimiter:
            place += 1
            continue
        after = _after_line_end(octets, place, is_last)
        if after < 0:
            return count, used, False
        ends[count], text_ends[count], widths[count] = after, place, column
        count += 1
        used = place = after
        column = 0
    return count, used, False


@compiled
def _closed(octets: Octets, place: int, is_last: bool) -> tuple[int, int]:
    """Where the text after the quoted cell at a place begins, and how the cell is written."""
    how, size = QUOTED, octets.size
    place += 1
    while True:
        while place < size and octets[place] != QUOTE:
            place += 1
        if place == size:
            return (LEFT_OPEN if is_last else CUT_OFF), how
        if place + 1 == size:
            return (size, how) if is_last else (CUT_OFF, how)
        if octets[place + 1] != QUOTE:
            return place + 1, how
        how = WOVEN
        place += 2


@compiled
def _after_line_end(octets: Octets, place: int, is_last: bool) -> int:
    if place == octets.size or octets[place] == NEWLINE:
        return min(place + 1, octets.size)
    if place + 1 == octets.size:
        return octets.size if is_last else CUT_OFF
    return place + 2 if octets[place + 1] == NEWLINE else place + 1
