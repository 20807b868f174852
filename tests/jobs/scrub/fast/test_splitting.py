"""Records cut by compiled code are those of the lists' own reader, wherever a block ends."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.lists.encoding import Encoding
from jobs.lists.records import RawRecord, RecordReader
from jobs.scrub.fast.records import Records
from jobs.scrub.fast.splitting import split
from prefcenter.domain.errors import InvalidList

PIECES = ("a", "bc", '"', '""', ",", ";", "\n", "\r", "\r\n", " ", "\u00fc", '"x"', '"a,b"', '"a\nb"', '"a""b"')
texts = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)


def read(text: str) -> list[RawRecord] | None:
    """The records as the reader gives them; None where a quote is left open."""
    try:
        return list(RecordReader("list", Encoding("utf-8"), ",").read([text]))
    except InvalidList:
        return None


def whole(records: Records, row: int) -> bytes:
    return records.octets[records.begins[row] : records.ends[row]].tobytes()


def assert_same(records: Records, expected: list[RawRecord], columns: tuple[int, ...]) -> None:
    rows = np.arange(len(records))
    assert [whole(records, row).decode() for row in range(len(records))] == [record.whole for record in expected]
    assert records.widths.tolist() == [len(record.cells) for record in expected]
    sizes = [len(record.terminator) for record in expected]
    assert (records.ends - records.text_ends).tolist() == sizes
    for wanted, column in enumerate(columns):
        wide = np.array([row for row in rows if len(expected[row].cells) > column], np.int64)
        cells = records.cells(wanted, wide)
        found = [cells.text(place) for place in range(len(wide))]
        assert found == [expected[row].cells[column] for row in wide]


@given(texts)
def test_a_whole_text_is_cut_into_the_records_of_the_reader(text: str) -> None:
    expected = read(text)
    records, is_left_open = split(np.frombuffer(text.encode(), np.uint8), ",", (2, 0), is_last=True)
    assert is_left_open is (expected is None)
    if expected is not None:
        assert_same(records, expected, (2, 0))
        assert records.used == len(text.encode())


@given(texts, texts)
def test_what_is_cut_off_a_block_begins_the_next_one(text: str, more: str) -> None:
    expected = read(text + more)
    if expected is None:
        return
    block = np.frombuffer(text.encode(), np.uint8)
    first, _ = split(block, ",", (0,), is_last=False)
    rest = block[first.used :].tobytes() + more.encode()
    second, _ = split(np.frombuffer(rest, np.uint8), ",", (0,), is_last=True)
    assert_same(first, expected[: len(first)], (0,))
    assert_same(second, expected[len(first) :], (0,))


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_any_delimiter_cuts(delimiter: str) -> None:
    text = f"a{delimiter}b,c\n"
    records, _ = split(np.frombuffer(text.encode(), np.uint8), delimiter, (1,), is_last=True)
    assert records.cells(0, np.arange(1)).text(0) == "b,c"


def test_long_blocks_are_cut_as_short_ones_are() -> None:
    chance = random.Random(3)
    text = "".join(f'{row},"{chance.choice(PIECES[:2])}""q",x\r\n' for row in range(5_000))
    expected = read(text)
    assert expected is not None
    records, _ = split(np.frombuffer(text.encode(), np.uint8), ",", (1,), is_last=True)
    assert_same(records, expected, (1,))
