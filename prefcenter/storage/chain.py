"""The MAC chain of a ledger partition: how a link is made, and how a whole chain is checked."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prefcenter.domain.digest import DIGEST_BYTES, Digest, Digests
from prefcenter.domain.ledger import PARTITIONS, Head, partition_of
from prefcenter.security.seals import MAC_BYTES, SALT_BYTES, Sealer, content_offsets, framed, salted_hash

if TYPE_CHECKING:
    from prefcenter.security.vector_seals import Message


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
EVENT = "event"
"""The label of the MACs of events."""


def link(sealer: Sealer, key: int, partition: int, row: EventRow, previous: bytes) -> bytes:
    """The MAC of an event over position, subject, version, previous MAC and salted hash of the body."""
    subject = row.subject
    place = _PLACE.pack(partition, row.position, subject.kind, subject.key, subject.rules, row.version)
    return sealer.seal(key, EVENT, place, subject.value, previous, row.body_hash)


@dataclass(frozen=True, slots=True)
class Links:
    """How one event of many subjects is chained: salts and MACs in a row, and the place of each.

    A place is the position in the partition times the number of partitions, and the partition. `heads` are the last
    events of all partitions after that.
    """

    places: list[int]
    salts: bytes
    macs: bytes
    heads: Sequence[Head]


def links(
    sealer: Sealer, subjects: Digests, version: int, bodies: Sequence[bytes], heads: Sequence[Head], salts: bytes
) -> Links:
    """Chain an event of each of many subjects, in their order, each with a salt of its own.

    Each has a body, all of one length; or all have the one that is there.
    """
    from prefcenter.security.libcrypto import register_functions

    if not register_functions():
        return links_one_by_one(sealer, subjects, version, bodies, heads, salts)
    from prefcenter.security.vector_seals import chained, chains_of

    key, values = sealer.active_key_id, b"".join(subjects.values)
    chains = chains_of([(head.position, head.mac) for head in heads])
    first, later = _message(subjects, version, b""), _message(subjects, version, bytes(MAC_BYTES))
    positions, macs = chained(sealer.vector_key(key), first, later, chains, values, salts, bodies)
    numbers = [partition_of(value) for value in subjects.values]
    places = [position * PARTITIONS + number for position, number in zip(positions.tolist(), numbers, strict=True)]
    ends = zip(chains.positions.tolist(), chains.macs, strict=True)
    moved = [Head(position, mac.tobytes()) if position else Head() for position, mac in ends]
    return Links(places, salts, macs.tobytes(), moved)


def links_one_by_one(
    sealer: Sealer, subjects: Digests, version: int, bodies: Sequence[bytes], heads: Sequence[Head], salts: bytes
) -> Links:
    """The same by Python's `hmac`, for a machine without a libcrypto that can be called."""
    key, ends, places, macs = sealer.active_key_id, list(heads), [], []
    for index, subject in enumerate(subjects):
        number, salt = partition_of(subject.value), salts[SALT_BYTES * index : SALT_BYTES * (index + 1)]
        body = bodies[index % len(bodies)]
        row = EventRow(ends[number].position + 1, subject, version, key, salt, body, b"")
        ends[number] = Head(row.position, link(sealer, key, number, row, ends[number].mac))
        places.append(row.position * PARTITIONS + number)
        macs.append(ends[number].mac)
    return Links(places, salts, b"".join(macs), ends)


def _message(subjects: Digests, version: int, previous: bytes) -> Message:
    """What `link` seals, with nothing yet where partition, position, digest, previous MAC and salted hash stand."""
    from prefcenter.security.vector_seals import message_of

    place = _PLACE.pack(0, 0, subjects.kind, subjects.key, subjects.rules, version)
    fields = (EVENT, place, bytes(DIGEST_BYTES), previous, bytes(MAC_BYTES))
    _, at_place, at_value, at_previous, at_hash = content_offsets(*fields)
    at_partition, at_position = at_place, at_place + 8
    return message_of(framed(*fields), at_partition, at_position, at_value, at_previous if previous else -1, at_hash)


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
