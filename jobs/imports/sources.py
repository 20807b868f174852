"""A list of any format as an import reads it: record by record, with only the cells that somebody asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol, cast

from jobs.imports.plans import GrantImport, RefusalImport
from jobs.lists import Column, OpenList, RowBatch, RowSink, Sought, SoughtColumn
from jobs.lists.contacts import Found, OutputFile
from jobs.lists.content import Content, OctetStream
from jobs.lists.inputs import expanded, open_lists


class Record(Protocol):
    """One row, and the line or row of the list on which it begins, from 1."""

    @property
    def line(self) -> int: ...

    @property
    def cells(self) -> tuple[str, ...]: ...


class Opened(Protocol):
    """A list that was opened. `bytes_read` grows up to `size` while it is read."""

    @property
    def name(self) -> str: ...

    @property
    def content(self) -> Content: ...

    @property
    def sha256(self) -> str: ...

    @property
    def size(self) -> int: ...

    @property
    def bytes_read(self) -> int: ...

    @property
    def width(self) -> int:
        """The number of cells that a row must have."""

    def column(self, option: str, named: str) -> Column:
        """Any column by heading or number; `option` is what the caller named it with, for the error."""


class Source(Opened, Protocol):
    """A list as an import reads it."""

    @property
    def address_column(self) -> Column: ...

    def records(self) -> Iterator[Record]:
        """The rows, from the first. Raises InvalidList where one cannot be read."""


class NumberedBatch(RowBatch, Protocol):
    """Rows that know where they stand in their list, and show dates and times as text."""

    def shown(self, column: Column) -> Sequence[str]: ...

    def line_numbers(self, first: int) -> Sequence[int]: ...


class NumberedList(Opened, Protocol):
    """A list whose rows come in such batches: all but delimited text."""

    @property
    def suffix(self) -> str: ...

    @property
    def found(self) -> Found: ...

    @property
    def names(self) -> Sequence[str]: ...

    @property
    def first_row(self) -> int: ...

    def batches(self) -> Iterator[NumberedBatch]: ...

    def sink(self, file: OutputFile, added: Sequence[str]) -> RowSink: ...


class BatchRecord(NamedTuple):
    """A row of a batch, with the cells that were asked for in their places and nothing in the others."""

    line: int
    cells: tuple[str, ...]
    batch: NumberedBatch
    place: int


@dataclass(slots=True)
class BatchSource:
    """A list that is no delimited text; it reads the columns that it was asked for."""

    contacts: NumberedList
    _others: tuple[Column, ...] = ()

    @property
    def name(self) -> str:
        return self.contacts.name

    @property
    def content(self) -> Content:
        return self.contacts.content

    @property
    def sha256(self) -> str:
        return self.contacts.sha256

    @property
    def size(self) -> int:
        return self.contacts.size

    @property
    def bytes_read(self) -> int:
        return self.contacts.bytes_read

    @property
    def width(self) -> int:
        return self.contacts.width

    @property
    def address_column(self) -> Column:
        return self.contacts.found.addresses[0]

    def column(self, option: str, named: str) -> Column:
        column = self.contacts.column(option, named)
        self._others = (*self._others, column)
        return column

    def records(self) -> Iterator[BatchRecord]:
        first = self.contacts.first_row
        for batch in self.contacts.batches():
            nothing = [""] * len(batch)
            # An address is read as a scrub reads it, wherever else the same column is named.
            asked = {column.index: batch.shown(column) for column in self._others}
            asked[self.address_column.index] = [text or "" for text in batch.cells(self.address_column)]
            columns = [asked.get(index, nothing) for index in range(self.width)]
            numbered = zip(batch.line_numbers(first), zip(*columns, strict=True), strict=True)
            for place, (line, cells) in enumerate(numbered):
                yield BatchRecord(line, cells, batch, place)
            first += len(batch)


@contextmanager
def open_sources(
    plan: RefusalImport | GrantImport, country: str, standard_input: OctetStream | None, hash_digits: int | None = None
) -> Iterator[Sequence[Source]]:
    """Open the lists of an import, each by what its bytes are, in their order; they need not be alike.

    Raises InvalidList for whatever cannot be read as a list, and where the address column cannot be told.
    """
    sought = Sought((SoughtColumn(plan.channel, plan.column, hash_digits),), country, sheet=plan.sheet)
    with ExitStack() as stack:
        yield [_source(path, sought, standard_input, stack) for path in expanded(plan.paths)]


def _source(path: Path, sought: Sought, standard_input: OctetStream | None, stack: ExitStack) -> Source:
    opened = stack.enter_context(open_lists([path], sought, standard_input))
    return opened if isinstance(opened, OpenList) else BatchSource(cast(NumberedList, opened))
