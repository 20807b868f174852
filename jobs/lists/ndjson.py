"""Newline-delimited JSON: one object a line, each line copied as it is.

Only the members that a job asks for are read. What is added to a line stands before its closing brace, and what is
blanked becomes `null`; nothing else of it changes. Members of one name twice in a line are ambiguous: readers differ
about which of them counts (RFC 8259 section 4), so such a line is refused as a fault of the list.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, NamedTuple

from jobs.lists.columns import Column, ColumnFinder, named_column
from jobs.lists.contacts import BATCH_ROWS, Found, OutputFile, Placed, Sought
from jobs.lists.content import Content, unreadable
from jobs.lists.delimited import KNOWN_MAX
from jobs.lists.encoding import file_chunks
from jobs.lists.faults import changed, list_fault
from jobs.lists.packed import PackedFile
from jobs.lists.records import MAX_RECORD_BYTES, RawRecord

NDJSON_FORMAT = "ndjson"
SAMPLE_LINES = 500
BATCH_BYTES = 1 << 22
BLANK = " \t\r\n"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Member(NamedTuple):
    """One member of an object: its name, and where its value begins and ends in the line."""

    name: str
    start: int
    end: int


class JsonLine(NamedTuple):
    """A line with an object: its number, its text without the line end, that line end, and its members' values."""

    line: int
    text: str
    terminator: str
    values: Mapping[str, Any]

    def cell(self, name: str) -> str:
        """A member as text: a string's characters, a number as it is written, nothing for `null` or no member."""
        return text_of_value(self.values.get(name))


@dataclass(frozen=True, slots=True)
class JsonBatch:
    """Some lines of a list."""

    lines: Sequence[JsonLine]

    def __len__(self) -> int:
        return len(self.lines)

    def cells(self, column: Column) -> Sequence[str]:
        name = column.heading or ""
        return [line.cell(name) for line in self.lines]

    def shown(self, column: Column) -> Sequence[str]:
        """A column of anything but addresses, which may hold dates and times; in JSON they are text."""
        return self.cells(column)

    def line_numbers(self, _: int) -> Sequence[int]:
        """Where each row stands in the list."""
        return [line.line for line in self.lines]

    def ended(self) -> JsonBatch:
        *others, last = self.lines
        return self if last.terminator else JsonBatch([*others, last._replace(terminator="\n")])


@dataclass(slots=True)
class NdjsonList:
    """A list of lines with objects. `keys` are the names of members in its first lines, which are its columns."""

    content: Content
    keys: Sequence[str]
    found: Found
    sha256: str
    size: int
    bytes_read: int = field(default=0, init=False)

    @property
    def name(self) -> str:
        return self.content.name

    @property
    def suffix(self) -> str:
        return self.content.suffix if self.content.spool is None else f".ndjson{self.content.suffix}"

    @property
    def names(self) -> Sequence[str]:
        """The names of all columns."""
        return self.keys

    @property
    def width(self) -> int:
        return len(self.keys)

    @property
    def first_row(self) -> int:
        return 1

    def column(self, option: str, named: str) -> Column:
        """Any column by name or number; `option` is what the caller named it with, for the error."""
        return named_column(self.name, 1, option, named, self.keys, self.width)

    def batches(self) -> Iterator[JsonBatch]:
        digest = hashlib.sha256()
        self.bytes_read = 0

        def watch(chunk: bytes) -> None:
            digest.update(chunk)
            self.bytes_read += len(chunk)

        try:
            yield from _batches(read_lines(self.content, watch))
        except OSError as error:
            raise unreadable(self.name, error) from None
        self.require_same(digest.hexdigest())

    def require_same(self, sha256: str) -> None:
        """Raise InvalidList where the bytes that were read, of which this is the hash, are not those of before."""
        if sha256 != self.sha256:
            raise changed(self.name)

    def sink(self, file: OutputFile, added: Sequence[str]) -> NdjsonSink:
        return NdjsonSink(PackedFile(file, self.content.packer()), added)

    def headings(self) -> Sequence[str]:
        """Lines of several files need not have the same members, so this names those that were asked for."""
        asked = (*self.found.addresses, self.found.class_column, self.found.audience_column)
        return [column.heading or "" for column in asked if column is not None]

    def inputs(self) -> Sequence[Mapping[str, Any]]:
        sha256 = self.sha256 if self.content.is_plain_file else self.content.file_sha256
        return [{"name": self.content.path.name, "sha256": sha256}]

    def described(self) -> Mapping[str, Any]:
        return {"format": NDJSON_FORMAT, "packing": self.content.packing.value, "keys": list(self.keys)}


class NdjsonSink:
    """An output of lines with objects."""

    def __init__(self, file: PackedFile, added: Sequence[str]) -> None:
        self._file = file
        self._names = [json.dumps(name, ensure_ascii=False) for name in added]
        self._added: dict[tuple[str, ...], str] = {(): ""}

    def added(self, values: tuple[str, ...]) -> str:
        """The members that are added to a line, without a comma before them."""
        members = self._added.get(values)
        if members is None:
            texts = (json.dumps(value, ensure_ascii=False) for value in values)
            members = ",".join(f"{name}:{text}" for name, text in zip(self._names, texts, strict=True))
            if len(self._added) < KNOWN_MAX:
                self._added[values] = members
        return members

    def write(self, batch: JsonBatch, rows: Sequence[Placed]) -> None:
        self._file.write("".join(self._row(batch.lines[placed.place], placed) for placed in rows).encode())

    def put(self, content: bytes) -> None:
        self._file.write(content)

    def finish(self) -> None:
        self._file.finish()

    def _row(self, line: JsonLine, placed: Placed) -> str:
        text = line.text
        for member in _to_blank(line, placed.blanked):
            text = f"{text[: member.start]}null{text[member.end :]}"
        if placed.added:
            brace = text.rindex("}")
            text = f"{text[:brace]}{',' if line.values else ''}{self.added(placed.added)}{text[brace:]}"
        return text + line.terminator


def text_of_value(value: Any) -> str:
    """A value as `DECODER` gives it, as text."""
    if type(value) is str:
        return value
    return "" if value is None else json.dumps(value)


OTHER_JSON = re.compile(rb'\s*(\[\s*)?\{\s*"')
"""How an array of objects begins, and an object that is not whole in its line; cells of a delimited text never do."""


def is_ndjson(start: bytes) -> bool:
    """Whether a file that begins so holds an object in its first line; a text of delimited cells never does."""
    first = start.removeprefix(BYTE_ORDER_MARK).lstrip().partition(b"\n")[0]
    if not first.startswith(b"{"):
        return False
    try:
        return isinstance(json.loads(first), dict)
    except ValueError:
        # A first line that is longer than the beginning at hand: no list of cells begins with a brace and a name.
        return b"\n" not in start and first[1:].lstrip().startswith(b'"')


def require_no_other_json(name: str, start: bytes) -> None:
    """Raise InvalidList for JSON that is not an object a line: read as cells, it would have no column that fits."""
    if OTHER_JSON.match(start.removeprefix(BYTE_ORDER_MARK)):
        message = "is JSON, but its first line is no object; NDJSON has an object a line, as `jq -c '.[]'` writes it"
        raise list_fault(name, 1, "list", message)


def open_ndjson(content: Content, sought: Sought) -> NdjsonList:
    """Open lines with objects. Raises InvalidList where one of the first is none, or a column cannot be told."""
    try:
        sample = list(islice(read_lines(content, len), SAMPLE_LINES))
        digest = hashlib.sha256()
        size = sum(_counted(chunk, digest.update) for chunk in file_chunks(content))
    except OSError as error:
        raise unreadable(content.name, error) from None
    keys = list(dict.fromkeys(chain.from_iterable(line.values for line in sample)))
    found = _found(content.name, keys, sample, sought)
    return NdjsonList(content, keys, found, digest.hexdigest(), size)


def reopen_ndjson(content: Content, found: Found, described: Mapping[str, Any]) -> NdjsonList:
    """Open an output, whose keys are those of the list that it came from."""
    keys = described["keys"]
    digest = hashlib.sha256()
    size = sum(_counted(chunk, digest.update) for chunk in file_chunks(content))
    return NdjsonList(content, keys, found.with_headings(keys), digest.hexdigest(), size)


def read_lines(content: Content, watch: Callable[[bytes], object]) -> Iterator[JsonLine]:
    """The lines that hold anything. Raises InvalidList for one that is no object, and for one over 1 MiB."""
    for number, raw in enumerate(_raw_lines(content, watch), 1):
        if len(raw) > MAX_RECORD_BYTES:
            raise list_fault(content.name, number, "record", "is longer than 1 MiB")
        try:
            whole = (raw.removeprefix(BYTE_ORDER_MARK) if number == 1 else raw).decode()
        except UnicodeDecodeError:
            raise list_fault(content.name, number, "record", "is not UTF-8") from None
        text = whole.rstrip("\r\n")
        if text.strip(BLANK):
            yield JsonLine(number, text, whole[len(text) :], values_of(content.name, number, text))


def _raw_lines(content: Content, watch: Callable[[bytes], object]) -> Iterator[bytes]:
    """Lines with their ends; one that is too long comes in part, so that no more of it is held."""
    rest = b""
    for chunk in file_chunks(content):
        watch(chunk)
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        yield from (line + b"\n" for line in lines)
        if len(rest) > MAX_RECORD_BYTES:
            break
    if rest:
        yield rest


def values_of(name: str, number: int, text: str) -> Mapping[str, Any]:
    """The members of the object in a line, numbers as they are written."""
    try:
        pairs = DECODER.decode(text)
    except (ValueError, RecursionError):
        pairs = None
    if not isinstance(pairs, tuple):
        raise list_fault(name, number, "record", "is not one JSON object")
    values = dict(pairs)
    if len(values) != len(pairs):
        raise list_fault(name, number, "record", "has two members of one name")
    return values


def _no_constant(_: str) -> None:
    raise ValueError("NaN and infinities are no JSON")


# An object is a tuple of pairs and an array a list, so that the two, and members of one name, can be told.
DECODER = json.JSONDecoder(object_pairs_hook=tuple, parse_int=str, parse_float=str, parse_constant=_no_constant)


def members_of(text: str) -> Iterator[Member]:
    """Where the members of an object stand in its text, which is known to be one."""
    position = _after(text, 0, "{")
    while text[position] != "}":
        name, position = DECODER.raw_decode(text, position)
        start = _after(text, position, ":")
        _, end = DECODER.raw_decode(text, start)
        yield Member(name, start, end)
        position = _after(text, end, ",")


def _after(text: str, position: int, mark: str) -> int:
    """The next place with a character to read: behind blanks, a mark if it stands there, and blanks again."""
    rest = SEPARATION[mark].match(text, position)
    return position if rest is None else rest.end()


SEPARATION = {mark: re.compile(rf"[ \t\r\n]*{re.escape(mark)}?[ \t\r\n]*") for mark in "{:,"}


def _found(name: str, keys: Sequence[str], sample: Sequence[JsonLine], sought: Sought) -> Found:
    header = RawRecord(1, "", tuple(keys), "")
    rows = [RawRecord(line.line, "", tuple(map(line.cell, keys)), "") for line in sample]
    finders = [
        ColumnFinder(name, column.channel, sought.country, header, rows, True, column.hash_digits, column.option)
        for column in sought.addresses
    ]
    addresses = [
        finder.address_column(column.named)[0] for finder, column in zip(finders, sought.addresses, strict=True)
    ]
    named = [("--class-column", sought.class_column), ("--audience-column", sought.audience_column)]
    others = (
        None if key is None else named_column(name, 1, option, key, keys, len(keys), has_names=True)
        for option, key in named
    )
    return Found(tuple(addresses), *others).with_headings(keys)


def _to_blank(line: JsonLine, columns: Sequence[Column]) -> Sequence[Member]:
    """Members from the last to the first, so that places before them stay right."""
    names = {column.heading for column in columns}
    return [member for member in members_of(line.text) if member.name in names][::-1] if names else ()


def _batches(lines: Iterator[JsonLine]) -> Iterator[JsonBatch]:
    batch: list[JsonLine] = []
    characters = 0
    for line in lines:
        batch.append(line)
        characters += len(line.text)
        if len(batch) == BATCH_ROWS or characters >= BATCH_BYTES:
            yield JsonBatch(batch)
            batch, characters = [], 0
    if batch:
        yield JsonBatch(batch)


def _counted(chunk: bytes, watch: Callable[[bytes], object]) -> int:
    watch(chunk)
    return len(chunk)
