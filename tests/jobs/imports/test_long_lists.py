"""A list that is long enough to be read in blocks: what it leaves behind, and whom it lets go first."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from jobs.imports import ImportReport, RefusalImport, import_refusals
from jobs.imports.blocks import CHUNK_ROWS_MAX
from jobs.imports.choice import FEWEST_OCTETS, is_read_in_blocks
from jobs.lists import open_list
from prefcenter.domain.digest import DigestKind
from prefcenter.domain.errors import ActRefused
from prefcenter.domain.events import EVERYTHING, Scope
from prefcenter.domain.record import Record
from prefcenter.domain.terms import Channel, RefusalReason
from prefcenter.security.digests import Digester
from prefcenter.security.fields import FieldCipher
from prefcenter.security.keyring import Keyring, new_keyring
from prefcenter.services.import_batches import RowOutcome
from prefcenter.services.importing import Importing
from prefcenter.services.policy_files import load_policy
from prefcenter.services.ports import Alike, Change, Receipt, Store
from prefcenter.services.recording import Recording
from prefcenter.storage import create_store
from prefcenter.storage.sqlite import SqliteStore
from tests.contract.acts import change, refused
from tests.factories import NOW, a_digest

CONTROLLER = "opencontact"
POLICY = load_policy(Path("fixtures/policies") / f"{CONTROLLER}.toml", known_clauses=None)
PADDING = [("padded@example.com", "x" * 700_000)] * 2
"""Rows that make a list long; the second is the first again."""

ROWS = [
    ("pat@acme.example", "a note"),
    ("nobody", 'a "quoted" note'),
    ("", ""),
    ("Zoë@bücher.example", "two\nlines"),
    ("PAT+x@acme.example", "ragged", "row"),
    ("kim@acme.example", "Zoë"),
    ("Pat+y@ACME.example", ""),
]


@pytest.fixture(scope="module")
def keyring() -> Keyring:
    return new_keyring("2026-11-21T00:00:00Z")


@pytest.fixture
def store(tmp_path: Path, keyring: Keyring) -> CountingStore:
    path = tmp_path / "store.sqlite3"
    create_store(f"sqlite://{path}")
    return CountingStore(path, keyring)


class CountingStore(SqliteStore):
    """A store that counts the bulk appends that are on disk."""

    bulk_appends = 0

    async def append(
        self,
        controller: str,
        changes: Sequence[Change],
        *,
        bulk: bool = False,
        receipt: Receipt | None = None,
        alike: Sequence[Alike] = (),
    ) -> None:
        await super().append(controller, changes, bulk=bulk, receipt=receipt, alike=alike)
        self.bulk_appends += bulk


def importing_on(store: Store, keyring: Keyring, made: type[Importing] = Importing, now_ms: int = NOW) -> Importing:
    digester, cipher = Digester(keyring, CONTROLLER), FieldCipher(keyring, CONTROLLER)
    recording = Recording(POLICY, digester, store, lambda: now_ms, cipher)
    return made(POLICY, digester, store, lambda: now_ms, recording)


def write(path: Path, rows: Sequence[Sequence[str]], end: str = "\n") -> Path:
    cells = (
        ",".join('"' + cell.replace('"', '""') + '"' if set(cell) & set(',"\n') else cell for cell in row)
        for row in rows
    )
    path.write_bytes("".join(f"{row}{end}" for row in ["email,note", *cells]).encode())
    return path


def refusals(path: Path, reason: RefusalReason = RefusalReason.MANUAL, **options: object) -> RefusalImport:
    return RefusalImport(path, Channel.EMAIL, reason, EVERYTHING, "crm", "email", **options)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Left:
    """What an import reports and leaves behind."""

    report: ImportReport
    invalid: bytes
    mode: int


async def imported(path: Path, store: Store, keyring: Keyring) -> Left:
    report = await import_refusals(refusals(path), importing_on(store, keyring), "GB")
    (invalid_file,) = report.invalid_files
    return Left(report, invalid_file.read_bytes(), invalid_file.stat().st_mode & 0o777)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
async def test_a_long_list_leaves_what_a_short_one_leaves(
    tmp_path: Path, store: CountingStore, keyring: Keyring, end: str
) -> None:
    short = await imported(write(tmp_path / "short.csv", ROWS, end), store, keyring)
    create_store(f"sqlite://{tmp_path / 'other.sqlite3'}")
    other = SqliteStore(tmp_path / "other.sqlite3", keyring)
    long = await imported(write(tmp_path / "long.csv", [*ROWS, *PADDING], end), other, keyring)
    assert (tmp_path / "long.csv").stat().st_size > FEWEST_OCTETS > (tmp_path / "short.csv").stat().st_size
    assert (long.invalid, long.mode) == (short.invalid, 0o600)
    assert [fault.replace("long.csv", "short.csv") for fault in long.report.faults] == short.report.faults
    assert long.report.outcomes - short.report.outcomes == {RowOutcome.ADDED: 1, RowOutcome.ALREADY: 1}
    assert (long.report.read, long.report.invalid) == (len(ROWS) + 2, short.report.invalid)
    await store.close()
    await other.close()


async def test_a_registry_is_replaced_by_a_long_list(tmp_path: Path, store: CountingStore, keyring: Keyring) -> None:
    first = [
        *((f"p{number}@acme.example", "") for number in range(50)),
        ("gone@acme.example", ""),
        ("zoë@bücher.example", ""),
    ]
    later = [row for row in first if "gone" not in row[0]]
    importing, reports = importing_on(store, keyring), []
    for name, rows in (("first.csv", first), ("later.csv", later)):
        path = write(tmp_path / name, [*rows, *PADDING])
        plan = refusals(path, RefusalReason.ON_REGISTRY, replace_registry=True)
        reports.append(await import_refusals(plan, importing, "GB"))
    assert [report.lifted for report in reports] == [0, 1]
    assert reports[1].outcomes == {RowOutcome.ALREADY: len(later) + 2}
    await store.close()


async def test_a_long_list_with_an_invalid_row_replaces_no_registry(
    tmp_path: Path, store: CountingStore, keyring: Keyring
) -> None:
    plan = refusals(write(tmp_path / "list.csv", [*ROWS, *PADDING]), RefusalReason.ON_REGISTRY, replace_registry=True)
    with pytest.raises(ActRefused, match="nothing was lifted"):
        await import_refusals(plan, importing_on(store, keyring), "GB")
    await store.close()


@pytest.mark.parametrize(
    ("channel", "options", "expected"),
    [
        (Channel.EMAIL, {}, True),
        (Channel.EMAIL, {"hashes": DigestKind.MD5}, False),
        (Channel.SMS, {}, False),
    ],
)
def test_long_lists_of_email_addresses_are_read_in_blocks(
    tmp_path: Path, channel: Channel, options: dict[str, object], *, expected: bool
) -> None:
    path = write(tmp_path / "list.csv", PADDING)
    opened = open_list(path, Channel.EMAIL, "GB", "email")
    plan = RefusalImport(path, channel, RefusalReason.MANUAL, Scope(), "crm", **options)  # type: ignore[arg-type]
    assert is_read_in_blocks(opened, plan) is expected


async def test_a_single_act_waits_for_one_chunk_of_an_import_at_most(
    tmp_path: Path, store: CountingStore, keyring: Keyring
) -> None:
    chunks = 8
    rows = [(f"person{number}@acme.example", "x" * 60) for number in range(chunks * CHUNK_ROWS_MAX)]
    path = write(tmp_path / "list.csv", rows)
    running = asyncio.create_task(import_refusals(refusals(path), importing_on(store, keyring), "GB"))
    waited: list[int] = []
    while not running.done():
        before = store.bulk_appends
        await store.append(CONTROLLER, [change(Record(a_digest(f"act {len(waited)}")), refused())])
        waited.append(store.bulk_appends - before)
    report = await running
    assert report.outcomes == {RowOutcome.ADDED: len(rows)}
    assert store.bulk_appends >= chunks
    assert sum(waited) > 1, "no act was taken while the list was imported"
    assert max(waited) <= 1
    findings = (await store.audit(CONTROLLER, [])).findings
    assert findings == ("table policies: no policy is in force any more",)
    await store.close()
