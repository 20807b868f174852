"""Opening a list: all that must be known before its first row can be judged, and then its rows, as a stream."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from jobs.lists.columns import Column, ColumnFinder, named_column
from jobs.lists.dialect import Dialect, detect_dialect, usual_width
from jobs.lists.encoding import CHUNK_BYTES, Encoding, Survey, file_chunks, survey
from jobs.lists.faults import list_fault
from jobs.lists.records import MAX_RECORD_BYTES, RawRecord, RecordReader
from prefcenter.domain.errors import InvalidList
from prefcenter.domain.terms import Channel

SAMPLE_RECORDS = 500
SAMPLE_CHUNKS = 2 + MAX_RECORD_BYTES // CHUNK_BYTES


@dataclass(frozen=True, slots=True)
class _Source:
    """A file with what its survey told."""

    path: Path
    name: str
    survey: Survey

    def text(self, watch: Callable[[bytes], object]) -> Iterator[str]:
        """The decoded file without its byte order mark; `watch` sees every chunk of bytes as it stands."""
        encoding = self.survey.encoding
        return encoding.decode_stream(_watched(file_chunks(self.path), watch, len(encoding.bom)))

    def records(self, dialect: Dialect, watch: Callable[[bytes], object]) -> Iterator[RawRecord]:
        reader = RecordReader(self.name, self.survey.encoding, dialect.delimiter)
        text = _without_start(self.text(watch), len(dialect.declaration))
        return reader.read(text, first_line=2 if dialect.declaration else 1)


@dataclass(slots=True)
class OpenList:
    """A list whose encoding, dialect, header and columns are known.

    `prologue` is the text before the header or the first row (Excel's `sep=` line, blank lines); `width` is the number
    of cells that a row must have; `bytes_read` grows while rows are read.
    """

    dialect: Dialect
    prologue: str
    header: RawRecord | None
    width: int
    address_column: Column
    class_column: Column | None
    _source: _Source
    _records_before_rows: int
    bytes_read: int = field(default=0, init=False)

    @property
    def path(self) -> Path:
        return self._source.path

    @property
    def name(self) -> str:
        """The file as the caller gave it, for errors."""
        return self._source.name

    @property
    def encoding(self) -> Encoding:
        return self._source.survey.encoding

    @property
    def size(self) -> int:
        """How many bytes the file has."""
        return self._source.survey.size

    @property
    def sha256(self) -> str:
        """The hash of the whole file; reading the rows to their end proves that it still holds."""
        return self._source.survey.sha256

    def records(self) -> Iterator[RawRecord]:
        """The rows, from the first. Raises InvalidList where one cannot be read, and where the file has changed."""
        digest = hashlib.sha256()
        self.bytes_read = 0

        def watch(chunk: bytes) -> None:
            digest.update(chunk)
            self.bytes_read += len(chunk)

        try:
            yield from islice(self._source.records(self.dialect, watch), self._records_before_rows, None)
        except OSError as error:
            raise InvalidList(f"{self.name}: {error.strerror}") from None
        if digest.hexdigest() != self.sha256:
            raise list_fault(self.name, 1, "list", "changed while it was being read")

    def column(self, option: str, named: str) -> Column:
        """Any column by heading or number; `option` is what the caller named it with, for the error."""
        line, headings = (1, None) if self.header is None else (self.header.line, self.header.cells)
        return named_column(self.name, line, option, named, headings, self.width)


def open_list(
    path: Path,
    channel: Channel,
    country: str,
    address_column: str | None = None,
    class_column: str | None = None,
) -> OpenList:
    """Open a CSV or TSV file to read the addresses of a channel.

    `country` is where a phone number without a prefix and a postal address without a country belong. Raises InvalidList
    for whatever cannot be read as a list, and where the address column cannot be told.
    """
    source = _source(path)
    dialect = _dialect(source)
    sample = list(islice(source.records(dialect, len), SAMPLE_RECORDS))
    if not sample:
        raise list_fault(source.name, 1, "list", "the list is empty")
    before = _blank_records_at_the_top(sample)
    first, rows = sample[before], sample[before + 1 :]
    column, has_header = ColumnFinder(source.name, channel, country, first, rows).address_column(address_column)
    opened = OpenList(
        dialect=dialect,
        prologue=dialect.declaration + "".join(record.whole for record in sample[:before] if has_header),
        header=first if has_header else None,
        width=len(first.cells) if has_header else usual_width([first, *rows]),
        address_column=column,
        class_column=None,
        _source=source,
        _records_before_rows=before + 1 if has_header else 0,
    )
    if class_column is not None:
        opened.class_column = opened.column("--class-column", class_column)
    return opened


def _source(path: Path) -> _Source:
    name = str(path)
    if path.exists() and not path.is_file():
        raise InvalidList(f"{name}: is not a regular file, and a list is read more than once")
    try:
        return _Source(path, name, survey(path, name))
    except OSError as error:
        raise InvalidList(f"{name}: {error.strerror}") from None


def _dialect(source: _Source) -> Dialect:
    """The dialect of the beginning, which is long enough for any one record."""
    bytes_read = 0

    def watch(chunk: bytes) -> None:
        nonlocal bytes_read
        bytes_read += len(chunk)

    sample = "".join(islice(source.text(watch), SAMPLE_CHUNKS))
    return detect_dialect(sample, source.path.suffix, is_whole=bytes_read == source.survey.size)


def _blank_records_at_the_top(sample: Sequence[RawRecord]) -> int:
    """How many records stand above the first that holds anything; none where all of the sample is blank."""
    return next((index for index, record in enumerate(sample) if not record.is_blank), 0)


def _watched(chunks: Iterable[bytes], watch: Callable[[bytes], object], skip_bytes: int) -> Iterator[bytes]:
    for chunk in chunks:
        watch(chunk)
        yield chunk[skip_bytes:]
        skip_bytes = 0


def _without_start(chunks: Iterable[str], skip_characters: int) -> Iterator[str]:
    for chunk in chunks:
        yield chunk[skip_characters:]
        skip_characters = max(0, skip_characters - len(chunk))
