"""Lists of every format are imported alike: what each row does, what is told of it, and where an import goes on."""

from __future__ import annotations

import datetime
import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from xlsxwriter import Workbook

from jobs.imports import ADDED_HEADINGS, GrantImport, ImportReport, RefusalImport, import_grants, import_refusals
from jobs.imports.choice import is_read_in_blocks
from jobs.imports.sources import open_sources
from jobs.lists.content import OctetStream
from prefcenter.domain.digest import DigestKind
from prefcenter.domain.errors import ActRefused, InvalidInput, InvalidList, PrefcenterError, StoreFull
from prefcenter.domain.events import EVERYTHING, Cell, Scope
from prefcenter.domain.terms import AddressKind, Channel, RefusalReason
from prefcenter.domain.time import format_time
from prefcenter.security.keyring import Keyring, new_keyring
from prefcenter.services.import_batches import RowOutcome
from prefcenter.services.importing import Importing, RefusalRow
from prefcenter.storage import create_store
from prefcenter.storage.sqlite import SqliteStore
from tests.factories import DAY, NOW
from tests.jobs.imports.test_long_lists import POLICY, importing_on
from tests.jobs.lists.formats import MAKERS, rows_in
from tests.jobs.scrub.small_home import left_in

ADDED, ALREADY, REVERSED = RowOutcome.ADDED, RowOutcome.ALREADY, RowOutcome.REVERSED
HEADED = {".csv": 2, ".csv.gz": 2, ".csv.zst": 2, ".ndjson": 1, ".jsonl.gz": 1, ".xlsx": 2, ".parquet": 1}
"""The line or row of the first contact."""

ROWS = [
    {"id": "1", "email": "pat@acme.example", "when": "2026-03-01"},
    {"id": "2", "email": "nobody", "when": "2026-03-01"},
    {"id": "3", "email": "PAT+x@acme.example", "when": "2026-03-01T10:00:00Z"},
    {"id": "4", "email": "kim@acme.example", "when": "yesterday"},
    {"id": "5", "email": "@bulk.example", "when": "2026-03-02"},
]


class Interrupted(Importing):
    """An importer whose disk is full after one batch."""

    batches = 0

    async def refuse(
        self,
        rows: Sequence[RefusalRow],
        reason: RefusalReason,
        scope: Scope,
        source: str,
        kind: AddressKind,
        hashes: DigestKind | None = None,
    ) -> Sequence[RowOutcome | PrefcenterError]:
        self.batches += 1
        if self.batches > 1:
            raise StoreFull("the disk is full; nothing was acknowledged")
        return await super().refuse(rows, reason, scope, source, kind, hashes)


@pytest.fixture(scope="module")
def keyring() -> Keyring:
    return new_keyring("2026-11-21T00:00:00Z")


@pytest.fixture
def store(tmp_path: Path, keyring: Keyring) -> SqliteStore:
    path = tmp_path / "store.sqlite3"
    create_store(f"sqlite://{path}")
    return SqliteStore(path, keyring)


@pytest.fixture
def importing(store: SqliteStore, keyring: Keyring) -> Importing:
    return importing_on(store, keyring)


def a_list(directory: Path, suffix: str, rows: Sequence[Mapping[str, Any]], name: str = "list") -> Path:
    path = directory / f"{name}{suffix}"
    path.write_bytes(MAKERS[suffix](rows))
    return path


def refusals(path: Path, reason: RefusalReason = RefusalReason.MANUAL, **options: Any) -> RefusalImport:
    return RefusalImport(path, Channel.EMAIL, reason, EVERYTHING, "crm", **options)


async def refuse(importing: Importing, plan: RefusalImport, standard_input: OctetStream | None = None) -> ImportReport:
    return await import_refusals(plan, importing, POLICY.country, standard_input=standard_input)


def people(count: int, first: int = 0) -> list[dict[str, str]]:
    return [{"email": f"p{number}@acme.example"} for number in range(first, first + count)]


@pytest.mark.parametrize("suffix", MAKERS)
async def test_rows_do_the_same_and_are_told_the_same_in_every_format(
    tmp_path: Path, importing: Importing, suffix: str
) -> None:
    path = a_list(tmp_path, suffix, ROWS)
    report = await refuse(importing, refusals(path, time_column="when"))
    assert (report.read, report.outcomes, report.invalid) == (5, {ADDED: 2, ALREADY: 1}, 2)
    lines = [str(HEADED[suffix] + 1), str(HEADED[suffix] + 3)]
    no_address, no_time = report.faults
    assert no_address == f"{path}:{lines[0]}: address: is not an email address"
    assert no_time.startswith(f"{path}:{lines[1]}: time: expected a date")
    (invalid_file,) = report.invalid_files
    of_text = ".csv" in suffix
    assert invalid_file == path.with_name(f"{path.name}.invalid{'.csv' if of_text else suffix}")
    assert invalid_file.stat().st_mode & 0o777 == 0o600
    told = [dict(zip(ADDED_HEADINGS, parts, strict=True)) for parts in zip(lines, told_of(report), strict=True)]
    left = rows_in(invalid_file.rename(tmp_path / "invalid.csv") if of_text else invalid_file)
    assert left == [{**ROWS[1], **told[0]}, {**ROWS[3], **told[1]}]
    assert not [name for name in left_in(tmp_path) if name.startswith(".")]


def told_of(report: ImportReport) -> list[str]:
    return [fault.split(": ", 1)[1] for fault in report.faults]


@pytest.mark.parametrize("suffix", [".ndjson", ".jsonl.gz", ".parquet", ".xlsx"])
async def test_a_long_list_is_read_in_blocks_and_comes_to_the_same(
    tmp_path: Path, store: SqliteStore, importing: Importing, suffix: str
) -> None:
    chance, digits = Random(7), 20_000
    padding = [{"id": "6", "email": f"a{number}@acme.example", "when": "2026-03-03"} for number in range(40)]
    padded = [{**row, "note": f"{chance.getrandbits(4 * digits):x}"} for row in padding]
    path = a_list(tmp_path, suffix, [*({**row, "note": ""} for row in ROWS), *padded])
    plan = refusals(path, time_column="when")
    with open_sources(plan, POLICY.country, None) as (opened,):
        assert is_read_in_blocks(opened, plan)
    report = await refuse(importing, plan)
    assert (report.read, report.outcomes) == (45, {ADDED: 42, ALREADY: 1})
    assert [fault.removeprefix(f"{path}:").split(": ")[0] for fault in report.faults] == [
        str(HEADED[suffix] + place) for place in (1, 3)
    ]
    assert [row["id"] for row in rows_in(report.invalid_files[0])] == ["2", "4"]
    assert (await refuse(importing, plan)).outcomes == {ALREADY: 43}


@pytest.mark.parametrize("suffix", MAKERS)
async def test_an_import_that_was_interrupted_goes_on_and_is_as_of_its_beginning(
    tmp_path: Path, store: SqliteStore, keyring: Keyring, importing: Importing, suffix: str
) -> None:
    path = a_list(tmp_path, suffix, [{"email": "nobody"}, *people(1_499)])
    with pytest.raises(StoreFull):
        await refuse(importing_on(store, keyring, Interrupted, NOW - DAY), refusals(path))
    assert not [name for name in left_in(tmp_path) if "invalid" in name]
    report = await refuse(importing, refusals(path))
    assert (report.outcomes, report.invalid) == ({ALREADY: 999, ADDED: 500}, 1)
    assert await times_of(store) == {NOW - DAY}
    assert (await refuse(importing, refusals(path))).outcomes == {ALREADY: 1_499}


async def times_of(store: SqliteStore) -> set[int]:
    """When everybody on record was refused."""
    pages = [page async for page in store.scan(POLICY.controller)]
    return {refusal.at.time_ms for page in pages for record in page for refusal in record.refusals}


@pytest.mark.parametrize("suffix", MAKERS)
async def test_consents_come_from_every_format(tmp_path: Path, importing: Importing, suffix: str) -> None:
    evidence = {"wording": "form@3", "method": "form"}
    rows = [
        {"email": "kim@gmail.com", "when": "2026-02-01T10:00:00Z", **evidence, "ends": "2031-02-01"},
        {"email": "lee@gmail.com", "when": "2026-02-01", **evidence, "ends": ""},
        {"email": "max@gmail.com", "when": "", **evidence, "ends": ""},
    ]
    path = a_list(tmp_path, suffix, rows)
    cell = Cell("client-marketing", Channel.EMAIL)
    plan = GrantImport(path, Channel.EMAIL, cell, "crm", "when", "wording", "method", "ends")
    report = await import_grants(plan, importing, POLICY.country)
    assert (report.outcomes, report.invalid) == ({ADDED: 2}, 1)
    assert (await import_grants(plan, importing, POLICY.country)).outcomes == {ALREADY: 2}


@pytest.mark.parametrize("suffix", MAKERS)
async def test_a_vendors_hashes_are_found_in_every_format(tmp_path: Path, importing: Importing, suffix: str) -> None:
    hashes = [hashlib.sha256(row["email"].encode()).hexdigest() for row in people(3)]
    rows = [{"id": "7", "x": text} for text in [*hashes, "0f" * 16]]
    report = await refuse(importing, refusals(a_list(tmp_path, suffix, rows), hashes=DigestKind.SHA256))
    assert (report.outcomes, report.invalid) == ({ADDED: 3}, 1)
    with pytest.raises(InvalidList, match="no column holds hashes of 32 hex digits"):
        await refuse(importing, refusals(a_list(tmp_path, suffix, rows[:3], "other"), hashes=DigestKind.MD5))


@pytest.mark.parametrize("suffix", MAKERS)
async def test_a_registry_is_replaced_by_a_list_of_every_format(
    tmp_path: Path, importing: Importing, suffix: str
) -> None:
    reports = []
    for name, rows in (("first", people(5)), ("later", people(3))):
        plan = refusals(a_list(tmp_path, suffix, rows, name), RefusalReason.ON_REGISTRY, replace_registry=True)
        reports.append(await refuse(importing, plan))
    assert [report.lifted for report in reports] == [0, 2]


async def test_lists_of_several_formats_replace_a_registry_together(tmp_path: Path, importing: Importing) -> None:
    one, two = a_list(tmp_path, ".xlsx", people(3)), a_list(tmp_path, ".ndjson", people(3, 3))
    plan = refusals(one, RefusalReason.ON_REGISTRY, replace_registry=True, further=(two,))
    assert (await refuse(importing, plan)).lifted == 0
    other = a_list(tmp_path, ".csv", people(2, 3))
    later = replace(plan, further=(other,))
    assert (await refuse(importing, later)).lifted == 1
    with pytest.raises(ActRefused, match=r"1 of 4 rows are invalid \(see bad.parquet.invalid.parquet\)"):
        await refuse(importing, replace(plan, further=(a_list(tmp_path, ".parquet", [{"email": "x"}], "bad"),)))


async def test_each_of_several_lists_is_an_import_of_its_own(
    tmp_path: Path, store: SqliteStore, keyring: Keyring, importing: Importing
) -> None:
    """A consent that came since one of them was imported holds, though there is a further one now."""
    (first,) = (a_list(tmp_path, ".ndjson", people(2), "part-1"),)
    await refuse(importing_on(store, keyring, now_ms=NOW - 3 * DAY), refusals(first))
    given = [{"email": "p0@acme.example", "when": format_time(NOW - DAY), "wording": "w@1", "method": "form"}]
    cell = Cell("client-marketing", Channel.EMAIL)
    consents = a_list(tmp_path, ".csv", given, "consents")
    plan = GrantImport(consents, Channel.EMAIL, cell, "crm", "when", "wording", "method")
    report = await import_grants(plan, importing, POLICY.country)
    assert (report.outcomes, report.faults) == ({ADDED: 1}, [])
    a_list(tmp_path, ".ndjson", people(2, 2), "part-2")
    report = await refuse(importing, refusals(tmp_path / "part-*.ndjson"))
    assert report.outcomes == {ALREADY: 2, ADDED: 2}


async def test_no_list_is_begun_where_a_further_one_cannot_be_imported(
    tmp_path: Path, store: SqliteStore, importing: Importing
) -> None:
    first = a_list(tmp_path, ".csv", people(2))
    for further in (tmp_path / "none.csv", a_list(tmp_path, ".ndjson", [{"name": "Pat"}])):
        with pytest.raises(InvalidInput):
            await refuse(importing, refusals(first, further=(further,)))
    assert await times_of(store) == set()


async def test_standard_input_is_the_import_of_the_file_that_it_holds(
    tmp_path: Path, importing: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = a_list(tmp_path, ".ndjson", [{"email": "nobody"}, *people(2)])
    report = await refuse(importing, refusals(Path("-")), io.BytesIO(path.read_bytes()))
    assert (report.outcomes, report.faults) == ({ADDED: 2}, ["-:1: address: is not an email address"])
    assert report.invalid_files == [Path("standard-input.invalid.ndjson")]
    assert rows_in(tmp_path / report.invalid_files[0])[0]["email"] == "nobody"
    assert (await refuse(importing, refusals(path))).outcomes == {ALREADY: 2}


@pytest.mark.parametrize("suffix", [".ndjson", ".parquet", ".xlsx"])
async def test_invalid_rows_that_fail_again_are_told_beside_what_was_told_before(
    tmp_path: Path, importing: Importing, suffix: str
) -> None:
    (first,) = (await refuse(importing, refusals(a_list(tmp_path, suffix, ROWS)))).invalid_files
    (again,) = (await refuse(importing, refusals(first))).invalid_files
    (row,) = rows_in(again)
    assert list(row) == [*ROWS[0], *ADDED_HEADINGS, *(f"{heading}_2" for heading in ADDED_HEADINGS)]


async def test_dates_and_times_of_parquet_are_read_and_one_without_a_zone_is_invalid(
    tmp_path: Path, store: SqliteStore, importing: Importing
) -> None:
    moment = datetime.datetime(2026, 3, 1, 10, tzinfo=datetime.UTC)
    columns = {
        "date": pa.array([moment.date()], pa.date32()),
        "zoned": pa.array([moment], pa.timestamp("ns", "Europe/Berlin")),
        "naive": pa.array([moment.replace(tzinfo=None)], pa.timestamp("us")),
    }
    reports = []
    for name, column in columns.items():
        path = tmp_path / f"{name}.parquet"
        pq.write_table(pa.table({"email": [f"{name}@acme.example"], "when": column}), path)
        reports.append(await refuse(importing, refusals(path, time_column="when")))
    assert [report.invalid for report in reports] == [0, 0, 1]
    start = int(moment.timestamp()) * 1_000
    assert await times_of(store) == {start, start + 14 * 3_600_000 - 1}


async def test_dates_of_a_workbook_are_read_and_the_sheet_is_the_one_that_is_named(
    tmp_path: Path, store: SqliteStore, importing: Importing
) -> None:
    with Workbook(tmp_path / "book.xlsx") as book:
        book.add_worksheet("Notes").write_row(0, 0, ["nothing", "here"])
        sheet = book.add_worksheet("Left")
        sheet.write_row(2, 1, ["email", "when"])
        sheet.write_string(3, 1, "pat@acme.example")
        sheet.write_datetime(3, 2, datetime.date(2026, 3, 1), book.add_format({"num_format": "yyyy-mm-dd"}))
        sheet.write_row(4, 1, ["kim@acme.example", "soon"])
    plan = refusals(tmp_path / "book.xlsx", time_column="when", sheet="Left")
    report = await refuse(importing, plan)
    assert (report.outcomes, report.faults[0].split(":")[1]) == ({ADDED: 1}, "5")
    assert await times_of(store) == {int(datetime.datetime(2026, 3, 2, tzinfo=datetime.UTC).timestamp()) * 1_000 - 1}


@pytest.mark.parametrize("channel", [Channel.SMS, Channel.VOICE])
async def test_numbers_of_a_workbook_are_telephone_numbers(
    tmp_path: Path, importing: Importing, channel: Channel
) -> None:
    path = a_list(tmp_path, ".xlsx", [{"phone": 447700900123}, {"phone": "07700 900124"}])
    plan = RefusalImport(path, channel, RefusalReason.OPTED_OUT, Scope(channel=channel), "crm")
    assert (await refuse(importing, plan)).outcomes[ADDED] >= 1
