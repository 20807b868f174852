"""The reference engine: one row after the other, decided by the same function as every other path.

A faster engine must equal this one byte for byte, so it is written to be read. Memory holds one batch, whatever the
length of the list.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from jobs.lists import ContactList
from jobs.lists.content import OctetStream
from jobs.lists.inputs import open_lists, surveyed
from jobs.scrub.columns import require_separate_columns
from jobs.scrub.deciding import ColumnAnswers, Decider, OneByOne, RowDecider
from jobs.scrub.described import manifest_document
from jobs.scrub.employers import EmployerDomains, read_employer_domains
from jobs.scrub.links import LinksOf, one_by_one, row_links, stamps_of
from jobs.scrub.manifest import MANIFEST_NAME, Manifest, signed
from jobs.scrub.outputs import PartialDirectory, require_free
from jobs.scrub.plan import ScrubPlan, require_offered
from jobs.scrub.rejected import DomainCount, rejected_domains
from jobs.scrub.result import RowsResult
from jobs.scrub.rows import NoFiles, RowFiles, RowTaker
from jobs.scrub.tally import Output
from prefcenter.domain.errors import InvalidInput, KeyringError, StoreError
from prefcenter.domain.ledger import Head
from prefcenter.domain.time import format_time
from prefcenter.security.seals import Sealer
from prefcenter.services.links import Links, Stamps
from prefcenter.services.ports import Clock

MOST_RUNS = 3
ENGINE = "reference"
REPORT_NAME = "report.html"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is; the list is begun again where the ledger moved on meanwhile, so bytes may start over."""

    rows: int
    bytes_read: int
    bytes_total: int


ProgressReport = Callable[[Progress], object]


class HandedBack(Exception):
    """A row engine met a list that it does not decide itself; the reference engine begins anew."""


class Misjudged(HandedBack):
    """The rest of a list is not as its beginning lets one presume; all of it has to be looked at first."""


class RowEngine(Protocol):
    """A faster way to what the reference engine would write, byte for byte."""

    @property
    def name(self) -> str: ...

    @property
    def presumes(self) -> bool:
        """Whether the beginning of a list of text is enough to begin with it, since the rest is looked at on the way.

        Then `decide_rows` raises Misjudged where that is not UTF-8 though the beginning is.
        """

    def cuts(self, contacts: ContactList) -> bool:
        """Whether the engine takes the rows of a list itself."""

    async def decide_rows(
        self,
        contacts: ContactList,
        partial: PartialDirectory | None,
        at_ms: int,
        progress: ProgressReport,
        stamps: Stamps | None,
    ) -> RowsResult:
        """Decide every row and write the row files; without a directory nothing is written. Raises HandedBack.

        With `stamps` kept rows get links.
        """

    def columns(self, at_ms: int) -> ColumnAnswers:
        """Answers for lists whose rows the engine does not cut itself."""

    def links_of(self, stamps: Stamps) -> LinksOf:
        """What makes the links of many addresses at once."""


async def scrub(
    plan: ScrubPlan,
    decider: Decider,
    sealer: Sealer,
    clock: Clock,
    progress: ProgressReport = lambda _: None,
    engine: RowEngine | None = None,
    standard_input: OctetStream | None = None,
    links: Links | None = None,
) -> Manifest:
    """Decide every row of a list and write the outputs, all of them or none; returns the manifest.

    Raises InvalidInput, with nothing written, for a purpose, channel or audience that the policy does not have, and for
    a list that cannot be read. A ledger that moves during the run starts it anew, at most twice; then the manifest says
    that it is stale. Rows are decided by `engine`, or one by one where there is none or it hands the list back. A list
    named `-` is read from `standard_input`. `links` makes those of kept rows, where the plan asks for them.
    """
    require_offered(plan, decider.policy)
    if not plan.dry_run:
        if plan.out is None:
            raise InvalidInput("--out: name a directory for the outputs, or ask for a --dry-run")
        require_free(plan.out)
    started_ms = clock()
    stamps = stamps_of(plan, links, started_ms if plan.at_ms is None else plan.at_ms)
    employers = None if plan.business_domains is None else read_employer_domains(plan.business_domains)
    presume = engine is not None and engine.presumes
    with open_lists(plan.paths, plan.sought(decider.policy.country), standard_input, presume=presume) as contacts:
        require_separate_columns(plan, contacts)
        job = _Job(plan, decider, sealer, clock, progress, contacts, started_ms, employers, engine, stamps)
        return await _by_an_engine(job)


async def _by_an_engine(job: _Job) -> Manifest:
    """By the job's engine, or row by row where it hands the list back."""
    while True:
        try:
            return await _until_accepted(job)
        except Misjudged:
            job = job.surveyed()
        except HandedBack:
            job = replace(job.surveyed(), engine=None)


async def _until_accepted(job: _Job) -> Manifest:
    """Run until the ledger stood still meanwhile, or for the last time."""
    runs_left = MOST_RUNS
    while True:
        runs_left -= 1
        manifest = await job.run(accepts_stale=runs_left == 0)
        if manifest is not None:
            return manifest


async def decide_rows(
    contacts: ContactList, rows: RowDecider, taker: RowTaker, progress: ProgressReport = lambda _: None
) -> RowsResult:
    """Decide the rows of a list one batch after the other, and hand them on. Raises where a row was lost on the way."""
    for batch in contacts.batches():
        taker.write(batch, await rows.decide(batch))
        progress(Progress(rows.tally.read, contacts.bytes_read, contacts.size))
    files = taker.finish()
    rows.tally.written = taker.written
    rows.tally.require_balance()
    return RowsResult(rows.tally, rows.valid_until_ms, files)


def answers_of(engine: RowEngine | None, decider: Decider, purpose: str, at_ms: int) -> ColumnAnswers:
    """The answers of an engine, or those of the decider itself."""
    return OneByOne(decider, purpose, at_ms) if engine is None else engine.columns(at_ms)


@dataclass(frozen=True, slots=True)
class _Job:
    plan: ScrubPlan
    decider: Decider
    sealer: Sealer
    clock: Clock
    progress: ProgressReport
    contacts: ContactList
    started_ms: int
    employers: EmployerDomains | None
    engine: RowEngine | None
    stamps: Stamps | None

    @property
    def at_ms(self) -> int:
        return self.started_ms if self.plan.at_ms is None else self.plan.at_ms

    def surveyed(self) -> _Job:
        """The same with a list of which all was looked at."""
        sought = self.plan.sought(self.decider.policy.country)
        return replace(self, contacts=surveyed(self.contacts, sought))

    async def run(self, *, accepts_stale: bool) -> Manifest | None:
        """Read the list once and publish what came of it; None where the ledger moved and that is not accepted."""
        heads = await self.decider.heads()
        if self.plan.out is None or self.plan.dry_run:
            result = await self._rows(None)
            is_stale = await self.decider.heads() != heads
            return None if is_stale and not accepts_stale else self._manifest(result, heads, is_stale=is_stale)
        with PartialDirectory(self.plan.out) as partial:
            result = await self._rows(partial)
            domains = self._rejected_domains(partial)
            if await self.decider.heads() != heads and not accepts_stale:
                return None
            # Stale until shown otherwise: if this process dies between the outputs' appearance and the last look at
            # the ledger, they say that they cannot be relied on.
            manifest = self._write_manifest(partial, result, heads, domains, is_stale=True)
            partial.publish()
            if not await self._may_have_moved(heads):
                manifest = self._write_manifest(partial, result, heads, domains, is_stale=False)
                partial.sync_published()
            return manifest

    async def _may_have_moved(self, heads: tuple[Head, ...]) -> bool:
        """Whether a refusal may have come in between the last look and the outputs' appearance; no answer means yes."""
        try:
            return await self.decider.heads() != heads
        except (StoreError, KeyringError):
            return True

    async def _rows(self, partial: PartialDirectory | None) -> RowsResult:
        if self.engine is not None and self.engine.cuts(self.contacts):
            return await self.engine.decide_rows(self.contacts, partial, self.at_ms, self.progress, self.stamps)
        links = row_links(self.plan, self.contacts.found, self._links_of())
        taker = NoFiles() if partial is None else RowFiles(self.contacts, partial, links)
        answers = answers_of(self.engine, self.decider, self.plan.purpose, self.at_ms)
        policy, found = self.decider.policy, self.contacts.found
        rows = RowDecider(self.plan, found, policy, answers, self.employers, self.at_ms)
        return await decide_rows(self.contacts, rows, taker, self.progress)

    def _links_of(self) -> LinksOf | None:
        if self.stamps is None:
            return None
        return one_by_one(self.stamps) if self.engine is None else self.engine.links_of(self.stamps)

    def _rejected_domains(self, partial: PartialDirectory) -> Sequence[DomainCount]:
        rejected = partial.place / f"{Output.REJECTED}{self.contacts.suffix}"
        return rejected_domains(rejected, self.plan, self.contacts)

    def _write_manifest(
        self,
        partial: PartialDirectory,
        result: RowsResult,
        heads: tuple[Head, ...],
        domains: Sequence[DomainCount],
        *,
        is_stale: bool,
    ) -> Manifest:
        from jobs.scrub.report import render_report

        manifest = self._manifest(result, heads, is_stale=is_stale)
        partial.write_whole(REPORT_NAME, render_report(manifest, self.decider.policy, domains))
        partial.write_whole(MANIFEST_NAME, manifest.to_json())
        return manifest

    def _manifest(self, result: RowsResult, heads: tuple[Head, ...], *, is_stale: bool) -> Manifest:
        decided = manifest_document(self.plan, self.decider.policy, self.contacts, self.employers, result, heads)
        times = {"at": format_time(self.at_ms), "validUntil": format_time(result.valid_until_ms), "stale": is_stale}
        return signed({**decided, **times, "run": self._run_document(result.tally.read)}, self.sealer)

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
