"""The rows of a list of email addresses in blocks, which compiled code cuts and reads together.

What is read here is what `jobs.imports.chunks` reads record by record; where compiled code does not go on, and in lists
that are no text, that cuts the rows, and their addresses are read together all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TypeVar

import numpy as np

from jobs.imports.chunks import Chunk, record_chunks
from jobs.imports.rows import RefusalColumns, no_address, ragged, refused_at
from jobs.imports.sources import Source
from jobs.lists import OpenList, RawRecord
from jobs.scrub.engine import HandedBack
from jobs.scrub.fast.cells import Cells, Numbers
from jobs.scrub.fast.delimited_blocks import ASCII_SUPERSETS, DelimitedBlock, DelimitedBlocks
from jobs.scrub.fast.emails import read_plain
from jobs.scrub.fast.splitting import NEWLINE, RETURN
from prefcenter.domain.address import RULES_VERSIONS
from prefcenter.domain.address.blanks import stripped
from prefcenter.domain.errors import InvalidTime, PrefcenterError
from prefcenter.services.importing import RefusalBlock, RefusalRow

CHUNK_ROWS_MAX = 4_000
"""Rows of one commit: more would hold up single acts for longer, fewer would wait for the disk more often."""

BLOCK_OCTETS = 1 << 20
ADDRESS = 0

Item = TypeVar("Item")


def block_chunks(opened: Source, columns: RefusalColumns, begun_ms: int) -> Iterator[Chunk[RefusalBlock]]:
    """The chunks of a list; the next one is read while one is imported."""
    return _read_ahead(_chunks(opened, columns, begun_ms))


def _chunks(opened: Source, columns: RefusalColumns, begun_ms: int) -> Iterator[Chunk[RefusalBlock]]:
    done = 0
    if isinstance(opened, OpenList) and opened.encoding.name in ASCII_SUPERSETS:
        try:
            for chunk in _Reader(opened, columns, begun_ms).chunks():
                yield chunk
                done += chunk.count
        except HandedBack:
            pass
        else:
            return
    rows = record_chunks(opened, lambda record: columns.row(record, begun_ms), skipped=done)
    for of_rows in rows:
        yield Chunk(of_rows.count, block_of(of_rows.content), of_rows.faults, of_rows.record, of_rows.bytes_read)


def block_of(rows: Sequence[RefusalRow]) -> RefusalBlock:
    """Rows that were read one by one as a block."""
    plain = read_plain(Cells.of([row.address for row in rows]), RULES_VERSIONS)
    others = {place: rows[place].address for place in plain.others.tolist()}
    return RefusalBlock([row.at_ms for row in rows], plain.rows.tolist(), plain.mailboxes, others)


def _read_ahead(items: Iterator[Item]) -> Iterator[Item]:
    with ThreadPoolExecutor(1, thread_name_prefix="prefcenter-list") as pool:
        upcoming = pool.submit(next, items, None)
        while (item := upcoming.result()) is not None:
            upcoming = pool.submit(next, items, None)
            yield item


@dataclass(frozen=True, slots=True)
class _Cut:
    """The rows of a chunk that can be read so far, by their numbers in the block."""

    rows: Numbers
    addresses: Cells
    at_ms: list[int]


class _Reader:
    """Reads the chunks of one list."""

    def __init__(self, opened: OpenList, columns: RefusalColumns, begun_ms: int) -> None:
        self.opened = opened
        self.columns = columns
        self.begun_ms = begun_ms
        indexes = (opened.address_column, *(() if columns.time is None else (columns.time,)))
        self._wanted = tuple(dict.fromkeys(column.index for column in indexes))

    def chunks(self) -> Iterator[Chunk[RefusalBlock]]:
        """Raises HandedBack where compiled code does not go on; what came before it is right."""
        header = "" if self.opened.header is None else self.opened.header.whole
        line, bytes_read = 1 + _line_ends((self.opened.prologue + header).encode()), 0
        for block in DelimitedBlocks(self.opened, BLOCK_OCTETS).of(self._wanted):
            lines, size = _Lines(block, line), len(block)
            chunks = -(-size // CHUNK_ROWS_MAX)
            for start, end in pairwise([size * number // chunks for number in range(chunks + 1)]):
                share = (block.bytes_read - bytes_read) * end // size
                yield self._chunk(block, np.arange(start, end), lines, bytes_read + share)
            line += _line_ends(block.records.octets[: block.records.used].tobytes())
            bytes_read = block.bytes_read

    def _chunk(self, block: DelimitedBlock, rows: Numbers, lines: _Lines, bytes_read: int) -> Chunk[RefusalBlock]:
        first, widths, faults = int(rows[0]), block.records.widths[rows], dict[int, PrefcenterError]()
        for place in np.flatnonzero(widths != self.opened.width).tolist():
            faults[place] = ragged(self.opened.width, int(widths[place]))
        cut = self._cut(block, rows[widths == self.opened.width], faults, first)
        plain = read_plain(cut.addresses, RULES_VERSIONS)
        others = {place: cut.addresses.text(place) for place in plain.others.tolist()}
        blank = [*plain.blanks.tolist(), *(place for place, text in others.items() if not stripped(text))]
        faults |= {int(cut.rows[place]) - first: no_address() for place in blank}
        content = _without(blank, RefusalBlock(cut.at_ms, plain.rows.tolist(), plain.mailboxes, others))
        return Chunk(len(rows), content, faults, lambda place: lines.record(first + place), bytes_read)

    def _cut(self, block: DelimitedBlock, rows: Numbers, faults: dict[int, PrefcenterError], first: int) -> _Cut:
        """Addresses and times; rows whose time cannot be read go to the faults."""
        addresses = block.cells(ADDRESS, rows)
        if self.columns.time is None:
            return _Cut(rows, addresses, [self.begun_ms] * len(rows))
        read = self._times(block.cells(len(self._wanted) - 1, rows))
        for place, fault in enumerate(read):
            if isinstance(fault, InvalidTime):
                faults[int(rows[place]) - first] = fault if stripped(addresses.text(place)) else no_address()
        at_ms = [time for time in read if isinstance(time, int)]
        kept = np.array([place for place, time in enumerate(read) if isinstance(time, int)], np.int64)
        return _Cut(rows[kept], addresses.taken(kept), at_ms)

    def _times(self, cells: Cells) -> list[int | InvalidTime]:
        """When each row was refused, or what is wrong with the cell; each different cell is read once."""
        distinct, like = cells.distinct()
        read = [self._time(cells.text(place)) for place in distinct.tolist()]
        return [read[number] for number in like.tolist()]

    def _time(self, text: str) -> int | InvalidTime:
        try:
            return refused_at(text, self.begun_ms)
        except InvalidTime as fault:
            return fault


@dataclass(frozen=True)
class _Lines:
    """The rows of a block as the list's own reader gives them, for those that somebody asks for."""

    block: DelimitedBlock
    first: int
    """The line on which the block begins."""

    def record(self, row: int) -> RawRecord:
        """A row without its cells, for which nobody asks."""
        records, decode = self.block.records, self.block.decode
        begin, text_end, end = int(records.begins[row]), int(records.text_ends[row]), int(records.ends[row])
        text, terminator = records.octets[begin:text_end].tobytes(), records.octets[text_end:end].tobytes()
        line = self.first + int(np.searchsorted(self._ends, begin))
        return RawRecord(line, decode(text), (), decode(terminator))

    @cached_property
    def _ends(self) -> Numbers:
        """Where lines end: the places of their last bytes."""
        octets = self.block.records.octets[: self.block.records.used]
        returns = octets == RETURN
        returns[:-1] &= octets[1:] != NEWLINE
        return np.flatnonzero(returns | (octets == NEWLINE))


def _without(blank: Sequence[int], block: RefusalBlock) -> RefusalBlock:
    """The block without rows that hold no address; none of them is plain."""
    if not blank:
        return block
    left = np.ones(len(block.at_ms), np.bool_)
    left[list(blank)] = False
    places = (np.cumsum(left) - 1).tolist()
    others = {places[place]: text for place, text in block.others.items() if left[place]}
    at_ms = [time for time, is_left in zip(block.at_ms, left.tolist(), strict=True) if is_left]
    return RefusalBlock(at_ms, [places[place] for place in block.plain], block.mailboxes, others)


def _line_ends(octets: bytes) -> int:
    return octets.count(b"\n") + octets.count(b"\r") - octets.count(b"\r\n")
