"""Cutting a block of newline-delimited JSON by compiled code: where each line stands, and the wanted members' values.

The grammar is that of RFC 8259, as `jobs.lists.ndjson` reads it, which the suite holds this against. A line that is not
surely one object whose members have different names, told without unescaping, is left to that reader.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jobs.lists.ndjson import DECODER, text_of_value
from jobs.scrub.fast.cells import Numbers, Octets
from jobs.scrub.fast.records import ABSENT, BARE, EMPTY, QUOTED, WOVEN, Records
from prefcenter.security.compiled import compiled
from prefcenter.security.vector_digests import Forms

QUOTE, BACKSLASH, COMMA, COLON, NEWLINE, RETURN, SPACE, TAB = b'"\\,:\n\r \t'
BRACE, CLOSING_BRACE, BRACKET, CLOSING_BRACKET = b"{}[]"
MINUS, PLUS, DOT, ZERO, NINE, SMALL_E, LARGE_E, SMALL_U = b"-+.09eEu"
FIRST_PRINTABLE = 32
HEX_DIGITS_OF_AN_ESCAPE = 4
MOST_MEMBERS = 64
MOST_NESTED = 64
ODD = -1
"""Stands for the place after something that is left to the lists' reader."""

WORDS = np.frombuffer(b"nulltruefalse", np.uint8)
WORD_ENDS = (0, 4, 8, 13)
IS_ESCAPE = np.isin(np.arange(256), list(b'"\\/bfnrt'))
IS_HEX_DIGIT = np.isin(np.arange(256), list(b"0123456789abcdefABCDEF"))


class _Wanted(NamedTuple):
    """The names of the wanted members, and where their values are put down, a row for each name."""

    names: Octets
    name_ends: Numbers
    starts: Numbers
    stops: Numbers
    written: Octets


class _Scratch(NamedTuple):
    """Room for the names of one line's members and for the arrays and objects that are open in it."""

    names: Numbers
    nested: Octets


def split_lines(octets: Octets, names: Sequence[str], *, is_last: bool) -> Records:
    """Cut a block that begins with a line; lines that hold nothing are passed over.

    `names` are the wanted members, each once; `is_last`: nothing comes after the block. `widths` tells how many members
    a line has, and `ODD` of those that are left to the lists' reader.
    """
    most = int(np.count_nonzero(octets == NEWLINE)) + 1
    begins, ends, text_ends, widths = (np.empty(most, np.int64) for _ in range(4))
    starts, stops = (np.empty((len(names), most), np.int64) for _ in range(2))
    written = np.empty((len(names), most), np.uint8)
    forms = Forms.of([name.encode("utf-8", "surrogatepass") for name in names])
    wanted = _Wanted(forms.octets, forms.offsets, starts, stops, written)
    count, used = _split(octets, is_last, wanted, _scratch(), begins, ends, text_ends, widths)
    return Records(
        octets, used, begins[:count], ends[:count], text_ends[:count], widths[:count], starts[:, :count],
        stops[:, :count], written[:, :count], text_of_json,
    )  # fmt: skip


def text_of_json(value: bytes) -> bytes:
    """The text of a value, as a cell is read."""
    return text_of_value(DECODER.decode(value.decode())).encode("utf-8", "surrogatepass")


def _scratch() -> _Scratch:
    return _Scratch(np.empty((MOST_MEMBERS, 2), np.int64), np.empty(MOST_NESTED, np.uint8))


@compiled
def _split(
    octets: Octets, is_last: bool, wanted: _Wanted, scratch: _Scratch, begins: Numbers, ends: Numbers,
    text_ends: Numbers, widths: Numbers,
) -> tuple[int, int]:  # fmt: skip
    count, used, size = 0, 0, octets.size
    while used < size:
        end = used
        while end < size and octets[end] != NEWLINE:
            end += 1
        if end == size and not is_last:
            break
        after = min(end + 1, size)
        place = _after_blanks(octets, used, after)
        if place < after:
            begins[count], ends[count] = used, after
            for column in range(wanted.written.shape[0]):
                wanted.starts[column, count] = wanted.stops[column, count] = used
                wanted.written[column, count] = ABSENT
            widths[count], text_ends[count] = _members(octets, place, after, count, wanted, scratch)
            count += 1
        used = after
    return count, used


@compiled
def _members(octets: Octets, place: int, end: int, row: int, wanted: _Wanted, scratch: _Scratch) -> tuple[int, int]:
    """How many members the object has that begins at a place, and where it is closed; nothing may come after it."""
    count = 0
    if octets[place] != BRACE:
        return ODD, place
    place = _after_blanks(octets, place + 1, end)
    while place < end and (count > 0 or octets[place] != CLOSING_BRACE):
        start = place + 1
        after, is_plain = _after_string(octets, place, end)
        if not is_plain or count == MOST_MEMBERS or _is_repeated(octets, start, after - 1, scratch.names[:count]):
            return ODD, place
        scratch.names[count, 0], scratch.names[count, 1] = start, after - 1
        count += 1
        column = _column_of(octets, start, after - 1, wanted.names, wanted.name_ends)
        place = _after_blanks(octets, after, end)
        if place == end or octets[place] != COLON:
            return ODD, place
        place = _after_blanks(octets, place + 1, end)
        after, how = _after_value(octets, place, end, scratch.nested)
        if after == ODD:
            return ODD, place
        if column >= 0:
            wanted.starts[column, row], wanted.stops[column, row], wanted.written[column, row] = place, after, how
        place = _after_blanks(octets, after, end)
        if place == end or octets[place] != COMMA:
            break
        place = _after_blanks(octets, place + 1, end)
    if place == end or octets[place] != CLOSING_BRACE or _after_blanks(octets, place + 1, end) < end:
        return ODD, place
    return count, place


@compiled
def _after_blanks(octets: Octets, place: int, end: int) -> int:
    while place < end:
        octet = octets[place]
        if octet != SPACE and octet != NEWLINE and octet != RETURN and octet != TAB:
            break
        place += 1
    return place


@compiled
def _is_repeated(octets: Octets, start: int, end: int, names: Numbers) -> bool:
    for number in range(names.shape[0]):
        if names[number, 1] - names[number, 0] == end - start and _is_at(
            octets, names[number, 0], names[number, 1], octets, start
        ):
            return True
    return False


@compiled
def _column_of(octets: Octets, start: int, end: int, names: Octets, name_ends: Numbers) -> int:
    for column in range(name_ends.size - 1):
        first, last = name_ends[column], name_ends[column + 1]
        if last - first == end - start and _is_at(names, first, last, octets, start):
            return column
    return -1


@compiled
def _is_at(word: Octets, first: int, last: int, octets: Octets, place: int) -> bool:
    for source in range(first, last):
        if word[source] != octets[place]:
            return False
        place += 1
    return True


@compiled
def _after_value(octets: Octets, place: int, end: int, nested: Octets) -> tuple[int, int]:
    """The place after a value, and how it is written as a cell."""
    if place == end:
        return ODD, WOVEN
    if octets[place] == QUOTE:
        after, is_plain = _after_string(octets, place, end)
        return after, QUOTED if is_plain else WOVEN
    if octets[place] == BRACE or octets[place] == BRACKET:
        return _after_nested(octets, place, end, nested), WOVEN
    return _after_scalar(octets, place, end)


@compiled
def _after_nested(octets: Octets, place: int, end: int, nested: Octets) -> int:
    """The place after an array or object; what closes those that are open in it is kept in `nested`."""
    depth = 0
    while True:
        is_opened = False
        if place < end and (octets[place] == BRACE or octets[place] == BRACKET):
            if depth == nested.size:
                return ODD
            nested[depth] = CLOSING_BRACE if octets[place] == BRACE else CLOSING_BRACKET
            depth += 1
            place = _after_blanks(octets, place + 1, end)
            is_opened = place < end and octets[place] != nested[depth - 1]
        else:
            place = _after_leaf(octets, place, end)
        if not is_opened and place != ODD:
            place, depth = _after_closing(octets, place, end, nested, depth)
        if place == ODD or depth == 0:
            return place
        if nested[depth - 1] == CLOSING_BRACE:
            place = _after_name(octets, place, end)


@compiled
def _after_closing(octets: Octets, place: int, end: int, nested: Octets, depth: int) -> tuple[int, int]:
    """The place where the next value or name is due, and how many parts are open then; none: all came to their end."""
    while True:
        place = _after_blanks(octets, place, end)
        if place == end:
            return ODD, depth
        if octets[place] == COMMA:
            return _after_blanks(octets, place + 1, end), depth
        if octets[place] != nested[depth - 1]:
            return ODD, depth
        place += 1
        depth -= 1
        if depth == 0:
            return place, depth


@compiled
def _after_name(octets: Octets, place: int, end: int) -> int:
    """The place of the value whose name begins at a place."""
    if place == end or octets[place] != QUOTE:
        return ODD
    place, _ = _after_string(octets, place, end)
    if place == ODD:
        return ODD
    place = _after_blanks(octets, place, end)
    if place == end or octets[place] != COLON:
        return ODD
    return _after_blanks(octets, place + 1, end)


@compiled
def _after_leaf(octets: Octets, place: int, end: int) -> int:
    if place < end and octets[place] == QUOTE:
        return _after_string(octets, place, end)[0]
    return _after_scalar(octets, place, end)[0]


@compiled
def _after_string(octets: Octets, place: int, end: int) -> tuple[int, bool]:
    """The place after a string, and whether it is plain: without escapes."""
    is_plain = True
    if octets[place] != QUOTE:
        return ODD, False
    place += 1
    while place < end and octets[place] >= FIRST_PRINTABLE:
        octet = octets[place]
        place += 1
        if octet == QUOTE:
            return place, is_plain
        if octet == BACKSLASH:
            is_plain = False
            place = _after_escape(octets, place, end)
            if place == ODD:
                return ODD, False
    return ODD, False


@compiled
def _after_escape(octets: Octets, place: int, end: int) -> int:
    if place == end:
        return ODD
    if octets[place] != SMALL_U:
        return place + 1 if IS_ESCAPE[octets[place]] else ODD
    if place + HEX_DIGITS_OF_AN_ESCAPE >= end:
        return ODD
    for digit in range(1, 1 + HEX_DIGITS_OF_AN_ESCAPE):
        if not IS_HEX_DIGIT[octets[place + digit]]:
            return ODD
    return place + 1 + HEX_DIGITS_OF_AN_ESCAPE


@compiled
def _after_scalar(octets: Octets, place: int, end: int) -> tuple[int, int]:
    """The place after a number or a word, and how it is written as a cell."""
    if place == end:
        return ODD, WOVEN
    octet = octets[place]
    if octet == MINUS or ZERO <= octet <= NINE:
        return _after_number(octets, place, end), BARE
    for word in range(len(WORD_ENDS) - 1):
        first, last = WORD_ENDS[word], WORD_ENDS[word + 1]
        if place + last - first <= end and _is_at(WORDS, first, last, octets, place):
            return place + last - first, EMPTY if word == 0 else WOVEN
    return ODD, WOVEN


@compiled
def _after_number(octets: Octets, place: int, end: int) -> int:
    if octets[place] == MINUS:
        place += 1
    if place < end and octets[place] == ZERO:
        place += 1
    else:
        place = _after_digits(octets, place, end)
    if place != ODD and place < end and octets[place] == DOT:
        place = _after_digits(octets, place + 1, end)
    if place != ODD and place < end and (octets[place] == SMALL_E or octets[place] == LARGE_E):
        place += 1
        if place < end and (octets[place] == MINUS or octets[place] == PLUS):
            place += 1
        place = _after_digits(octets, place, end)
    return place


@compiled
def _after_digits(octets: Octets, place: int, end: int) -> int:
    """The place after at least one digit."""
    start = place
    while place < end and ZERO <= octets[place] <= NINE:
        place += 1
    return place if place > start else ODD
