"""Which delimiter a list uses, told by how evenly each one cuts the first records."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from jobs.lists.encoding import Encoding
from jobs.lists.records import QUOTE, RawRecord, RecordReader
from prefcenter.domain.errors import InvalidList

DELIMITERS = ("\t", "|", ";", ",")
"""Those that lists use, rarest in running text first: of two that cut equally well, the rarer one is meant."""

SINGLE_COLUMN_DELIMITERS = (",", ";", "\t", "|")
"""What may separate our cells in a list of one column, the most usual first."""

SAMPLE_RECORDS = 200
TAB_SUFFIXES = frozenset({".tsv", ".tab"})
DECLARATION = re.compile(r'"?sep=([,;\t|])"?(?:\r\n|\n|\r|\Z)', re.IGNORECASE)
NEEDS_QUOTES = re.compile(r'[",;\t|\r\n]')


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a list separates its cells. `declaration` is the `sep=;` line that Excel heeds, with its line end."""

    delimiter: str
    declaration: str = ""

    def appended(self, cells: Sequence[str]) -> str:
        """The text that adds cells at the end of a record."""
        return "".join(f"{self.delimiter}{_quoted(cell)}" for cell in cells)


def detect_dialect(sample: str, suffix: str, *, is_whole: bool) -> Dialect:
    """The dialect of a text that begins with `sample`; `suffix` of the file's name (`.tsv`) decides between equals."""
    declared = DECLARATION.match(sample)
    if declared is not None:
        return Dialect(declared[1], declared[0])
    cuts = {delimiter: _widths(sample, delimiter, is_whole=is_whole) for delimiter in DELIMITERS}
    cutting = [delimiter for delimiter, widths in cuts.items() if widths and widths[0] > 1]
    if not cutting:
        return Dialect(_unused_delimiter(cuts))
    return Dialect(max(cutting, key=lambda delimiter: _evenness(cuts[delimiter], delimiter, suffix)))


def declaration_of(text: str) -> str:
    """The `sep=` line at the top of a text, with its line end; empty where there is none."""
    declared = DECLARATION.match(text)
    return "" if declared is None else declared[0]


def usual_width(records: Sequence[RawRecord]) -> int:
    """How many cells most records have; of equals, the one seen first."""
    counted = Counter(len(record.cells) for record in records)
    return counted.most_common(1)[0][0] if counted else 1


def _widths(sample: str, delimiter: str, *, is_whole: bool) -> list[int]:
    records = _complete_records(sample, delimiter, is_whole=is_whole)
    return [len(record.cells) for record in islice(records, SAMPLE_RECORDS) if not record.is_blank]


def _complete_records(sample: str, delimiter: str, *, is_whole: bool) -> Iterator[RawRecord]:
    """Records of a sample as far as it can be cut; the last one of a part of a file may be a part as well."""
    held, is_cut = None, not is_whole
    try:
        for record in RecordReader("", Encoding("utf-8", errors="surrogatepass"), delimiter).read([sample]):
            if held is not None:
                yield held
            held = record
    except InvalidList:
        is_cut = False
    if held is not None and not is_cut:
        yield held


def _evenness(widths: Sequence[int], delimiter: str, suffix: str) -> tuple[float, bool, int, int]:
    """How much speaks for a delimiter: the share of records that are as wide as the first one comes first."""
    is_hinted = delimiter == "\t" and suffix.lower() in TAB_SUFFIXES
    return widths.count(widths[0]) / len(widths), is_hinted, widths[0], -DELIMITERS.index(delimiter)


def _unused_delimiter(cuts: dict[str, list[int]]) -> str:
    """For a list of one column, a delimiter that stands in none of its cells."""
    unused = (delimiter for delimiter in SINGLE_COLUMN_DELIMITERS if all(width == 1 for width in cuts[delimiter]))
    return next(unused, SINGLE_COLUMN_DELIMITERS[0])


def _quoted(cell: str) -> str:
    return f'"{cell.replace(QUOTE, QUOTE * 2)}"' if NEEDS_QUOTES.search(cell) else cell
