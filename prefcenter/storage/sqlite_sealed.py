"""What is sealed beside records of a SQLite store: encrypted plaintext, opaque here, gone with an erasure."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence

from prefcenter.domain.digest import Digest, DigestKind
from prefcenter.domain.errors import StoreDamaged
from prefcenter.security.seals import Sealer
from prefcenter.storage.sqlite_ledger import rows_of_digests, subject_columns


def put_sealed(connection: sqlite3.Connection, sealer: Sealer, row_id: int, subject: Digest, content: bytes) -> None:
    """Put content beside a record, in the place of what stood there; its seal binds it to that record."""
    key = sealer.active_key_id
    mac = sealer.seal(key, "sealed", row_id, *subject_columns(subject), content)
    connection.execute("INSERT OR REPLACE INTO sealed VALUES (?, ?, ?, ?)", (row_id, key, mac, content))


def drop_sealed(connection: sqlite3.Connection, row_id: int) -> None:
    """Leave nothing beside a record."""
    connection.execute("DELETE FROM sealed WHERE record = ?", (row_id,))


def load_sealed(
    connection: sqlite3.Connection, sealer: Sealer, controller_id: int | None, subjects: Sequence[Digest]
) -> Mapping[Digest, bytes]:
    """What stands beside the records of the subjects. Raises StoreDamaged for an altered row."""
    # A CROSS JOIN is done in the order it is written in: by way of the records and not of all that is sealed.
    query = (
        "SELECT r.id, r.kind, r.key, r.rules, r.digest, s.key, s.mac, s.content"
        " FROM records r CROSS JOIN sealed s ON s.record = r.id WHERE r.controller = ? AND r.digest IN"
    )
    found = {}
    for row_id, *subject, key, mac, content in rows_of_digests(connection, query, (controller_id,), subjects):
        if not sealer.holds(key, mac, "sealed", row_id, *subject, content):
            raise StoreDamaged("table sealed: a row was altered; run `prefcenter audit verify`")
        kind, *rest = subject
        found[Digest(DigestKind(kind), *rest)] = content
    return found


def sealed_faults(connection: sqlite3.Connection, sealer: Sealer, controller_id: int) -> Iterator[str]:
    """Rows beside a controller's records that are not as they were sealed, and rows beside no record at all."""
    query = (
        "SELECT s.record, r.kind, r.key, r.rules, r.digest, s.content, s.key, s.mac"
        " FROM sealed s LEFT JOIN records r ON r.id = s.record WHERE r.controller = ? OR r.id IS NULL"
    )
    for row_id, kind, *rest, key, mac in connection.execute(query, (controller_id,)):
        if kind is None:
            yield "table sealed: a row belongs to no record"
        elif not sealer.holds(key, mac, "sealed", row_id, kind, *rest):
            yield "table sealed: a row was altered"
