"""`prefcenter scrub`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import click

from jobs.lists.content import STANDARD_INPUT, HeldStream
from jobs.scrub import AddressChoice, Manifest, ScrubPlan
from jobs.scrub import scrub as run_scrub
from jobs.scrub.fast.choice import FEWEST_MIB, MEMORY_MIB, EngineChoice
from prefcenter.bootstrap import open_services
from prefcenter.cli.engines import chosen_engine
from prefcenter.cli.options import WordType, at_option, channel_option, controller_option, json_option, purpose_option
from prefcenter.cli.program import EXIT_DONE, EXIT_NO
from prefcenter.cli.progress import rows_progress
from prefcenter.domain.errors import InvalidInput
from prefcenter.domain.terms import AddressClass, Channel
from prefcenter.settings import BASE_URL_VARIABLE, Settings


class AddressChoiceType(click.ParamType[AddressChoice]):
    """`CHANNEL=COLUMN`, or `CHANNEL:CLASS=COLUMN` where all addresses of the column are of one class."""

    name = "address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> AddressChoice:
        if isinstance(value, AddressChoice):
            return value
        channel, equals, column = str(value).partition("=")
        channel, colon, address_class = channel.partition(":")
        if not equals or not column:
            self.fail("expected CHANNEL=COLUMN, such as email=work_email", param, ctx)
        try:
            return AddressChoice(Channel(channel), column, AddressClass(address_class) if colon else None)
        except ValueError:
            words = ", ".join(Channel)
            self.fail(f"expected one of {words}, and business or personal if there is a colon", param, ctx)


@click.command(short_help="Sort LIST into rows to keep, suppressed and rejected ones.")
@click.argument("paths", metavar="LIST", nargs=-1, type=click.Path(path_type=Path))
@controller_option
@purpose_option(required=True)
@channel_option()
@click.option("--address-column", metavar="NAME", help="The column with the addresses, by heading or number.")
@click.option(
    "--address",
    "addresses",
    multiple=True,
    type=AddressChoiceType(),
    metavar="CHANNEL=COLUMN",
    help="One of several columns of addresses, each with its channel; instead of --channel.",
)
@click.option("--class-column", metavar="NAME", help="The column that says business or personal.")
@click.option("--audience", metavar="WORD", help="The audience that all of the list is addressed as.")
@click.option("--audience-column", metavar="NAME", help="The column that says as which audience a row is addressed.")
@click.option(
    "--business-domain",
    "business_domains",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Employers' domains, one a line: addresses there are business ones unless a row says personal.",
)
@click.option("--dedupe", is_flag=True, help="Keep each mailbox once; rows that repeat one are suppressed.")
@click.option("--links", is_flag=True, help="Add an unsubscribe and a manage link to each row of kept, for its email.")
@click.option("--campaign", metavar="ID", help="Your own name of what is sent, for --links.")
@click.option("--sheet", metavar="NAME", help="The sheet of a workbook, if not the first.")
@at_option(end_of_day=False, at_help="Decide as of this time instead of now.")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR", help="Where the outputs appear, whole or not at all."
)
@click.option("--dry-run", is_flag=True, help="Decide and count, write nothing.")
@click.option(
    "--engine",
    type=WordType(EngineChoice),
    default=EngineChoice.AUTO.value,
    show_default=True,
    help="Which engine decides; both write the same.",
)
@click.option(
    "--memory-mib",
    type=click.IntRange(min=FEWEST_MIB),
    default=MEMORY_MIB,
    show_default=True,
    help="How much memory the fast engine may take.",
)
@click.option(
    "--explain",
    is_flag=True,
    help="Print what each state of a record comes to, and read no list, which may be left out.",
)
@json_option
@click.pass_obj
def scrub(
    settings: Settings,
    /,
    controller: str,
    as_json: bool,
    engine: EngineChoice,
    memory_mib: int,
    explain: bool,
    **options: Any,
) -> int:
    """Sort every row of LIST into kept, suppressed and rejected.

    \b
    Example:
      prefcenter scrub campaign.csv --controller opencontact \\
          --purpose client-marketing --channel email --out scrubbed

    LIST is delimited text, NDJSON, Parquet or an Excel workbook; text may be packed with gzip or Zstandard. Several, or
    a pattern, are read as one; `-` is standard input. DIR gets kept, suppressed and rejected in the list's own format,
    manifest.json and report.html. Send to `kept` only. Exit 1: the result is stale; scrub again. --links begin with
    PREFCENTER_BASE_URL.
    """
    if not options["paths"] and not explain:
        raise click.UsageError("Missing argument 'LIST'.")
    plan = _plan(**options)
    if plan.links:
        _require_base_url(settings)
    if explain:
        click.echo(asyncio.run(_explain(settings, controller, plan)))
        return EXIT_DONE
    manifest = asyncio.run(_run(settings, controller, plan, engine, memory_mib))
    click.echo(manifest.to_json().rstrip() if as_json else manifest_summary(manifest))
    return EXIT_NO if manifest.is_stale else EXIT_DONE


def _plan(paths: tuple[Path, ...], channel: Channel | None, **options: Any) -> ScrubPlan:
    addresses: tuple[AddressChoice, ...] = options["addresses"]
    if addresses and (channel or options["address_column"]):
        raise click.UsageError("--address goes with neither --channel nor --address-column.")
    if channel is None and not addresses:
        raise click.UsageError("Missing option '--channel' (or '--address').")
    first, *further = paths or (STANDARD_INPUT,)
    return ScrubPlan(path=first, further=tuple(further), channel=channel or addresses[0].channel, **options)


def _require_base_url(settings: Settings) -> None:
    """Links that lead nowhere would be found out by those who want to refuse."""
    if not settings.site.is_named:
        raise InvalidInput(f"{BASE_URL_VARIABLE}: is needed for --links, which begin with it")


async def _run(settings: Settings, controller: str, plan: ScrubPlan, choice: EngineChoice, memory_mib: int) -> Manifest:
    async with open_services(settings) as services:
        found = await services.deciding(controller)
        standard_input = None if sys.stdin is None else HeldStream(sys.stdin.buffer)
        engine = await chosen_engine(settings, found, plan, choice, memory_mib, standard_input)
        with rows_progress("scrub") as show:
            return await run_scrub(
                plan,
                found.decisions,
                found.sealer,
                services.clock,
                lambda progress: show(progress.bytes_read, progress.bytes_total, progress.rows),
                engine=engine,
                standard_input=standard_input,
                links=found.links if plan.links else None,
            )


async def _explain(settings: Settings, controller: str, plan: ScrubPlan) -> str:
    from jobs.scrub.fast.explained import explained

    async with open_services(settings) as services:
        found = await services.deciding(controller)
        keeper = (found.store, found.sealer, settings.snapshots)
        return await explained(plan, found.policy, *keeper, services.clock())


def manifest_summary(manifest: Manifest) -> str:
    """The counts of a scrub for people, the frequent reasons first."""
    document, counts = manifest.document, manifest.counts
    lines = [f"{'read':<24}{counts['read']:>10,}"]
    for output in ("kept", "suppressed", "rejected"):
        lines.append(f"{output:<24}{counts[output]:>10,}")
        reasons = document["reasons"].get(output, {})
        by_count = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
        lines += [f"  {reason:<22}{count:>10,}" for reason, count in by_count]
    if manifest.document["channel"] is None:
        lines += _channel_lines(manifest)
    lines.append(f"valid until {document['validUntil']}, policy {document['policyVersion']}")
    if manifest.is_stale:
        lines.append("stale: a refusal came in while this ran; scrub again before you send")
    return "\n".join(lines)


def _channel_lines(manifest: Manifest) -> list[str]:
    """Addresses by channel, where a row has several: how many may be used of how many there are."""
    lines = []
    for channel in dict.fromkeys(entry["channel"] for entry in manifest.document["cells"]):
        entries = [entry for entry in manifest.document["cells"] if entry["channel"] == channel]
        kept = sum(entry["kept"] for entry in entries)
        there = sum(entry[output] for entry in entries for output in ("kept", "suppressed", "rejected"))
        lines.append(f"{f'kept by {channel}':<24}{kept:>10,} of {there:,}")
    return lines
