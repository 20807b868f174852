"""Import a list of refusals or of consents (CONTRACTS: Import). Refusals only tighten; nothing is lost on bad rows.

Rows go to the store in short bulk batches. What is wrong with a row is told with file, line and field, and the row goes
to `FILE.invalid.csv`, readable by its owner only, so that it can be mended and imported again.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Protocol, TypeVar

from jobs.lists import Column, OpenList, RawRecord, open_list
from prefcenter.domain.address.blanks import stripped
from prefcenter.domain.digest import HASH_BYTES, Digest, DigestKind
from prefcenter.domain.errors import ActRefused, InvalidAddress, InvalidInput, InvalidTime, PrefcenterError
from prefcenter.domain.events import Cell, Scope
from prefcenter.domain.terms import KIND_OF_CHANNEL, AddressKind, Channel, RefusalReason
from prefcenter.domain.time import parse_time
from prefcenter.services.admission import Consent
from prefcenter.services.importing import GrantRow, RefusalRow, RowOutcome

BATCH_ROWS = 1_000
FAULTS_TOLD_MAX = 20
ADDED_HEADINGS = ("prefcenter_line", "prefcenter_fault")
HASHED_KINDS = frozenset({AddressKind.EMAIL, AddressKind.PHONE})


class Importer(Protocol):
    """Bulk acts of one controller, as `prefcenter.services.importing.Importing` takes them."""

    async def begin(self, file_sha256: bytes, options: Iterable[str]) -> int: ...

    def checked_scope(self, reason: RefusalReason, scope: Scope, source: str, kind: AddressKind) -> Scope: ...

    async def refuse(
        self,
        rows: Sequence[RefusalRow],
        reason: RefusalReason,
        scope: Scope,
        source: str,
        kind: AddressKind,
        hashes: DigestKind | None = None,
    ) -> Sequence[RowOutcome | PrefcenterError]: ...

    async def grant(self, rows: Sequence[GrantRow]) -> Sequence[RowOutcome | PrefcenterError]: ...

    def subjects(self, address: str, kind: AddressKind, hashes: DigestKind | None = None) -> Sequence[Digest]: ...

    async def delist(self, registry: str, scope: Scope, listed: frozenset[bytes], begun_ms: int) -> int: ...


@dataclass(frozen=True, slots=True)
class RefusalImport:
    """A list of people not to contact. `channel` says what the addresses are; `scope` what is refused.

    `hashes`: a vendor handed out hashes of that kind instead of addresses.
    """

    path: Path
    channel: Channel
    reason: RefusalReason
    scope: Scope
    source: str
    column: str | None = None
    time_column: str | None = None
    replace_registry: bool = False
    hashes: DigestKind | None = None


@dataclass(frozen=True, slots=True)
class GrantImport:
    """A list of consents for one cell, each with its wording, method and time in columns of its own."""

    path: Path
    channel: Channel
    cell: Cell
    source: str
    time_column: str
    wording_column: str
    method_column: str
    expires_column: str | None = None
    column: str | None = None


@dataclass(slots=True)
class ImportReport:
    """What an import did, row by row. `lifted`: refusals that a replaced registry no longer asks for."""

    read: int = 0
    outcomes: Counter[RowOutcome] = field(default_factory=Counter)
    invalid: int = 0
    faults: list[str] = field(default_factory=list)
    invalid_file: Path | None = None
    lifted: int | None = None


Item = TypeVar("Item")
ReadRow = Callable[[RawRecord], Item]
StoreRows = Callable[[Sequence[Item]], Awaitable[Sequence[RowOutcome | PrefcenterError]]]
ProgressReport = Callable[[int, int], object]
"""Told the bytes read so far and the bytes in all."""


async def import_refusals(
    plan: RefusalImport, importer: Importer, country: str, progress: ProgressReport = lambda *_: None
) -> ImportReport:
    """Refuse every address of a list. Raises InvalidInput or ActRefused before anything is written.

    A registry is replaced only by a list that is whole: with an invalid row, or none at all, what the list adds stays
    and ActRefused says that nothing was lifted. It is replaced for the scope of the import only: a list for calls says
    nothing about texts or email. The same list again lifts nobody whom a later one named.
    """
    if plan.replace_registry and plan.reason is not RefusalReason.ON_REGISTRY:
        raise InvalidInput("--replace-registry: goes with --reason on_registry")
    kind = KIND_OF_CHANNEL[plan.channel]
    scope = importer.checked_scope(plan.reason, plan.scope, plan.source, kind)
    if plan.hashes is not None and kind not in HASHED_KINDS:
        raise InvalidInput("--hashes: vendors hash email addresses and phone numbers")
    digits = None if plan.hashes is None else 2 * HASH_BYTES[plan.hashes]
    opened = open_list(plan.path, plan.channel, country, plan.column, hash_digits=digits)
    columns = _RefusalColumns(opened, plan)
    begun_ms = await importer.begin(bytes.fromhex(opened.sha256), _options(plan, scope))
    listed: set[bytes] = set()

    async def refuse(rows: Sequence[RefusalRow]) -> Sequence[RowOutcome | PrefcenterError]:
        outcomes = await importer.refuse(rows, plan.reason, scope, plan.source, kind, plan.hashes)
        if plan.replace_registry:
            valid = (row for row, outcome in zip(rows, outcomes, strict=True) if isinstance(outcome, RowOutcome))
            listed.update(digest.value for row in valid for digest in importer.subjects(row.address, kind, plan.hashes))
        return outcomes

    report = await _import(opened, lambda record: columns.row(record, begun_ms), refuse, progress)
    if plan.replace_registry:
        _require_whole(plan, report, listed)
        report.lifted = await importer.delist(plan.source, scope, frozenset(listed), begun_ms)
    return report


async def import_grants(
    plan: GrantImport, importer: Importer, country: str, progress: ProgressReport = lambda *_: None
) -> ImportReport:
    """Record every consent of a list. Raises InvalidInput before anything is written."""
    opened = open_list(plan.path, plan.channel, country, plan.column)
    columns = _GrantColumns(opened, plan)
    return await _import(opened, columns.row, importer.grant, progress)


def _options(plan: RefusalImport, scope: Scope) -> list[str]:
    """What makes two imports of one file the same import."""
    columns = (plan.column or "", plan.time_column or "", "replace" if plan.replace_registry else "")
    hashes = () if plan.hashes is None else (plan.hashes.name,)
    parts = (scope.purpose, scope.purpose_class, scope.channel, scope.data_use)
    return [plan.channel, plan.reason, plan.source, *columns, *(part or "" for part in parts), *hashes]


def _require_whole(plan: RefusalImport, report: ImportReport, listed: Set[bytes]) -> None:
    if report.invalid_file is not None:
        raise ActRefused(
            f"{plan.path}: a registry is replaced only by a whole list, and {report.invalid} of {report.read} rows are"
            f" invalid (see {report.invalid_file.name}); what the list adds is on record, and nothing was lifted"
        )
    if not listed:
        raise ActRefused(f"{plan.path}: a registry is replaced only by a list that names somebody; nothing was lifted")


class _RefusalColumns:
    """Where the cells of a refusal stand."""

    def __init__(self, opened: OpenList, plan: RefusalImport) -> None:
        self._opened = opened
        self._time = None if plan.time_column is None else opened.column("--time-column", plan.time_column)

    def row(self, record: RawRecord, begun_ms: int) -> RefusalRow:
        address = _address(self._opened, record)
        if self._time is None:
            return RefusalRow(address, begun_ms)
        return RefusalRow(address, parse_time(_cell(record, self._time), end_of_day=True, now_ms=begun_ms))


class _GrantColumns:
    """Where the cells of a consent stand."""

    def __init__(self, opened: OpenList, plan: GrantImport) -> None:
        self._opened = opened
        self._plan = plan
        self._time = opened.column("--time-column", plan.time_column)
        self._wording = opened.column("--wording-column", plan.wording_column)
        self._method = opened.column("--method-column", plan.method_column)
        expires = plan.expires_column
        self._expires = None if expires is None else opened.column("--expires-column", expires)

    def row(self, record: RawRecord) -> GrantRow:
        given_ms = parse_time(_cell(record, self._time), end_of_day=False)
        expires = "" if self._expires is None else _cell(record, self._expires).strip()
        consent = Consent(
            cell=self._plan.cell,
            wording=_cell(record, self._wording).strip(),
            method=_cell(record, self._method).strip(),
            actor=self._plan.source,
            given_ms=given_ms,
            expires_ms=parse_time(expires, end_of_day=False) if expires else None,
        )
        return GrantRow(_address(self._opened, record), consent, self._plan.channel)


def _address(opened: OpenList, record: RawRecord) -> str:
    if len(record.cells) != opened.width:
        raise InvalidInput(f"row: expected {opened.width} cells, found {len(record.cells)}")
    address = _cell(record, opened.address_column)
    if not stripped(address):
        raise InvalidInput("address: the cell is empty")
    return address


def _cell(record: RawRecord, column: Column) -> str:
    return record.cells[column.index] if column.index < len(record.cells) else ""


async def _import(
    opened: OpenList, read_row: ReadRow[Item], store_rows: StoreRows[Item], progress: ProgressReport
) -> ImportReport:
    report = ImportReport()
    with _InvalidRows(opened) as invalid:
        for batch in _batches(opened.records()):
            read = [_read(record, read_row) for record in batch]
            rows = [row for row in read if not isinstance(row, PrefcenterError)]
            stored = iter(await store_rows(rows))
            for record, row in zip(batch, read, strict=True):
                report.read += 1
                outcome = row if isinstance(row, PrefcenterError) else next(stored)
                if isinstance(outcome, RowOutcome):
                    report.outcomes[outcome] += 1
                else:
                    invalid.add(record, outcome)
            progress(opened.bytes_read, opened.size)
    report.invalid, report.faults, report.invalid_file = invalid.count, invalid.faults, invalid.path
    return report


def _read(record: RawRecord, read_row: ReadRow[Item]) -> Item | PrefcenterError:
    try:
        return read_row(record)
    except InvalidInput as error:
        return error


def _batches(records: Iterator[RawRecord]) -> Iterator[list[RawRecord]]:
    while batch := list(islice(records, BATCH_ROWS)):
        yield batch


_FIELDS = {InvalidAddress: "address: ", InvalidTime: "time: "}
"""The field that a fault is about, where its own message does not begin with it."""


class _InvalidRows:
    """Collects rows that could not be imported, in a file that appears when it is whole and only if there are any."""

    def __init__(self, opened: OpenList) -> None:
        self._opened = opened
        self._final = opened.path.with_name(f"{opened.path.name}.invalid.csv")
        self._partial = opened.path.with_name(f".{opened.path.name}.invalid.csv.partial")
        self._descriptor: int | None = None
        self.count = 0
        self.faults: list[str] = []

    @property
    def path(self) -> Path | None:
        return self._final if self.count else None

    def add(self, record: RawRecord, error: PrefcenterError) -> None:
        """Keep a row and what is wrong with it. The fault names file, line and field, never what the cell holds."""
        fault = f"{_FIELDS.get(type(error), '')}{error}"
        self.count += 1
        if self.count <= FAULTS_TOLD_MAX:
            self.faults.append(f"{self._opened.name}:{record.line}: {fault}")
        if self._descriptor is None:
            self._begin()
        self._write(record, (str(record.line), fault))

    def _begin(self) -> None:
        self._descriptor = os.open(self._partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.fchmod(self._descriptor, 0o600)
        os.write(self._descriptor, self._opened.encoding.bom)
        if self._opened.header is not None:
            self._write(self._opened.header, ADDED_HEADINGS)

    def _write(self, record: RawRecord, added: Sequence[str]) -> None:
        encoding, dialect = self._opened.encoding, self._opened.dialect
        row = encoding.encode(record.text) + encoding.encode_added(dialect.appended(added))
        content = memoryview(row + encoding.encode(record.terminator or "\n"))
        while content and self._descriptor is not None:
            content = content[os.write(self._descriptor, content) :]

    def __enter__(self) -> _InvalidRows:
        return self

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        if self._descriptor is None:
            # What a killed run left of the same list has been read anew.
            self._partial.unlink(missing_ok=True)
            return
        os.fsync(self._descriptor)
        os.close(self._descriptor)
        if failed is None:
            self._partial.replace(self._final)
        else:
            self._partial.unlink(missing_ok=True)
