"""Cutting text into records: equal to the standard reader on what its writer wrote, and lossless on anything."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobs.lists.encoding import Encoding
from jobs.lists.records import MAX_RECORD_BYTES, RawRecord, RecordReader
from prefcenter.domain.errors import InvalidList

UTF8 = Encoding("utf-8")
DELIMITERS = [",", ";", "\t", "|"]
TERMINATORS = ["\n", "\r\n", "\r"]
AWKWARD = st.text(alphabet=st.sampled_from('ab",;\t|\r\n \0é'), max_size=8)
ROWS = st.lists(st.lists(AWKWARD, min_size=1, max_size=4), max_size=6)


def read(text: str, delimiter: str = ",", chunk_characters: int = 0) -> list[RawRecord]:
    return list(RecordReader("list.csv", UTF8, delimiter).read(chunked(text, chunk_characters)))


def standard(text: str, delimiter: str) -> list[tuple[str, ...]]:
    """The cells as the standard library reads them; it calls a blank line a row without cells, we one empty cell."""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    return [tuple(row) or ("",) for row in rows]


def outcome(text: str, delimiter: str, chunk_characters: int) -> list[RawRecord] | str:
    """The records, or what is wrong with the text."""
    try:
        return read(text, delimiter, chunk_characters)
    except InvalidList as error:
        return str(error)


def chunked(text: str, size: int) -> Iterable[str]:
    size = size or max(1, len(text))
    return [text[start : start + size] for start in range(0, len(text), size)]


def cells(text: str, delimiter: str = ",") -> list[tuple[str, ...]]:
    return [record.cells for record in read(text, delimiter)]


def written(rows: Sequence[Sequence[str]], delimiter: str, terminator: str, quoting: int) -> str:
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=delimiter, lineterminator=terminator, quoting=quoting)  # type: ignore[arg-type]
    writer.writerows(rows)
    return file.getvalue()


@given(
    rows=ROWS,
    delimiter=st.sampled_from(DELIMITERS),
    terminator=st.sampled_from(TERMINATORS),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    chunk_characters=st.integers(1, 9),
)
def test_cells_equal_those_of_the_standard_reader(
    rows: list[list[str]], delimiter: str, terminator: str, quoting: int, chunk_characters: int
) -> None:
    text = written(rows, delimiter, terminator, quoting)
    assert [record.cells for record in read(text, delimiter, chunk_characters)] == standard(text, delimiter)


@given(
    rows=st.lists(st.lists(st.text("abé '\0", min_size=1, max_size=5), min_size=1, max_size=4), max_size=6),
    delimiter=st.sampled_from(DELIMITERS),
    terminator=st.sampled_from(TERMINATORS),
)
def test_unquoted_cells_equal_those_of_the_standard_reader(
    rows: list[list[str]], delimiter: str, terminator: str
) -> None:
    text = written(rows, delimiter, terminator, csv.QUOTE_NONE)
    assert cells(text, delimiter) == [tuple(row) for row in rows]


@given(text=st.text(alphabet=st.sampled_from('ab",;\r\n\0'), max_size=40), delimiter=st.sampled_from(DELIMITERS))
@example(text='"a"b"c",d\n', delimiter=",")
@example(text='a"b,c"d\r\r\n\n', delimiter=",")
def test_whatever_the_standard_reader_takes_is_read_alike(text: str, delimiter: str) -> None:
    ours = outcome(text, delimiter, 0)
    if isinstance(ours, list):
        assert [record.cells for record in ours] == standard(text, delimiter)


@given(text=st.text(alphabet=st.sampled_from('ab",;\r\n\0é'), max_size=60), chunk_characters=st.integers(1, 7))
def test_records_put_together_are_the_text_however_it_is_chunked(text: str, chunk_characters: int) -> None:
    whole = outcome(text, ",", 0)
    assert outcome(text, ",", chunk_characters) == whole
    if isinstance(whole, list):
        assert "".join(record.whole for record in whole) == text


def test_a_record_without_a_last_newline_is_read() -> None:
    assert read("a,b\nc,d") == [RawRecord(1, "a,b", ("a", "b"), "\n"), RawRecord(2, "c,d", ("c", "d"), "")]


def test_line_ends_may_be_mixed() -> None:
    assert [record.terminator for record in read("a\nb\r\nc\rd\n")] == ["\n", "\r\n", "\r", "\n"]


def test_a_blank_line_is_a_record_of_one_empty_cell() -> None:
    assert cells("a\n\nb\n") == [("a",), ("",), ("b",)]


def test_a_quoted_newline_belongs_to_its_cell_and_counts_as_a_line() -> None:
    records = read('a,"b\r\nc"\nd,e\n')
    assert [(record.line, record.cells) for record in records] == [(1, ("a", "b\r\nc")), (3, ("d", "e"))]


def test_a_doubled_quote_is_one_quote() -> None:
    assert cells('"a ""b""",c\n') == [('a "b"', "c")]


def test_a_quote_inside_an_unquoted_cell_is_literal() -> None:
    assert cells('5" pipe,a"b"c\n') == [('5" pipe', 'a"b"c')]


def test_a_quote_after_a_blank_is_literal() -> None:
    assert cells('a, "b"\n') == [("a", ' "b"')]


def test_text_after_a_closing_quote_is_literal() -> None:
    assert cells('"a"b,"c" "d"\n') == [("ab", 'c "d"')]


def test_a_nul_is_part_of_its_cell() -> None:
    assert cells("a\0b,c\n") == [("a\0b", "c")]


@pytest.mark.parametrize("character", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c"])
def test_other_line_separators_of_unicode_end_no_record(character: str) -> None:
    assert cells(f"a{character}b,c\n") == [(f"a{character}b", "c")]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('a,b\n"c,d\ne,f\n', "list.csv:2: column 1: "),
        ('a,b\nc,"d\ne,f', "list.csv:2: column 2: "),
        ('"a\nb","c\n', "list.csv:2: column 2: "),
        ('x\n"', "list.csv:2: column 1: "),
    ],
)
def test_a_quote_left_open_names_file_line_and_column_and_no_cell(text: str, place: str) -> None:
    with pytest.raises(InvalidList) as error:
        read(text)
    assert str(error.value) == f"{place}the quote that opens this cell is never closed"


def test_a_quote_left_open_in_a_long_list_is_told_before_its_end() -> None:
    chunks = iter(['name,email\n"Pat,pat@acme.example\n', *["x" * 100_000 + "\n"] * 50])
    with pytest.raises(InvalidList, match=r"^list\.csv:2: column 1: the quote"):
        list(RecordReader("list.csv", UTF8, ",").read(chunks))
    assert next(chunks, None) is not None


def test_a_record_of_one_mebibyte_is_read() -> None:
    text = "a" * MAX_RECORD_BYTES
    assert read(text + "\nb") == [RawRecord(1, text, (text,), "\n"), RawRecord(2, "b", ("b",), "")]


@pytest.mark.parametrize("chunk_characters", [0, 1 << 18])
@pytest.mark.parametrize("letter", ["a", "é"])
def test_a_longer_record_is_refused_by_its_bytes(letter: str, chunk_characters: int) -> None:
    text = "a\n" + letter * (MAX_RECORD_BYTES // len(letter.encode()) + 1)
    with pytest.raises(InvalidList, match=r"^list\.csv:2: record: is longer than 1 MiB$"):
        read(text + "\nb", ",", chunk_characters)


def test_a_record_of_blank_cells_is_blank() -> None:
    assert [record.is_blank for record in read(" ,\t,\na,,\n\n")] == [True, False, True]
