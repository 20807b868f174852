"""`prefcenter demo`: the main job, on lists that it makes itself."""

from __future__ import annotations

import asyncio
import json
import tempfile
import textwrap
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import click

from jobs.demo.alumni_list import alumni_list
from jobs.demo.campaign_list import campaign_list
from jobs.demo.questions import Sample, sample_questions
from jobs.demo.rows import DemoList
from jobs.demo.story import Story, play
from jobs.scrub import Manifest, ScrubPlan, scrub
from prefcenter.bootstrap import Services, audit, init_home, open_services
from prefcenter.cli.counts import counted
from prefcenter.cli.demo_server import ServedAnswer, ask_server, make_demo_key, request_body
from prefcenter.cli.program import EXIT_DONE, EXIT_NO
from prefcenter.cli.scrubbing import manifest_summary
from prefcenter.domain.address import mask
from prefcenter.domain.decision import Decision
from prefcenter.domain.explanation import explain
from prefcenter.services.ports import AuditReport
from prefcenter.settings import ServingSettings, read_settings

COLUMN_CHARACTERS = 42
LINE_CHARACTERS = 80
"""The width of a plain terminal, which all but the sentences about answers keep to."""


@dataclass(frozen=True, slots=True)
class Demo:
    """Everything that the demo did, for the summary."""

    directory: Path
    lists: Sequence[DemoList]
    story: Story
    manifests: Sequence[Manifest]
    answers: Sequence[tuple[Sample, Decision]]
    served: Sequence[ServedAnswer]
    audits: dict[str, AuditReport]
    seconds: float

    @property
    def is_whole(self) -> bool:
        return self.agreeing == len(self.answers) and not any(report.findings for report in self.audits.values())

    @property
    def agreeing(self) -> int:
        """How many of the answers the running server gave as well."""
        decided = [ServedAnswer(found.is_allowed, found.reason.value, found.clause) for _, found in self.answers]
        return sum(one == other for one, other in zip(decided, self.served, strict=True))


@click.command(short_help="Scrub two made-up lists in a temporary home, and explain.")
@click.option("--serve", "goes_on", is_flag=True, help="Then serve the home until Ctrl-C, with a request to paste.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65_535), help="With --serve: where.")
def demo(goes_on: bool, port: int) -> int:
    """Make a home and two lists in a temporary place, play opt-outs and consents, scrub both lists, and explain.

    \b
    Example:
      prefcenter demo

    Your own home and store are left alone. The people and the lists are made up; everything else is real.
    """
    played = asyncio.run(_play(Path(tempfile.mkdtemp(prefix="prefcenter-demo-"))))
    click.echo("\n".join(_summary(played)))
    if goes_on and played.is_whole:
        return _serve(played, port)
    return EXIT_DONE if played.is_whole else EXIT_NO


def _serve(played: Demo, port: int) -> int:
    """Serve the demo's home, and show how it is asked: the first of the questions that were answered above."""
    from prefcenter.cli.serving import serve_settings

    settings = read_settings({}, played.directory / "home")
    token = asyncio.run(make_demo_key(settings))
    sample, _ = played.answers[0]

    def show_request(url: str) -> None:
        click.echo(f"serving {url} until SIGTERM or Ctrl-C; ask it, for example:")
        click.echo(f"curl {url} -H 'Authorization: Bearer {token}' \\")
        click.echo("  -H 'Content-Type: application/json' \\")
        click.echo(f"  -d '{json.dumps(request_body(sample.controller, sample.question))}'")

    return serve_settings(settings, ServingSettings(), "127.0.0.1", port, show_request)


async def _play(directory: Path) -> Demo:
    started = time.monotonic()
    settings = read_settings({}, directory / "home")
    lists = (campaign_list(), alumni_list())
    for made in lists:
        (directory / made.file_name).write_bytes(made.content)
    await init_home(settings, demo_policies())
    async with open_services(settings) as services:
        campaign, alumni = [await services.controller(made.controller) for made in lists]
        story = await play(campaign, alumni, services.clock())
        manifests = [await _scrub(services, made, directory) for made in lists]
        answers = [answer async for answer in _ask(services)]
    served = await ask_server(settings, [sample for sample, _ in answers])
    audits = await audit(settings, [made.controller for made in lists])
    return Demo(directory, lists, story, manifests, answers, served, audits, time.monotonic() - started)


def demo_policies() -> Path:
    """The five policies: the wheel carries them in this package, a checkout has them under fixtures/."""
    packaged = Path(__file__).with_name("policies")
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "fixtures" / "policies"


async def _scrub(services: Services, made: DemoList, directory: Path) -> Manifest:
    found = await services.deciding(made.controller)
    plan = ScrubPlan(
        path=directory / made.file_name,
        purpose=made.purpose,
        channel=made.channel,
        address_column=made.address_column,
        class_column=made.class_column,
        out=directory / f"{Path(made.file_name).stem}-scrubbed",
    )
    return await scrub(plan, found.decisions, found.sealer, services.clock)


async def _ask(services: Services) -> AsyncIterator[tuple[Sample, Decision]]:
    for sample in sample_questions():
        found = await services.deciding(sample.controller)
        yield sample, await found.decisions.decide(sample.question, services.clock())


def _summary(played: Demo) -> Iterator[str]:
    yield from _what_was_made(played)
    yield ""
    yield from _side_by_side([_scrub_lines(*pair) for pair in zip(played.lists, played.manifests, strict=True)])
    yield ""
    yield "Why, for some of them:"
    for sample, decision in played.answers:
        yield from _answer_lines(sample, decision)
    yield ""
    yield f"A running server, asked the same over GraphQL: {played.agreeing} of {len(played.answers)} answers agree"
    for controller, report in played.audits.items():
        yield f"Ledger of {controller}: {counted(report.events, 'event')}, {'; '.join(report.findings) or 'whole'}"
    yield f"Look at {played.directory}:"
    yield "  the lists; kept, suppressed and rejected rows; manifest.json; report.html"
    yield f"All of it took {played.seconds:.1f} s"


def _what_was_made(played: Demo) -> Iterator[str]:
    for made in played.lists:
        defects = f"{len(made.defects)} kinds of defects of real exports"
        yield f"Made {made.file_name}: {len(made.rows):,} rows, {made.encoding}, {defects}"
    frequent = sorted(played.story.acts.items(), key=lambda act: -act[1])[:5]
    told = ", ".join(f"{count:,} {kind}" for kind, count in frequent)
    acts = f"Recorded {counted(played.story.total, 'act')} of people and operators: {told} and others"
    yield from textwrap.wrap(acts, LINE_CHARACTERS, subsequent_indent="  ", break_on_hyphens=False)


def _scrub_lines(made: DemoList, manifest: Manifest) -> list[str]:
    counts = manifest_summary(manifest).splitlines()[:-1]
    return [made.controller, f"{made.purpose} by {made.channel}", "-" * len(counts[0]), *counts]


def _side_by_side(columns: Sequence[Sequence[str]]) -> Iterator[str]:
    for line in zip_longest(*columns, fillvalue=""):
        yield "".join(cell.ljust(COLUMN_CHARACTERS) for cell in line).rstrip()


def _answer_lines(sample: Sample, decision: Decision) -> Iterator[str]:
    verdict = "permitted" if decision.is_allowed else f"refused {decision.reason}"
    clause = f", clause {decision.clause}" if decision.clause else ""
    yield f"  {mask(sample.question.address)}  {sample.question.purpose}: {verdict}{clause}"
    yield f"    {explain(decision)}"
    yield f"    Shown: {sample.shows}."
