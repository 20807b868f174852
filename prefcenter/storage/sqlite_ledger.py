"""Rows of records and events in a SQLite store: what their columns hold, and the queries that change them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from prefcenter.domain.digest import Digest
from prefcenter.domain.errors import VersionConflict
from prefcenter.domain.ledger import PARTITIONS, Head
from prefcenter.security.seals import salted_hash
from prefcenter.services.ports import Change

SUBJECTS_PER_QUERY = 30_000
"""Well below 32,766, which is how many parameters SQLite takes wherever it was not built to take more."""

UPSERT_RECORD = (
    "INSERT INTO records (id, controller, kind, key, rules, digest, version, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (id) DO UPDATE SET version = excluded.version, state = excluded.state"
)


def row_partition(controller_id: int, partition: int) -> int:
    return controller_id * PARTITIONS + partition


def subject_columns(subject: Digest) -> tuple[int, int, int, bytes]:
    return int(subject.kind), subject.key, subject.rules, subject.value


def last_head(connection: sqlite3.Connection, partition: int) -> Head:
    query = "SELECT position, mac FROM events WHERE partition = ? ORDER BY position DESC LIMIT 1"
    row = connection.execute(query, (partition,)).fetchone()
    return Head() if row is None else Head(*row)


def rows_of_digests(
    connection: sqlite3.Connection, query: str, arguments: Sequence[Any], subjects: Sequence[Digest]
) -> Iterator[Sequence[Any]]:
    """The rows of a query that ends in `digest IN`, for as many subjects as there are."""
    yield from rows_of_values(connection, query, arguments, {subject.value for subject in subjects})


def rows_of_values(
    connection: sqlite3.Connection, query: str, arguments: Sequence[Any], distinct: Iterable[bytes]
) -> Iterator[Sequence[Any]]:
    """The same by the values of the digests, each of them once."""
    values = list(distinct)
    for start in range(0, len(values), SUBJECTS_PER_QUERY):
        chunk = values[start : start + SUBJECTS_PER_QUERY]
        yield from connection.execute(f"{query} ({','.join('?' * len(chunk))})", (*arguments, *chunk))


def unmoved_row_ids(
    connection: sqlite3.Connection, controller_id: int | None, changes: Sequence[Change]
) -> dict[bytes, int]:
    """The row of each record that exists. Raises VersionConflict where one is not at the version it was read at."""
    query = "SELECT digest, id, version FROM records WHERE controller = ? AND digest IN"
    rows = rows_of_digests(connection, query, (controller_id,), [change.before.subject for change in changes])
    stored = {value: (row_id, version) for value, row_id, version in rows}
    for change in changes:
        _, version = stored.get(change.before.subject.value, (0, 0))
        if version != change.before.version:
            raise VersionConflict("a record moved on since it was read")
    return {value: row_id for value, (row_id, _) in stored.items()}


def drop_bodies(connection: sqlite3.Connection, row_id: int, before_version: int) -> None:
    """Replace bodies by their salted hashes and drop the salts, so that the chain still verifies."""
    query = "SELECT version, salt, body FROM events WHERE subject = ? AND version < ? AND salt IS NOT NULL"
    for version, salt, body in connection.execute(query, (row_id, before_version)).fetchall():
        body_hash = salted_hash(salt, body)
        connection.execute(
            "UPDATE events SET salt = NULL, body = ? WHERE subject = ? AND version = ?", (body_hash, row_id, version)
        )
