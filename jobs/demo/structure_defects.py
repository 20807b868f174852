"""Defects of rows as a whole, and of whole files."""

from __future__ import annotations

from dataclasses import replace

from jobs.demo.rows import Column, Field, Row, Sheet, Style, Verdict
from jobs.demo.spoiling import Defect, FileDefect

ODD_HEADERS = {
    Field.EMAIL: " E-MAIL",
    Field.CLASS: "Class Of ADDRESS ",
    Field.COMPANY: "COMPANY",
}


def _nobody(row: Row) -> Row:
    """A row that stands where a person's might, and is about nobody."""
    return replace(row, person=None, fields={}, styles={}, states_business=False)


def _repeated_header(row: Row) -> Row:
    return replace(_nobody(row), is_header=True)


def _quoted_throughout(row: Row) -> Row:
    return replace(row, styles=dict.fromkeys(row.fields, Style.QUOTED))


DUPLICATE_ROW = Defect("duplicate_row", "A row stands in the list twice.", lambda row: row, is_added=True)
SHORT_ROW = Defect(
    "short_row", "The last cells of a row are missing.", lambda row: replace(row, dropped_cells=2),
    rejected_as=Verdict.RAGGED_ROW,
)  # fmt: skip
LONG_ROW = Defect(
    "long_row", "A row has more cells than the header.", lambda row: replace(row, added_cells=("", "imported twice")),
    rejected_as=Verdict.RAGGED_ROW,
)  # fmt: skip
BLANK_LINE = Defect(
    "blank_line", "A line is empty.", lambda row: replace(_nobody(row), instead=("",)),
    rejected_as=Verdict.RAGGED_ROW, is_added=True,
)  # fmt: skip
EMPTY_CELLS = Defect(
    "row_of_empty_cells", "A row has all its cells and nothing in them.", _nobody,
    rejected_as=Verdict.EMPTY_ADDRESS, is_added=True,
)  # fmt: skip
REPEATED_HEADER = Defect(
    "repeated_header", "Two exports were joined, and the header of the second stands among the rows.",
    _repeated_header, rejected_as=Verdict.INVALID_ADDRESS, is_added=True,
)  # fmt: skip
SUBTOTAL = Defect(
    "subtotal_line", "A report added a line that counts the rows.",
    lambda row: replace(_nobody(row), instead=("Total", "500")), rejected_as=Verdict.RAGGED_ROW, is_added=True,
)  # fmt: skip
LINE_FEED_ONLY = Defect(
    "line_feed_among_crlf", "A row of a file with CRLF line ends has a bare LF.",
    lambda row: replace(row, line_end="\n"),
)  # fmt: skip
CRLF_AMONG_LINE_FEEDS = Defect(
    "crlf_among_line_feeds", "A row of a file with LF line ends has CRLF.", lambda row: replace(row, line_end="\r\n"),
)  # fmt: skip
CARRIAGE_RETURN_ONLY = Defect(
    "carriage_return_only", "A row ends with a bare CR, as on old machines.", lambda row: replace(row, line_end="\r"),
)  # fmt: skip
QUOTED_THROUGHOUT = Defect(
    "quoted_throughout", "Every cell of a row is in quotes, though its neighbours' are not.", _quoted_throughout
)

STRUCTURE_DEFECTS = (
    DUPLICATE_ROW, SHORT_ROW, LONG_ROW, BLANK_LINE, EMPTY_CELLS, REPEATED_HEADER, SUBTOTAL, LINE_FEED_ONLY,
    CRLF_AMONG_LINE_FEEDS, CARRIAGE_RETURN_ONLY, QUOTED_THROUGHOUT,
)  # fmt: skip


def _with_header(sheet: Sheet, field: Field, header: str) -> Sheet:
    columns = (Column(field, header) if column.field is field else column for column in sheet.columns)
    return replace(sheet, columns=tuple(columns))


def _with_odd_headers(sheet: Sheet) -> Sheet:
    for field, header in ODD_HEADERS.items():
        sheet = _with_header(sheet, field, header)
    return sheet


CODE_PAGE = FileDefect(
    "code_page_1252",
    "The file is in the code page of Western Windows.",
    lambda sheet: replace(sheet, encoding="cp1252"),
)
BYTE_ORDER_MARK = FileDefect(
    "byte_order_mark", "The file is in UTF-8 and begins with a byte order mark.",
    lambda sheet: replace(sheet, byte_order_mark=b"\xef\xbb\xbf"),
)  # fmt: skip
SEMICOLONS = FileDefect(
    "semicolons", "Cells are separated by semicolons, as where the comma is the decimal sign.",
    lambda sheet: replace(sheet, delimiter=";"),
)  # fmt: skip
CRLF = FileDefect("crlf", "Rows end with CRLF.", lambda sheet: replace(sheet, line_end="\r\n"))
NO_LAST_LINE_END = FileDefect(
    "no_last_line_end", "The last row has no line end.", lambda sheet: replace(sheet, ends_with_line_end=False)
)
ODD_HEADER = FileDefect("odd_header", "Headers have odd capitals and blanks around them.", _with_odd_headers)
NAMELESS_COLUMN = FileDefect(
    "nameless_column", "A column has no name.", lambda sheet: _with_header(sheet, Field.NAMELESS, "")
)

FILE_DEFECTS = (CODE_PAGE, BYTE_ORDER_MARK, SEMICOLONS, CRLF, NO_LAST_LINE_END, ODD_HEADER, NAMELESS_COLUMN)
