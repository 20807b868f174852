"""Lists as the demo drafts them, the bytes they become, and what the scrub must make of each row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from jobs.demo.people import OPEN_TO_EXACT_ADDRESS, REFUSED_AS, Fate, Person
from prefcenter.domain.terms import Channel, Reason


class Field(StrEnum):
    """What a column of a list holds."""

    NUMBER = "number"
    NAME = "name"
    GIVEN = "given"
    FAMILY = "family"
    COMPANY = "company"
    EMAIL = "email"
    CLASS = "class"
    PHONE = "phone"
    HOME = "home"
    NAMELESS = "nameless"
    DATE = "date"
    NOTES = "notes"


class Style(StrEnum):
    """How a cell is written where the usual way, quotes only where they are needed, is not wanted."""

    QUOTED = "quoted"
    BARE = "bare"
    OTHER_ENCODING = "other_encoding"


class Verdict(StrEnum):
    """What becomes of a row that cannot be decided upon (CONTRACTS, Scrub files)."""

    INVALID_ADDRESS = "invalid_address"
    EMPTY_ADDRESS = "empty_address"
    RAGGED_ROW = "ragged_row"


@dataclass(frozen=True, slots=True)
class Row:
    """One row before it is written. `person` is None where a row is about nobody.

    `instead` holds cells that stand for the whole row, however many; `line_end` one that differs from the list's.
    `is_exact` says whether the address cell still names the exact address, and not just the mailbox, of the person.
    """

    person: Person | None
    fields: Mapping[Field, str]
    styles: Mapping[Field, Style]
    states_business: bool = False
    is_exact: bool = True
    rejected_as: Verdict | None = None
    instead: tuple[str, ...] | None = None
    is_header: bool = False
    dropped_cells: int = 0
    added_cells: tuple[str, ...] = ()
    line_end: str | None = None
    defect: str = ""

    def with_text(self, field: Field, text: str, style: Style | None = None) -> Row:
        styles = self.styles if style is None else {**self.styles, field: style}
        return replace(self, fields={**self.fields, field: text}, styles=styles)

    @property
    def address(self) -> str:
        return self.fields.get(Field.EMAIL, "")


@dataclass(frozen=True, slots=True)
class Column:
    """A field with its name in the header."""

    field: Field
    header: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """A list before it is written: its rows, and how the file is."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    encoding: str = "utf-8"
    byte_order_mark: bytes = b""
    delimiter: str = ","
    line_end: str = "\n"
    ends_with_line_end: bool = True
    defects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WrittenRow:
    """A row as bytes, line end included, with the ground truth: `expected` is the reason that the scrub must give it.

    A kept row has `permitted`. `mailbox` is the address of the person whom the row is about, however it is spelt.
    """

    content: bytes
    address: str
    class_text: str
    mailbox: str
    fate: Fate | None
    expected: str
    defect: str

    @property
    def is_kept(self) -> bool:
        return self.expected == Reason.PERMITTED


@dataclass(frozen=True, slots=True)
class DemoList:
    """A finished list, and everything that a scrub of it has to be told."""

    file_name: str
    controller: str
    purpose: str
    channel: Channel
    address_column: str
    class_column: str
    encoding: str
    delimiter: str
    header: bytes
    rows: tuple[WrittenRow, ...]
    file_defects: tuple[str, ...]

    @property
    def content(self) -> bytes:
        return self.header + b"".join(row.content for row in self.rows)

    @property
    def defects(self) -> frozenset[str]:
        """Names of all defects that the list has."""
        return frozenset({*self.file_defects, *(row.defect for row in self.rows if row.defect)})


def written_header(sheet: Sheet) -> bytes:
    cells = [_cell(column.header, None, sheet) for column in sheet.columns]
    return sheet.byte_order_mark + _joined(cells, sheet.line_end, sheet)


def written_rows(sheet: Sheet) -> tuple[WrittenRow, ...]:
    last = len(sheet.rows) - 1
    rows = []
    for place, row in enumerate(sheet.rows):
        is_open_end = place == last and not sheet.ends_with_line_end
        line_end = "" if is_open_end else row.line_end or sheet.line_end
        rows.append(_written_row(row, _joined(_cells(row, sheet), line_end, sheet)))
    return tuple(rows)


def expected_reason(row: Row) -> str:
    """What the rules make of a row, told from the fate of its person and from nothing that the service computes.

    A consent counts for the exact address only; a refusal for every spelling; business is what the list says of a
    domain that is not free mail; everybody else would have had to consent (OC-3, HOUSE-1).
    """
    if row.rejected_as is not None or row.person is None:
        return str(row.rejected_as or Verdict.RAGGED_ROW)
    fate = row.person.fate
    if row.is_exact and fate in OPEN_TO_EXACT_ADDRESS:
        return Reason.PERMITTED
    if fate in REFUSED_AS:
        return REFUSED_AS[fate]
    if row.states_business and row.person.is_business:
        return Reason.PERMITTED
    return Reason.CONSENT_EXPIRED if row.is_exact and fate is Fate.CONSENT_EXPIRED else Reason.NO_CONSENT


def _written_row(row: Row, content: bytes) -> WrittenRow:
    return WrittenRow(
        content=content,
        address=row.address,
        class_text=row.fields.get(Field.CLASS, ""),
        mailbox=row.person.address if row.person else "",
        fate=row.person.fate if row.person else None,
        expected=expected_reason(row),
        defect=row.defect,
    )


def _cells(row: Row, sheet: Sheet) -> list[bytes]:
    if row.instead is not None:
        return [_cell(text, None, sheet) for text in row.instead]
    if row.is_header:
        return [_cell(column.header, None, sheet) for column in sheet.columns]
    fields = [column.field for column in sheet.columns]
    cells = [_cell(row.fields.get(field, ""), row.styles.get(field), sheet) for field in fields]
    kept = cells[: len(cells) - row.dropped_cells]
    return kept + [_cell(text, None, sheet) for text in row.added_cells]


def _cell(text: str, style: Style | None, sheet: Sheet) -> bytes:
    """A cell after RFC 4180 section 2, unless its style says otherwise."""
    if style is Style.OTHER_ENCODING:
        return text.encode("utf-8")
    needs_quotes = any(character in text for character in (sheet.delimiter, '"', "\r", "\n"))
    if style is Style.QUOTED or (needs_quotes and style is not Style.BARE):
        text = '"' + text.replace('"', '""') + '"'
    return text.encode(sheet.encoding)


def _joined(cells: list[bytes], line_end: str, sheet: Sheet) -> bytes:
    return sheet.delimiter.encode(sheet.encoding).join(cells) + line_end.encode(sheet.encoding)
