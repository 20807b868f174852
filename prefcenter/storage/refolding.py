"""Whether a stored record is what its events say: every record is folded anew from what erasure left."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prefcenter.domain.digest import Digest, DigestKind
from prefcenter.domain.events import Erased
from prefcenter.domain.record import Record, fold
from prefcenter.storage.mapping import decode_event, encode_record

FINDINGS_MAX = 100
"""More findings than this say no more than this many do."""

UNREADABLE = (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, RecursionError, struct.error)
"""What reading altered bytes may raise."""

StoredRecord = tuple[Any, Any, Any, Any, Any, Any]
"""Kind, key, rules, digest, version and state, each as it was found."""

StoredEvent = tuple[Any, Any, Any]
"""Version, salt and body, each as it was found; an erased event has no salt."""


def first_findings(findings: Iterable[str]) -> Iterator[str]:
    """As many findings as say something."""
    for number, finding in enumerate(findings):
        if number == FINDINGS_MAX:
            yield "and more"
            return
        yield finding


def stored_subject(kind: Any, key: Any, rules: Any, value: Any) -> Digest:
    """A subject as stored; a kind that never was, or a record that is gone, gives one that no MAC fits."""
    known = kind in DigestKind._value2member_map_
    return Digest(DigestKind(kind) if known else DigestKind.EXACT, key or 0, rules or 0, value or b"\0")


def is_fold_of_events(
    stored: StoredRecord, history: Iterable[StoredEvent], terms: Mapping[int, str], id_by_text: Mapping[str, int]
) -> bool:
    """Whether a record, as kind, key, rules, digest, version and state, is the fold of its events in their order."""
    kind, key, rules, value, version, state = stored
    try:
        record = _fold_left(Record(Digest(DigestKind(kind), key, rules, value)), history, terms)
        return bool(record.version == version and encode_record(record, id_by_text.__getitem__) == state)
    except UNREADABLE:
        return False


def _fold_left(record: Record, history: Iterable[StoredEvent], terms: Mapping[int, str]) -> Record:
    """The fold of what erasure left: erased bodies are skipped, an erasure has to follow them, and it took them all."""
    awaits_erasure = has_bodies = False
    for version, salt, body in history:
        if version != record.version + 1:
            raise ValueError("a version is missing")
        if salt is None:
            record, awaits_erasure = Record(record.subject, version), True
            continue
        event = decode_event(body, terms.__getitem__)
        if isinstance(event, Erased) and has_bodies:
            raise ValueError("bodies that an erasure took are back")
        awaits_erasure = awaits_erasure and not isinstance(event, Erased)
        has_bodies = True
        record = fold(record, event)
    if awaits_erasure:
        raise ValueError("bodies are gone without an erasure")
    return record
