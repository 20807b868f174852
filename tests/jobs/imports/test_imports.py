"""The import as a job: what it reads, in which batches, and what it leaves behind when it stops half way."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from jobs.imports import (
    ADDED_HEADINGS,
    BATCH_ROWS,
    FAULTS_TOLD_MAX,
    GrantImport,
    ImportReport,
    RefusalImport,
    import_grants,
    import_refusals,
)
from prefcenter.domain.digest import Digest, DigestKind
from prefcenter.domain.errors import ActRefused, InvalidAddress, InvalidInput, PrefcenterError, StoreFull
from prefcenter.domain.events import EVERYTHING, Cell, Scope
from prefcenter.domain.terms import AddressKind, Channel, RefusalReason
from prefcenter.domain.time import MS_PER_DAY, parse_time
from prefcenter.services.import_batches import RowOutcome
from prefcenter.services.importing import GrantRow, RefusalBlock, RefusalRow
from tests.factories import NOW, a_digest

Outcome = RowOutcome | PrefcenterError


@dataclass
class RecordingImporter:
    """An importer that keeps what it is handed. Addresses that begin with `bad` do not parse."""

    refused: list[list[RefusalRow]] = field(default_factory=list)
    granted: list[list[GrantRow]] = field(default_factory=list)
    delisted: list[tuple[str, Scope, frozenset[bytes], int]] = field(default_factory=list)
    begun: list[tuple[bytes, tuple[str, ...]]] = field(default_factory=list)
    hashes: list[DigestKind | None] = field(default_factory=list)
    batches_until_full: int | None = None

    async def begin(self, file_sha256: bytes, options: Iterable[str]) -> int:
        self.begun.append((file_sha256, tuple(options)))
        return NOW

    def checked_scope(self, reason: RefusalReason, scope: Scope, source: str, kind: AddressKind) -> Scope:
        del reason, source, kind
        if scope.purpose == "unheard-of":
            raise InvalidInput("purpose: not one of this policy")
        return scope

    async def refuse(
        self,
        rows: Sequence[RefusalRow],
        reason: RefusalReason,
        scope: Scope,
        source: str,
        kind: AddressKind,
        hashes: DigestKind | None = None,
    ) -> Sequence[Outcome]:
        del reason, scope, source, kind
        self.hashes.append(hashes)
        if len(self.refused) == self.batches_until_full:
            raise StoreFull("the disk is full; nothing was acknowledged")
        self.refused.append(list(rows))
        return [_outcome(row.address) for row in rows]

    async def refuse_block(
        self, block: RefusalBlock, reason: RefusalReason, scope: Scope, source: str
    ) -> Sequence[Outcome]:
        raise AssertionError("short lists are read record by record")

    def subjects_of_block(self, block: RefusalBlock) -> Iterable[bytes]:
        raise AssertionError("short lists are read record by record")

    async def grant(self, rows: Sequence[GrantRow]) -> Sequence[Outcome]:
        self.granted.append(list(rows))
        return [_outcome(row.address) for row in rows]

    def subjects(self, address: str, kind: AddressKind, hashes: DigestKind | None = None) -> Sequence[Digest]:
        del kind, hashes
        return (a_digest(address),)

    async def delist(self, registry: str, scope: Scope, listed: frozenset[bytes], begun_ms: int) -> int:
        self.delisted.append((registry, scope, listed, begun_ms))
        return 7


def _outcome(address: str) -> Outcome:
    return InvalidAddress("is not an email address") if address.startswith("bad") else RowOutcome.ADDED


@pytest.fixture
def importer() -> RecordingImporter:
    return RecordingImporter()


def a_list(tmp_path: Path, text: str, name: str = "list.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode())
    return path


def refusals(
    path: Path, reason: RefusalReason = RefusalReason.MANUAL, scope: Scope = EVERYTHING, **options: object
) -> RefusalImport:
    return RefusalImport(path, Channel.EMAIL, reason, scope, "crm", **options)  # type: ignore[arg-type]


def imported(plan: RefusalImport, importer: RecordingImporter) -> ImportReport:
    return asyncio.run(import_refusals(plan, importer, "GB"))


def test_rows_go_in_in_batches_and_in_order(tmp_path: Path, importer: RecordingImporter) -> None:
    addresses = [f"p{number}@acme.example" for number in range(2 * BATCH_ROWS + 3)]
    report = imported(refusals(a_list(tmp_path, "email\n" + "\n".join(addresses))), importer)
    assert [len(batch) for batch in importer.refused] == [BATCH_ROWS, BATCH_ROWS, 3]
    assert [row.address for batch in importer.refused for row in batch] == addresses
    assert (report.read, report.outcomes[RowOutcome.ADDED], report.invalid) == (len(addresses), len(addresses), 0)


def test_rows_without_a_time_are_as_of_the_import(tmp_path: Path, importer: RecordingImporter) -> None:
    imported(refusals(a_list(tmp_path, "email\npat@acme.example\n")), importer)
    assert importer.refused == [[RefusalRow("pat@acme.example", NOW)]]


def test_a_date_is_its_end_for_a_refusal(tmp_path: Path, importer: RecordingImporter) -> None:
    path = a_list(tmp_path, "email,when\npat@acme.example, 2026-01-02 \n")
    imported(refusals(path, time_column="when"), importer)
    start = parse_time("2026-01-02", end_of_day=False)
    assert importer.refused == [[RefusalRow("pat@acme.example", start + MS_PER_DAY - 1)]]


def test_a_date_is_its_start_for_a_consent_and_for_its_end(tmp_path: Path, importer: RecordingImporter) -> None:
    path = a_list(tmp_path, "email,when,w,m,ends\npat@acme.example,2026-01-02, w@1 , form ,2026-03-04\n")
    cell = Cell("client-marketing", Channel.EMAIL)
    plan = GrantImport(path, Channel.EMAIL, cell, "crm", "when", "w", "m", expires_column="ends")
    asyncio.run(import_grants(plan, importer, "GB"))
    ((row,),) = importer.granted
    assert (row.consent.wording, row.consent.method, row.consent.actor) == ("w@1", "form", "crm")
    assert row.consent.given_ms == parse_time("2026-01-02", end_of_day=False)
    assert row.consent.expires_ms == parse_time("2026-03-04", end_of_day=False)


@pytest.mark.parametrize("columns", ["email,when,w,m", "email,when,w,m,ends"])
def test_a_consent_without_an_end_does_not_end(tmp_path: Path, importer: RecordingImporter, columns: str) -> None:
    expires = "ends" if "ends" in columns else None
    path = a_list(tmp_path, f"{columns}\npat@acme.example,2026-01-02,w,form" + (", \n" if expires else "\n"))
    plan = GrantImport(path, Channel.EMAIL, Cell("p", Channel.EMAIL), "crm", "when", "w", "m", expires_column=expires)
    asyncio.run(import_grants(plan, importer, "GB"))
    ((row,),) = importer.granted
    assert row.consent.expires_ms is None


def test_faults_of_reading_and_of_storing_are_told_in_the_order_of_lines(
    tmp_path: Path, importer: RecordingImporter
) -> None:
    path = a_list(
        tmp_path, "email,x\nbad@acme.example,1\npat@acme.example\n,1\npat@acme.example,1\nbad2@acme.example,1\n"
    )
    report = imported(refusals(path), importer)
    assert [fault.removeprefix(str(path)) for fault in report.faults] == [
        ":2: address: is not an email address",
        ":3: row: expected 2 cells, found 1",
        ":4: address: the cell is empty",
        ":6: address: is not an email address",
    ]
    assert (report.read, report.invalid, report.outcomes[RowOutcome.ADDED]) == (5, 4, 1)


def test_a_line_is_counted_in_the_file_and_not_in_rows(tmp_path: Path, importer: RecordingImporter) -> None:
    path = a_list(tmp_path, 'email,note\r\npat@acme.example,"two\r\nlines"\r\nbad@acme.example,x\r\n')
    assert imported(refusals(path), importer).faults == [f"{path}:4: address: is not an email address"]


def test_a_list_without_a_header_gets_none_in_its_invalid_rows(tmp_path: Path, importer: RecordingImporter) -> None:
    path = a_list(tmp_path, "pat@acme.example;x\nbad@acme.example;y\n")
    report = imported(refusals(path), importer)
    (invalid_file,) = report.invalid_files
    assert invalid_file.read_text(encoding="utf-8") == "bad@acme.example;y;2;address: is not an email address\n"


def test_the_invalid_rows_keep_the_encoding_of_their_list(tmp_path: Path, importer: RecordingImporter) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes("email\tname\r\nbad@acme.example\tZoë\r\n".encode("utf-16"))
    report = imported(refusals(path), importer)
    (invalid_file,) = report.invalid_files
    heading, row = invalid_file.read_bytes().decode("utf-16").splitlines()
    assert heading == "\t".join(("email", "name", *ADDED_HEADINGS))
    assert row.startswith("bad@acme.example\tZoë\t2\t")


def test_every_invalid_row_is_kept_but_few_faults_are_told(tmp_path: Path, importer: RecordingImporter) -> None:
    path = a_list(tmp_path, "email\n" + "bad@acme.example\n" * 50)
    report = imported(refusals(path), importer)
    assert (report.invalid, len(report.faults)) == (50, FAULTS_TOLD_MAX)
    (invalid_file,) = report.invalid_files
    assert len(invalid_file.read_bytes().splitlines()) == 51


def test_an_earlier_file_of_invalid_rows_is_replaced_and_made_private(
    tmp_path: Path, importer: RecordingImporter
) -> None:
    earlier = a_list(tmp_path, "earlier\n", "list.csv.invalid.csv")
    earlier.chmod(0o644)
    imported(refusals(a_list(tmp_path, "email\nbad@acme.example\n")), importer)
    assert earlier.read_text(encoding="utf-8").startswith("email,")
    assert earlier.stat().st_mode & 0o777 == 0o600


def test_an_import_that_fails_half_way_leaves_no_file_of_invalid_rows(tmp_path: Path) -> None:
    importer = RecordingImporter(batches_until_full=1)
    path = a_list(tmp_path, "email\nbad@acme.example\n" + "pat@acme.example\n" * BATCH_ROWS)
    with pytest.raises(StoreFull):
        imported(refusals(path), importer)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("rows", ["bad@acme.example\n", "pat@acme.example\n"])
def test_what_a_killed_import_left_does_not_block_the_next(
    tmp_path: Path, importer: RecordingImporter, rows: str
) -> None:
    left = a_list(tmp_path, "somebody@acme.example\n" * 100, ".list.csv.invalid.csv.partial")
    left.chmod(0o644)
    imported(refusals(a_list(tmp_path, "email\n" + rows)), importer)
    assert not left.exists()


def test_the_same_list_and_options_are_the_same_import(tmp_path: Path, importer: RecordingImporter) -> None:
    path = a_list(tmp_path, "email\npat@acme.example\n")
    for _ in range(2):
        imported(refusals(path), importer)
    assert importer.begun[0] == importer.begun[1]


@pytest.mark.parametrize(
    "other",
    [
        {"reason": RefusalReason.LEGAL},
        {"scope": Scope(purpose="client-marketing")},
        {"scope": Scope(channel=Channel.EMAIL)},
        {"scope": Scope(data_use="client-marketing")},
        {"column": "email"},
        {"time_column": "when"},
    ],
)
def test_other_options_are_another_import(
    tmp_path: Path, importer: RecordingImporter, other: dict[str, object]
) -> None:
    path = a_list(tmp_path, "email,when\npat@acme.example,2026-01-02\n")
    imported(refusals(path), importer)
    imported(refusals(path, **other), importer)  # type: ignore[arg-type]
    assert importer.begun[0] != importer.begun[1]


def test_a_replaced_registry_is_told_everybody_who_is_on_the_list(tmp_path: Path, importer: RecordingImporter) -> None:
    path = a_list(tmp_path, "email\npat@acme.example\nsam@acme.example\n")
    by_email = Scope(channel=Channel.EMAIL)
    report = imported(refusals(path, RefusalReason.ON_REGISTRY, by_email, replace_registry=True), importer)
    listed = frozenset(a_digest(f"{name}@acme.example").value for name in ("pat", "sam"))
    assert importer.delisted == [("crm", by_email, listed, NOW)]
    assert report.lifted == 7


def test_a_list_that_replaces_is_not_the_import_that_only_added(tmp_path: Path, importer: RecordingImporter) -> None:
    path = a_list(tmp_path, "email\npat@acme.example\n")
    for replaces in (False, True):
        imported(refusals(path, RefusalReason.ON_REGISTRY, replace_registry=replaces), importer)
    assert importer.begun[0] != importer.begun[1]


@pytest.mark.parametrize("rows", ["pat@acme.example\nbad@acme.example\n", ""])
def test_a_list_that_is_not_whole_lifts_nothing(tmp_path: Path, importer: RecordingImporter, rows: str) -> None:
    plan = refusals(a_list(tmp_path, "email\n" + rows), RefusalReason.ON_REGISTRY, replace_registry=True)
    with pytest.raises(ActRefused, match="nothing was lifted"):
        imported(plan, importer)
    assert importer.delisted == []


@pytest.mark.parametrize(
    "options",
    [
        {"scope": Scope(purpose="unheard-of")},
        {"replace_registry": True},
        {"column": "phone"},
        {"time_column": "when"},
    ],
)
def test_an_import_that_cannot_be_done_hands_over_nothing(
    tmp_path: Path, importer: RecordingImporter, options: dict[str, object]
) -> None:
    with pytest.raises(InvalidInput):
        imported(refusals(a_list(tmp_path, "email\npat@acme.example\n"), **options), importer)  # type: ignore[arg-type]
    assert importer.refused == []
    assert importer.begun == []


MD5_OF_PAT = hashlib.md5(b"pat@acme.example", usedforsecurity=False).hexdigest()


@pytest.mark.parametrize(
    "text",
    [
        f"name,hash\nPat,{MD5_OF_PAT}\nKim,{'0f' * 16}\n",
        f"name,x\nPat,{MD5_OF_PAT.upper()}\n",
        f"{MD5_OF_PAT}\n{'0f' * 16}\n",
        f"sha512,md5\n{'ab' * 64},{MD5_OF_PAT}\n",
    ],
)
def test_the_column_of_a_vendors_hashes_is_found(tmp_path: Path, importer: RecordingImporter, text: str) -> None:
    imported(refusals(a_list(tmp_path, text), hashes=DigestKind.MD5), importer)
    assert importer.refused[0][0].address.lower() == MD5_OF_PAT
    assert importer.hashes == [DigestKind.MD5]


def test_a_list_without_hashes_of_that_length_is_an_error(tmp_path: Path, importer: RecordingImporter) -> None:
    path = a_list(tmp_path, f"name,x\nPat,{MD5_OF_PAT}\n")
    with pytest.raises(InvalidInput, match="no column holds hashes of 64 hex digits"):
        imported(refusals(path, hashes=DigestKind.SHA256), importer)


def test_hashes_are_of_email_addresses_and_phone_numbers(tmp_path: Path, importer: RecordingImporter) -> None:
    path = a_list(tmp_path, f"md5\n{MD5_OF_PAT}\n")
    plan = replace(refusals(path, hashes=DigestKind.MD5), channel=Channel.POST)
    with pytest.raises(InvalidInput, match="--hashes: vendors hash email addresses and phone numbers"):
        imported(plan, importer)


def test_hashes_of_another_kind_are_another_import(tmp_path: Path, importer: RecordingImporter) -> None:
    path = a_list(tmp_path, f"a,b\n{MD5_OF_PAT},{'0f' * 20}\n")
    imported(refusals(path, hashes=DigestKind.MD5, column="1"), importer)
    imported(refusals(path, hashes=DigestKind.SHA1, column="2"), importer)
    assert importer.begun[0] != importer.begun[1]


def test_progress_ends_with_the_whole_file(tmp_path: Path, importer: RecordingImporter) -> None:
    path = a_list(tmp_path, "email\n" + "pat@acme.example\n" * (BATCH_ROWS + 1))
    told: list[tuple[int, int]] = []
    asyncio.run(import_refusals(refusals(path), importer, "GB", lambda done, total: told.append((done, total))))
    size = path.stat().st_size
    assert told[-1] == (size, size)
    assert len(told) == 2
