"""The reference engine: one row after the other, decided by the same function as every other path.

A faster engine must equal this one byte for byte, so it is written to be read. Memory holds one batch, whatever the
length of the list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from jobs.lists import OpenList, RawRecord, open_list
from jobs.scrub.manifest import MANIFEST_FORMAT, MANIFEST_NAME, Manifest, signed
from jobs.scrub.outputs import PartialDirectory, WrittenFile, require_free
from jobs.scrub.plan import ScrubPlan, require_offered
from jobs.scrub.rows import NoFiles, RowFiles, RowSink
from jobs.scrub.tally import EMPTY, RAGGED, Outcome, Output, Tally, outcome_of
from prefcenter.domain.address import read_address_class
from prefcenter.domain.address.blanks import stripped
from prefcenter.domain.decision import Decision
from prefcenter.domain.errors import InvalidInput, KeyringError, StoreError
from prefcenter.domain.ledger import Head
from prefcenter.domain.policy import Policy
from prefcenter.domain.time import MS_PER_HOUR, format_time
from prefcenter.security.seals import Sealer
from prefcenter.services.checkpoint import heads_as_json
from prefcenter.services.decisions import Question
from prefcenter.services.ports import Clock

BATCH_ROWS = 1_000
BATCH_CHARACTERS = 1 << 22
MOST_RUNS = 3
ENGINE = "reference"
REPORT_NAME = "report.html"


class Decider(Protocol):
    """Decisions of one controller, as `prefcenter.services.decisions.Decisions` gives them."""

    @property
    def policy(self) -> Policy: ...

    async def decide_many(self, questions: Sequence[Question], now_ms: int) -> Sequence[Decision]: ...

    async def heads(self) -> tuple[Head, ...]: ...


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is; the list is begun again where the ledger moved on meanwhile, so bytes may start over."""

    rows: int
    bytes_read: int
    bytes_total: int


ProgressReport = Callable[[Progress], object]


@dataclass(frozen=True, slots=True)
class RowsResult:
    """What one reading of the list came to."""

    tally: Tally
    valid_until_ms: int
    files: Mapping[str, WrittenFile]


class HandedBack(Exception):
    """A row engine met a list that it does not decide itself; the reference engine begins anew."""


class RowEngine(Protocol):
    """A faster way to what the reference engine would write, byte for byte."""

    @property
    def name(self) -> str: ...

    async def decide_rows(
        self, contacts: OpenList, partial: PartialDirectory | None, at_ms: int, progress: ProgressReport
    ) -> RowsResult:
        """Decide every row and write the row files; without a directory nothing is written. Raises HandedBack."""


async def scrub(
    plan: ScrubPlan,
    decider: Decider,
    sealer: Sealer,
    clock: Clock,
    progress: ProgressReport = lambda _: None,
    engine: RowEngine | None = None,
) -> Manifest:
    """Decide every row of a list and write the outputs, all of them or none; returns the manifest.

    Raises InvalidInput, with nothing written, for a purpose, channel or audience that the policy does not have, and for
    a list that cannot be read. A ledger that moves during the run starts it anew, at most twice; then the manifest says
    that it is stale. Rows are decided by `engine`, or one by one where there is none or it hands the list back.
    """
    require_offered(plan, decider.policy)
    if not plan.dry_run:
        if plan.out is None:
            raise InvalidInput("--out: name a directory for the outputs, or ask for a --dry-run")
        require_free(plan.out)
    started_ms = clock()
    contacts = open_list(plan.path, plan.channel, decider.policy.country, plan.address_column, plan.class_column)
    job = _Job(plan, decider, sealer, clock, progress, contacts, started_ms, engine)
    try:
        return await _until_accepted(job)
    except HandedBack:
        return await _until_accepted(replace(job, engine=None))


async def _until_accepted(job: _Job) -> Manifest:
    """Run until the ledger stood still meanwhile, or for the last time."""
    runs_left = MOST_RUNS
    while True:
        runs_left -= 1
        manifest = await job.run(accepts_stale=runs_left == 0)
        if manifest is not None:
            return manifest


@dataclass(frozen=True, slots=True)
class _Job:
    plan: ScrubPlan
    decider: Decider
    sealer: Sealer
    clock: Clock
    progress: ProgressReport
    contacts: OpenList
    started_ms: int
    engine: RowEngine | None

    @property
    def at_ms(self) -> int:
        return self.started_ms if self.plan.at_ms is None else self.plan.at_ms

    async def run(self, *, accepts_stale: bool) -> Manifest | None:
        """Read the list once and publish what came of it; None where the ledger moved and that is not accepted."""
        heads = await self.decider.heads()
        if self.plan.out is None or self.plan.dry_run:
            result = await self._rows(None)
            is_stale = await self.decider.heads() != heads
            return None if is_stale and not accepts_stale else self._manifest(result, heads, is_stale=is_stale)
        with PartialDirectory(self.plan.out) as partial:
            result = await self._rows(partial)
            if await self.decider.heads() != heads and not accepts_stale:
                return None
            # Stale until shown otherwise: if this process dies between the outputs' appearance and the last look at
            # the ledger, they say that they cannot be relied on.
            manifest = self._write_manifest(partial, result, heads, is_stale=True)
            partial.publish()
            if not await self._may_have_moved(heads):
                manifest = self._write_manifest(partial, result, heads, is_stale=False)
                partial.sync_published()
            return manifest

    async def _may_have_moved(self, heads: tuple[Head, ...]) -> bool:
        """Whether a refusal may have come in between the last look and the outputs' appearance; no answer means yes."""
        try:
            return await self.decider.heads() != heads
        except (StoreError, KeyringError):
            return True

    async def _rows(self, partial: PartialDirectory | None) -> RowsResult:
        if self.engine is not None:
            return await self.engine.decide_rows(self.contacts, partial, self.at_ms, self.progress)
        return await self._decide_rows(NoFiles() if partial is None else RowFiles(self.contacts, partial))

    async def _decide_rows(self, sink: RowSink) -> RowsResult:
        tally = Tally()
        valid_until_ms = self.at_ms + self.decider.policy.decision_ttl_hours * MS_PER_HOUR
        for batch in _batches(self.contacts.records()):
            tally.read += len(batch)
            questions = [self._question(record) for record in batch]
            asked = list(dict.fromkeys(question for question in questions if isinstance(question, Question)))
            decisions = dict(zip(asked, await self.decider.decide_many(asked, self.at_ms), strict=True))
            valid_until_ms = min([valid_until_ms, *(decision.valid_until_ms for decision in decisions.values())])
            outcomes = [
                outcome_of(decisions[question]) if isinstance(question, Question) else question
                for question in questions
            ]
            tally.reasons.update((outcome.output, outcome.reason) for outcome in outcomes)
            sink.write(list(zip(batch, outcomes, strict=True)))
            self.progress(Progress(tally.read, self.contacts.bytes_read, self.contacts.size))
        tally.written = sink.written
        tally.require_balance()
        return RowsResult(tally, valid_until_ms, sink.finish())

    def _question(self, record: RawRecord) -> Question | Outcome:
        """What to ask about a row, or where it goes unasked."""
        contacts, cells = self.contacts, record.cells
        if len(cells) != contacts.width:
            return RAGGED
        address = cells[contacts.address_column.index]
        if not stripped(address):
            return EMPTY
        column = contacts.class_column
        address_class = None if column is None else read_address_class(cells[column.index])
        plan = self.plan
        return Question(address, plan.purpose, plan.channel, address_class=address_class, audience=plan.audience)

    def _write_manifest(
        self, partial: PartialDirectory, result: RowsResult, heads: tuple[Head, ...], *, is_stale: bool
    ) -> Manifest:
        from jobs.scrub.report import render_report

        manifest = self._manifest(result, heads, is_stale=is_stale)
        partial.write_whole(REPORT_NAME, render_report(manifest, self.decider.policy))
        partial.write_whole(MANIFEST_NAME, manifest.to_json())
        return manifest

    def _manifest(self, result: RowsResult, heads: tuple[Head, ...], *, is_stale: bool) -> Manifest:
        policy, tally = self.decider.policy, result.tally
        document = {
            "format": MANIFEST_FORMAT,
            "controller": policy.controller,
            "purpose": self.plan.purpose,
            "channel": self.plan.channel.value,
            "audience": self.plan.audience,
            "list": _list_document(self.contacts, tally.read),
            "counts": {"read": tally.read, **{output.value: tally.written[output] for output in Output}},
            "reasons": {of.value: tally.reasons_of(of) for of in (Output.SUPPRESSED, Output.REJECTED)},
            "outputs": {
                _shown(name): {"sha256": file.sha256, "bytes": file.size} for name, file in result.files.items()
            },
            "policyVersion": policy.version,
            "ledger": {"heads": heads_as_json(heads)},
            "at": format_time(self.at_ms),
            "validUntil": format_time(result.valid_until_ms),
            "stale": is_stale,
            "run": self._run_document(tally.read),
        }
        return signed(document, self.sealer)

    def _run_document(self, rows: int) -> dict[str, Any]:
        finished_ms = self.clock()
        seconds = max(0, finished_ms - self.started_ms) / 1000
        return {
            "startedAt": format_time(self.started_ms),
            "finishedAt": format_time(finished_ms),
            "seconds": seconds,
            "rowsPerSecond": round(rows / seconds) if seconds else None,
            "engine": ENGINE if self.engine is None else self.engine.name,
        }


def _batches(records: Iterator[RawRecord]) -> Iterator[list[RawRecord]]:
    """Rows in batches, short ones where rows are long."""
    batch: list[RawRecord] = []
    characters = 0
    for record in records:
        batch.append(record)
        characters += len(record.text)
        if len(batch) == BATCH_ROWS or characters >= BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _shown(file_name: str) -> str:
    """A file's name as text; one with bytes that are no UTF-8 could be neither signed nor shown."""
    return file_name.encode("utf-8", "replace").decode()


def _list_document(contacts: OpenList, rows: int) -> dict[str, Any]:
    """The list as the manifest tells of it: never its headings, for a row might have been taken for them."""
    return {
        "name": _shown(contacts.path.name),
        "sha256": contacts.sha256,
        "rows": rows,
        "encoding": contacts.encoding.label,
        "delimiter": contacts.dialect.delimiter,
        "header": contacts.header is not None,
        "addressColumn": contacts.address_column.number,
        "classColumn": None if contacts.class_column is None else contacts.class_column.number,
    }
