"""Running an import: open the list, hand over its rows chunk by chunk, and report what they did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence, Set
from dataclasses import replace
from typing import TypeVar

from jobs.imports.choice import is_read_in_blocks
from jobs.imports.chunks import Chunk, record_chunks
from jobs.imports.invalid_rows import InvalidRows
from jobs.imports.plans import GrantImport, Importer, ImportReport, RefusalImport
from jobs.imports.rows import GrantColumns, RefusalColumns
from jobs.lists import OpenList, open_list
from prefcenter.domain.digest import HASH_BYTES
from prefcenter.domain.errors import ActRefused, InvalidInput, PrefcenterError
from prefcenter.domain.events import Scope
from prefcenter.domain.terms import KIND_OF_CHANNEL, AddressKind, RefusalReason
from prefcenter.services.import_batches import RowOutcome
from prefcenter.services.importing import RefusalBlock, RefusalRow

HASHED_KINDS = frozenset({AddressKind.EMAIL, AddressKind.PHONE})

Content = TypeVar("Content")
Outcomes = Sequence[RowOutcome | PrefcenterError]
StoreRows = Callable[[Content], Awaitable[Outcomes]]
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
    columns = RefusalColumns(opened, plan)
    begun_ms = await importer.begin(bytes.fromhex(opened.sha256), _options(plan, scope))
    refusing = _Refusing(replace(plan, scope=scope), importer)
    if is_read_in_blocks(opened, plan):
        from jobs.imports.blocks import block_chunks

        report = await _import(opened, block_chunks(opened, columns, begun_ms), refusing.block, progress)
    else:
        chunks = record_chunks(opened, lambda record: columns.row(record, begun_ms))
        report = await _import(opened, chunks, refusing.rows, progress)
    if plan.replace_registry:
        _require_whole(plan, report, refusing.listed)
        report.lifted = await importer.delist(plan.source, scope, frozenset(refusing.listed), begun_ms)
    return report


async def import_grants(
    plan: GrantImport, importer: Importer, country: str, progress: ProgressReport = lambda *_: None
) -> ImportReport:
    """Record every consent of a list. Raises InvalidInput before anything is written."""
    opened = open_list(plan.path, plan.channel, country, plan.column)
    columns = GrantColumns(opened, plan)
    return await _import(opened, record_chunks(opened, columns.row), importer.grant, progress)


class _Refusing:
    """Hands rows to the importer, and notes whom a list names that replaces a registry."""

    def __init__(self, plan: RefusalImport, importer: Importer) -> None:
        self._plan = plan
        self._importer = importer
        self.listed: set[bytes] = set()

    async def rows(self, rows: Sequence[RefusalRow]) -> Outcomes:
        plan, kind = self._plan, KIND_OF_CHANNEL[self._plan.channel]
        outcomes = await self._importer.refuse(rows, plan.reason, plan.scope, plan.source, kind, plan.hashes)
        if plan.replace_registry:
            valid = (row for row, outcome in zip(rows, outcomes, strict=True) if isinstance(outcome, RowOutcome))
            of_rows = (self._importer.subjects(row.address, kind, plan.hashes) for row in valid)
            self.listed.update(digest.value for digests in of_rows for digest in digests)
        return outcomes

    async def block(self, block: RefusalBlock) -> Outcomes:
        plan = self._plan
        outcomes = await self._importer.refuse_block(block, plan.reason, plan.scope, plan.source)
        if plan.replace_registry:
            self.listed.update(self._importer.subjects_of_block(block))
        return outcomes


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


async def _import(
    opened: OpenList, chunks: Iterator[Chunk[Content]], store_rows: StoreRows[Content], progress: ProgressReport
) -> ImportReport:
    report = ImportReport()
    with InvalidRows(opened) as invalid:
        for chunk in chunks:
            outcomes = await store_rows(chunk.content)
            counted = Counter(outcome for outcome in outcomes if isinstance(outcome, RowOutcome))
            report.read += chunk.count
            report.outcomes += counted
            if counted.total() < chunk.count:
                for place, fault in sorted(chunk.all_faults(outcomes).items()):
                    invalid.add(chunk.record(place), fault)
            progress(chunk.bytes_read, opened.size)
    report.invalid, report.faults, report.invalid_file = invalid.count, invalid.faults, invalid.path
    return report
