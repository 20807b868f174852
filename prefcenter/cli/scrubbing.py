"""`prefcenter scrub`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from jobs.scrub import Manifest, ScrubPlan
from jobs.scrub import scrub as run_scrub
from prefcenter.bootstrap import open_services
from prefcenter.cli.options import at_option, channel_option, controller_option, json_option, purpose_option
from prefcenter.cli.progress import bytes_progress
from prefcenter.settings import Settings


@click.command(short_help="Sort LIST into rows to keep, suppressed and rejected ones.")
@click.argument("path", metavar="LIST", type=click.Path(path_type=Path))
@controller_option
@purpose_option(required=True)
@channel_option(required=True)
@click.option("--address-column", metavar="NAME", help="The column with the addresses, by heading or number.")
@click.option("--class-column", metavar="NAME", help="The column that says business or personal.")
@click.option("--audience", metavar="WORD", help="The audience that all of the list is addressed as.")
@at_option(end_of_day=False, at_help="Decide as of this time instead of now.")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR", help="Where the outputs appear, whole or not at all."
)
@click.option("--dry-run", is_flag=True, help="Decide and count, write nothing.")
@json_option
@click.pass_obj
def scrub(settings: Settings, /, controller: str, as_json: bool, **options: Any) -> None:
    """Sort every row of LIST, a CSV or TSV file, into kept, suppressed and rejected.

    \b
    Example:
      prefcenter scrub campaign.csv --controller opencontact \\
          --purpose client-marketing --channel email --out scrubbed

    DIR gets kept, suppressed and rejected in the list's own format, manifest.json and report.html. Send to `kept` only.
    """
    plan = ScrubPlan(**options)
    manifest = asyncio.run(_run(settings, controller, plan))
    click.echo(manifest.to_json().rstrip() if as_json else manifest_summary(manifest))


async def _run(settings: Settings, controller: str, plan: ScrubPlan) -> Manifest:
    async with open_services(settings) as services:
        found = await services.deciding(controller)
        with bytes_progress("scrub") as show:
            return await run_scrub(
                plan,
                found.decisions,
                found.sealer,
                services.clock,
                lambda progress: show(progress.bytes_read, progress.bytes_total),
            )


def manifest_summary(manifest: Manifest) -> str:
    """The counts of a scrub for people, the frequent reasons first."""
    document, counts = manifest.document, manifest.counts
    lines = [f"{'read':<24}{counts['read']:>10,}"]
    for output in ("kept", "suppressed", "rejected"):
        lines.append(f"{output:<24}{counts[output]:>10,}")
        reasons = document["reasons"].get(output, {})
        by_count = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
        lines += [f"  {reason:<22}{count:>10,}" for reason, count in by_count]
    lines.append(f"valid until {document['validUntil']}, policy {document['policyVersion']}")
    if manifest.is_stale:
        lines.append("stale: a refusal came in while this ran; scrub again before you send")
    return "\n".join(lines)
