"""Whatever is changed in the file behind the program's back, `audit` names it (CONTRACTS: Ledger)."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from prefcenter.bootstrap import audit, open_services, rotate_keys
from prefcenter.domain.errors import StoreDamaged
from prefcenter.domain.events import EVERYTHING, Scope
from prefcenter.domain.terms import RefusalReason
from prefcenter.security.keyring import load_keyring
from prefcenter.security.seals import Sealer
from prefcenter.storage.sqlite_schema import MIGRATIONS, create
from prefcenter.storage.sqlite_tables import add_term
from tests.contract.acts import a_receipt, an_api_key
from tests.factories import DAY, NOW, a_digest
from tests.storage.homes import (
    CONTROLLER,
    add_acts,
    copy_of,
    findings,
    make_home,
    rows,
    settings_of,
    store_file,
    tamper,
)

TABLES = (
    *("keys", "controllers", "terms", "policies", "imports", "records", "events"),
    *("sealed", "receipts", "sends", "letters", "api_keys"),
)
ROWS_A_COLUMN = 3
RAW_FLIPS = 60
OF_CONTROLLER = f"(SELECT id FROM controllers WHERE name = '{CONTROLLER}')"
LAST_EVENT = f"FROM events WHERE partition / 8 = {OF_CONTROLLER} ORDER BY position DESC LIMIT 1"


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_home(tmp_path_factory.mktemp("pristine") / "home")


@pytest.fixture
def home(pristine: Path, tmp_path: Path) -> Path:
    return copy_of(pristine, tmp_path / "home")


def columns() -> list[tuple[str, str]]:
    """Every column of every table, as the schema itself lists them."""
    query = (
        "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c"
        " WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'"
    )
    with closing(sqlite3.connect(":memory:")) as connection:
        for script in MIGRATIONS:
            connection.executescript(script)
        return connection.execute(query).fetchall()


def flipped(value: Any) -> list[Any]:
    """Values one change away, the smallest first; a later one is for where the schema rejects an earlier one."""
    if isinstance(value, int):
        return [value + 1, value - 1, value + 1_000]
    raw = bytearray(value.encode() if isinstance(value, str) else value)
    raw[len(raw) // 2] ^= 0x01
    return [raw.decode() if isinstance(value, str) else bytes(raw)]


def alter(home: Path, table: str, column: str, key: dict[str, Any], values: list[Any]) -> bool:
    """Set one cell to the first of the values that the schema lets in."""
    where = " AND ".join(f"{name} IS ?" for name in key)
    for value in values:
        with suppress(sqlite3.IntegrityError):
            return tamper(home, f"UPDATE {table} SET {column} = ? WHERE {where}", (value, *key.values())) == 1
    return False


def sample_of(home: Path, table: str) -> list[dict[str, Any]]:
    """A few rows, from the whole length of the table."""
    names = [name for its_table, name in columns() if its_table == table]
    all_rows = [dict(zip(names, row, strict=True)) for row in rows(home, f"SELECT {', '.join(names)} FROM {table}")]
    return all_rows[:: max(1, len(all_rows) // ROWS_A_COLUMN)][:ROWS_A_COLUMN]


def test_a_clean_home_has_no_findings(home: Path) -> None:
    assert findings(home) == []
    assert all(rows(home, f"SELECT count(*) FROM {table}")[0][0] for table in TABLES)


def test_the_schema_has_no_table_that_these_tests_do_not_know() -> None:
    assert {table for table, _ in columns()} == set(TABLES)


@pytest.mark.parametrize(("table", "column"), columns())
def test_a_change_in_any_column_of_any_table_is_named(pristine: Path, tmp_path: Path, table: str, column: str) -> None:
    for number, row in enumerate(sample_of(pristine, table)):
        if row[column] is None:
            continue
        home = copy_of(pristine, tmp_path / str(number))
        assert alter(home, table, column, row, flipped(row[column]))
        found = " ".join(findings(home))
        assert f"table {table}" in found or (table in ("records", "events") and _names_a_place(found))


def _names_a_place(found: str) -> bool:
    return "partition " in found or "record " in found


@pytest.mark.parametrize("value", [None, b"", bytes(8)])
def test_a_salt_that_is_set_or_dropped_is_named(home: Path, value: bytes | None) -> None:
    assert tamper(home, f"UPDATE events SET salt = ? WHERE (salt IS NULL) = {int(value is not None)}", (value,))
    assert "was altered" in findings(home)[0]


@pytest.mark.parametrize("column", ["expires_ms", "revoked_ms", "last_used_ms"])
@pytest.mark.parametrize("value", [None, 0])
def test_a_time_of_an_api_key_that_is_set_or_dropped_is_named(home: Path, column: str, value: int | None) -> None:
    tamper(home, f"UPDATE api_keys SET {column} = ? WHERE id = 'k1-tool'", (value,))
    assert findings(home)[0] == "table api_keys: a key was altered"


@pytest.mark.parametrize("moved", ["content", "content, key, mac"])
def test_what_is_sealed_beside_one_record_and_moved_to_another_is_named(home: Path, moved: str) -> None:
    first = f"(SELECT {moved} FROM sealed ORDER BY record LIMIT 1)"
    tamper(home, f"UPDATE sealed SET ({moved}) = {first} WHERE record = (SELECT max(record) FROM sealed)")
    assert findings(home) == ["table sealed: a row was altered"]


def test_what_is_sealed_beside_no_record_is_named(home: Path) -> None:
    tamper(home, "UPDATE sealed SET record = 9999 WHERE record = (SELECT min(record) FROM sealed)")
    assert set(findings(home)) == {"table sealed: a row belongs to no record"}


async def test_altered_rows_are_not_answered_from(home: Path) -> None:
    for table, column in (
        ("sealed", "content"),
        ("receipts", "result"),
        ("sends", "campaign"),
        ("api_keys", "secret_hash"),
        ("letters", "content"),
    ):
        tamper(home, f"UPDATE {table} SET {column} = zeroblob(16)")
    subjects = [a_digest("contact 1")]
    async with open_services(settings_of(home)) as services:
        store = services.store
        for reading in (
            store.load_sealed(CONTROLLER, subjects),
            store.receipt(CONTROLLER, a_receipt("key 1").name, 0),
            store.append(CONTROLLER, [], receipt=a_receipt("key 1")),
            store.sends(CONTROLLER, "client-marketing", subjects, 0),
            anext(store.scan_sends(CONTROLLER, "client-marketing")),
            store.api_key("k1-tool"),
            store.api_keys(),
            store.put_api_key(an_api_key("k1-tool")),
            store.claim_letters(NOW + DAY, until_ms=NOW + DAY, limit=10),
        ):
            with pytest.raises(StoreDamaged, match="was altered"):
                await reading


async def test_an_altered_purpose_is_not_taken_for_one_without_sends(home: Path) -> None:
    tamper(home, "UPDATE terms SET mac = zeroblob(16) WHERE text = 'client-marketing'")
    async with open_services(settings_of(home)) as services:
        with pytest.raises(StoreDamaged, match="table terms"):
            await services.store.sends(CONTROLLER, "client-marketing", [a_digest("contact 1")], 0)


def test_text_that_is_no_longer_utf_8_is_named(home: Path) -> None:
    assert tamper(home, "UPDATE terms SET text = CAST(x'ff6f726d' AS TEXT) WHERE controller = 1")
    assert any("table terms: number" in finding and "was altered" in finding for finding in findings(home))


def test_an_altered_controller_answers_nothing_while_the_others_do(home: Path) -> None:
    assert tamper(home, "UPDATE controllers SET name = 'opencontacs' WHERE name = ?", (CONTROLLER,))

    async def look(controller: str) -> int:
        async with open_services(settings_of(home)) as services:
            return len(await services.store.heads(controller))

    assert asyncio.run(look("openscape")) == 8
    with pytest.raises(StoreDamaged, match="table controllers"):
        asyncio.run(look(CONTROLLER))


def test_a_byte_flipped_anywhere_in_the_file_is_found_or_changes_nothing(pristine: Path, tmp_path: Path) -> None:
    draw = random.Random(2)
    content = store_file(pristine).read_bytes()
    used = [offset for offset, byte in enumerate(content) if byte]
    for number in range(RAW_FLIPS):
        home = copy_of(pristine, tmp_path / str(number))
        offset = draw.choice(used)
        altered = bytearray(content)
        altered[offset] ^= 1 << draw.randrange(8)
        store_file(home).write_bytes(altered)
        assert findings(home) or _dump(home) == _dump(pristine), f"offset {offset}"


def _dump(home: Path) -> list[list[tuple[Any, ...]]]:
    return [rows(home, f"SELECT * FROM {table} ORDER BY 1, 2") for table in TABLES]


def test_a_lost_index_entry_that_would_hide_a_refusal_is_found(home: Path) -> None:
    without_sends = "digest NOT IN (SELECT digest FROM sends)"
    (value,) = rows(home, f"SELECT digest FROM records WHERE {without_sends} ORDER BY id DESC LIMIT 1")[0]
    file = store_file(home)
    content = file.read_bytes()
    places = [at for at in range(len(content)) if content.startswith(value, at)]
    assert len(places) == 2, "once in the table, once in its index"
    for place in places:
        file.write_bytes(content[:place] + bytes([value[0] ^ 8]) + content[place + 1 :])
        assert findings(home)


def test_the_last_event_deleted_is_named(home: Path) -> None:
    assert tamper(home, f"DELETE FROM events WHERE (subject, version) = (SELECT subject, version {LAST_EVENT})")
    assert any("cut off after event" in finding for finding in findings(home))


def test_the_last_event_deleted_with_its_record_is_named(home: Path) -> None:
    lasts = f"SELECT partition, max(position) FROM events WHERE partition / 8 = {OF_CONTROLLER} GROUP BY partition"
    (subject,), *_ = rows(home, f"SELECT subject FROM events WHERE version = 1 AND (partition, position) IN ({lasts})")
    tamper(home, "DELETE FROM events WHERE subject = ?", (subject,))
    tamper(home, "DELETE FROM records WHERE id = ?", (subject,))
    assert any("cut off after event" in finding for finding in findings(home))


def test_the_last_event_undone_in_ledger_and_record_is_named(home: Path) -> None:
    add_acts(home, ["late"])
    earlier = copy_of(home, home.with_name("earlier"))
    add_acts(home, ["late", "later"])
    ((subject,),) = rows(
        home, f"SELECT subject FROM events WHERE partition / 8 = {OF_CONTROLLER} ORDER BY 1 DESC LIMIT 1"
    )
    assert not rows(earlier, "SELECT * FROM records WHERE id = ?", (subject,))
    tamper(home, "DELETE FROM events WHERE subject = ?", (subject,))
    tamper(home, "DELETE FROM records WHERE id = ?", (subject,))
    assert any("cut off after event" in finding for finding in findings(home))


def test_a_deleted_record_is_named(home: Path) -> None:
    tamper(home, f"DELETE FROM records WHERE id = (SELECT min(id) FROM records WHERE controller = {OF_CONTROLLER})")
    assert any("the record of event" in finding and "is gone" in finding for finding in findings(home))


def test_a_record_deleted_with_all_its_events_is_named(home: Path) -> None:
    ((subject,),) = rows(home, f"SELECT min(id) FROM records WHERE controller = {OF_CONTROLLER}")
    tamper(home, "DELETE FROM events WHERE subject = ?", (subject,))
    tamper(home, "DELETE FROM records WHERE id = ?", (subject,))
    assert any("is missing" in finding or "cut off" in finding for finding in findings(home))


def test_a_record_that_no_event_made_is_named(home: Path) -> None:
    copied = "9999, controller, kind, key, rules, version, randomblob(16), state"
    tamper(home, f"INSERT INTO records SELECT {copied} FROM records LIMIT 1")
    assert findings(home) == ["record 9999 is not what its events say"]


@pytest.mark.parametrize("swapped", ["body", "body, salt", "body, salt, mac", "position"])
def test_two_events_swapped_are_named(home: Path, swapped: str) -> None:
    query = f"SELECT subject, version, {swapped} FROM events WHERE partition = ? AND salt IS NOT NULL ORDER BY position"
    busiest = "SELECT partition FROM events WHERE salt IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC LIMIT 1"
    first, *others = rows(home, query, rows(home, busiest)[0])
    second = next(other for other in others if other[2:] != first[2:])
    update = f"UPDATE events SET ({swapped}) = ({', '.join('?' * len(first[2:]))}) WHERE (subject, version) = (?, ?)"
    if swapped == "position":
        tamper(home, update, (99, *first[:2]))
    tamper(home, update, (*first[2:], *second[:2]))
    tamper(home, update, (*second[2:], *first[:2]))
    assert any("was altered, moved, or follows another event" in finding for finding in findings(home))


def test_an_earlier_copy_of_the_file_is_named_and_gives_no_decisions(pristine: Path, home: Path) -> None:
    add_acts(home, [f"late{number}" for number in range(20)])
    assert findings(home) == []
    shutil.copyfile(store_file(pristine), store_file(home))
    assert any("an older copy of the store was put back" in finding for finding in findings(home))
    _expect_no_decisions(home)
    assert any("an older copy of the store was put back" in finding for finding in findings(home)), "it stays known"


def test_an_earlier_copy_that_went_on_differently_is_named(pristine: Path, home: Path) -> None:
    add_acts(home, [f"late{number}" for number in range(20)])
    shutil.copyfile(store_file(pristine), store_file(home))
    add_acts(home, [f"other{number}" for number in range(60)])
    assert any("is not the one that an earlier head signed" in finding for finding in findings(home))
    _expect_no_decisions(home)


def test_an_empty_store_in_the_place_of_the_real_one_is_named(home: Path) -> None:
    store_file(home).unlink()
    create(store_file(home))
    assert f"controller {CONTROLLER} is not in the store" in findings(home)
    _expect_no_decisions(home)


def _expect_no_decisions(home: Path) -> None:
    async def decide() -> None:
        async with open_services(settings_of(home)) as services:
            await services.deciding(CONTROLLER)

    with pytest.raises(StoreDamaged, match="lost events that were acknowledged"):
        asyncio.run(decide())


def test_a_restored_copy_decides_again_once_its_checkpoint_is_put_aside(pristine: Path, home: Path) -> None:
    add_acts(home, ["late"])
    shutil.copyfile(store_file(pristine), store_file(home))
    _expect_no_decisions(home)
    (home / "checkpoint.json").rename(home / "checkpoint.json.set-aside")
    add_acts(home, [])
    assert findings(home) == []


Spoil = Callable[[dict[str, Any]], None]


def _lower_a_position(document: dict[str, Any]) -> None:
    heads = document["controllers"][CONTROLLER]["heads"]
    next(head for head in heads if head["position"])["position"] -= 1


def _change_a_head(document: dict[str, Any]) -> None:
    heads = document["controllers"][CONTROLLER]["heads"]
    next(head for head in heads if head["position"])["mac"] = "00" * 16


def _take_another_controllers(document: dict[str, Any]) -> None:
    document["controllers"][CONTROLLER] = document["controllers"]["openscape"]


@pytest.mark.parametrize("spoil", [_lower_a_position, _change_a_head, _take_another_controllers])
def test_an_altered_checkpoint_is_named(home: Path, spoil: Spoil) -> None:
    file = home / "checkpoint.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    spoil(document)
    file.write_text(json.dumps(document), encoding="utf-8")
    assert findings(home)[0].startswith(f"checkpoint.json: {CONTROLLER}: the ledger heads")
    assert json.loads(file.read_text(encoding="utf-8")) == document, "it is evidence and stays"


def test_a_missing_checkpoint_is_named(home: Path) -> None:
    (home / "checkpoint.json").unlink()
    assert findings(home)[0] == "checkpoint.json: missing; nothing shows whether the store was rolled back"


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER drops BEFORE INSERT ON events BEGIN SELECT RAISE(IGNORE); END",
        "CREATE TABLE more (id INTEGER)",
        "CREATE VIEW more AS SELECT 1",
        "CREATE INDEX more ON records (version)",
    ],
)
def test_anything_added_to_the_schema_is_named(home: Path, statement: str) -> None:
    tamper(home, statement)
    assert findings(home)[0].startswith("the store's schema was altered")


def test_the_statistics_of_analyze_are_no_finding(home: Path) -> None:
    tamper(home, "ANALYZE")
    assert findings(home) == []


@pytest.mark.parametrize(("table", "column"), [("records", "state"), ("events", "body")])
def test_bytes_nested_too_deep_to_be_read_are_named(home: Path, table: str, column: str) -> None:
    tamper(home, f"UPDATE {table} SET {column} = ?", (b"\x91" * 9_000 + b"\xc0",))
    assert any("is not what its events say" in finding for finding in findings(home))


async def test_a_record_nested_too_deep_to_be_read_is_damage(home: Path) -> None:
    tamper(home, "UPDATE records SET state = ?", (b"\x91" * 9_000 + b"\xc0",))
    async with open_services(settings_of(home)) as services:
        with pytest.raises(StoreDamaged, match="table records"):
            _ = [page async for page in services.store.scan(CONTROLLER)]


async def test_a_key_that_is_no_longer_noted_is_named(home: Path) -> None:
    await rotate_keys(settings_of(home))
    async with open_services(settings_of(home)) as services:
        await (await services.controller(CONTROLLER)).recording.opt_out("pat@acme.example", EVERYTHING, "form")
    tamper(home, "DELETE FROM keys WHERE id = 2")
    found = (await audit(settings_of(home), [CONTROLLER]))[CONTROLLER].findings
    assert found == ("table keys: number 2, which sealed events, is missing",)


async def test_bodies_put_back_after_an_erasure_are_named(home: Path) -> None:
    earlier = copy_of(home, home.with_name("earlier"))
    async with open_services(settings_of(home)) as services:
        desk = (await services.controller(CONTROLLER)).recording
        await desk.suppress("person1@acme.example", RefusalReason.ERASED, EVERYTHING, "request")
    erased = set(rows(home, "SELECT subject, version FROM events WHERE salt IS NULL"))
    erased -= set(rows(earlier, "SELECT subject, version FROM events WHERE salt IS NULL"))
    assert erased
    for place in erased:
        (taken,) = rows(earlier, "SELECT salt, body FROM events WHERE (subject, version) = (?, ?)", place)
        tamper(home, "UPDATE events SET salt = ?, body = ? WHERE (subject, version) = (?, ?)", (*taken, *place))
    (found,) = (await audit(settings_of(home), [CONTROLLER]))[CONTROLLER].findings
    assert "is not what its events say" in found


async def test_the_number_of_a_deleted_text_never_falls_to_another(home: Path) -> None:
    async with open_services(settings_of(home)) as services:
        desk = (await services.controller(CONTROLLER)).recording
        await desk.opt_out("pat@acme.example", Scope(purpose="candidate-contact"), "form")
    assert tamper(home, "DELETE FROM terms WHERE text = 'candidate-contact'")
    async with open_services(settings_of(home)) as services:
        await (await services.controller(CONTROLLER)).recording.opt_out("kim@acme.example", EVERYTHING, "web-form")
    (found,) = (await audit(settings_of(home), [CONTROLLER]))[CONTROLLER].findings
    assert "is not what its events say" in found


async def test_a_number_that_another_text_has_is_passed_over(home: Path) -> None:
    with closing(sqlite3.connect(store_file(home), isolation_level=None)) as connection:
        sealer = Sealer(load_keyring(settings_of(home).keyring), CONTROLLER)
        first = add_term(connection, sealer, 77, "one", taken=())
        connection.execute("DELETE FROM terms WHERE controller = 77")
        assert add_term(connection, sealer, 77, "one", taken={first, first + 1}) == first + 2


def test_no_finding_quotes_a_value(home: Path) -> None:
    tamper(home, "UPDATE records SET state = CAST('person1@acme.example' AS BLOB)")
    tamper(home, "UPDATE events SET body = CAST('person1@acme.example' AS BLOB)")
    assert "person1" not in " ".join(findings(home))
