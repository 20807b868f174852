"""A list that is read in blocks says what it says record by record: rows, times, and faults with their lines."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.imports import RefusalImport
from jobs.imports.blocks import CHUNK_ROWS_MAX, block_chunks
from jobs.imports.chunks import Chunk, record_chunks
from jobs.imports.rows import RefusalColumns
from jobs.lists import OpenList, RawRecord, open_list
from prefcenter.domain.address import RULES_VERSIONS, parse
from prefcenter.domain.errors import InvalidAddress, InvalidList
from prefcenter.domain.events import EVERYTHING
from prefcenter.domain.terms import AddressKind, Channel, RefusalReason
from prefcenter.services.importing import RefusalBlock
from tests.factories import NOW

LISTS = 60
ADDRESSES = (
    "pat@acme.example",
    "KIM+x@Gmail.com",
    "  sam@post.example ",
    "zoë@bücher.example",
    '"Pat, Example" <pat@acme.example>',
    "@acme.example",
    *("nobody", "", "   ", "\u00a0", "'", "a@b@c.example", 'say "hi"'),
    "pat@acme.example;kim@acme.example",
)
CELLS = ("x", "", "two\nlines", "two\r\nlines", 'a "quoted" word', "semi;colon", "comma,", "Zoë", "\t")
TIMES = ("2026-01-02", "2026-01-02T10:00:00Z", "", "tomorrow", "2999-01-01", " 2026-01-02 ", '"')


@dataclass(frozen=True)
class Read:
    """What one row of a list says (a mailbox, or the text to parse, and a time; or its fault), and how it stands."""

    line: int
    text: str
    terminator: str
    said: str | None
    at_ms: int | None
    fault: str | None


def a_list(chance: Random, delimiter: str, end: str) -> str:
    rows: list[list[str]] = []
    for _ in range(chance.randint(1, 40)):
        row = [chance.choice(ADDRESSES), chance.choice(CELLS), chance.choice(TIMES)]
        rows.append(row + ["more"] * (chance.random() < 0.05) if chance.random() < 0.95 else row[:2])
    lines = (delimiter.join(_written(chance, cell, delimiter) for cell in row) for row in rows)
    return end.join([delimiter.join(("email", "note", "when")), *lines]) + chance.choice([end, ""])


def _written(chance: Random, cell: str, delimiter: str) -> str:
    needs_quotes = any(mark in cell for mark in (delimiter, "\r", "\n", '"'))
    if needs_quotes or chance.random() < 0.1:
        return '"' + cell.replace('"', '""') + '"' + chance.choice(["", "", "", " after"])
    return cell


def opened(path: Path, time_column: str | None) -> tuple[OpenList, RefusalColumns]:
    contacts = open_list(path, Channel.EMAIL, "GB", "email")
    plan = RefusalImport(path, Channel.EMAIL, RefusalReason.MANUAL, EVERYTHING, "crm", time_column=time_column)
    return contacts, RefusalColumns(contacts, plan)


def in_blocks(path: Path, time_column: str | None = None) -> list[Read]:
    contacts, columns = opened(path, time_column)
    return [row for chunk in block_chunks(contacts, columns, NOW) for row in _rows(chunk, _of_block(chunk.content))]


def by_record(path: Path, time_column: str | None = None) -> list[Read]:
    contacts, columns = opened(path, time_column)
    chunks = record_chunks(contacts, lambda record: columns.row(record, NOW))
    return [row for chunk in chunks for row in _rows(chunk, [(said(row.address), row.at_ms) for row in chunk.content])]


def _rows(chunk: Chunk[Any], readable: list[tuple[str, int]]) -> Iterator[Read]:
    left = iter(readable)
    for place in range(chunk.count):
        record = cast(RawRecord, chunk.record(place))
        fault = chunk.faults.get(place)
        says, at_ms = next(left) if fault is None else (None, None)
        told = None if fault is None else str(fault)
        yield Read(record.line, record.text, record.terminator, says, at_ms, told)
    assert next(left, None) is None


def _of_block(block: RefusalBlock) -> list[tuple[str, int]]:
    forms = block.mailboxes[RULES_VERSIONS[0]]
    mailboxes = [
        forms.octets[start + 1 : end].tobytes().decode()
        for start, end in zip(forms.offsets[:-1].tolist(), forms.offsets[1:].tolist(), strict=True)
    ]
    of_plain: Mapping[int, str] = dict(zip(block.plain, mailboxes, strict=True))
    of_others = {place: said(text) for place, text in block.others.items()}
    by_place = {**of_plain, **of_others}
    return [(by_place[place], at_ms) for place, at_ms in enumerate(block.at_ms)]


def said(text: str) -> str:
    """The mailbox that a cell names, or the cell itself."""
    try:
        return parse(text, AddressKind.EMAIL, country="GB").current.mailbox
    except InvalidAddress:
        return text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@settings(max_examples=LISTS)
@given(st.randoms(use_true_random=True), st.sampled_from(",;\t"), st.sampled_from(["\n", "\r\n", "\r"]))
def test_both_ways_read_the_same(encoding: str, chance: Random, delimiter: str, end: str) -> None:
    text = a_list(chance, delimiter, end)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "list.csv"
        path.write_bytes(text.encode(encoding))
        for time_column in (None, "when"):
            assert in_blocks(path, time_column) == by_record(path, time_column)


def test_the_column_of_the_addresses_may_be_that_of_the_times(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("email\n2026-01-02\npat@acme.example\n", encoding="utf-8")
    assert in_blocks(path, "email") == by_record(path, "email")


def test_chunks_are_short_and_follow_each_other(tmp_path: Path) -> None:
    path, count = tmp_path / "list.csv", 3 * CHUNK_ROWS_MAX + 5
    path.write_text("email\n" + "".join(f"p{number}@acme.example\n" for number in range(count)), encoding="utf-8")
    contacts, columns = opened(path, None)
    chunks = list(block_chunks(contacts, columns, NOW))
    assert sum(chunk.count for chunk in chunks) == count
    assert max(chunk.count for chunk in chunks) <= CHUNK_ROWS_MAX
    told = [chunk.bytes_read for chunk in chunks]
    assert told == sorted(told)
    assert told[-1] == path.stat().st_size
    assert [chunk.record(0).line for chunk in chunks] == [
        2 + sum(chunk.count for chunk in chunks[:number]) for number in range(len(chunks))
    ]


@pytest.mark.parametrize("rows", ['"never closed', f"{'x' * (1 << 20)},y"])
def test_what_compiled_code_does_not_cut_is_judged_by_the_lists_reader(tmp_path: Path, rows: str) -> None:
    path = tmp_path / "list.csv"
    before = "".join(f"p{number}@acme.example,x\n" for number in range(50_000))
    path.write_text(f"email,note\n{before}{rows}\n", encoding="utf-8")
    found: list[object] = []
    for read in (in_blocks, by_record):
        with pytest.raises(InvalidList) as raised:
            read(path)
        found.append(str(raised.value))
    assert found[0] == found[1]


def test_a_packed_list_is_read_in_blocks_too(tmp_path: Path) -> None:
    text = "email,note\npat@acme.example,x\n,y\nkim@acme.example\n"
    packed = tmp_path / "list.csv.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    plain = tmp_path / "list.csv"
    plain.write_text(text, encoding="utf-8")
    assert in_blocks(packed) == by_record(packed) == by_record(plain)
