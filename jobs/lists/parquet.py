"""Parquet files, a part of a row group at a time; every column keeps its type, and what is added is text."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jobs.lists.columns import Column, ColumnFinder, named_column
from jobs.lists.contacts import Found, OutputFile, Placed, Sought
from jobs.lists.content import CHUNK_BYTES, Content, Packing
from jobs.lists.faults import changed, list_fault
from jobs.lists.records import RawRecord
from jobs.lists.workbook import text_of
from prefcenter.domain.errors import InvalidInput, InvalidList

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray
    from pyarrow.parquet import ParquetFile

PARQUET_FORMAT = "parquet"
PARQUET_SUFFIX = ".parquet"
PARQUET_SIGNATURE = b"PAR1"
SAMPLE_ROWS = 500
BATCH_ROWS, BATCH_BYTES = 1 << 15, 1 << 24
"""More than of other formats, since a batch costs as much as hundreds of rows of it; fewer where rows are long."""

ROW_GROUP_ROWS, ROW_GROUP_BYTES = 1 << 16, 1 << 26
UNCOMPRESSED = "NONE"


@dataclass(frozen=True, slots=True)
class ParquetBatch:
    """Some rows of a file."""

    rows: pa.RecordBatch
    name: str

    def __len__(self) -> int:
        return int(self.rows.num_rows)

    def cells(self, column: Column) -> Sequence[str]:
        return texts_of(self.rows.column(column.index), self.name, column)

    def shown(self, column: Column) -> Sequence[str]:
        """A column of anything but addresses, which may hold dates and times: those as text, in UTC if they say so."""
        return _shown(self.rows.column(column.index), self.name, column)

    def line_numbers(self, first: int) -> Sequence[int]:
        """Where each row stands in the list, of which the first of these is in that place."""
        return range(first, first + len(self))

    def ended(self) -> ParquetBatch:
        return self

    def taken(
        self, places: NDArray[np.int64], are_blank: Mapping[int, NDArray[np.bool_]], added: Sequence[pa.Array]
    ) -> Sequence[pa.Array]:
        """Some rows as columns: of a column by its index, those values are blank; others are added behind."""
        import pyarrow as pa
        import pyarrow.compute as pc

        rows = self.rows if len(places) == len(self) else self.rows.take(pa.array(places))
        columns = list(rows.columns)
        for index, blank in are_blank.items():
            columns[index] = pc.if_else(pa.array(blank), None, columns[index])
        return [*columns, *added]


@dataclass(slots=True)
class ParquetList:
    """A Parquet file, which names its columns."""

    content: Content
    schema: pa.Schema
    compression: str
    rows: int
    row_bytes: int
    found: Found
    sha256: str
    size: int
    bytes_read: int = field(default=0, init=False)

    @property
    def name(self) -> str:
        return self.content.name

    @property
    def suffix(self) -> str:
        return self.content.suffix or PARQUET_SUFFIX

    @property
    def names(self) -> Sequence[str]:
        """The names of all columns."""
        names: Sequence[str] = self.schema.names
        return names

    @property
    def width(self) -> int:
        return len(self.schema)

    @property
    def first_row(self) -> int:
        return 1

    def column(self, option: str, named: str) -> Column:
        """Any column by name or number; `option` is what the caller named it with, for the error."""
        return named_column(self.name, 1, option, named, self.names, self.width)

    def batches(self) -> Iterator[ParquetBatch]:
        read = 0
        with self.content.open() as stream:
            for batch in _batches(self.content, stream, self._rows_within(BATCH_ROWS, BATCH_BYTES)):
                read += batch.num_rows
                self.bytes_read = self.size * read // max(1, self.rows)
                yield ParquetBatch(batch, self.name)
        if _hashed(self.content)[0] != self.sha256:
            raise changed(self.name)
        self.bytes_read = self.size

    def sink(self, file: OutputFile, added: Sequence[str]) -> ParquetSink:
        blankable = () if len(self.found.addresses) == 1 else self.found.addresses
        group_rows = self._rows_within(ROW_GROUP_ROWS, ROW_GROUP_BYTES)
        return ParquetSink(file, self.schema, self.compression, added, blankable, group_rows)

    def _rows_within(self, rows: int, size: int) -> int:
        """So many rows, or as many of the usual length as are that long together, so that memory is bounded."""
        return max(1, min(rows, size // max(1, self.row_bytes)))

    def headings(self) -> Sequence[str]:
        return [f"{column.name} {column.type}" for column in self.schema]

    def inputs(self) -> Sequence[Mapping[str, Any]]:
        return [{"name": self.content.path.name, "sha256": self.sha256}]

    def described(self) -> Mapping[str, Any]:
        return {"format": PARQUET_FORMAT, "packing": Packing.NONE.value, "compression": self.compression.lower()}


class ParquetSink:
    """An output with the schema of the list, in row groups of at least so many rows but for the last."""

    def __init__(
        self,
        file: OutputFile,
        schema: pa.Schema,
        compression: str,
        added: Sequence[str],
        blankable: Sequence[Column],
        group_rows: int,
    ) -> None:
        import pyarrow as pa
        from pyarrow.parquet import ParquetWriter

        for column in blankable:
            schema = schema.set(column.index, schema.field(column.index).with_nullable(True))
        for heading in added:
            schema = schema.append(pa.field(heading, pa.string()))
        self._schema = schema
        self.columns_added = len(added)
        self._writer = ParquetWriter(_Stream(file), schema, compression=compression)
        self._held: list[pa.RecordBatch] = []
        self._rows_held = 0
        self._group_rows = group_rows

    def write(self, batch: ParquetBatch, rows: Sequence[Placed]) -> None:
        import numpy as np
        import pyarrow as pa

        blanked = {column.index for placed in rows if placed.blanked for column in placed.blanked}
        are_blank = {
            index: np.array([any(column.index == index for column in placed.blanked) for placed in rows])
            for index in blanked
        }
        added = [pa.array([placed.added[index] for placed in rows], pa.string()) for index in range(self.columns_added)]
        self.put(batch.taken(np.array([placed.place for placed in rows], np.int64), are_blank, added))

    def put(self, columns: Sequence[pa.Array]) -> None:
        """Take rows as columns, those that are added after those of the list."""
        import pyarrow as pa

        rows = pa.RecordBatch.from_arrays(columns, schema=self._schema)
        self._held.append(rows)
        self._rows_held += rows.num_rows
        if self._rows_held >= self._group_rows:
            self._write_group()

    def finish(self) -> None:
        self._write_group()
        self._writer.close()

    def _write_group(self) -> None:
        import pyarrow as pa

        self._writer.write_table(pa.Table.from_batches(self._held, self._schema), row_group_size=2 * self._group_rows)
        self._held, self._rows_held = [], 0


class _Stream(io.RawIOBase):
    """A file as Parquet is written to it: from its beginning to its end."""

    def __init__(self, file: OutputFile) -> None:
        super().__init__()
        self._file = file
        self._size = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._size

    def write(self, content: Any) -> int:
        written = bytes(content)
        self._file.write(written)
        self._size += len(written)
        return len(written)


def is_parquet(start: bytes) -> bool:
    """Whether a file that begins so is one of Parquet."""
    return start.startswith(PARQUET_SIGNATURE)


def open_parquet(content: Content, sought: Sought) -> ParquetList:
    """Open a Parquet file. Raises InvalidList where it cannot be read, or a column cannot be told."""
    opened = _opened(content)
    with content.open() as stream:
        sample = next(_batches(content, stream, SAMPLE_ROWS), None)
    opened.found = _found(content.name, opened.schema, sample, sought)
    return opened


def reopen_parquet(content: Content, found: Found, _: Mapping[str, Any]) -> ParquetList:
    """Open an output, whose columns are known."""
    opened = _opened(content)
    opened.found = found.with_headings(opened.schema.names)
    return opened


def _opened(content: Content) -> ParquetList:
    sha256, size = _hashed(content)
    with content.open() as stream:
        file = _parquet_file(content, stream)
        schema, metadata = file.schema_arrow, file.metadata
    has_columns = metadata.num_row_groups and len(schema)
    compression = metadata.row_group(0).column(0).compression if has_columns else "SNAPPY"
    compression = UNCOMPRESSED if compression == "UNCOMPRESSED" else compression
    unpacked = sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
    row_bytes = unpacked // max(1, metadata.num_rows)
    return ParquetList(content, schema, compression, metadata.num_rows, row_bytes, Found((), None, None), sha256, size)


def _parquet_file(content: Content, stream: Any) -> ParquetFile:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    try:
        return ParquetFile(stream, pre_buffer=False)
    except (pa.ArrowException, OSError):
        raise _unreadable(content) from None


def _batches(content: Content, stream: Any, rows: int) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    file = _parquet_file(content, stream)
    try:
        yield from file.iter_batches(rows)
    except (pa.ArrowException, OSError):
        raise _unreadable(content) from None


def _unreadable(content: Content) -> InvalidList:
    return list_fault(content.name, 1, "list", "cannot be read as Parquet; was it cut off?")


def texts_of(values: pa.Array, name: str, column: Column) -> Sequence[str]:
    """A column as text, nothing for a null. Raises InvalidList for a type that can hold no address."""
    import pyarrow as pa

    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        return _decoded(values.fill_null(""))
    if pa.types.is_integer(values.type) or pa.types.is_floating(values.type):
        return ["" if number is None else text_of(number) for number in values.to_pylist()]
    if pa.types.is_null(values.type):
        return [""] * len(values)
    raise list_fault(name, 1, f"column {column.number}", f"holds {values.type}, which is neither text nor numbers")


def _shown(values: pa.Array, name: str, column: Column) -> Sequence[str]:
    """The same of a column that may also hold dates and times."""
    import pyarrow as pa

    if pa.types.is_date(values.type):
        return _decoded(values.cast(pa.string()).fill_null(""))
    if not pa.types.is_timestamp(values.type):
        return texts_of(values, name, column)
    in_utc = values.cast(pa.timestamp("ms", values.type.tz), safe=False).cast(pa.timestamp("ms"))
    zone = "" if values.type.tz is None else "Z"
    return [text and text + zone for text in _decoded(in_utc.cast(pa.string()).fill_null(""))]


def _decoded(values: pa.Array) -> list[str]:
    """Texts; an odd byte, which nothing keeps out of a file, is a lone surrogate, as in lists of text (PEP 383)."""
    import pyarrow as pa

    try:
        texts: list[str] = values.to_pylist()
    except UnicodeDecodeError:
        octets = pa.large_binary() if pa.types.is_large_string(values.type) else pa.binary()
        texts = [text.decode("utf-8", "surrogateescape") for text in values.cast(octets).to_pylist()]
    return texts


def _found(name: str, schema: pa.Schema, sample: pa.RecordBatch | None, sought: Sought) -> Found:
    """The columns sought; one that is named by number is where a name does not say so."""
    header = RawRecord(1, "", tuple(schema.names), "")
    rows = [] if sample is None else _sample_records(sample, name)
    finders = [
        ColumnFinder(name, column.channel, sought.country, header, rows, True, column.hash_digits, column.option)
        for column in sought.addresses
    ]
    addresses = [
        finder.address_column(column.named)[0] for finder, column in zip(finders, sought.addresses, strict=True)
    ]
    named = [("--class-column", sought.class_column), ("--audience-column", sought.audience_column)]
    others = (
        None if key is None else named_column(name, 1, option, key, schema.names, len(schema), has_names=True)
        for option, key in named
    )
    return Found(tuple(addresses), *others)


def _sample_records(sample: pa.RecordBatch, name: str) -> list[RawRecord]:
    """Rows as text, in which columns that can hold no address are empty."""
    columns = []
    for index, values in enumerate(sample.columns):
        try:
            columns.append(texts_of(values, name, Column(index)))
        except InvalidInput:
            columns.append([""] * len(values))
    return [RawRecord(number, "", cells, "") for number, cells in enumerate(zip(*columns, strict=True), 2)]


def _hashed(content: Content) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with content.open() as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size
