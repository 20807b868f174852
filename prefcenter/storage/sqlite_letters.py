"""The outbox in a SQLite store: letters wait encrypted, and of one that was sent only its time is kept for an hour."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from prefcenter.domain.digest import Digest, DigestKind
from prefcenter.domain.errors import StoreDamaged
from prefcenter.security.seals import Field, Sealer
from prefcenter.services.ports import LETTERS_COUNTED_MS, WaitingLetter
from prefcenter.storage.sealers import SealerByController
from prefcenter.storage.sqlite_ledger import subject_columns

ID_BITS = 62
"""Numbers are drawn at random, so that one is not given again while somebody still speaks of its first bearer."""

FORGOTTEN_A_WRITE_MAX = 1_000
"""Times of old letters that one act clears away at most, so that no person waits for them all."""

_CONTENT = "id, controller, kind, digest_key, rules, digest, queued_ms, due_ms, attempts, content"
_DAMAGED = "table letters: a row was altered; run `prefcenter audit verify`"

Row = Sequence[Any]


def queue_letter(
    connection: sqlite3.Connection,
    sealer: Sealer,
    controller_id: int,
    subject: Digest,
    content: bytes | None,
    now_ms: int,
    letters_max: int,
) -> bool:
    """Keep a letter, unless the subject had as many as it may have in the last hour."""
    since_ms = now_ms - LETTERS_COUNTED_MS
    query = "SELECT count(*) FROM letters WHERE digest = ? AND controller = ? AND queued_ms > ?"
    (queued,) = connection.execute(query, (subject.value, controller_id, since_ms)).fetchone()
    if queued >= letters_max:
        return False
    _forget_old(connection, since_ms)
    letter_id = secrets.randbits(ID_BITS)
    _put(connection, sealer, (letter_id, controller_id, *subject_columns(subject), now_ms, now_ms, 0, content))
    return True


def has_due_letters(connection: sqlite3.Connection, now_ms: int) -> bool:
    """Whether a claim would give anything: looking costs nothing, and a claim is a write."""
    query = "SELECT EXISTS (SELECT 1 FROM letters WHERE content IS NOT NULL AND due_ms <= ?)"
    (found,) = connection.execute(query, (now_ms,)).fetchone()
    return bool(found)


def claim_letters(
    connection: sqlite3.Connection, sealers: SealerByController, names: Mapping[int, str], claim: tuple[int, int, int]
) -> Sequence[WaitingLetter]:
    """Letters that are due, put off until the claim on them ends. `claim`: now, its end, how many at most."""
    now_ms, until_ms, limit = claim
    query = (
        f"SELECT {_CONTENT}, key, mac FROM letters"  # noqa: S608 - names of our own schema
        " WHERE content IS NOT NULL AND due_ms <= ? ORDER BY due_ms, queued_ms LIMIT ?"
    )
    claimed = []
    for row in connection.execute(query, (now_ms, limit)).fetchall():
        sealer = sealers[names[row[1]]]
        letter = _read(sealer, names[row[1]], row)
        claimed.append(letter)
        _put(connection, sealer, (*row[:7], until_ms, letter.attempts, letter.content))
    return claimed


def change_letter(
    connection: sqlite3.Connection,
    sealers: SealerByController,
    names: Mapping[int, str],
    letter_id: int,
    due_ms: int | None,
) -> None:
    """Put a letter off until it is due again, or drop its content where it never is; one that is gone stays so."""
    query = f"SELECT {_CONTENT}, key, mac FROM letters WHERE id = ?"  # noqa: S608 - names of our own schema
    row = connection.execute(query, (letter_id,)).fetchone()
    if row is None or row[9] is None:
        return
    sealer = sealers[names[row[1]]]
    letter = _read(sealer, names[row[1]], row)
    content = None if due_ms is None else letter.content
    _put(connection, sealer, (*row[:7], due_ms, row[8], content))


def drop_letters_to(connection: sqlite3.Connection, controller_id: int, subjects: Iterable[Digest]) -> None:
    """Drop all letters to a person who is erased."""
    rows = [(controller_id, subject.value) for subject in subjects]
    connection.executemany("DELETE FROM letters WHERE controller = ? AND digest = ?", rows)


def letter_faults(connection: sqlite3.Connection, sealer: Sealer, controller_id: int) -> Iterator[str]:
    """A controller's letters that are not as they were sealed."""
    query = f"SELECT {_CONTENT}, key, mac FROM letters WHERE controller = ?"  # noqa: S608 - names of our own schema
    for *content, key, mac in connection.execute(query, (controller_id,)):
        if not sealer.holds(key, mac, "letter", *_sealed(content)):
            yield "table letters: a row was altered"


def letter_rows(connection: sqlite3.Connection, sealer: Sealer, controller_id: int) -> Iterator[Row]:
    """A controller's letters as copies of stores carry them. Raises StoreDamaged for an altered one."""
    query = f"SELECT {_CONTENT}, key, mac FROM letters WHERE controller = ? ORDER BY id"  # noqa: S608 - our own names
    for *content, key, mac in connection.execute(query, (controller_id,)):
        if not sealer.holds(key, mac, "letter", *_sealed(content)):
            raise StoreDamaged(_DAMAGED)
        letter_id, _, *subject, queued_ms, due_ms, attempts, letter = content
        yield (letter_id, *subject, queued_ms, None if letter is None else due_ms, attempts, letter)


def put_letter_rows(connection: sqlite3.Connection, sealer: Sealer, controller_id: int, rows: Sequence[Row]) -> None:
    """Keep letters that a copy of a store brought."""
    for letter_id, *rest in rows:
        _put(connection, sealer, (letter_id, controller_id, *rest))


def _put(connection: sqlite3.Connection, sealer: Sealer, content: Row) -> None:
    key = sealer.active_key_id
    row = (*content, key, sealer.seal(key, "letter", *_sealed(content)))
    connection.execute("INSERT OR REPLACE INTO letters VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)


def _forget_old(connection: sqlite3.Connection, before_ms: int) -> None:
    """Clear away the times of some letters that are over and no longer counted."""
    query = (
        "DELETE FROM letters WHERE id IN"
        " (SELECT id FROM letters WHERE queued_ms <= ? AND content IS NULL ORDER BY queued_ms LIMIT ?)"
    )
    connection.execute(query, (before_ms, FORGOTTEN_A_WRITE_MAX))


def _sealed(content: Row) -> Sequence[Field]:
    """The fields of the MAC: what is not there has no bytes, which no number and no letter has."""
    return [b"" if field is None else field for field in content]


def _read(sealer: Sealer, controller: str, row: Row) -> WaitingLetter:
    *content, key, mac = row
    if not sealer.holds(key, mac, "letter", *_sealed(content)):
        raise StoreDamaged(_DAMAGED)
    letter_id, _, kind, digest_key, rules, value, queued_ms, _, attempts, sealed = content
    subject = Digest(DigestKind(kind), digest_key, rules, value)
    return WaitingLetter(str(letter_id), controller, subject, queued_ms, attempts + 1, sealed)
