"""`prefcenter audit verify` names what was done to a store behind its back (DESIGN §2, Ledger)."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command_line import CommandLine, Ran

STORY = (
    "opt-out pat@gmail.com --controller opencontact",
    "opt-out sam@acme.example --controller opencontact",
    "suppress pat@gmail.com --controller opencontact --reason bounced --source smtp-relay",
    "consent pat@gmail.com --controller opencontact --purpose client-marketing --channel email"
    " --wording newsletter@1 --method form",
    "opt-out pat@gmail.com --controller one-contact-center",
)


@pytest.fixture
def told(prefcenter: CommandLine, workplace: Path) -> CommandLine:
    """A home with a few acts and an import."""
    for line in STORY:
        prefcenter.done(line)
    (workplace / "list.csv").write_text("email\nkim@acme.example\n", encoding="utf-8")
    prefcenter.done("import list.csv --controller opencontact --reason manual --source crm")
    return prefcenter


def alter(prefcenter: CommandLine, *statements: str) -> None:
    with closing(sqlite3.connect(prefcenter.home / "store.sqlite3", isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def flip_a_byte(prefcenter: CommandLine, table: str, column: str) -> None:
    """Flip the last bit of the last byte, or change an integer, in rows that hold the first value of a column."""
    with closing(sqlite3.connect(prefcenter.home / "store.sqlite3", isolation_level=None)) as connection:
        condition = f"{column} IS NOT NULL AND {column} NOT IN ('', x'')"
        before = connection.execute(f"SELECT {column} FROM {table} WHERE {condition} LIMIT 1").fetchone()[0]
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (flipped(before), before))


def flipped(value: Any) -> Any:
    if isinstance(value, int):
        return value + 1_000
    if isinstance(value, str):
        return value[:-1] + chr(ord(value[-1]) ^ 1)
    return value[:-1] + bytes([value[-1] ^ 1])


def assert_found(ran: Ran, *named: str) -> None:
    assert ran.code == 1, ran.both
    for words in named:
        assert words in ran.out


def test_a_store_that_nobody_touched_is_whole(told: CommandLine) -> None:
    ran = told.line("audit verify")
    assert (ran.code, ran.err) == (0, "")
    assert "opencontact  5 events, 3 records: whole\n" in ran.out
    assert "one-contact-center  1 event, 1 record: whole\n" in ran.out
    assert len(ran.out.splitlines()) == 5


@pytest.mark.parametrize(
    ("table", "column", "named"),
    [
        ("events", "body", "was altered"),
        ("events", "mac", "was altered"),
        ("events", "salt", "was altered"),
        ("events", "version", "was altered"),
        ("records", "state", "is not what its events say"),
        ("records", "digest", "was altered"),
        ("records", "version", "is not what its events say"),
        ("policies", "document", "table policies"),
        ("terms", "text", "table terms"),
        ("imports", "begun_ms", "table imports: the time of an import was altered"),
        ("controllers", "name", "table controllers: number"),
        ("keys", "mac", "table keys: number 1 was altered"),
    ],
)
def test_a_flipped_byte_is_found_and_named(told: CommandLine, table: str, column: str, named: str) -> None:
    flip_a_byte(told, table, column)
    assert_found(told.line("audit verify"), named)


def test_the_last_event_deleted_is_found(told: CommandLine) -> None:
    last = "SELECT e.partition, max(e.position) FROM events e GROUP BY e.partition LIMIT 1"
    alter(told, f"DELETE FROM events WHERE (partition, position) IN ({last})")
    assert_found(told.line("audit verify"), "cut off after event", "an earlier head signed event")


@pytest.mark.parametrize(
    ("with_its_events", "named"),
    [(False, r"partition \d: the record of event \d+ is gone"), (True, r"cut off after event|event \d+ is missing")],
)
def test_a_subject_deleted_is_found(told: CommandLine, with_its_events: bool, named: str) -> None:
    """Which events follow those of the subject in its partition depends on the keys, and so does what is named."""
    subject = "SELECT min(subject) FROM events"
    statements = [f"DELETE FROM records WHERE id = ({subject})"]
    if with_its_events:
        statements.append(f"DELETE FROM events WHERE subject = ({subject})")
    alter(told, *statements)
    ran = told.line("audit verify")
    assert ran.code == 1
    assert re.search(named, ran.out)


def test_two_events_swapped_are_found(told: CommandLine) -> None:
    two = "SELECT subject FROM events GROUP BY subject HAVING count(*) > 1 LIMIT 1"
    alter(
        told,
        "CREATE TEMP TABLE swapped AS SELECT version, position, partition, salt, body, mac, key FROM events"
        f" WHERE subject = ({two}) ORDER BY version LIMIT 2",
        f"UPDATE events SET (salt, body) = (SELECT salt, body FROM swapped WHERE swapped.version = 3 - events.version)"
        f" WHERE subject = ({two}) AND version IN (1, 2)",
    )
    assert_found(told.line("audit verify"), "was altered, moved, or follows another event than it did")


def test_a_database_put_back_to_an_earlier_copy_is_found(told: CommandLine, tmp_path: Path) -> None:
    store = told.home / "store.sqlite3"
    earlier = shutil.copyfile(store, tmp_path / "earlier.sqlite3")
    told.done("opt-out kim@acme.example --controller opencontact")
    shutil.copyfile(earlier, store)
    assert_found(told.line("audit verify"), "an older copy of the store was put back")


def test_a_home_put_back_whole_is_found_by_a_manifest_of_later(told: CommandLine, workplace: Path) -> None:
    earlier = shutil.copytree(told.home, workplace / "earlier")
    told.done("opt-out kim@acme.example --controller opencontact")
    told.done("scrub list.csv --controller opencontact --purpose client-marketing --channel email --out out")
    assert told.line("audit verify --against out/manifest.json").code == 0
    put_back = CommandLine(earlier)
    assert put_back.line("audit verify").code == 0
    assert_found(put_back.line("audit verify --against out/manifest.json"), "an older copy of the store was put back")


def alter_checkpoint(home: Path) -> None:
    document = json.loads((home / "checkpoint.json").read_text(encoding="utf-8"))
    document["controllers"]["opencontact"] = document["controllers"]["one-contact-center"]
    (home / "checkpoint.json").write_text(json.dumps(document), encoding="utf-8")


@pytest.mark.parametrize(
    ("tamper", "named"),
    [
        (alter_checkpoint, "checkpoint.json: opencontact"),
        (lambda home: (home / "checkpoint.json").write_text("{"), "checkpoint.json: cannot be read"),
        (lambda home: (home / "checkpoint.json").unlink(), "checkpoint.json: missing"),
    ],
)
def test_a_checkpoint_that_cannot_be_trusted_is_found(
    told: CommandLine, tamper: Callable[[Path], object], named: str
) -> None:
    tamper(told.home)
    assert_found(told.line("audit verify"), named)


def test_one_controller_can_be_verified_alone(told: CommandLine) -> None:
    flip_a_byte(told, "events", "body")
    spoilt = {
        name: told.line(f"audit verify --controller {name}").code for name in ("opencontact", "one-contact-center")
    }
    assert sorted(spoilt.values()) == [0, 1]
    assert told.line("audit verify --controller opencontact --controller one-contact-center").code == 1


def test_a_controller_that_the_store_does_not_hold_is_bad_input(told: CommandLine) -> None:
    ran = told.line("audit verify --controller acme")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("controller: not one of this store")


@pytest.mark.parametrize(
    ("content", "named"), [(None, "No such file or directory"), ("{}", "format: expected a manifest")]
)
def test_a_witness_that_is_no_manifest_is_an_error(
    told: CommandLine, workplace: Path, content: str | None, named: str
) -> None:
    if content is not None:
        (workplace / "m.json").write_text(content, encoding="utf-8")
    ran = told.line("audit verify --against m.json")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("m.json: ")
    assert named in ran.err


def test_a_manifest_that_was_changed_is_no_witness(told: CommandLine, workplace: Path) -> None:
    told.done("scrub list.csv --controller opencontact --purpose client-marketing --channel email --out out")
    manifest = workplace / "out" / "manifest.json"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace('"rows": 1', '"rows": 2'), encoding="utf-8")
    ran = told.line("audit verify --against out/manifest.json")
    assert (ran.code, ran.out) == (2, "")
    assert "mac: does not fit" in ran.err


def test_a_store_put_back_to_an_earlier_copy_gives_no_permissions(told: CommandLine, tmp_path: Path) -> None:
    store = told.home / "store.sqlite3"
    earlier = shutil.copyfile(store, tmp_path / "earlier.sqlite3")
    told.done("opt-out kim@acme.example --controller opencontact")
    shutil.copyfile(earlier, store)
    asked = "--controller opencontact --purpose client-marketing --channel email --address-class business"
    ran = told.line(f"check kim@acme.example {asked} --json")
    assert ran.code == 2
    assert json.loads(ran.out)["reason"] == "check_failed"
    assert json.loads(ran.err)["error"]["code"] == "store_damaged"
