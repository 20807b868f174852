"""Sends in a SQLite store: which messages of a capped purpose went to whom, for as long as the cap looks back."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from prefcenter.domain.digest import Digest, DigestKind
from prefcenter.domain.errors import StoreDamaged
from prefcenter.security.seals import Sealer
from prefcenter.services.ports import Send
from prefcenter.storage.sqlite_ledger import rows_of_digests

_COLUMNS = "digest, campaign, kind, digest_key, rules, sent_ms, key, mac"
_BEFORE_ALL = (-(2**63), b"", b"")

Place = tuple[int, bytes, bytes]
"""Where a page of sends ends: time, digest and campaign of its last one."""


def note_sends(
    connection: sqlite3.Connection, sealer: Sealer, controller_id: int, purpose: int, sends: Sequence[Send]
) -> int:
    """Keep the sends that are not noted yet, each once; gives how many those are."""
    key = sealer.active_key_id
    rows = []
    for send in sends:
        content = _content(send)
        mac = sealer.seal(key, "send", controller_id, purpose, *content)
        rows.append((controller_id, purpose, *content, key, mac))
    insert = (
        f"INSERT INTO sends (controller, purpose, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
        " ON CONFLICT (controller, digest, purpose, campaign) DO NOTHING"
    )
    return connection.executemany(insert, rows).rowcount if rows else 0


def forget_sends(connection: sqlite3.Connection, controller_id: int, purpose: int, before_ms: int) -> None:
    """Drop sends that no cap looks back to any more."""
    query = "DELETE FROM sends WHERE controller = ? AND purpose = ? AND sent_ms < ?"
    connection.execute(query, (controller_id, purpose, before_ms))


def drop_sends_to(connection: sqlite3.Connection, controller_id: int, subjects: Iterable[Digest]) -> None:
    """Drop all sends to a person who is erased."""
    rows = [(controller_id, subject.value) for subject in subjects]
    connection.executemany("DELETE FROM sends WHERE controller = ? AND digest = ?", rows)


def send_times(
    connection: sqlite3.Connection,
    sealer: Sealer,
    controller_id: int,
    purpose: int,
    subjects: Sequence[Digest],
    since_ms: int,
) -> Mapping[Digest, Sequence[int]]:
    """When sends went to the subjects after a time, in order. Raises StoreDamaged for an altered row."""
    # Without this the planner may take the index by time, and then reads the sends of everybody.
    query = (
        f"SELECT {_COLUMNS} FROM sends NOT INDEXED"  # noqa: S608 - names of our own schema
        " WHERE controller = ? AND purpose = ? AND sent_ms > ? AND digest IN"
    )
    times: dict[Digest, list[int]] = defaultdict(list)
    for row in rows_of_digests(connection, query, (controller_id, purpose, since_ms), subjects):
        send = _read_send(sealer, controller_id, purpose, row)
        times[send.subject].append(send.sent_ms)
    return {subject: sorted(sent) for subject, sent in times.items()}


def page_of_sends(
    connection: sqlite3.Connection,
    sealer: Sealer,
    controller_id: int,
    purpose: int,
    after: Place | None,
    limit: int,
) -> tuple[list[Send], Place | None]:
    """Some sends, oldest first, and where the next page begins. Raises StoreDamaged for an altered row."""
    query = (
        f"SELECT {_COLUMNS} FROM sends WHERE controller = ? AND purpose = ?"  # noqa: S608 - names of our own schema
        " AND (sent_ms, digest, campaign) > (?, ?, ?) ORDER BY sent_ms, digest, campaign LIMIT ?"
    )
    rows = connection.execute(query, (controller_id, purpose, *(after or _BEFORE_ALL), limit))
    sends = [_read_send(sealer, controller_id, purpose, row) for row in rows]
    last = sends[-1] if sends else None
    return sends, None if last is None else (last.sent_ms, last.subject.value, last.campaign)


def send_faults(connection: sqlite3.Connection, sealer: Sealer, controller_id: int) -> Iterator[str]:
    """A controller's sends that are not as they were sealed."""
    query = f"SELECT purpose, {_COLUMNS} FROM sends WHERE controller = ?"  # noqa: S608 - names of our own schema
    for purpose, *content, key, mac in connection.execute(query, (controller_id,)):
        if not sealer.holds(key, mac, "send", controller_id, purpose, *content):
            yield "table sends: a row was altered"


def _content(send: Send) -> tuple[bytes, bytes, int, int, int, int]:
    subject = send.subject
    return subject.value, send.campaign, int(subject.kind), subject.key, subject.rules, send.sent_ms


def _read_send(sealer: Sealer, controller_id: int, purpose: int, row: Sequence[Any]) -> Send:
    value, campaign, kind, digest_key, rules, sent_ms, key, mac = row
    if not sealer.holds(key, mac, "send", controller_id, purpose, *row[:-2]):
        raise StoreDamaged("table sends: a row was altered; run `prefcenter audit verify`")
    return Send(Digest(DigestKind(kind), digest_key, rules, value), campaign, sent_ms)
