"""Plain email addresses of a column: which cells hold one, and their exact and mailbox forms, by compiled code.

What is plain is said in `prefcenter.domain.address.plain`, what follows in `prefcenter.domain.address.providers`; the
suite holds this against both. A cell that is not surely plain is left to the parser.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np

from jobs.scrub.fast.alias_tables import HASH_FACTOR, HASH_START, NOWHERE, AliasTables, Flags, alias_tables
from jobs.scrub.fast.cells import Cells, Numbers, Octets
from prefcenter.domain.address.plain import MAX_PLAIN_CHARACTERS, SPECIAL_USE_LABELS
from prefcenter.domain.digest import DigestKind
from prefcenter.security.compiled import compiled, inlined
from prefcenter.security.vector_digests import Forms

MOST_ADDED_OCTETS = 64
SPACE, DOT, AT, PLUS, HYPHEN = b" .@+-"
CASE_BIT = 32
MARKS = "_!#$%&'*+/=?^{|}~`"
_EXACT, _MAILBOX, _DOMAIN = int(DigestKind.EXACT), int(DigestKind.MAILBOX), int(DigestKind.DOMAIN)

OTHER, LETTER, DIGIT, DASH, ATEXT, PERIOD, AT_SIGN = range(7)
"""Classes of characters."""

CLASSES = 7
_ALNUM = (LETTER, DIGIT)
_BEFORE_IN_LOCAL = dict.fromkeys((*_ALNUM, DASH, ATEXT), (*_ALNUM, DASH, ATEXT, PERIOD)) | {
    PERIOD: (*_ALNUM, DASH, ATEXT)
}
_BEFORE_IN_DOMAIN = dict.fromkeys(_ALNUM, (*_ALNUM, DASH, PERIOD)) | dict.fromkeys((DASH, PERIOD), _ALNUM)
"""What may stand before a character of a class; either part begins as if after a period."""


def _refused(before_in: Mapping[int, Sequence[int]]) -> Octets:
    """Whether one class may not follow another, by `CLASSES * before + read`."""
    pairs = product(range(CLASSES), repeat=2)
    return np.array([before not in before_in.get(read, ()) for before, read in pairs], np.uint8)


_UNREAD, _PLAIN, _BLANK = range(3)


@dataclass(frozen=True, slots=True)
class PlainEmails:
    """The plain addresses of a column. Forms begin with the byte of their kind.

    `rows`: the cell of each. `others`: the cells that the parser has to read, among them the few plain ones whose
    mailbox is no plain address any more; what is said of those here counts for nothing. `blanks`: cells of nothing but
    spaces. `ats` is where the `@` of each exact form stands; `mailboxes` and `is_free` are by rules version.
    """

    rows: Numbers
    others: Numbers
    blanks: Numbers
    exacts: Forms
    ats: Numbers
    mailboxes: dict[int, Forms]
    is_free: dict[int, Flags]

    def domains(self) -> Cells:
        """The domains of the addresses."""
        return Cells(self.exacts.octets, self.ats + 1, self.exacts.offsets[1:])


def read_plain(cells: Cells, rules_versions: tuple[int, ...]) -> PlainEmails:
    """Tell the plain addresses of a column from all else."""
    count = len(cells)
    room = int(np.minimum(cells.ends - cells.starts, MAX_PLAIN_CHARACTERS).sum()) + count
    octets, offsets = np.empty(room, np.uint8), np.zeros(count + 1, np.int64)
    rows, ats, state = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.uint8)
    found = _exacts(cells.octets, cells.starts, cells.ends, _syntax(), octets, offsets, rows, ats, state)
    rows, ats, exacts = rows[:found], ats[:found], Forms(octets[: offsets[found]], offsets[: found + 1])
    mailboxes, is_free = dict[int, Forms](), dict[int, Flags]()
    for rules in rules_versions:
        mailboxes[rules], is_free[rules] = _mailboxes_of(exacts, ats, alias_tables(rules))
        state[rows[np.diff(mailboxes[rules].offsets) == 1]] = _UNREAD
    others, blanks = np.flatnonzero(state == _UNREAD), np.flatnonzero(state == _BLANK)
    return PlainEmails(rows, others, blanks, exacts, ats, mailboxes, is_free)


def parent_forms(domains: Cells) -> tuple[Forms, Numbers]:
    """The form of each domain and of its parents of two labels or more, and the domain that each form is of."""
    sizes = domains.ends - domains.starts
    most = int(_count_of_dots(domains.octets, domains.starts, domains.ends))
    octets = np.empty(int((sizes + 1).max(initial=0)) * most, np.uint8)
    offsets, owners = np.zeros(most + 1, np.int64), np.empty(most, np.int64)
    count = _parents(domains.octets, domains.starts, domains.ends, octets, offsets, owners)
    return Forms(octets[: offsets[count]], offsets[: count + 1]), owners[:count]


def differing_rows(forms: Forms, others: Forms) -> Numbers:
    """The forms that differ from the other one of the same address, kinds apart."""
    differ = np.empty(len(forms), np.bool_)
    _tell_differing(forms.octets, forms.offsets, others.octets, others.offsets, differ)
    return np.flatnonzero(differ)


class _Syntax(NamedTuple):
    """The syntax of plain addresses: the class of each byte, its lower case, refused neighbours and last labels."""

    classes: Octets
    lowered: Octets
    refused_in_local: Octets
    refused_in_domain: Octets
    labels: Octets
    label_ends: Numbers


@cache
def _syntax() -> _Syntax:
    labels = Forms.of([label.encode("ascii") for label in sorted(SPECIAL_USE_LABELS)])
    classes = np.array([_class_of(chr(octet)) for octet in range(256)], np.uint8)
    lowered = np.arange(256, dtype=np.uint8) | np.where(classes == LETTER, CASE_BIT, 0).astype(np.uint8)
    in_local, in_domain = _refused(_BEFORE_IN_LOCAL), _refused(_BEFORE_IN_DOMAIN)
    return _Syntax(classes, lowered, in_local, in_domain, labels.octets, labels.offsets)


def _class_of(character: str) -> int:
    if not character.isascii():
        return OTHER
    if character.isalpha():
        return LETTER
    if character.isdigit():
        return DIGIT
    return {"-": DASH, ".": PERIOD, "@": AT_SIGN}.get(character, ATEXT if character in MARKS else OTHER)


def _mailboxes_of(exacts: Forms, ats: Numbers, tables: AliasTables) -> tuple[Forms, Flags]:
    """The mailbox forms, only the kind byte where one would be no plain address, and which domains are free mail."""
    octets = np.empty(len(exacts.octets) + len(exacts) * MOST_ADDED_OCTETS, np.uint8)
    offsets, is_free = np.zeros(len(exacts) + 1, np.int64), np.empty(len(exacts), np.bool_)
    _mailboxes(exacts.octets, exacts.offsets, ats, tables, octets, offsets, is_free)
    return Forms(octets[: offsets[-1]], offsets), is_free


@compiled
def _exacts(
    octets: Octets, starts: Numbers, ends: Numbers, syntax: _Syntax, out: Octets, offsets: Numbers, rows: Numbers,
    ats: Numbers, state: Octets,
) -> int:  # fmt: skip
    count, place = 0, 0
    for row in range(starts.size):
        start, end = starts[row], ends[row]
        while start < end and octets[start] == SPACE:
            start += 1
        while start < end and octets[end - 1] == SPACE:
            end -= 1
        state[row] = _BLANK if start == end else _UNREAD
        if not 0 < end - start <= MAX_PLAIN_CHARACTERS:
            continue
        out[place] = _EXACT
        at = _exact(octets, start, end, syntax, out, place + 1)
        if at < 0:
            continue
        place += 1 + end - start
        state[row], rows[count], ats[count] = _PLAIN, row, at
        count += 1
        offsets[count] = place
    return count


@inlined
def _exact(octets: Octets, start: int, end: int, syntax: _Syntax, out: Octets, place: int) -> int:
    """Copy an address in lower case and give the place of its `@`; -1 where it is not plain.

    Only neighbours are compared, so that no character has to wait for what came of the one before.
    """
    moved, source, last = np.uint64(place) - np.uint64(start), np.uint64(start), np.uint64(end)
    before, refused = np.uint64(PERIOD), np.uint8(0)
    while source < last:
        read = np.uint64(syntax.classes[octets[source]])
        out[moved + source] = syntax.lowered[octets[source]]
        if read == AT_SIGN:
            break
        refused |= syntax.refused_in_local[np.uint64(CLASSES) * before + read]
        before = read
        source += np.uint64(1)
    if refused or before == PERIOD:
        return -1
    at = dot = mixed = source
    before = np.uint64(PERIOD)
    source += np.uint64(1)
    while source < last:
        read = np.uint64(syntax.classes[octets[source]])
        out[moved + source] = syntax.lowered[octets[source]]
        refused |= syntax.refused_in_domain[np.uint64(CLASSES) * before + read]
        dot = source if read == PERIOD else dot
        mixed = source if read in (DIGIT, DASH) else mixed
        before = read
        source += np.uint64(1)
    if refused or before != LETTER or dot == at or mixed > dot:
        return -1
    label, behind = int(np.int64(moved + dot)) + 1, int(np.int64(moved + last))
    return -1 if _is_special(out, label, behind, syntax.labels, syntax.label_ends) else int(np.int64(moved + at))


@inlined
def _is_special(octets: Octets, start: int, end: int, labels: Octets, label_ends: Numbers) -> bool:
    for number in range(label_ends.size - 1):
        first = label_ends[number]
        if label_ends[number + 1] - first == end - start:
            place = 0
            while place < end - start and octets[start + place] == labels[first + place]:
                place += 1
            if place == end - start:
                return True
    return False


@compiled
def _mailboxes(
    exacts: Octets, ends: Numbers, ats: Numbers, tables: AliasTables, out: Octets, offsets: Numbers, is_free: Flags
) -> None:
    place = 0
    for index in range(ats.size):
        local, at, end = ends[index] + 1, ats[index], ends[index + 1]
        domain, known, host_at, host, free = _read_domain(exacts, at + 1, end, tables)
        is_free[index] = free
        if host != NOWHERE and tables.has_user_subdomain[tables.provider[host]]:
            local, at, domain, known = domain, host_at - 1, host_at, host
        provider = 0 if known == NOWHERE else tables.provider[known]
        out[place] = _MAILBOX
        begin = place = place + 1
        size = at - local if provider else _without_tag(exacts, local, at - local, PLUS)
        if not provider and size == at - local:
            # Most addresses are at no provider with rules and have no tag: they are their own mailboxes.
            offsets[index + 1] = _copy(exacts, local, end, out, place)
            place = offsets[index + 1]
            continue
        _copy(exacts, local, local + size, out, begin)
        if provider:
            size = _local(out, begin, size, provider, tables)
        if size == at - local or _is_dot_atom(out, begin, size):
            out[begin + size] = AT
            place = begin + size + 1
            home = tables.mailbox_at[provider]
            if home == NOWHERE:
                place = _copy(exacts, domain, end, out, place)
            else:
                place = _copy(tables.names, tables.ends[home], tables.ends[home + 1], out, place)
        offsets[index + 1] = place


@compiled
def _copy(octets: Octets, start: int, end: int, out: Octets, place: int) -> int:
    """Numba compiles an assignment of slices for seconds; indexes without a sign need no second look."""
    source, target = np.uint64(start), np.uint64(place)
    for offset in range(np.uint64(max(0, end - start))):
        out[target + offset] = octets[source + offset]
    return place + end - start


@compiled
def _read_domain(octets: Octets, start: int, end: int, tables: AliasTables) -> tuple[int, int, int, int, bool]:
    """A domain and its number, where its nearest parent begins and that one's number, and whether it is free mail."""
    hashed, free = np.uint64(HASH_START), False
    known, host_at, host = NOWHERE, end, NOWHERE
    for place in range(end - 1, start - 1, -1):
        hashed = (hashed ^ np.uint64(octets[place])) * np.uint64(HASH_FACTOR)
        if place == start or octets[place - 1] == DOT:
            found = _number_of(octets, place, end, hashed, tables)
            free = free or (found != NOWHERE and tables.is_free[found])
            if place == start:
                known = found
            else:
                host_at, host = place, found
    return start, known, host_at, host, free


@compiled
def _number_of(octets: Octets, start: int, end: int, hashed: np.uint64, tables: AliasTables) -> int:
    last = tables.slots.size - 1
    slot = np.int64(hashed & np.uint64(last))
    while tables.slots[slot] != NOWHERE:
        number = tables.slots[slot]
        first = tables.ends[number]
        if tables.ends[number + 1] - first == end - start:
            place = 0
            while place < end - start and octets[start + place] == tables.names[first + place]:
                place += 1
            if place == end - start:
                return int(number)
        slot = (slot + 1) & last
    return NOWHERE


@compiled
def _local(octets: Octets, start: int, size: int, provider: int, tables: AliasTables) -> int:
    """Apply a provider's rules to a local part until nothing changes; gives its size."""
    size = _local_once(octets, start, size, provider, tables)
    while True:
        again = _local_once(octets, start, size, provider, tables)
        if again == size:
            return size
        size = again


@compiled
def _local_once(octets: Octets, start: int, size: int, provider: int, tables: AliasTables) -> int:
    size = _without_tag(octets, start, size, PLUS)
    if tables.has_hyphen_tag[provider]:
        size = _without_tag(octets, start, size, HYPHEN)
    left = 0
    for place in range(size):
        left += not tables.ignored[provider, octets[start + place]]
    if left:
        kept = start
        for place in range(start, start + size):
            if not tables.ignored[provider, octets[place]]:
                octets[kept] = octets[place]
                kept += 1
        size = left
    for place in range(start, start + size):
        octets[place] = tables.swapped[provider, octets[place]]
    return size


@compiled
def _without_tag(octets: Octets, start: int, size: int, separator: int) -> int:
    for place in range(1, size):
        if octets[start + place] == separator:
            return place if octets[start] != separator else size
    return size


@compiled
def _is_dot_atom(octets: Octets, start: int, size: int) -> bool:
    if octets[start] == DOT or octets[start + size - 1] == DOT:
        return False
    doubled = 0
    for place in range(start, start + size - 1):
        doubled += octets[place] == DOT and octets[place + 1] == DOT
    return doubled == 0


@compiled
def _tell_differing(octets: Octets, ends: Numbers, others: Octets, other_ends: Numbers, differ: Flags) -> None:
    for index in range(differ.size):
        place, other = ends[index] + 1, other_ends[index] + 1
        differ[index] = ends[index + 1] - place != other_ends[index + 1] - other
        while not differ[index] and place < ends[index + 1]:
            differ[index] = octets[place] != others[other]
            place += 1
            other += 1


@compiled
def _count_of_dots(octets: Octets, starts: Numbers, ends: Numbers) -> int:
    count = 0
    for index in range(starts.size):
        for place in range(starts[index], ends[index]):
            count += octets[place] == DOT
    return count


@compiled
def _parents(octets: Octets, starts: Numbers, ends: Numbers, out: Octets, offsets: Numbers, owners: Numbers) -> int:
    count, place = 0, 0
    for index in range(starts.size):
        start, end = starts[index], ends[index]
        last_dot = end - 1
        while octets[last_dot] != DOT:
            last_dot -= 1
        for begin in range(start, last_dot):
            if begin == start or octets[begin - 1] == DOT:
                out[place] = _DOMAIN
                place = _copy(octets, begin, end, out, place + 1)
                owners[count] = index
                count += 1
                offsets[count] = place
    return count
