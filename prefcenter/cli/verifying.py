"""`prefcenter scrub-verify`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import click

from jobs.scrub.manifest import MANIFEST_NAME, read_manifest
from jobs.scrub.verifying import FORGED, Finding, Verification, verify
from prefcenter.bootstrap import open_services
from prefcenter.cli.engines import chosen_engine
from prefcenter.cli.options import json_option
from prefcenter.cli.program import EXIT_DONE, EXIT_NO
from prefcenter.settings import Settings


@click.command("scrub-verify", short_help="Check that a scrub may still be sent to.")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--quick", is_flag=True, help="Take any change of the ledger for a no, and do not look whom it is about.")
@click.option(
    "--business-domain",
    "business_domains",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The employers' domains that the scrub was given, to look at its rows in the same way.",
)
@json_option
@click.pass_obj
def scrub_verify(
    settings: Settings, /, directory: Path, quick: bool, business_domains: Path | None, as_json: bool
) -> int:
    """Check that the outputs in DIR are whole and unchanged, and that nobody in `kept` has refused since.

    \b
    Example:
      prefcenter scrub-verify scrubbed

    Exit 0: send. Exit 1: stale or changed; scrub again. Exit 2: the check could not be made.
    """
    findings = asyncio.run(_verify(settings, directory, is_quick=quick, business_domains=business_domains))
    click.echo(_as_json(findings) if as_json else _as_text(findings))
    return EXIT_NO if findings else EXIT_DONE


async def _verify(
    settings: Settings, directory: Path, *, is_quick: bool, business_domains: Path | None
) -> list[Finding]:
    async with open_services(settings, advances_checkpoint=False) as services:
        read = read_manifest(directory / MANIFEST_NAME, services.sealer_of)
        if not read.is_genuine:
            return [FORGED]
        found = await services.deciding(read.controller)
        asked = Verification(directory, read, services.clock(), is_quick, business_domains)
        return await verify(
            asked,
            found.decisions,
            lambda heads: services.store.holds_heads(read.controller, heads),
            lambda plan: chosen_engine(settings, found, plan),
        )


def _as_text(findings: Sequence[Finding]) -> str:
    if not findings:
        return "good: whole, unchanged, and nobody in kept has refused since"
    return "\n".join(f"{finding.trouble}: {finding.message}" for finding in findings)


def _as_json(findings: Sequence[Finding]) -> str:
    told = [{"code": finding.trouble.value, "message": finding.message} for finding in findings]
    return json.dumps({"good": not findings, "findings": told})
