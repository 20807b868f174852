"""One store copied into another, of the same kind or not: resumable, and in use only when it is shown to be the same.

Each end shows its content as rows without numbers of its own, and takes such rows. Bodies, texts' numbers and MACs of
events travel as they are, so that the ledger's heads stay the same; every other seal is made anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import Any, Protocol

from prefcenter.domain.errors import StoreError
from prefcenter.domain.ledger import PARTITIONS, Head
from prefcenter.security.seals import framed
from prefcenter.services.ports import ApiKey

ROWS_A_WRITE = 2_000

TERMS = "terms"
"""Number and text."""

POLICIES = "policies"
"""The document in force."""

IMPORTS = "imports"
"""Fingerprint and the time it was begun."""

RECORDS = "records"
"""Place in the order of writing, from 1 on; kind, key, rules and digest; version and state."""

EVENTS = "events"
"""Partition and position; kind, key, rules and digest; version, key, salt (none: erased), body and MAC."""

SEALED = "sealed"
"""Kind, key, rules and digest of the record that it stands beside; content."""

RECEIPTS = "receipts"
"""Name, input, result, time."""

SENDS = "sends"
"""Number of the purpose, digest and campaign; kind, key and rules; time."""

LETTERS = "letters"
"""Number; kind, key, rules and digest of whom it goes to; times it was queued and is due (none: it is over), attempts,
content."""

TABLES = (TERMS, POLICIES, IMPORTS, RECORDS, EVENTS, SEALED, RECEIPTS, SENDS, LETTERS)
"""In the order that they are copied in: what others name comes before them."""

Row = Sequence[Any]


class Source(Protocol):
    """What is copied. Every method raises StoreError where something cannot be read or was altered."""

    def keys(self) -> Sequence[int]:
        """The keys that wrote here."""

    def api_keys(self) -> Sequence[ApiKey]:
        """All API keys."""

    def controllers(self) -> Sequence[str]:
        """The controllers, in the order that they came in."""

    def heads(self, controller: str) -> tuple[Head, ...]:
        """The last event of each partition."""

    def count_records(self, controller: str) -> int:
        """How many records there are."""

    def rows(self, controller: str, table: str, after: Row) -> Iterator[Row]:
        """The rows, in order. Of records those after a place, of events those after a position in each partition."""


class Target(Source, Protocol):
    """What is copied into: a store that is empty, or one that an earlier copy began."""

    def begin(self) -> None:
        """Mark the store as not finished. Raises StoreError where something else stands in it."""

    def take_keys(self, keys: Sequence[int], api_keys: Sequence[ApiKey]) -> None:
        """Keep what belongs to no controller."""

    def add(self, controller: str) -> None:
        """Make a controller, unless it is there."""

    def take(self, controller: str, table: str, rows: Sequence[Row]) -> None:
        """Keep rows. Those that are kept already may come again, save those of records and events."""

    def close_ledger(self, controller: str, heads: Sequence[Head]) -> None:
        """Keep the heads of a ledger whose events are all here."""

    def finish(self) -> None:
        """Take the mark away."""


@dataclass(frozen=True, slots=True)
class Copied:
    """How many rows of each table a controller has, in both stores."""

    controller: str
    rows: Mapping[str, int]


def copy_store(source: Source, target: Target) -> Sequence[Copied]:
    """Copy everything, compare, and put the copy in use. Raises StoreError where the two differ in the end.

    Nothing may write to the source meanwhile; where something did, the two differ.
    """
    target.begin()
    target.take_keys(source.keys(), source.api_keys())
    for controller in source.controllers():
        target.add(controller)
        for table in TABLES:
            _copy_table(source, target, controller, table)
        target.close_ledger(controller, source.heads(controller))
    copied = _compare(source, target)
    target.finish()
    return copied


def _copy_table(source: Source, target: Target, controller: str, table: str) -> None:
    rows = source.rows(controller, table, _reached(target, controller, table))
    for page in _pages(rows):
        target.take(controller, table, page)


def _reached(target: Target, controller: str, table: str) -> Row:
    """Where an earlier copy stopped."""
    if table == RECORDS:
        return [target.count_records(controller)]
    return [head.position for head in target.heads(controller)] if table == EVENTS else []


def _compare(source: Source, target: Target) -> Sequence[Copied]:
    if not set(source.keys()) <= set(target.keys()) or source.api_keys() != target.api_keys():
        raise _differ("keys")
    if source.controllers() != target.controllers():
        raise _differ("controllers")
    return [_compared(source, target, controller) for controller in source.controllers()]


def _compared(source: Source, target: Target, controller: str) -> Copied:
    heads = source.heads(controller)
    if heads != target.heads(controller):
        raise _differ(f"{controller}: heads of the ledger")
    counts: Counter[str] = Counter()
    lasts = [Head()] * PARTITIONS
    for table in TABLES:
        ours, theirs = (store.rows(controller, table, _START[table]) for store in (source, target))
        count, total = _sum_of(_noting(ours, lasts) if table == EVENTS else ours)
        if (count, total) != _sum_of(theirs):
            raise _differ(f"{controller}: {table}")
        counts[table] = count
    if tuple(lasts) != heads:
        raise _differ(f"{controller}: the last events are not those that the ledger's heads name")
    return Copied(controller, dict(counts))


def _noting(events: Iterable[Row], lasts: list[Head]) -> Iterator[Row]:
    """The events, noting the last of each partition."""
    for event in events:
        lasts[event[0]] = Head(event[1], event[-1])
        yield event


_START: Mapping[str, Row] = {**dict.fromkeys(TABLES, ()), RECORDS: (0,), EVENTS: (0,) * PARTITIONS}


def _differ(what: str) -> StoreError:
    return StoreError(
        f"the copy is not the same as its source ({what}) and stays out of use; stop what writes to the source, empty"
        " the target, and copy again"
    )


def _sum_of(rows: Iterable[Row]) -> tuple[int, int]:
    """Count and sum of the rows' hashes, which does not depend on their order."""
    count = total = 0
    for row in rows:
        fields = [b"" if field is None else field for field in row]
        total += int.from_bytes(sha256(framed(*fields)).digest(), "big")
        count += 1
    return count, total


def _pages(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while page := list(islice(rows, ROWS_A_WRITE)):
        yield page
