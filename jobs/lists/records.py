"""Cutting a list's text into records without losing a character of it (RFC 4180, and what exports make of it).

Our own lexer, because the standard library's reader gives cells only, and a kept row has to come out as the very bytes
it came in as. Its cells are those of `csv.reader`: quotes count at the start of a cell only, text after a closing quote
is literal, and a NUL is a character like any other.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import NamedTuple

from jobs.lists.encoding import Encoding
from jobs.lists.faults import list_fault
from prefcenter.domain.errors import InvalidList

MAX_RECORD_BYTES = 1 << 20
MOST_BYTES_A_CHARACTER = 4
QUOTE = '"'
LINE_END = re.compile(r"\r\n|[\r\n]")


class RawRecord(NamedTuple):
    """One record: the line it begins on (from 1), its text without the line end, its cells, and that line end."""

    line: int
    text: str
    cells: tuple[str, ...]
    terminator: str

    @property
    def whole(self) -> str:
        """The record as it stands in the file; these of all records, one after the other, are the file."""
        return self.text + self.terminator

    @property
    def is_blank(self) -> bool:
        """Whether no cell holds anything, as in the empty lines that spreadsheets export."""
        return not any(map(str.strip, self.cells))


class _OpenQuote(Exception):
    """A quoted cell has no end in the text at hand."""

    def __init__(self, position: int, column: int) -> None:
        super().__init__()
        self.position = position
        self.column = column


class RecordReader:
    """Reads records from decoded chunks. At most one record and one chunk are in memory."""

    def __init__(self, name: str, encoding: Encoding, delimiter: str) -> None:
        self._name = name
        self._encoding = encoding
        self._delimiter = delimiter
        special = re.escape(delimiter)
        self._quoted_cell = re.compile(rf'"([^"]*+(?:""[^"]*+)*+)"([^{special}\r\n]*+)')
        self._cell_end = re.compile(rf"[{special}\r\n]")

    def read(self, chunks: Iterable[str], *, first_line: int = 1) -> Iterator[RawRecord]:
        """The records of a text. Raises InvalidList for a quote left open and for a record over 1 MiB."""
        line, rest = first_line, ""
        for chunk in chunks:
            rest += chunk
            position, line = yield from self._complete_records(rest, line, is_last=False)
            rest = rest[position:]
            if self._is_too_long(rest):
                raise self._too_long(rest, line)
        yield from self._complete_records(rest, line, is_last=True)

    def blanked(self, record: RawRecord, indexes: Sequence[int]) -> str:
        """The text of a record in which these cells hold nothing, and every other is as it was."""
        if not indexes:
            return record.text
        pieces = [record.text[start:end] for start, end in self._spans(record.text)]
        for index in indexes:
            pieces[index] = ""
        return self._delimiter.join(pieces)

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where each cell of a record begins and ends, quotes included."""
        position = -1
        while position < len(text):
            start = position + 1
            cell = self._quoted_cell.match(text, start)
            ending = self._cell_end.search(text, start)
            position = cell.end() if cell else ending.start() if ending else len(text)
            yield start, position

    def _complete_records(self, text: str, line: int, *, is_last: bool) -> Generator[RawRecord, None, tuple[int, int]]:
        """All records that surely end in `text`; returns where the rest begins, and on which line."""
        position, size, delimiter = 0, len(text), self._delimiter
        newline = -1
        while position < size:
            if newline < position:
                newline = _found_or(size, text.find("\n", position))
            end, after = _line_end(text, position, newline)
            if text.find(QUOTE, position, end) < 0:
                if after == size and not is_last:
                    break
                content = text[position:end]
                record = RawRecord(line, content, tuple(content.split(delimiter)), text[end:after])
                lines = 1
            else:
                quoted = self._quoted_record(text, position, line, is_last=is_last)
                if quoted is None:
                    break
                record, after = quoted, position + len(quoted.text) + len(quoted.terminator)
                lines = 1 + len(LINE_END.findall(record.text))
            if self._is_too_long(record.text):
                raise self._too_long(record.text, line)
            yield record
            line += lines
            position = after
        return position, line

    def _quoted_record(self, text: str, start: int, line: int, *, is_last: bool) -> RawRecord | None:
        """The record with a quote in it that begins at `start`; None where more text is needed to tell."""
        try:
            cells, end = self._cells(text, start)
        except _OpenQuote as quote:
            if is_last:
                raise self._left_open(text, start, line, quote) from None
            return None
        ending = LINE_END.match(text, end)
        after = ending.end() if ending else end
        if after == len(text) and not is_last:
            return None
        return RawRecord(line, text[start:end], tuple(cells), text[end:after])

    def _cells(self, text: str, start: int) -> tuple[list[str], int]:
        """The cells of the record at `start`, and where its text ends."""
        cells: list[str] = []
        position = start
        while True:
            if text.startswith(QUOTE, position):
                cell = self._quoted_cell.match(text, position)
                if cell is None:
                    raise _OpenQuote(position, len(cells) + 1)
                cells.append(cell[1].replace('""', QUOTE) + cell[2])
                position = cell.end()
            else:
                ending = self._cell_end.search(text, position)
                end = ending.start() if ending else len(text)
                cells.append(text[position:end])
                position = end
            if not text.startswith(self._delimiter, position):
                return cells, position
            position += 1

    def _is_too_long(self, text: str) -> bool:
        if len(text) * MOST_BYTES_A_CHARACTER <= MAX_RECORD_BYTES:
            return False
        return len(text) > MAX_RECORD_BYTES or len(self._encoding.encode(text)) > MAX_RECORD_BYTES

    def _too_long(self, text: str, line: int) -> InvalidList:
        """The fault of a record over the limit, which a quote left open explains most often."""
        try:
            self._cells(text, 0)
        except _OpenQuote as quote:
            return self._left_open(text, 0, line, quote)
        return list_fault(self._name, line, "record", "is longer than 1 MiB")

    def _left_open(self, text: str, start: int, line: int, quote: _OpenQuote) -> InvalidList:
        line += len(LINE_END.findall(text, start, quote.position))
        return list_fault(self._name, line, f"column {quote.column}", "the quote that opens this cell is never closed")


def _line_end(text: str, position: int, newline: int) -> tuple[int, int]:
    """Where the line at `position` ends and the next one begins; `newline` is the next LF, or the text's length."""
    end = text.find("\r", position, newline)
    if end < 0:
        return newline, min(newline + 1, len(text))
    return end, min(end + 2 if end + 1 == newline else end + 1, len(text))


def _found_or(otherwise: int, position: int) -> int:
    return otherwise if position < 0 else position
