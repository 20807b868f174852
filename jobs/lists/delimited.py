"""Rows of delimited text on their way from a list to an output: kept byte for byte, blanked or lengthened by cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jobs.lists.columns import Column
from jobs.lists.contacts import BATCH_ROWS, Placed
from jobs.lists.dialect import Dialect
from jobs.lists.encoding import Encoding
from jobs.lists.packed import PackedFile
from jobs.lists.records import RawRecord, RecordReader

BATCH_CHARACTERS = 1 << 22
KNOWN_MAX = 4_096
"""How many different additions are kept encoded: reasons are few, while links differ from row to row."""


@dataclass(frozen=True, slots=True)
class DelimitedBatch:
    """Records of a list in which a row has `width` cells and usually ends with `line_end`."""

    records: Sequence[RawRecord]
    width: int
    line_end: str = "\n"

    def __len__(self) -> int:
        return len(self.records)

    def cells(self, column: Column) -> Sequence[str | None]:
        """The cells of whole rows; of an output with few rows, what most of them have may be too few for a column."""
        width, index = self.width, column.index
        if index >= width:
            return [None] * len(self.records)
        return [record.cells[index] if len(record.cells) == width else None for record in self.records]

    def ended(self) -> DelimitedBatch:
        *others, last = self.records
        if last.terminator:
            return self
        return DelimitedBatch([*others, last._replace(terminator=self.line_end)], self.width, self.line_end)


def batches_of(records: Iterator[RawRecord], width: int, line_end: str) -> Iterator[DelimitedBatch]:
    """Records in batches, short ones where records are long."""
    batch: list[RawRecord] = []
    characters = 0
    for record in records:
        batch.append(record)
        characters += len(record.text)
        if len(batch) == BATCH_ROWS or characters >= BATCH_CHARACTERS:
            yield DelimitedBatch(batch, width, line_end)
            batch, characters = [], 0
    if batch:
        yield DelimitedBatch(batch, width, line_end)


class DelimitedSink:
    """An output of delimited text."""

    def __init__(self, file: PackedFile, encoding: Encoding, dialect: Dialect) -> None:
        self._file = file
        self._encoding = encoding
        self._dialect = dialect
        self._lexer = RecordReader("", encoding, dialect.delimiter)
        self._added: dict[tuple[str, ...], bytes] = {(): b""}

    def begin(self, prologue: str, header: RawRecord | None, added: Sequence[str]) -> None:
        """Write what stands above the rows."""
        self._file.write(self._encoding.bom + self._encoding.encode(prologue))
        if header is not None:
            self._file.write(self._row(header, Placed(0, tuple(added))))

    def added(self, cells: tuple[str, ...]) -> bytes:
        """The bytes that are added at the end of a record's text."""
        added = self._added.get(cells)
        if added is None:
            added = self._encoding.encode_added(self._dialect.appended(cells))
            if len(self._added) < KNOWN_MAX:
                self._added[cells] = added
        return added

    def write(self, batch: DelimitedBatch, rows: Sequence[Placed]) -> None:
        self._file.write(b"".join(self._row(batch.records[placed.place], placed) for placed in rows))

    def put(self, content: bytes) -> None:
        self._file.write(content)

    def finish(self) -> None:
        self._file.finish()

    def _row(self, record: RawRecord, placed: Placed) -> bytes:
        """The record's own bytes, with blanks and added cells before its own line end."""
        if not placed.added and not placed.blanked:
            return self._encoding.encode(record.whole)
        text = self._lexer.blanked(record, [column.index for column in placed.blanked])
        return self._encoding.encode(text) + self.added(placed.added) + self._encoding.encode(record.terminator)
