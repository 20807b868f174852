"""Running an import: open the lists, hand over its rows chunk by chunk, and report what they did."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence, Set
from dataclasses import replace
from typing import TypeVar

from jobs.imports.choice import is_read_in_blocks
from jobs.imports.chunks import Chunk, record_chunks
from jobs.imports.invalid_rows import FAULTS_TOLD_MAX, InvalidRows
from jobs.imports.plans import GrantImport, Importer, ImportReport, RefusalImport
from jobs.imports.rows import GrantColumns, RefusalColumns
from jobs.imports.sources import Source, open_sources
from jobs.lists.content import OctetStream
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
    plan: RefusalImport,
    importer: Importer,
    country: str,
    progress: ProgressReport = lambda *_: None,
    standard_input: OctetStream | None = None,
) -> ImportReport:
    """Refuse every address of the lists. Raises InvalidInput or ActRefused before anything is written.

    A registry is replaced only by lists that are whole: with an invalid row, or none at all, what they add stays
    and ActRefused says that nothing was lifted. It is replaced for the scope of the import only: a list for calls says
    nothing about texts or email. The same lists again lift nobody whom later ones named.
    """
    if plan.replace_registry and plan.reason is not RefusalReason.ON_REGISTRY:
        raise InvalidInput("--replace-registry: goes with --reason on_registry")
    kind = KIND_OF_CHANNEL[plan.channel]
    scope = importer.checked_scope(plan.reason, plan.scope, plan.source, kind)
    if plan.hashes is not None and kind not in HASHED_KINDS:
        raise InvalidInput("--hashes: vendors hash email addresses and phone numbers")
    digits = None if plan.hashes is None else 2 * HASH_BYTES[plan.hashes]
    refusing = _Refusing(replace(plan, scope=scope), importer)
    with open_sources(plan, country, standard_input, digits) as sources:
        columns = [RefusalColumns(opened, plan) for opened in sources]
        begun_ms = [await refusing.begin(opened.sha256) for opened in sources]
        whole_ms = begun_ms[0] if len(sources) == 1 else await refusing.begin(_sha256_of_all(sources))
        run = _Run(sources, progress)
        for opened, its_columns, its_ms in zip(sources, columns, begun_ms, strict=True):
            await refusing.list(run, opened, its_columns, its_ms)
    if plan.replace_registry:
        _require_whole(plan, run.report, refusing.listed)
        run.report.lifted = await importer.delist(plan.source, scope, frozenset(refusing.listed), whole_ms)
    return run.report


async def import_grants(
    plan: GrantImport,
    importer: Importer,
    country: str,
    progress: ProgressReport = lambda *_: None,
    standard_input: OctetStream | None = None,
) -> ImportReport:
    """Record every consent of the lists. Raises InvalidInput before anything is written."""
    with open_sources(plan, country, standard_input) as sources:
        columns = [GrantColumns(opened, plan) for opened in sources]
        run = _Run(sources, progress)
        for opened, its_columns in zip(sources, columns, strict=True):
            await run.take(opened, record_chunks(opened, its_columns.row), importer.grant)
    return run.report


class _Refusing:
    """Hands rows to the importer, and notes whom a list names that replaces a registry."""

    def __init__(self, plan: RefusalImport, importer: Importer) -> None:
        self._plan = plan
        self._importer = importer
        self.listed: set[bytes] = set()

    async def begin(self, sha256: str) -> int:
        """When what hashes to this was first imported so."""
        return await self._importer.begin(bytes.fromhex(sha256), _options(self._plan, self._plan.scope))

    async def list(self, run: _Run, opened: Source, columns: RefusalColumns, begun_ms: int) -> None:
        if is_read_in_blocks(opened, self._plan):
            from jobs.imports.blocks import block_chunks

            await run.take(opened, block_chunks(opened, columns, begun_ms), self.block)
        else:
            chunks = record_chunks(opened, lambda record: columns.row(record, begun_ms))
            await run.take(opened, chunks, self.rows)

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
    sheet = () if plan.sheet is None else ("sheet", plan.sheet)
    parts = (scope.purpose, scope.purpose_class, scope.channel, scope.data_use)
    return [plan.channel, plan.reason, plan.source, *columns, *(part or "" for part in parts), *hashes, *sheet]


def _sha256_of_all(sources: Sequence[Source]) -> str:
    """What stands for several lists, in whatever order they were named."""
    return hashlib.sha256("".join(sorted(opened.sha256 for opened in sources)).encode()).hexdigest()


def _require_whole(plan: RefusalImport, report: ImportReport, listed: Set[bytes]) -> None:
    if report.invalid_files:
        files = ", ".join(path.name for path in report.invalid_files)
        raise ActRefused(
            f"{plan.path}: a registry is replaced only by a whole list, and {report.invalid} of {report.read} rows are"
            f" invalid (see {files}); what the list adds is on record, and nothing was lifted"
        )
    if not listed:
        raise ActRefused(f"{plan.path}: a registry is replaced only by a list that names somebody; nothing was lifted")


class _Run:
    """Takes lists to the store one after the other, and reports on all of them."""

    def __init__(self, sources: Sequence[Source], progress: ProgressReport) -> None:
        self.report = ImportReport()
        self._progress = progress
        self._bytes_total = sum(opened.size for opened in sources)
        self._bytes_before = 0

    async def take(self, opened: Source, chunks: Iterator[Chunk[Content]], store_rows: StoreRows[Content]) -> None:
        report = self.report
        with InvalidRows(opened) as invalid:
            for chunk in chunks:
                outcomes = await store_rows(chunk.content)
                counted = Counter(outcome for outcome in outcomes if isinstance(outcome, RowOutcome))
                report.read += chunk.count
                report.outcomes += counted
                if counted.total() < chunk.count:
                    for place, fault in sorted(chunk.all_faults(outcomes).items()):
                        invalid.add(chunk.record(place), fault)
                self._progress(self._bytes_before + chunk.bytes_read, self._bytes_total)
        self._bytes_before += opened.size
        report.invalid += invalid.count
        report.faults = [*report.faults, *invalid.faults][:FAULTS_TOLD_MAX]
        report.invalid_files += [] if invalid.path is None else [invalid.path]
