"""How records, events and the rest are documents: their ids, and how each is read back.

An id that begins with a digest spreads evenly over any number of shards and needs no index of its own.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from prefcenter.domain.digest import Digest, DigestKind
from prefcenter.storage.chain import EventRow

Document = Mapping[str, Any]
T = TypeVar("T")

_CONTROLLER = struct.Struct(">I")
_PLACE = struct.Struct(">IBQ")
_TERM = struct.Struct(">II")


def plain(value: Any) -> Any:
    """A value as Python itself has it: the driver gives long numbers in a type of its own, which nothing else knows."""
    return int(value) if isinstance(value, int) else value


def owned_id(value: bytes, controller_id: int) -> bytes:
    """Digest, name or fingerprint, and then the controller's number in 4 bytes."""
    return value + _CONTROLLER.pack(controller_id)


def event_id(controller_id: int, partition: int, position: int) -> bytes:
    """Controller, partition and position in 13 bytes, which sort as these do."""
    return _PLACE.pack(controller_id, partition, position)


def place_of(its_id: bytes) -> tuple[int, int, int]:
    """Controller, partition and position of an event's id. Raises struct.error for an altered one."""
    return _PLACE.unpack(its_id)


def term_id(controller_id: int, number: int) -> bytes:
    return _TERM.pack(controller_id, number)


def send_id(controller_id: int, purpose: int, subject: bytes, campaign: bytes) -> bytes:
    """Digest, controller, purpose and campaign, which sort as digest and campaign do within a purpose."""
    return subject + _TERM.pack(controller_id, purpose) + campaign


def subject_fields(subject: Digest) -> dict[str, Any]:
    """The fields of a subject beside its digest."""
    return {"kind": int(subject.kind), "digest_key": subject.key, "rules": subject.rules}


def subject_of(document: Document, value: bytes) -> Digest:
    """The subject of a document. Raises ValueError or KeyError for an altered one."""
    return Digest(DigestKind(document["kind"]), int(document["digest_key"]), int(document["rules"]), value)


def event_row(document: Document, subject: Digest, position: int) -> EventRow:
    """The row of the chain that a document is."""
    return EventRow(
        position,
        subject,
        int(document["version"]),
        int(document["key"]),
        document["salt"],
        document["body"],
        document["mac"],
    )


def in_chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items in order, at most `size` at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
