"""Opening a list of delimited text: all that must be known before its first row can be judged, and then its rows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from jobs.lists.columns import Column, ColumnFinder, named_column
from jobs.lists.contacts import Found, OutputFile, Sought, SoughtColumn
from jobs.lists.content import CHUNK_BYTES, Content, file_content, unreadable
from jobs.lists.delimited import DelimitedBatch, DelimitedSink, batches_of
from jobs.lists.dialect import Dialect, declaration_of, detect_dialect, usual_width
from jobs.lists.encoding import Encoding, Survey, file_chunks, glance, known_survey, survey
from jobs.lists.faults import changed, list_fault
from jobs.lists.packed import PackedFile
from jobs.lists.records import MAX_RECORD_BYTES, RawRecord, RecordReader
from prefcenter.domain.address.blanks import stripped
from prefcenter.domain.errors import InvalidList
from prefcenter.domain.terms import Channel

SAMPLE_RECORDS = 500
SAMPLE_CHUNKS = 2 + MAX_RECORD_BYTES // CHUNK_BYTES
TEXT_FORMAT = "text"


@dataclass(frozen=True, slots=True)
class _Source:
    """A list's bytes with what their survey told."""

    content: Content
    survey: Survey
    state: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        return self.content.name

    def text(self, watch: Callable[[bytes], object]) -> Iterator[str]:
        """The decoded file without its byte order mark; `watch` sees every chunk of bytes as it stands."""
        encoding = self.survey.encoding
        return encoding.decode_stream(_watched(file_chunks(self.content), watch, len(encoding.bom)))

    def records(self, dialect: Dialect, watch: Callable[[bytes], object]) -> Iterator[RawRecord]:
        reader = RecordReader(self.name, self.survey.encoding, dialect.delimiter)
        text = _without_start(self.text(watch), len(dialect.declaration))
        return reader.read(text, first_line=2 if dialect.declaration else 1)


@dataclass(slots=True)
class OpenList:
    """A list whose encoding, dialect, header and columns are known.

    `prologue` is the text before the header or the first row (Excel's `sep=` line, blank lines); `width` is the number
    of cells that a row must have; `line_end` is that of the first record; `bytes_read` grows while rows are read.
    """

    dialect: Dialect
    prologue: str
    header: RawRecord | None
    width: int
    line_end: str
    found: Found
    _source: _Source
    _records_before_rows: int
    bytes_read: int = field(default=0, init=False)
    _sha256: str | None = field(init=False)

    def __post_init__(self) -> None:
        self._sha256 = self._source.survey.sha256

    @property
    def address_column(self) -> Column:
        """The first column of addresses, which is the only one unless several were asked for."""
        return self.found.addresses[0]

    @property
    def class_column(self) -> Column | None:
        return self.found.class_column

    @property
    def content(self) -> Content:
        return self._source.content

    @property
    def path(self) -> Path:
        return self.content.path

    @property
    def name(self) -> str:
        """The file as the caller gave it, for errors."""
        return self._source.name

    @property
    def suffix(self) -> str:
        """The extension of its outputs; what comes from standard input has none, and gets that of its dialect."""
        if self.content.spool is None:
            return self.content.suffix
        return (".tsv" if self.dialect.delimiter == "\t" else ".csv") + self.content.suffix

    @property
    def encoding(self) -> Encoding:
        return self._source.survey.encoding

    @property
    def size(self) -> int:
        """How many bytes the list has, unpacked."""
        return self._source.survey.size

    @property
    def is_presumed(self) -> bool:
        """Whether only the beginning was looked at, so that whoever reads the rest has to show that it is UTF-8 too."""
        return self._source.survey.sha256 is None

    @property
    def sha256(self) -> str:
        """The hash of the unpacked list; of one that is presumed, once it was read.

        Reading the rows to their end proves that it still holds.
        """
        if self._sha256 is None:
            raise RuntimeError("a list that is presumed has no hash before it was read")
        return self._sha256

    def require_same(self, sha256: str) -> None:
        """Take the hash of the bytes that were read. Raises InvalidList where they are others than were looked at."""
        if self._sha256 is None and self._is_as_it_was():
            self._sha256 = sha256
        if self._sha256 != sha256:
            raise changed(self.name)

    def _is_as_it_was(self) -> bool:
        try:
            return self.content.state == self._source.state
        except OSError:
            return False

    @property
    def octets_before_rows(self) -> bytes:
        """What stands above the first row."""
        header = b"" if self.header is None else self.encoding.encode(self.header.whole)
        return self.encoding.bom + self.encoding.encode(self.prologue) + header

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
            raise unreadable(self.name, error) from None
        self.require_same(digest.hexdigest())

    def batches(self) -> Iterator[DelimitedBatch]:
        """The rows in batches, short ones where rows are long."""
        return batches_of(self.records(), self.width, self.line_end)

    def sink(self, file: OutputFile, added: Sequence[str]) -> DelimitedSink:
        """Begin an output as the list begins, with these headings added to its header."""
        sink = DelimitedSink(PackedFile(file, self.content.packer()), self.encoding, self.dialect)
        sink.begin(self.prologue, self.header, added)
        return sink

    def headings(self) -> Sequence[str] | None:
        return None if self.header is None else self.header.cells

    @property
    def names(self) -> Sequence[str]:
        return self.headings() or ()

    def inputs(self) -> Sequence[Mapping[str, Any]]:
        sha256 = self.sha256 if self.content.is_plain_file else self.content.file_sha256
        return [{"name": self.path.name, "sha256": sha256}]

    def described(self) -> Mapping[str, Any]:
        return {
            "format": TEXT_FORMAT,
            "packing": self.content.packing.value,
            "encoding": self.encoding.label,
            "delimiter": self.dialect.delimiter,
            "header": self.header is not None,
        }

    def with_others(self, sought: Sought) -> Found:
        """The columns of addresses, and the others that are sought, which are never guessed."""
        named = [("--class-column", sought.class_column), ("--audience-column", sought.audience_column)]
        others = (None if name is None else self.column(option, name) for option, name in named)
        return Found(self.found.addresses, *others)

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
    *,
    hash_digits: int | None = None,
) -> OpenList:
    """Open a file of delimited text, packed or not, to read the addresses of a channel.

    `hash_digits`: hashes of addresses, in hex of so many digits, stand there instead.
    `country` is where a phone number without a prefix and a postal address without a country belong. Raises InvalidList
    for whatever cannot be read as a list, and where the address column cannot be told.
    """
    sought = Sought((SoughtColumn(channel, address_column, hash_digits),), country, class_column)
    return open_text(file_content(path), sought)


def open_text(content: Content, sought: Sought, *, presume: bool = False) -> OpenList:
    """Open delimited text, whose encoding, dialect and header are told by looking at it.

    With `presume` a look at the beginning is enough where that is UTF-8 and a list can be told by it.
    """
    try:
        glanced = _glanced(content) if presume else None
        if glanced is not None:
            with suppress(InvalidList):
                # What is asked about reaches beyond the glance, where the list may be in another encoding after all.
                return _told(glanced, sought)
        return _told(_Source(content, survey(content, content.name)), sought)
    except OSError as error:
        raise unreadable(content.name, error) from None


def _told(source: _Source, sought: Sought) -> OpenList:
    dialect = _dialect(source)
    sample = list(islice(source.records(dialect, len), SAMPLE_RECORDS))
    if not sample:
        raise list_fault(source.name, 1, "list", "the list is empty")
    before = _blank_records_at_the_top(sample)
    first, rows = sample[before], sample[before + 1 :]
    columns, has_header = _address_columns(source.name, first, rows, sought)
    opened = _opened(source, dialect, sample, Found(columns, None, None), before if has_header else None)
    _require_in_rows(opened, columns, first.line)
    opened.found = opened.with_others(sought)
    return opened


def _require_in_rows(opened: OpenList, columns: Sequence[Column], line: int) -> None:
    """Raise InvalidList where rows that count as whole are too short to have an address at all."""
    for column in columns:
        if column.index >= opened.width:
            cells = "one cell" if opened.width == 1 else f"{opened.width} cells"
            message = f"column {column.number} would hold the addresses, but a whole row has {cells}"
            raise list_fault(opened.name, line, "header", message)


def _glanced(content: Content) -> _Source | None:
    state, size = content.state, content.plain_size
    glanced = None if size is None else glance(content, content.name, size)
    return None if glanced is None else _Source(content, glanced, state)


def reopen_text(content: Content, found: Found, described: Mapping[str, Any]) -> OpenList:
    """Open text whose dialect and columns are known."""
    source = _Source(content, known_survey(content, described["encoding"]))
    start = "".join(islice(source.text(len), SAMPLE_CHUNKS))
    dialect = Dialect(described["delimiter"], declaration_of(start))
    sample = list(islice(source.records(dialect, len), SAMPLE_RECORDS))
    header_at = _blank_records_at_the_top(sample) if described["header"] and sample else None
    return _opened(source, dialect, sample, found, header_at)


def _opened(
    source: _Source, dialect: Dialect, sample: Sequence[RawRecord], found: Found, header_at: int | None
) -> OpenList:
    """A list whose header is that record of the sample; None: it has none."""
    header = None if header_at is None else sample[header_at]
    return OpenList(
        dialect=dialect,
        prologue=dialect.declaration + "".join(record.whole for record in sample[: header_at or 0]),
        header=header,
        width=usual_width(sample) if header is None else len(header.cells),
        line_end=next((record.terminator for record in sample if record.terminator), "\n"),
        found=found.with_headings(None if header is None else [stripped(cell) for cell in header.cells]),
        _source=source,
        _records_before_rows=0 if header_at is None else header_at + 1,
    )


def _address_columns(
    name: str, first: RawRecord, rows: Sequence[RawRecord], sought: Sought
) -> tuple[tuple[Column, ...], bool]:
    """The columns of addresses, and whether the first record is a header: for none of them it may be a contact."""
    finders = [
        ColumnFinder(name, column.channel, sought.country, first, rows, False, column.hash_digits, column.option)
        for column in sought.addresses
    ]
    found = [finder.address_column(column.named) for finder, column in zip(finders, sought.addresses, strict=True)]
    has_header = all(is_header for _, is_header in found)
    return tuple(column if has_header else Column(column.index) for column, _ in found), has_header


def _dialect(source: _Source) -> Dialect:
    """The dialect of the beginning, which is long enough for any one record."""
    bytes_read = 0

    def watch(chunk: bytes) -> None:
        nonlocal bytes_read
        bytes_read += len(chunk)

    sample = "".join(islice(source.text(watch), SAMPLE_CHUNKS))
    return detect_dialect(sample, source.content.inner_suffix, is_whole=bytes_read == source.survey.size)


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
