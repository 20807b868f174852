"""Dialects: the delimiter that cuts a list evenly."""

from __future__ import annotations

import csv
import io

import pytest

from jobs.lists.dialect import Dialect, detect_dialect

NAMES = [("Pat Doe", "pat@acme.example"), ("Kim Roe", "kim@acme.example")]


def delimiter_of(text: str, suffix: str = ".csv", *, is_whole: bool = True) -> str:
    return detect_dialect(text, suffix, is_whole=is_whole).delimiter


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_each_delimiter_is_told(delimiter: str) -> None:
    assert delimiter_of("".join(delimiter.join(row) + "\n" for row in NAMES)) == delimiter


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ('name;note;email\n"Doe, Pat";"a, b";p@acme.example\n', ";"),
        ("name;amount;email\nPat;1,50;p@acme.example\nKim;2,75;k@acme.example\n", ";"),
        ("Last, First;email\nDoe, Pat;p@acme.example\n", ";"),
        ("name,tags,email\nPat,a;b;c,p@acme.example\nKim,a,k@acme.example\n", ","),
        ("name,email\n\n\nPat,p@acme.example\n", ","),
        ('name,note,email\nPat,"a\nb;c;d\n;",p@acme.example\n', ","),
        ("name\temail\nDoe, Pat\tp@acme.example\nRoe, Kim\tk@acme.example\n", "\t"),
        ("name,email\nPat,p@acme.example\nDoe, Kim,k@acme.example\nLee,l@acme.example\n", ","),
    ],
)
def test_the_delimiter_that_cuts_most_evenly_is_meant(text: str, delimiter: str) -> None:
    assert delimiter_of(text) == delimiter


def test_a_tsv_name_decides_between_equals() -> None:
    text = "name|x\temail|y\nPat|x\tp@acme.example|y\n"
    assert delimiter_of(text, ".csv") == "|"
    assert delimiter_of(text, ".tsv") == "\t"


def test_a_tsv_name_is_only_a_hint() -> None:
    assert delimiter_of("name,email\nPat,p@acme.example\n", ".TSV") == ","


def test_a_list_of_one_column_takes_a_delimiter_that_none_of_its_cells_holds() -> None:
    assert delimiter_of("email\npat@acme.example\n") == ","
    assert delimiter_of("address\n1 High St, London\n2 High St, Leeds, UK\n") == ";"


def test_a_list_of_one_column_full_of_delimiters_takes_the_comma() -> None:
    assert delimiter_of("note\na,b;c\td|e\n") == ","


def test_a_record_that_the_sample_cuts_off_does_not_count() -> None:
    text = "a;b;c\n1;2;3\n4;"
    assert delimiter_of(text, is_whole=False) == ";"


def test_a_quote_left_open_ends_the_sample() -> None:
    assert delimiter_of('a;b\n1;2\n3;"4\n5;6\n') == ";"


@pytest.mark.parametrize(
    ("line", "delimiter"),
    [("sep=;\r\n", ";"), ("SEP=,\n", ","), ('"sep=|"\r', "|"), ("sep=\t\n", "\t"), ("sep=;", ";")],
)
def test_the_line_that_excel_heeds_is_believed(line: str, delimiter: str) -> None:
    assert detect_dialect(line + "a,b;c\n" * (line[-1] in "\r\n"), ".csv", is_whole=True) == Dialect(delimiter, line)


def test_a_declaration_of_anything_else_is_a_record() -> None:
    assert detect_dialect("sep=:\na,b\n", ".csv", is_whole=True).declaration == ""


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_appended_cells_are_read_back(delimiter: str) -> None:
    cells = ["opted_out", 'a "quoted" word', "one, two; three\tfour|five", "two\nlines", ""]
    text = "first" + Dialect(delimiter).appended(cells)
    assert next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)) == ["first", *cells]
