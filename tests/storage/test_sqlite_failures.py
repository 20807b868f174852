"""What the store says when it cannot do its work, and that it then has done none of it."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from prefcenter.domain.errors import (
    InvalidInput,
    KeyringError,
    StoreBusy,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreReadOnly,
    StoreTooNew,
    VersionConflict,
)
from prefcenter.security.keyring import Keyring, new_keyring, save_keyring
from prefcenter.services.ports import Store
from prefcenter.storage import create_store, open_store
from prefcenter.storage.sqlite import SqliteStore
from prefcenter.storage.sqlite_schema import as_store_error
from tests.contract.acts import (
    DOCUMENT,
    a_receipt,
    a_send,
    an_api_key,
    first_refusal,
    sealed_contact,
    subjects_of,
    whole_feed,
)
from tests.factories import NOW, POLICY, a_digest

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
PAGES_MAX = 40


class CappedStore(SqliteStore):
    """A store on a disk with room for few pages."""

    def _open(self, *, writable: bool) -> sqlite3.Connection:
        connection = super()._open(writable=writable)
        connection.execute(f"PRAGMA max_page_count={PAGES_MAX}")
        return connection

    async def make_room(self) -> None:
        await self._write(lambda connection: connection.execute("PRAGMA max_page_count=1000000"))


class ImpatientStore(SqliteStore):
    busy_timeout_s = 0.1


def worker(script: str, *arguments: str) -> list[str]:
    return [sys.executable, str(HERE / script), *arguments]


def content_of(path: Path) -> bytes:
    return path.read_bytes()


def cut_in_half(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def environ() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def keyring_file(keyring: Keyring, path: Path) -> Path:
    file = path.with_name("keyring.json")
    save_keyring(keyring, file, replace_existing=False)
    return file


async def test_a_full_disk_is_said_and_nothing_is_acknowledged(path: Path, keyring: Keyring) -> None:
    store = CappedStore(path, keyring)
    await store.adopt_policy("acme", DOCUMENT, instead_of=None)
    kept = [first_refusal(f"kept {number}") for number in range(50)]
    await store.append("acme", kept)
    too_many = [first_refusal(f"too many {number}") for number in range(2_000)]
    with pytest.raises(StoreFull, match="nothing was acknowledged"):
        await store.append("acme", too_many, bulk=True)
    assert await store.load("acme", subjects_of(too_many)) == []
    assert len(await store.load("acme", subjects_of(kept))) == 50
    await store.append("acme", [first_refusal("a small one still fits")])
    await store.make_room()
    await store.append("acme", too_many, bulk=True)
    report = await store.audit("acme", [await store.heads("acme")])
    assert (report.records, report.findings) == (2_051, ())
    await store.close()


async def test_of_concurrent_acts_on_a_full_disk_those_acknowledged_are_kept(path: Path, keyring: Keyring) -> None:
    store = CappedStore(path, keyring)
    changes = [first_refusal(f"person {number}") for number in range(1_500)]
    outcomes = await asyncio.gather(*(store.append("acme", [item]) for item in changes), return_exceptions=True)
    refused = [outcome for outcome in outcomes if outcome is not None]
    assert refused
    assert {type(outcome) for outcome in refused} == {StoreFull}
    done = {item.after.subject for item, outcome in zip(changes, outcomes, strict=True) if outcome is None}
    await store.close()
    reopened = SqliteStore(path, keyring)
    assert {record.subject for record in await reopened.load("acme", subjects_of(changes))} == done
    await reopened.close()


def test_a_file_that_may_not_grow_is_said_and_what_was_acknowledged_stays(path: Path, keyring: Keyring) -> None:
    command = worker("filling_worker.py", str(path), str(keyring_file(keyring, path)))
    ran = subprocess.run(command, env=environ(), capture_output=True, text=True, timeout=60, check=True)
    acknowledged, said, went_on = ran.stdout.splitlines()
    assert said.startswith("StoreError: the disk failed; nothing was acknowledged")
    assert went_on == "went on"
    count = int(acknowledged.removeprefix("acknowledged "))
    assert count

    async def look() -> None:
        store = SqliteStore(path, keyring)
        await store.adopt_policy("acme", DOCUMENT, instead_of=None)
        report = await store.audit("acme", [await store.heads("acme")])
        assert (report.records, report.findings) == (count + 1, ())
        assert len(await store.load("acme", [a_digest("afterwards"), a_digest("0.0")])) == 2
        await store.close()

    asyncio.run(look())


WRITES: list[Callable[[Store], Awaitable[object]]] = [
    lambda store: store.append("acme", [first_refusal("kim")]),
    lambda store: store.append("acme", [first_refusal("kim")], bulk=True),
    lambda store: store.adopt_policy("acme", "{}", instead_of=DOCUMENT),
    lambda store: store.first_import_ms("acme", b"list", NOW),
    lambda store: store.append("acme", [], receipt=a_receipt("another key")),
    lambda store: store.record_sends("acme", "offers", [a_send("kim")], forget_before_ms=0),
    lambda store: store.put_api_key(an_api_key("k2")),
]


async def test_a_read_only_store_refuses_each_write_and_answers_each_question(path: Path, keyring: Keyring) -> None:
    store: Store = open_store(f"sqlite://{path}", keyring)
    await store.adopt_policy("acme", DOCUMENT, instead_of=None)
    await store.append("acme", [sealed_contact("pat")], receipt=a_receipt())
    await store.record_sends("acme", "offers", [a_send("pat")], forget_before_ms=0)
    await store.put_api_key(an_api_key())
    heads = await store.heads("acme")
    await store.close()
    content = content_of(path)
    store = open_store(f"sqlite://{path}?mode=ro", keyring)
    for write in WRITES:
        with pytest.raises(StoreReadOnly, match="nothing was acknowledged"):
            await write(store)
    assert len(await store.load("acme", [a_digest("pat")])) == 1
    assert len(await whole_feed(store)) == 1
    assert await store.policy_in_force("acme") == DOCUMENT
    assert len(await store.load_sealed("acme", [a_digest("pat")])) == 1
    assert await store.receipt("acme", a_receipt().name, 0) == a_receipt()
    assert len(await store.sends("acme", "offers", [a_digest("pat")], 0)) == 1
    assert list(await store.api_keys()) == [an_api_key()]
    assert len((await store.page("acme", None, 10)).records) == 1
    assert await store.marker() == await store.marker()
    assert await store.holds_heads("acme", heads)
    assert (await store.audit("acme", [heads])).findings == ()
    await store.close()
    assert content_of(path) == content


@pytest.mark.parametrize("mode", ["rw", "ro"])
def test_a_newer_schema_is_refused_and_left_as_it_is(path: Path, keyring: Keyring, mode: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version=99")
    content = path.read_bytes()
    with pytest.raises(StoreTooNew, match="schema 99"):
        open_store(f"sqlite://{path}?mode={mode}", keyring)
    assert path.read_bytes() == content


@pytest.mark.parametrize("content", [b"", b"address\npat@acme.example\n", b"SQLite format 3\0" + bytes(5_000)])
def test_a_file_that_is_no_store_is_said_to_be_none(tmp_path: Path, keyring: Keyring, content: bytes) -> None:
    file = tmp_path / "store.sqlite3"
    file.write_bytes(content)
    with pytest.raises(StoreDamaged):
        open_store(f"sqlite://{file}", keyring)
    assert file.read_bytes() == content


def test_another_programs_database_is_left_as_it_is(tmp_path: Path, keyring: Keyring) -> None:
    file = tmp_path / "other.sqlite3"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE records (name TEXT)")
    content = file.read_bytes()
    with pytest.raises(StoreDamaged, match="not a prefcenter store"):
        open_store(f"sqlite://{file}", keyring)
    assert file.read_bytes() == content


def test_a_store_that_is_not_there_is_said_to_be_missing(tmp_path: Path, keyring: Keyring) -> None:
    with pytest.raises(StoreError, match="prefcenter init"):
        open_store(f"sqlite://{tmp_path / 'store.sqlite3'}", keyring)
    assert list(tmp_path.iterdir()) == []


async def test_a_file_that_was_cut_off_gives_no_answer(path: Path, keyring: Keyring) -> None:
    store = SqliteStore(path, keyring)
    await store.append("acme", [first_refusal(f"person {number}") for number in range(500)])
    await store.close()
    cut_in_half(path)
    with pytest.raises(StoreDamaged):
        await SqliteStore(path, keyring).load("acme", [a_digest(f"person {number}") for number in range(500)])


@pytest.mark.parametrize("mode", ["rw", "ro"])
async def test_another_stores_keyring_is_refused(path: Path, keyring: Keyring, mode: str) -> None:
    store = SqliteStore(path, keyring)
    await store.append("acme", [first_refusal("pat")])
    await store.close()
    with pytest.raises(KeyringError, match="not the one that this store was made with"):
        open_store(f"sqlite://{path}?mode={mode}", new_keyring("2026-11-21T00:00:00.000Z"))


async def test_another_stores_keyring_is_refused_where_all_there_is_is_an_api_key(path: Path, keyring: Keyring) -> None:
    store = SqliteStore(path, keyring)
    await store.put_api_key(an_api_key())
    await store.close()
    with pytest.raises(KeyringError, match="not the one that this store was made with"):
        SqliteStore(path, new_keyring("2026-11-21T00:00:00.000Z"))


async def test_a_rotated_keyring_still_opens_the_store(path: Path, keyring: Keyring) -> None:
    for number, ring in enumerate((keyring, keyring.rotated("2026-11-22T00:00:00.000Z"))):
        store = SqliteStore(path, ring)
        await store.append("acme", [first_refusal(f"person {number}")])
        await store.close()
    store = SqliteStore(path, ring)
    await store.append("globex", [first_refusal("kim")])
    assert len(await store.load("acme", [a_digest("person 0"), a_digest("person 1")])) == 2
    await store.close()
    with pytest.raises(StoreDamaged, match="was altered"):
        await SqliteStore(path, keyring).append("acme", [first_refusal("lee")])


async def test_a_store_that_another_process_holds_is_busy_and_then_free(path: Path, keyring: Keyring) -> None:
    store = ImpatientStore(path, keyring)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy, match="nothing was acknowledged"):
            await store.append("acme", [first_refusal("pat")])
        assert await store.load("acme", [a_digest("pat")]) == []
        other.execute("ROLLBACK")
    await store.append("acme", [first_refusal("pat")])
    assert len(await store.load("acme", [a_digest("pat")])) == 1
    await store.close()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (sqlite3.IntegrityError("UNIQUE constraint failed for pat@acme.example"), StoreError),
        (sqlite3.OperationalError("near pat@acme.example: syntax error"), StoreError),
    ],
)
def test_what_sqlite_says_is_never_passed_on(error: sqlite3.Error, expected: type[StoreError]) -> None:
    assert isinstance(as_store_error(error), expected)
    assert "pat" not in str(as_store_error(error))


def test_a_constraint_is_a_conflict_and_its_values_stay_unsaid() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE t (address TEXT CHECK (address <> 'pat@acme.example'))")
        with pytest.raises(sqlite3.IntegrityError) as caught:
            connection.execute("INSERT INTO t VALUES ('pat@acme.example')")
    said = as_store_error(caught.value)
    assert isinstance(said, VersionConflict)
    assert "pat" not in str(said)


def test_a_second_store_is_never_made_over_a_first(path: Path) -> None:
    content = path.read_bytes()
    with pytest.raises(StoreError, match="stands there already"):
        create_store(f"sqlite://{path}")
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "url",
    ["", "store.sqlite3", "sqlite:store.sqlite3?mode=rwc", "sqlite://host/store", "sqlite:///", "mysql:///store"],
)
def test_a_url_that_names_no_store_is_refused_without_being_quoted(url: str, keyring: Keyring) -> None:
    with pytest.raises(InvalidInput, match="expected sqlite:///absolute/path") as caught:
        open_store(url, keyring)
    assert "host" not in str(caught.value)


async def test_a_path_with_awkward_characters_is_found_again(tmp_path: Path, keyring: Keyring) -> None:
    url = f"sqlite://{tmp_path}/a%20b%23c%3Fd%25.sqlite3"
    create_store(url)
    store = open_store(url, keyring)
    await store.append("acme", [first_refusal("pat")])
    await store.close()
    assert (tmp_path / "a b#c?d%.sqlite3").stat().st_mode & 0o777 == 0o600


def test_two_processes_that_write_at_once_lose_nothing(path: Path, keyring: Keyring) -> None:
    names, count = ("kim", "lee"), 40
    file = str(keyring_file(keyring, path))
    commands = [worker("writing_worker.py", str(path), file, name, str(count)) for name in names]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": environ()}
    processes: Sequence[subprocess.Popen[str]] = [subprocess.Popen(command, **pipes) for command in commands]  # type: ignore[call-overload]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.communicate("go\n", timeout=60)
        assert process.returncode == 0
    asyncio.run(_expect_all_acts(path, keyring, {f"{name}-{number}" for name in names for number in range(count)}))


async def _expect_all_acts(path: Path, keyring: Keyring, sources: set[str]) -> None:
    store = SqliteStore(path, keyring)
    await store.adopt_policy(POLICY.controller, DOCUMENT, instead_of=None)
    records = [record async for page in store.scan(POLICY.controller) for record in page]
    shared = max(records, key=lambda record: record.version)
    assert {refusal.source for refusal in shared.refusals} == sources
    assert len(records) == len(sources) + 1
    assert (await store.audit(POLICY.controller, [await store.heads(POLICY.controller)])).findings == ()
    await store.close()
