"""Stored records in columns: those that tell the same are decoded once a page."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeAlias

from prefcenter.domain.digest import Digest, DigestKind
from prefcenter.services.ports import RecordColumns
from prefcenter.storage.mapping import TermText, decode_record, told_by_state

StoredRecord: TypeAlias = tuple[int, int, int, bytes, int, bytes]
"""Kind, key, rules, digest, version, state."""


def in_columns(stored: Sequence[StoredRecord], text: TermText) -> RecordColumns:
    """A page of stored records in columns. Raises ValueError, KeyError, IndexError or TypeError for what is none."""
    numbers: dict[Hashable, int] = {}
    told: list[StoredRecord] = []
    like: list[int] = []
    for row in stored:
        kind, key, rules, _, _, state = row
        tells = kind, key, rules, told_by_state(state)
        number = numbers.get(tells)
        if number is None:
            number = numbers[tells] = len(told)
            told.append(row)
        like.append(number)
    records = [
        decode_record(Digest(DigestKind(kind), key, rules, value), version, state, text)
        for kind, key, rules, value, version, state in told
    ]
    return RecordColumns([row[3] for row in stored], like, records)
