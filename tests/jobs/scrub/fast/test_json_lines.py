"""Lines of JSON cut by compiled code are those of the lists' own reader, wherever a block ends."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.lists.content import file_content
from jobs.lists.ndjson import BLANK, JsonLine, members_of, read_lines, values_of
from jobs.scrub.fast.json_lines import MOST_MEMBERS, MOST_NESTED, ODD, split_lines
from jobs.scrub.fast.records import ABSENT, Records
from prefcenter.domain.errors import InvalidList

NAMES = ("a", "b", "zoë")
PIECES = (
    "{", "}", "[", "]", ",", ":", '"a"', '"b"', '"zo\u00eb"', '"\\u0061"', '"x y"', '""', '"\\\\"', '"\\""',
    '"\\ud800"', '"\\x"', '"\\u12g4"', '"\t"', "null", "true", "false", "nul", "0", "-0", "01", "1.5e+3", "1.", "-",
    ".5", "1E5", "e", "NaN", "-Infinity", " ", "\t", "\r", "\\", '"', "\u00a0",
)  # fmt: skip
texts = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=6)
objects = st.dictionaries(st.sampled_from([*NAMES, "c"]) | st.text(max_size=2), values, max_size=5)
lines = objects.map(lambda value: json.dumps(value, ensure_ascii=False)) | objects.map(json.dumps) | texts
ends = st.sampled_from(["\n", "\r\n", " \n", "\n\n", "\r\r\n"])


def cut(text: bytes, *, is_last: bool = True) -> Records:
    return split_lines(np.frombuffer(text, np.uint8), NAMES, is_last=is_last)


def is_left(records: Records, row: int = 0) -> bool:
    """Whether a line is left to the lists' reader."""
    return bool(records.widths[row] == ODD)


def read(text: str) -> JsonLine | None:
    """A line as the reader gives it; None where it refuses it."""
    content = text.rstrip("\r\n")
    try:
        return JsonLine(1, content, text[len(content) :], values_of("list", 1, content))
    except InvalidList:
        return None


def assert_same(records: Records, row: int, text: str, line: JsonLine) -> None:
    """What is told of a line that is not left to the reader is what the reader says."""
    begin, end = int(records.begins[row]), int(records.ends[row])
    assert records.octets[begin:end].tobytes().decode() == text
    assert records.widths[row] == len(line.values)
    assert int(records.text_ends[row]) - begin == len(line.text[: line.text.rindex("}")].encode())
    spans = {member.name: line.text[member.start : member.end] for member in members_of(line.text)}
    for wanted, name in enumerate(NAMES):
        cells = records.cells(wanted, np.array([row]), lambda cell: cell.decode("utf-8", "surrogatepass"))
        assert cells.text(0) == line.cell(name)
        start, stop = records.starts[wanted, row], records.stops[wanted, row]
        assert records.octets[start:stop].tobytes().decode() == spans.get(name, "")
        assert (name in line.values) is not bool(records.written[wanted, row] == ABSENT)


@given(st.lists(st.tuples(lines, ends), max_size=5))
def test_lines_are_those_of_the_reader(drawn: list[tuple[str, str]]) -> None:
    text = "".join(f"{line}{end}" for line, end in drawn)
    records = cut(text.encode())
    expected = [f"{line}\n" for line in text.split("\n")[:-1] if line.strip(BLANK)]
    assert [
        records.octets[b:e].tobytes().decode() for b, e in zip(records.begins, records.ends, strict=True)
    ] == expected
    assert records.used == len(text.encode())
    for row, line in enumerate(expected):
        as_read = read(line)
        if as_read is None:
            assert is_left(records, row)
        elif not is_left(records, row):
            assert_same(records, row, line, as_read)


@given(objects)
def test_an_object_whose_names_need_no_escapes_is_never_left_to_the_reader(value: dict[str, object]) -> None:
    text = json.dumps(value, ensure_ascii=False) + "\n"
    needs_escapes = any(json.dumps(name, ensure_ascii=False)[1:-1] != name for name in value)
    assert is_left(cut(text.encode())) is needs_escapes


@given(st.lists(st.tuples(lines, ends), max_size=4), st.integers(0, 200))
def test_what_is_cut_off_a_block_begins_the_next_one(drawn: list[tuple[str, str]], size: int) -> None:
    text = "".join(f"{line}{end}" for line, end in drawn).encode()
    whole, first = cut(text), cut(text[:size], is_last=False)
    second = cut(text[first.used :])
    assert [*first.widths, *second.widths] == whole.widths.tolist()
    assert [*first.ends, *(second.ends + first.used)] == whole.ends.tolist()


@pytest.mark.parametrize(
    ("text", "is_odd"),
    [
        ("[" * MOST_NESTED + "]" * MOST_NESTED, False),
        ("[" * (MOST_NESTED + 1) + "]" * (MOST_NESTED + 1), True),
        ("[{}]", False),
        ("[{},]", True),
        ('{"a":[1,{"b":[]}]}', False),
        ('{"a" 1}', True),
        ('{"a":1,}', True),
        ("[1}", True),
    ],
)
def test_what_is_nested_is_read_to_its_end(text: str, is_odd: bool) -> None:
    records = cut(b'{"b":%s}\n' % text.encode())
    assert is_left(records) is is_odd
    if not is_odd:
        assert records.octets[records.starts[1, 0] : records.stops[1, 0]].tobytes() == text.encode()


@pytest.mark.parametrize(
    ("line", "is_odd"),
    [
        ('{"a":1,"b":2,"a":3}', True),
        ('{"x":{"y":1,"y":2}}', False),
        (json.dumps({str(number): number for number in range(MOST_MEMBERS)}), False),
        (json.dumps({str(number): number for number in range(MOST_MEMBERS + 1)}), True),
        ('{"\\u0061":1}', True),
        ('{"a":1}}', True),
        ('{"a":1', True),
        ("{", True),
        ('"a"', True),
    ],
)
def test_what_is_not_surely_an_object_of_different_members_is_left_to_the_reader(line: str, is_odd: bool) -> None:
    assert is_left(cut(line.encode())) is is_odd


def test_a_list_is_read_as_the_reader_reads_it(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b'{"a":"x"}\r\n\n{"b":"y"}')
    expected = [line.text + line.terminator for line in read_lines(file_content(tmp_path / "list"), len)]
    records = cut((tmp_path / "list").read_bytes())
    assert [
        records.octets[b:e].tobytes().decode() for b, e in zip(records.begins, records.ends, strict=True)
    ] == expected
