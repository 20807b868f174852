"""Excel workbooks: one sheet in, a workbook with one sheet out, every value as it was.

Formulas come in as the values that were last computed for them, and none goes out: text that begins with `=` stays
text. Formats of numbers and cells are not carried over, but for dates and times, which would be numbers without one.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile

from jobs.lists.columns import Column, ColumnFinder, named_column
from jobs.lists.contacts import BATCH_ROWS, Found, OutputFile, Placed, Sought
from jobs.lists.content import CHUNK_BYTES, Content, Packing
from jobs.lists.faults import changed, list_fault
from jobs.lists.records import RawRecord

if TYPE_CHECKING:
    from python_calamine import CalamineSheet

WORKBOOK_FORMAT = "xlsx"
WORKBOOK_SUFFIX = ".xlsx"
ZIP_SIGNATURE = b"PK\x03\x04"
WORKBOOK_PART = "xl/workbook.xml"
MAX_UNPACKED_BYTES = 4 << 30
MAX_ROWS = 1_048_576
SAMPLE_ROWS = 500
MOST_SHEETS_NAMED = 20
CREATED = datetime.datetime(1980, 1, 1, tzinfo=datetime.UTC)
"""What a workbook says of its making, so that the same list gives the same bytes."""

Value = str | float | int | bool | datetime.date | datetime.time | datetime.timedelta
Row = Sequence[Value]

DATE_FORMATS: Mapping[type, str] = {
    datetime.datetime: "yyyy-mm-dd hh:mm:ss",
    datetime.date: "yyyy-mm-dd",
    datetime.time: "hh:mm:ss",
    datetime.timedelta: "[h]:mm:ss",
}
OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
    "nan_inf_to_errors": True,
    "remove_timezone": True,
}


@dataclass(frozen=True, slots=True)
class SheetBatch:
    """Some rows of a sheet."""

    rows: Sequence[Row]

    def __len__(self) -> int:
        return len(self.rows)

    def cells(self, column: Column) -> Sequence[str]:
        return [text_of(row[column.index]) for row in self.rows]

    def shown(self, column: Column) -> Sequence[str]:
        """A column of anything but addresses, which may hold dates and times."""
        return self.cells(column)

    def line_numbers(self, first: int) -> Sequence[int]:
        """Where each row stands in the sheet, of which the first of these is in that place."""
        return range(first, first + len(self))

    def ended(self) -> SheetBatch:
        return self


@dataclass(slots=True)
class WorkbookList:
    """A sheet of a workbook, whose `header` stands in row `header_at` from 0; None: it has none."""

    content: Content
    sheet: CalamineSheet
    width: int
    header: Row | None
    header_at: int
    found: Found
    sha256: str
    size: int
    bytes_read: int = field(default=0, init=False)

    @property
    def name(self) -> str:
        return self.content.name

    @property
    def suffix(self) -> str:
        return self.content.suffix or WORKBOOK_SUFFIX

    @property
    def names(self) -> Sequence[str]:
        """The names of all columns; none of a sheet without a header."""
        return self.headings() or ()

    @property
    def first_row(self) -> int:
        """The number of the first row with a contact, as Excel counts."""
        return 1 if self.header is None else self.header_at + 2

    def batches(self) -> Iterator[SheetBatch]:
        rows = _rows(self.sheet)
        before = 0 if self.header is None else self.header_at + 1
        rest, read = islice(rows, before, None), 0
        while batch := list(islice(rest, BATCH_ROWS)):
            read += len(batch)
            self.bytes_read = self.size * read // max(1, self.sheet.total_height)
            yield SheetBatch(batch)
        self.bytes_read = self.size

    def sink(self, file: OutputFile, added: Sequence[str]) -> WorkbookSink:
        sink = WorkbookSink(file, self.sheet.name, self.width)
        if self.header is not None:
            sink.begin(self.header_at, self.header, added)
        return sink

    def headings(self) -> Sequence[str] | None:
        return None if self.header is None else [text_of(value) for value in self.header]

    def column(self, option: str, named: str) -> Column:
        """Any column by heading or number; `option` is what the caller named it with, for the error."""
        return named_column(self.name, self.header_at + 1, option, named, self.headings(), self.width)

    def inputs(self) -> Sequence[Mapping[str, Any]]:
        return [{"name": self.content.path.name, "sha256": self.sha256}]

    def described(self) -> Mapping[str, Any]:
        return {
            "format": WORKBOOK_FORMAT,
            "packing": Packing.NONE.value,
            "sheet": self.sheet.name,
            "header": self.header is not None,
        }


class WorkbookSink:
    """An output workbook. Rows go to a temporary file beside it, so that memory holds one row."""

    def __init__(self, file: OutputFile, sheet: str, width: int) -> None:
        from xlsxwriter import Workbook

        self._name = sheet
        self._width = width
        self._book = Workbook(_Stream(file), {**OPTIONS, "tmpdir": str(file.directory)})
        self._book.use_zip64()
        self._book.set_properties({"created": CREATED.replace(tzinfo=None)})
        self._sheet = self._book.add_worksheet(sheet)
        self._formats = {kind: self._book.add_format({"num_format": text}) for kind, text in DATE_FORMATS.items()}
        self._next_row = 0

    def begin(self, header_at: int, header: Row, added: Sequence[str]) -> None:
        """Write the header where it stood."""
        self._next_row = header_at
        self._write_row(header, Placed(0, tuple(added)))

    def write(self, batch: SheetBatch, rows: Sequence[Placed]) -> None:
        for placed in rows:
            self._write_row(batch.rows[placed.place], placed)

    def finish(self) -> None:
        from xlsxwriter.exceptions import FileCreateError

        try:
            self._book.close()
        except FileCreateError as error:
            # The library hides what the system said; a full disk is told by nothing else.
            raise OSError(*error.args[0].args) from None

    def _write_row(self, row: Row, placed: Placed) -> None:
        if self._next_row >= MAX_ROWS:
            raise list_fault(self._name, MAX_ROWS, "list", "has more rows than a sheet can hold; scrub its files apart")
        blank = {column.index for column in placed.blanked}
        for index, value in enumerate(row):
            if value != "" and index not in blank:
                self._write_cell(index, value)
        for index, text in enumerate(placed.added, self._width):
            self._sheet.write_string(self._next_row, index, text)
        self._next_row += 1

    def _write_cell(self, index: int, value: Value) -> None:
        place = (self._next_row, index)
        if isinstance(value, str):
            failed = self._sheet.write_string(*place, value)
        elif isinstance(value, bool):
            failed = self._sheet.write_boolean(*place, value)
        elif isinstance(value, int | float):
            failed = self._sheet.write_number(*place, value)
        else:
            failed = self._sheet.write_datetime(*place, value, self._formats[type(value)])
        if failed:
            raise list_fault(self._name, self._next_row + 1, f"column {index + 1}", "holds more than a cell can")


class _Stream:
    """A file as a ZIP archive is written to: from its beginning to its end, with no way back."""

    def __init__(self, file: OutputFile) -> None:
        self._file = file

    def write(self, content: bytes) -> int:
        self._file.write(bytes(content))
        return len(content)

    def flush(self) -> None:
        """What was written is the file's own to put on disk."""


def is_zip(start: bytes) -> bool:
    """Whether a file that begins so may be a workbook."""
    return start.startswith(ZIP_SIGNATURE)


def open_workbook(content: Content, sought: Sought) -> WorkbookList:
    """Open the first sheet of a workbook, or the one that is asked for."""
    sheet, sha256, size = _read_sheet(content, sought.sheet)
    rows = list(islice(_rows(sheet), SAMPLE_ROWS))
    header_at = next((index for index, row in enumerate(rows) if any(value != "" for value in row)), None)
    if header_at is None:
        raise list_fault(content.name, 1, "list", "the sheet is empty")
    first, *sample = (_record(number, row) for number, row in enumerate(rows[header_at:], header_at + 1))
    finders = [
        ColumnFinder(
            content.name, column.channel, sought.country, first, sample, False, column.hash_digits, column.option
        )
        for column in sought.addresses
    ]
    chosen = [finder.address_column(column.named) for finder, column in zip(finders, sought.addresses, strict=True)]
    has_header = all(is_header for _, is_header in chosen)
    columns = tuple(column if has_header else Column(column.index) for column, _ in chosen)
    header = rows[header_at] if has_header else None
    opened = _list(content, sheet, header, header_at, Found(columns, None, None), sha256, size)
    named = [("--class-column", sought.class_column), ("--audience-column", sought.audience_column)]
    others = (None if name is None else opened.column(option, name) for option, name in named)
    opened.found = Found(opened.found.addresses, *others)
    return opened


def reopen_workbook(content: Content, found: Found, described: Mapping[str, Any]) -> WorkbookList:
    """Open an output, whose columns are known."""
    sheet, sha256, size = _read_sheet(content, described["sheet"])
    rows = list(islice(_rows(sheet), SAMPLE_ROWS)) if described["header"] else []
    header_at = next((index for index, row in enumerate(rows) if any(value != "" for value in row)), 0)
    return _list(content, sheet, rows[header_at] if rows else None, header_at, found, sha256, size)


def _list(
    content: Content, sheet: CalamineSheet, header: Row | None, header_at: int, found: Found, sha256: str, size: int
) -> WorkbookList:
    width = (sheet.end[1] + 1) if sheet.end else 0
    named = found.with_headings(None if header is None else [text_of(value).strip() for value in header])
    return WorkbookList(content, sheet, width, header, header_at, named, sha256, size)


def _read_sheet(content: Content, named: str | None) -> tuple[CalamineSheet, str, int]:
    """A sheet with hash and size of its file, which is read between two hashes of it."""
    from python_calamine import CalamineError, CalamineWorkbook, WorksheetNotFound, XmlError, ZipError

    sha256, size = _hashed(content)
    _require_workbook(content)
    try:
        with content.open() as file:
            book = CalamineWorkbook.from_filelike(file)
            sheet = book.get_sheet_by_index(0) if named is None else book.get_sheet_by_name(named)
    except WorksheetNotFound:
        message = f"has no sheet that --sheet names; it has {_in_words(book.sheet_names)}"
        raise list_fault(content.name, 1, "list", message) from None
    except (CalamineError, XmlError, ZipError):
        raise list_fault(content.name, 1, "list", "cannot be read as a workbook; was it cut off?") from None
    if _hashed(content)[0] != sha256:
        raise changed(content.name)
    return sheet, sha256, size


def _in_words(sheets: Sequence[str]) -> str:
    """Sheets by their names, but for those that could hold an address."""
    shown = [f'"{name}"' for name in sheets[:MOST_SHEETS_NAMED] if "@" not in name and name.isprintable()]
    return ", ".join([*shown, f"{len(sheets) - len(shown)} more"] if len(shown) < len(sheets) else shown)


def _require_workbook(content: Content) -> None:
    """Raise InvalidList for another kind of ZIP archive, and for one that unpacks to more than a sheet can mean."""
    try:
        with content.open() as file, ZipFile(file) as archive:
            parts = archive.infolist()
    except BadZipFile:
        raise list_fault(content.name, 1, "list", "cannot be read as a workbook; was it cut off?") from None
    if WORKBOOK_PART not in {part.filename for part in parts}:
        raise list_fault(content.name, 1, "list", "is a ZIP archive and no Excel workbook; export it as CSV")
    if sum(part.file_size for part in parts) > MAX_UNPACKED_BYTES:
        raise list_fault(content.name, 1, "list", "unpacks to more than 4 GiB")


def _hashed(content: Content) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with content.open() as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def _rows(sheet: CalamineSheet) -> Iterator[Row]:
    """Rows from the first of the sheet, each from its first column."""
    before = [""] * (sheet.start[1] if sheet.start else 0)
    for row in sheet.iter_rows():
        yield [*before, *row]


def _record(number: int, row: Row) -> RawRecord:
    return RawRecord(number, "", tuple(map(text_of, row)), "")


def text_of(value: Value) -> str:
    """A value as a person reads it: a number without fraction has no point, so that a phone number is one."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
