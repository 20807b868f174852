"""The SQLite file: its tables, its versions, how a connection is opened, and what its errors mean to us."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from prefcenter.domain.errors import (
    StoreBusy,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreReadOnly,
    StoreTooNew,
    VersionConflict,
)

APPLICATION_ID = 0x50464354
COPYING_APPLICATION_ID = 0x50464343
"""Stands in a file that a copy was begun into and not finished, so that nothing takes it for a store."""

BUSY_TIMEOUT_S = 10.0
MIGRATIONS = (
    """
    CREATE TABLE keys (id INTEGER PRIMARY KEY, mac BLOB NOT NULL) STRICT;
    CREATE TABLE controllers (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, key INTEGER NOT NULL,
        mac BLOB NOT NULL) STRICT;
    CREATE TABLE terms (controller INTEGER NOT NULL, id INTEGER NOT NULL, text TEXT NOT NULL, key INTEGER NOT NULL,
        mac BLOB NOT NULL, PRIMARY KEY (controller, id)) STRICT, WITHOUT ROWID;
    CREATE TABLE policies (controller INTEGER PRIMARY KEY, document TEXT NOT NULL, key INTEGER NOT NULL,
        mac BLOB NOT NULL) STRICT;
    CREATE TABLE imports (controller INTEGER NOT NULL, fingerprint BLOB NOT NULL, begun_ms INTEGER NOT NULL,
        key INTEGER NOT NULL, mac BLOB NOT NULL, PRIMARY KEY (controller, fingerprint)) STRICT, WITHOUT ROWID;
    CREATE TABLE records (id INTEGER PRIMARY KEY, controller INTEGER NOT NULL, kind INTEGER NOT NULL,
        key INTEGER NOT NULL, rules INTEGER NOT NULL, version INTEGER NOT NULL, digest BLOB NOT NULL,
        state BLOB NOT NULL, UNIQUE (digest, controller)) STRICT;
    CREATE TABLE events (partition INTEGER NOT NULL, position INTEGER NOT NULL, subject INTEGER NOT NULL,
        version INTEGER NOT NULL, key INTEGER NOT NULL, salt BLOB, mac BLOB NOT NULL, body BLOB NOT NULL,
        PRIMARY KEY (subject, version), UNIQUE (partition, position)) STRICT, WITHOUT ROWID;
    """,
    """
    CREATE TABLE sealed (record INTEGER PRIMARY KEY, key INTEGER NOT NULL, mac BLOB NOT NULL,
        content BLOB NOT NULL) STRICT;
    CREATE TABLE receipts (controller INTEGER NOT NULL, name BLOB NOT NULL, input BLOB NOT NULL, result BLOB NOT NULL,
        received_ms INTEGER NOT NULL, key INTEGER NOT NULL, mac BLOB NOT NULL,
        PRIMARY KEY (controller, name)) STRICT, WITHOUT ROWID;
    CREATE INDEX receipts_by_time ON receipts (received_ms);
    CREATE TABLE sends (controller INTEGER NOT NULL, digest BLOB NOT NULL, purpose INTEGER NOT NULL,
        campaign BLOB NOT NULL, kind INTEGER NOT NULL, digest_key INTEGER NOT NULL, rules INTEGER NOT NULL,
        sent_ms INTEGER NOT NULL, key INTEGER NOT NULL, mac BLOB NOT NULL,
        PRIMARY KEY (controller, digest, purpose, campaign)) STRICT, WITHOUT ROWID;
    CREATE INDEX sends_by_time ON sends (controller, purpose, sent_ms, digest, campaign);
    CREATE TABLE api_keys (id TEXT PRIMARY KEY, label TEXT NOT NULL, secret_hash BLOB NOT NULL, scopes TEXT NOT NULL,
        controllers TEXT NOT NULL, created_ms INTEGER NOT NULL, expires_ms INTEGER, revoked_ms INTEGER,
        last_used_ms INTEGER, key INTEGER NOT NULL, mac BLOB NOT NULL) STRICT, WITHOUT ROWID;
    """,
    """
    CREATE TABLE letters (id INTEGER PRIMARY KEY, controller INTEGER NOT NULL, kind INTEGER NOT NULL,
        digest_key INTEGER NOT NULL, rules INTEGER NOT NULL, digest BLOB NOT NULL, queued_ms INTEGER NOT NULL,
        due_ms INTEGER, attempts INTEGER NOT NULL, content BLOB, key INTEGER NOT NULL, mac BLOB NOT NULL) STRICT;
    CREATE INDEX letters_by_subject ON letters (digest, controller, queued_ms);
    CREATE INDEX letters_due ON letters (due_ms) WHERE content IS NOT NULL;
    CREATE INDEX letters_by_time ON letters (queued_ms);
    """,
)
"""One script a schema version; the version of a file is how many of them have run on it."""

_CANNOT_OPEN = (
    "the store cannot be opened: was `prefcenter init` run, is PREFCENTER_STORE right, and may this user write there?"
)
_ERROR_TYPES: dict[int, tuple[type[StoreError], str]] = {
    sqlite3.SQLITE_FULL: (StoreFull, "the disk is full; nothing was acknowledged"),
    sqlite3.SQLITE_READONLY: (StoreReadOnly, "the store is read-only; nothing was acknowledged"),
    sqlite3.SQLITE_BUSY: (StoreBusy, "another process holds the store; nothing was acknowledged"),
    sqlite3.SQLITE_LOCKED: (StoreBusy, "another process holds the store; nothing was acknowledged"),
    sqlite3.SQLITE_CORRUPT: (StoreDamaged, "the store's file is damaged; put a backup back"),
    sqlite3.SQLITE_NOTADB: (StoreDamaged, "the store's file is not an SQLite database"),
    sqlite3.SQLITE_CANTOPEN: (StoreError, _CANNOT_OPEN),
    sqlite3.SQLITE_IOERR: (StoreError, "the disk failed; nothing was acknowledged"),
    sqlite3.SQLITE_CONSTRAINT: (VersionConflict, "another writer was first"),
}


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn SQLite's errors into ours; their text may quote values, so none of it is passed on."""
    try:
        yield
    except sqlite3.Error as error:
        raise as_store_error(error) from None


def as_store_error(error: sqlite3.Error) -> StoreError:
    """The error of ours that an SQLite error is, by its primary result code."""
    code = getattr(error, "sqlite_errorcode", 0)
    error_type, message = _ERROR_TYPES.get(code & 0xFF, (StoreError, "the store failed; nothing was acknowledged"))
    return error_type(f"{message} ({getattr(error, 'sqlite_errorname', type(error).__name__)})")


def connect(path: Path, *, mode: str, busy_timeout_s: float = BUSY_TIMEOUT_S) -> sqlite3.Connection:
    """A connection in `mode` ro, rw or rwc. What it acknowledges by COMMIT is on disk: WAL with synchronous=FULL."""
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode={mode}",
        uri=True,
        timeout=busy_timeout_s,
        isolation_level=None,
        check_same_thread=False,
    )
    # Damaged text must reach the check of its row's MAC, which tells where it is; a decoding error would not.
    connection.text_factory = _decoded
    try:
        if mode == "rwc":
            connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA secure_delete=ON")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _decoded(text: bytes) -> str:
    return text.decode(errors="replace")


def create(path: Path) -> None:
    """Make a store where there is none. Raises StoreError where a file stands already."""
    if path.exists():
        raise StoreError(f"{path.name}: a store stands there already; nothing was changed")
    with store_errors():
        connection = connect(path, mode="rwc")
        try:
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            _migrate(connection)
        finally:
            connection.close()
    path.chmod(0o600)


def prepare(connection: sqlite3.Connection, *, writable: bool, while_copying: bool = False) -> None:
    """Check that the file is a store of ours and bring its schema up to date.

    Raises StoreTooNew for a schema that a newer version made, which this one must not touch.
    """
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    if application_id == COPYING_APPLICATION_ID and not while_copying:
        raise StoreDamaged("a copy into this store was not finished; run `prefcenter store copy` again")
    if application_id not in (APPLICATION_ID, COPYING_APPLICATION_ID):
        raise StoreDamaged("the file is not a prefcenter store")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise StoreTooNew(f"the store has schema {version}, this version knows {len(MIGRATIONS)}; upgrade prefcenter")
    if version < len(MIGRATIONS):
        if not writable:
            raise StoreReadOnly(f"the store has schema {version} and is read-only, so it cannot be brought up to date")
        _migrate(connection)
    if writable:
        # A backup made by `VACUUM INTO` comes back in another journal mode, in which readers would hold up the writer.
        connection.execute("PRAGMA journal_mode=WAL")


def is_schema_as_made(connection: sqlite3.Connection) -> bool:
    """Whether tables and indexes are those that our scripts make, and nothing stands beside them, such as a trigger."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as made:
        _migrate(made)
        return _schema_of(made) == _schema_of(connection)


def _schema_of(connection: sqlite3.Connection) -> set[tuple[str, ...]]:
    """What the schema says, without the statistics that ANALYZE keeps."""
    query = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_stat%'"
    return set(connection.execute(query))


def _migrate(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        for script in MIGRATIONS[version:]:
            for statement in filter(None, map(str.strip, script.split(";"))):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version={len(MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
