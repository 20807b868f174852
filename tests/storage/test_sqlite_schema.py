"""The file itself: its tables, its version, its mode, and what comes back from a backup."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from prefcenter.domain.errors import StoreReadOnly
from prefcenter.domain.record import Record
from prefcenter.security.keyring import Keyring
from prefcenter.storage.sqlite import SqliteStore
from prefcenter.storage.sqlite_schema import APPLICATION_ID, MIGRATIONS
from tests.contract.acts import (
    DOCUMENT,
    a_receipt,
    a_send,
    an_api_key,
    append_one,
    change,
    erased,
    first_refusal,
    granted,
    refused,
    sealed_contact,
    whole_feed,
)
from tests.factories import EXACT, NOW, a_digest

TABLES = {
    "keys": ["id", "mac"],
    "controllers": ["id", "name", "key", "mac"],
    "terms": ["controller", "id", "text", "key", "mac"],
    "policies": ["controller", "document", "key", "mac"],
    "imports": ["controller", "fingerprint", "begun_ms", "key", "mac"],
    "records": ["id", "controller", "kind", "key", "rules", "version", "digest", "state"],
    "events": ["partition", "position", "subject", "version", "key", "salt", "mac", "body"],
    "sealed": ["record", "key", "mac", "content"],
    "receipts": ["controller", "name", "input", "result", "received_ms", "key", "mac"],
    "letters": [
        *("id", "controller", "kind", "digest_key", "rules", "digest", "queued_ms", "due_ms", "attempts", "content"),
        *("key", "mac"),
    ],
    "sends": [
        *("controller", "digest", "purpose", "campaign", "kind", "digest_key", "rules", "sent_ms", "key", "mac"),
    ],
    "api_keys": [
        *("id", "label", "secret_hash", "scopes", "controllers"),
        *("created_ms", "expires_ms", "revoked_ms", "last_used_ms", "key", "mac"),
    ],
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


async def test_an_empty_file_with_our_mark_becomes_a_store(tmp_path: Path, keyring: Keyring) -> None:
    file = tmp_path / "store.sqlite3"
    _make_version_0(file)
    store = SqliteStore(file, keyring)
    await store.append("acme", [first_refusal("pat")])
    await store.close()
    assert ask(file, "PRAGMA user_version") == [(len(MIGRATIONS),)]


async def test_a_store_of_schema_1_is_brought_up_to_date_with_its_records_intact(
    path: Path, tmp_path: Path, keyring: Keyring
) -> None:
    store = SqliteStore(path, keyring)
    await store.adopt_policy("acme", DOCUMENT, instead_of=None)
    await store.first_import_ms("acme", b"list", NOW)
    record = await append_one(store, Record(a_digest("pat")), granted(), erased(NOW + 1), granted(NOW + 2))
    await store.append("globex", [first_refusal(f"person {number}") for number in range(50)])
    heads, feed = await store.heads("acme"), await whole_feed(store)
    await store.close()
    older = tmp_path / "older.sqlite3"
    _copy_as_schema_1(path, older)

    store = SqliteStore(older, keyring)
    assert ask(older, "PRAGMA user_version") == [(len(MIGRATIONS),)]
    assert list(await store.load("acme", [record.subject])) == [record]
    assert (await store.heads("acme"), await whole_feed(store)) == (heads, feed)
    assert (await store.audit("acme", [heads])).findings == ()
    assert [record.version async for page in store.scan("globex") for record in page] == [1] * 50
    await store.append("acme", [sealed_contact("kim")], receipt=a_receipt())
    assert await store.record_sends("acme", "offers", [a_send("kim")], forget_before_ms=0) == 1
    await store.put_api_key(an_api_key())
    assert (await store.audit("acme", [heads])).findings == ()
    await store.close()


async def test_a_store_of_schema_1_that_is_read_only_is_not_answered_from(
    path: Path, tmp_path: Path, keyring: Keyring
) -> None:
    older = tmp_path / "older.sqlite3"
    _copy_as_schema_1(path, older)
    content = older.read_bytes()
    with pytest.raises(StoreReadOnly, match="schema 1"):
        SqliteStore(older, keyring, read_only=True)
    assert older.read_bytes() == content


def _copy_as_schema_1(path: Path, older: Path) -> None:
    """What a store holds, in a file that the first script alone has made."""
    with closing(sqlite3.connect(older, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(MIGRATIONS[0])
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute("PRAGMA user_version=1")
        connection.execute("ATTACH ? AS newer", (str(path),))
        for (table,) in connection.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'").fetchall():
            connection.execute(f"INSERT INTO main.{table} SELECT * FROM newer.{table}")


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


async def test_what_was_sealed_beside_a_record_is_gone_from_the_file_once_it_is_replaced_or_erased(
    path: Path, keyring: Keyring
) -> None:
    store = SqliteStore(path, keyring)
    first = sealed_contact("pat", b"first content of it")
    await store.append("acme", [first])
    await store.close()
    assert holds(path, b"first content of it"), "the control: it stands in the file as it was given"
    store = SqliteStore(path, keyring)
    second = replace(change(first.after, refused("import")), sealed=b"second content")
    await store.append("acme", [second])
    await store.close()
    assert not holds(path, b"first content of it")
    store = SqliteStore(path, keyring)
    await append_one(store, second.after, erased(NOW + 1))
    await store.close()
    assert not holds(path, b"second content")


async def test_sends_to_an_erased_person_are_gone_from_the_file(path: Path, keyring: Keyring) -> None:
    store = SqliteStore(path, keyring)
    send = a_send("pat", campaign=b"a campaign of 16")
    await store.record_sends("acme", "offers", [send], forget_before_ms=0)
    await store.close()
    assert holds(path, send.campaign)
    store = SqliteStore(path, keyring)
    await append_one(store, Record(send.subject), erased(NOW + 1))
    await store.close()
    assert not holds(path, send.campaign)
