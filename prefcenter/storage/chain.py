"""The MAC chain of a ledger partition: how a link is made, and how a whole chain is checked."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from prefcenter.domain.digest import Digest
from prefcenter.domain.ledger import Head, partition_of
from prefcenter.security.seals import Sealer, salted_hash


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event as it is stored. An erased one has no salt, and the salted hash in the place of its body."""

    position: int
    subject: Digest
    version: int
    key: int
    salt: bytes | None
    body: bytes
    mac: bytes

    @property
    def is_erased(self) -> bool:
        return self.salt is None

    @property
    def body_hash(self) -> bytes:
        return self.body if self.salt is None else salted_hash(self.salt, self.body)


_PLACE = struct.Struct(">6q")


def link(sealer: Sealer, key: int, partition: int, row: EventRow, previous: bytes) -> bytes:
    """The MAC of an event over position, subject, version, previous MAC and salted hash of the body."""
    subject = row.subject
    place = _PLACE.pack(partition, row.position, subject.kind, subject.key, subject.rules, row.version)
    return sealer.seal(key, "event", place, subject.value, previous, row.body_hash)


def chain_faults(sealer: Sealer, partition: int, rows: Iterable[EventRow], expected: Sequence[Head]) -> Iterator[str]:
    """Everything wrong with one partition's chain, and every expected head that does not lie on it."""
    awaited: dict[int, set[bytes]] = {}
    for head in expected:
        if head.position:
            awaited.setdefault(head.position, set()).add(head.mac)
    last = Head()
    for row in rows:
        yield from _row_faults(sealer, partition, row, last)
        if awaited.pop(row.position, {row.mac}) != {row.mac}:
            yield f"partition {partition}: event {row.position} is not the one that an earlier head signed"
        last = Head(row.position, row.mac)
    for position in sorted(awaited):
        yield (
            f"partition {partition}: cut off after event {last.position}, an earlier head signed event {position};"
            " events were deleted or an older copy of the store was put back"
        )


def _row_faults(sealer: Sealer, partition: int, row: EventRow, last: Head) -> Iterator[str]:
    if row.position != last.position + 1:
        yield f"partition {partition}: event {last.position + 1} is missing, {row.position} follows"
    if partition_of(row.subject.value) != partition:
        yield f"partition {partition}: event {row.position} belongs to another partition"
    try:
        is_ours = link(sealer, row.key, partition, row, last.mac) == row.mac
    except (KeyError, TypeError, OverflowError, struct.error):
        is_ours = False
    if not is_ours:
        yield f"partition {partition}: event {row.position} was altered, moved, or follows another event than it did"
