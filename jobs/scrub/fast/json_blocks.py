"""Blocks of newline-delimited JSON: its bytes, cut into lines by compiled code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from jobs.lists.ndjson import BYTE_ORDER_MARK, NdjsonList, NdjsonSink, members_of, values_of
from jobs.lists.records import MAX_RECORD_BYTES
from jobs.scrub.engine import HandedBack
from jobs.scrub.fast.blocks import Decided, Part, TextBlock, TextSource, ended
from jobs.scrub.fast.cells import Cells, Numbers
from jobs.scrub.fast.gathering import changes_for, gathered
from jobs.scrub.fast.json_lines import ODD, split_lines
from jobs.scrub.fast.records import EMPTY, WOVEN, Records
from jobs.scrub.tally import Output
from prefcenter.domain.errors import InvalidList

BLANK = b"null"


@dataclass(frozen=True, slots=True)
class JsonBlock:
    """Lines of a list."""

    records: Records
    bytes_read: int

    def __len__(self) -> int:
        return len(self.records)

    def whole_rows(self) -> Numbers:
        return np.arange(len(self))

    def cells(self, wanted: int, rows: Numbers) -> Cells:
        return self.records.cells(wanted, rows, _decoded)

    def part(self, sink: NdjsonSink, output: Output, decided: Decided) -> Part:
        """Kinds are doubled, for the first member of a line that had none has no comma before it."""
        further = changes_for(output, decided, lambda values: _members_after(b",", sink, values))
        first = changes_for(output, decided, lambda values: _members_after(b"", sink, values))
        kinds = decided.kinds + len(decided.rows) * (self.records.widths == 0)
        return Part(*gathered(self.records, kinds, [*further, *first], BLANK))


@dataclass(frozen=True, slots=True)
class JsonBlocks:
    """A list of lines with objects, in blocks of about so many bytes; the others as in `DelimitedBlocks`."""

    contacts: NdjsonList
    octets_a_block: int
    bytes_before: int = 0
    is_followed: bool = False

    def of(self, columns: Sequence[int]) -> Iterator[JsonBlock]:
        """Blocks with the cells of these columns. Raises HandedBack for a line that the lists' reader refuses."""
        names = [self.contacts.keys[column] for column in columns]
        for block in TextSource(self.contacts.content, self.contacts.require_same).blocks(self.octets_a_block):
            skipped = _size_of_mark(block)
            octets = block.octets[skipped:]
            if self.is_followed and block.is_last:
                octets = ended(octets, b"\n")
            records = split_lines(octets, names, is_last=block.is_last)
            block.used = skipped + records.used
            _require_readable(records, skipped)
            for row in np.flatnonzero(records.widths == ODD).tolist():
                _read(records, row, names)
            if len(records):
                yield JsonBlock(records, self.bytes_before + block.bytes_read)


def _size_of_mark(block: TextBlock) -> int:
    """The size of the byte order mark, which only the first block may begin with."""
    is_first = block.bytes_read == len(block.octets)
    is_marked = is_first and block.octets[: len(BYTE_ORDER_MARK)].tobytes() == BYTE_ORDER_MARK
    return len(BYTE_ORDER_MARK) if is_marked else 0


def _members_after(comma: bytes, sink: NdjsonSink, values: tuple[str, ...]) -> bytes:
    return comma + sink.added(values).encode() if values else b""


def _require_readable(records: Records, skipped: int) -> None:
    """Raise HandedBack for a line that is too long, with what was skipped before the first, and for one of no text."""
    longest = (records.ends - records.begins).max(initial=len(records.octets) - records.used)
    if longest + skipped > MAX_RECORD_BYTES:
        raise HandedBack
    text = records.octets[: records.used].tobytes()
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError:
            raise HandedBack from None


def _read(records: Records, row: int, names: Sequence[str]) -> None:
    """Put down what the lists' reader tells of a line. Raises HandedBack for one that it refuses."""
    begin = int(records.begins[row])
    text = records.octets[begin : records.ends[row]].tobytes().decode().rstrip("\r\n")
    try:
        values = values_of("", 0, text)
    except InvalidList:
        raise HandedBack from None

    def place(character: int) -> int:
        return begin + len(text[:character].encode())

    for member in members_of(text):
        if member.name in names:
            column = names.index(member.name)
            records.starts[column, row], records.stops[column, row] = place(member.start), place(member.end)
            records.written[column, row] = EMPTY if values[member.name] is None else WOVEN
    records.widths[row], records.text_ends[row] = len(values), place(text.rindex("}"))


def _decoded(cell: bytes) -> str:
    return cell.decode("utf-8", "surrogatepass")
