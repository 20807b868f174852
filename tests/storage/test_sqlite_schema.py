"""The file itself: its tables, its version, its mode, and what comes back from a backup."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from prefcenter.domain.errors import StoreReadOnly
from prefcenter.domain.record import Record
from prefcenter.security.keyring import Keyring
from prefcenter.storage.sqlite import SqliteStore
from prefcenter.storage.sqlite_schema import APPLICATION_ID, MIGRATIONS
from tests.contract.acts import DOCUMENT, append_one, erased, first_refusal, granted
from tests.factories import EXACT, NOW, a_digest

TABLES = {
    "keys": ["id", "mac"],
    "controllers": ["id", "name", "key", "mac"],
    "terms": ["controller", "id", "text", "key", "mac"],
    "policies": ["controller", "document", "key", "mac"],
    "imports": ["controller", "fingerprint", "begun_ms", "key", "mac"],
    "records": ["id", "controller", "kind", "key", "rules", "version", "digest", "state"],
    "events": ["partition", "position", "subject", "version", "key", "salt", "mac", "body"],
}


def holds(path: Path, value: bytes) -> bool:
    """Whether any file of a store has a value in it, be it the write-ahead log."""
    return any(value in file.read_bytes() for file in path.parent.iterdir())


def ask(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def test_the_tables_are_those_that_the_docs_and_the_audit_know(path: Path) -> None:
    names = [str(name) for (name,) in ask(path, "SELECT name FROM sqlite_master WHERE type = 'table'")]
    columns = {
        name: [column for (column,) in ask(path, f"SELECT name FROM pragma_table_info('{name}')")] for name in names
    }
    assert columns == TABLES


def test_every_table_checks_the_types_of_its_columns(path: Path) -> None:
    strict = ask(path, "SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite_%'")
    assert sorted(strict, key=str) == sorted(((table, 1) for table in TABLES), key=str)


@pytest.mark.parametrize("unique", ["subject, version", "partition, position"])
def test_the_store_itself_keeps_versions_and_positions_apart(path: Path, unique: str) -> None:
    (columns,) = [names for names in _unique_columns(path, "events") if names == unique]
    assert columns == unique


def _unique_columns(path: Path, table: str) -> list[str]:
    indexes = [name for (name,) in ask(path, f"SELECT name FROM pragma_index_list('{table}') WHERE \"unique\"")]
    return [
        ", ".join(str(name) for (name,) in ask(path, f"SELECT name FROM pragma_index_info('{i}')")) for i in indexes
    ]


def test_the_file_is_ours_by_its_header_and_nobody_elses_to_read(path: Path) -> None:
    assert ask(path, "PRAGMA application_id") == [(APPLICATION_ID,)]
    assert ask(path, "PRAGMA user_version") == [(len(MIGRATIONS),)]
    assert ask(path, "PRAGMA journal_mode") == [("wal",)]
    assert path.stat().st_mode & 0o777 == 0o600


async def test_an_older_schema_is_brought_up_to_date(tmp_path: Path, keyring: Keyring) -> None:
    file = tmp_path / "store.sqlite3"
    _make_version_0(file)
    store = SqliteStore(file, keyring)
    await store.append("acme", [first_refusal("pat")])
    await store.close()
    assert ask(file, "PRAGMA user_version") == [(len(MIGRATIONS),)]


def test_an_older_schema_that_is_read_only_stays_as_it_is(tmp_path: Path, keyring: Keyring) -> None:
    file = tmp_path / "store.sqlite3"
    _make_version_0(file)
    with pytest.raises(StoreReadOnly, match="schema 0"):
        SqliteStore(file, keyring, read_only=True)
    assert ask(file, "PRAGMA user_version") == [(0,)]


def _make_version_0(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")


@pytest.mark.parametrize("way", ["VACUUM INTO", "backup"])
async def test_a_backup_made_while_the_store_is_in_use_is_a_whole_store(path: Path, keyring: Keyring, way: str) -> None:
    copy = path.with_name("copy.sqlite3")
    store = SqliteStore(path, keyring)
    await store.adopt_policy("acme", DOCUMENT, instead_of=None)
    await store.append("acme", [first_refusal(f"person {number}") for number in range(100)])
    heads = await store.heads("acme")
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        if way == "backup":
            source.backup(target)
        else:
            source.execute("VACUUM INTO ?", (str(copy),))
    await store.append("acme", [first_refusal("afterwards")])
    await store.close()
    restored = SqliteStore(copy, keyring)
    assert (await restored.audit("acme", [heads])).findings == ()
    await restored.append("acme", [first_refusal("kim")])
    assert len(await restored.load("acme", [a_digest("kim"), a_digest("person 99"), a_digest("afterwards")])) == 2
    await restored.close()
    assert ask(copy, "PRAGMA journal_mode") == [("wal",)]


async def test_an_erased_body_is_gone_from_the_file_once_the_store_is_closed(path: Path, keyring: Keyring) -> None:
    store = SqliteStore(path, keyring)
    record = await append_one(store, Record(a_digest("pat")), granted())
    await store.close()
    assert holds(path, EXACT.value), "the control: a consent keeps the digest of its exact address"
    store = SqliteStore(path, keyring)
    await append_one(store, record, erased(NOW + 1))
    await store.close()
    assert not holds(path, EXACT.value)
