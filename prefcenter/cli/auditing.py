"""`prefcenter audit verify`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from jobs.scrub.manifest import manifest_heads
from prefcenter import bootstrap
from prefcenter.cli.counts import counted
from prefcenter.cli.program import EXIT_DONE, EXIT_NO
from prefcenter.settings import Settings


@click.group(short_help="Show that nothing was altered, removed or rolled back.")
def audit() -> None:
    """Show that nothing was altered, removed, reordered or rolled back.

    \b
    Example:
      prefcenter audit verify --controller opencontact
    """


@audit.command(short_help="Verify chains, records and tables.")
@click.option("--controller", "controllers", multiple=True, metavar="ID", help="Only this controller; may be repeated.")
@click.option(
    "--against",
    "manifests",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="MANIFEST",
    help="Also against the ledger heads that a scrub's manifest.json signed; may be repeated.",
)
@click.pass_obj
def verify(settings: Settings, controllers: tuple[str, ...], manifests: tuple[Path, ...]) -> int:
    """Verify chains, records and tables against each other and the checkpoint. Exit 1: something is wrong.

    \b
    Example:
      prefcenter audit verify
    """
    reports = asyncio.run(
        bootstrap.audit(
            settings, controllers, lambda sealer_of: [manifest_heads(path, sealer_of) for path in manifests]
        )
    )
    for controller, report in reports.items():
        verdict = counted(len(report.findings), "finding") if report.findings else "whole"
        click.echo(f"{controller}  {counted(report.events, 'event')}, {counted(report.records, 'record')}: {verdict}")
        for finding in report.findings:
            click.echo(f"  {finding}")
    return EXIT_NO if any(report.findings for report in reports.values()) else EXIT_DONE
