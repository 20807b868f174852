"""What every list is to those who read it, whatever its format: batches of rows, and files of its own format again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from jobs.lists.columns import ADDRESS_COLUMN_OPTION, Column
from prefcenter.domain.terms import Channel

BATCH_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class SoughtColumn:
    """A column of addresses for a channel; `named` by heading or number, None: the only one that can be meant.

    `hash_digits`: it holds hashes of addresses, in hex of that many digits. `option` is what it was named with.
    """

    channel: Channel
    named: str | None = None
    hash_digits: int | None = None
    option: str = ADDRESS_COLUMN_OPTION


@dataclass(frozen=True, slots=True)
class Sought:
    """What to look for in a list. `country` is where phone numbers without a prefix and postal addresses belong."""

    addresses: tuple[SoughtColumn, ...]
    country: str
    class_column: str | None = None
    audience_column: str | None = None
    sheet: str | None = None


class Found(NamedTuple):
    """The columns that were sought, in a list; those of addresses stand in the order in which they were asked for."""

    addresses: tuple[Column, ...]
    class_column: Column | None
    audience_column: Column | None

    def with_headings(self, headings: Sequence[str] | None) -> Found:
        """The same columns, each with the heading that stands over it."""
        if headings is None:
            return self
        addresses = tuple(Column(column.index, headings[column.index]) for column in self.addresses)
        others = (self.class_column, self.audience_column)
        return Found(addresses, *(column and Column(column.index, headings[column.index]) for column in others))


class Placed(NamedTuple):
    """A row of a batch on its way to a file: which one, the cells to add to it, and the columns to leave blank."""

    place: int
    added: tuple[str, ...] = ()
    blanked: tuple[Column, ...] = ()


class RowBatch(Protocol):
    """Some rows of a list, in its order."""

    def __len__(self) -> int: ...

    def cells(self, column: Column) -> Sequence[str | None]:
        """The text of a column, row by row; None where the row is ragged, so that its columns cannot be told."""

    def ended(self) -> RowBatch:
        """The same rows, for other files to follow: the last one has a line end, where rows have any."""


class RowSink(Protocol):
    """An output in the format of a list."""

    def write(self, batch: Any, rows: Sequence[Placed]) -> None:
        """Take rows of a batch, which is one of the list that this output belongs to."""

    def finish(self) -> None:
        """Write what is still held back; the file is whole then, and not yet on disk."""


class BlockSink(RowSink, Protocol):
    """An output that takes whole blocks of rows as well."""

    def put(self, content: Any) -> None:
        """Take rows that were put together already: in bytes, or in columns where the format has them."""


class OutputFile(Protocol):
    """A file that is being written, from its beginning to its end."""

    @property
    def directory(self) -> Path:
        """Where it stands, beside which temporary files are as private as it is."""

    def write(self, content: bytes | memoryview, /) -> object: ...


class ContactList(Protocol):
    """A list that has been opened: columns are known, and its rows can be read as often as need be.

    `bytes_read` grows up to `size` while rows are read.
    """

    @property
    def name(self) -> str:
        """The list as the caller gave it, for errors."""

    @property
    def suffix(self) -> str:
        """The extension of its outputs."""

    @property
    def found(self) -> Found: ...

    @property
    def size(self) -> int: ...

    @property
    def bytes_read(self) -> int: ...

    def batches(self) -> Iterator[RowBatch]:
        """The rows, from the first. Raises InvalidList where one cannot be read, or where the list has changed."""

    def sink(self, file: OutputFile, added: Sequence[str]) -> RowSink:
        """Begin an output, whose rows get cells under these headings at their end."""

    def headings(self) -> Sequence[str] | None:
        """The headings that lists must have in common to be read as one; None in a list without a header."""

    @property
    def names(self) -> Sequence[str]:
        """What its columns are called, as far as its beginning tells; none in a list without a header."""

    def inputs(self) -> Sequence[Mapping[str, Any]]:
        """`name` and `sha256` of each file, as a manifest tells them."""

    def described(self) -> Mapping[str, Any]:
        """Format and dialect, as a manifest tells them; enough to open an output again."""
