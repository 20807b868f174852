"""`prefcenter import`."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from jobs.imports import GrantImport, ImportReport, RefusalImport, import_grants, import_refusals
from prefcenter.bootstrap import open_services
from prefcenter.cli.options import (
    channel_option,
    class_option,
    controller_option,
    data_use_option,
    json_option,
    purpose_option,
    reason_option,
)
from prefcenter.cli.program import without_addresses
from prefcenter.cli.progress import bytes_progress
from prefcenter.domain.digest import HASH_KINDS, DigestKind
from prefcenter.domain.events import Cell, Scope
from prefcenter.domain.terms import Channel, PurposeClass, RefusalReason
from prefcenter.services.import_batches import RowOutcome
from prefcenter.services.slugs import check_slug
from prefcenter.settings import Settings

IMPORTED_REASONS = [reason for reason in RefusalReason if reason is not RefusalReason.ERASED]


class HashKindType(click.Choice[Any]):
    """A kind of hash by its name."""

    def __init__(self) -> None:
        super().__init__([kind.name.lower() for kind in HASH_KINDS])

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> DigestKind:
        return value if isinstance(value, DigestKind) else DigestKind[super().convert(value, param, ctx).upper()]


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """The options of the command, as click names them."""

    files: tuple[Path, ...]
    reason: RefusalReason | None
    source: str
    channel: Channel | None
    purpose: str | None
    purpose_class: PurposeClass | None
    data_use: str | None
    column: str | None
    sheet: str | None
    time_column: str | None
    replace_registry: bool
    hashes: DigestKind | None
    grant: bool
    wording_column: str | None
    method_column: str | None
    expires_column: str | None


@click.command("import", short_help="Import FILE, a list of refusals or of consents.")
@click.argument("files", metavar="FILE", nargs=-1, required=True, type=click.Path(path_type=Path))
@controller_option
@reason_option(reason_help=f"Why they are refused: {', '.join(IMPORTED_REASONS)}.")
@click.option("--source", required=True, metavar="SLUG", help="Who hands the list in, and attests it (OCC-20).")
@channel_option(channel_help="What the addresses are (else email); named, it also narrows what is refused.")
@purpose_option(purpose_help="Only this kind of message.")
@class_option("Only purposes of this class.")
@data_use_option()
@click.option(
    "--column", "--address-column", metavar="NAME", help="The column with the addresses, by heading or number."
)
@click.option("--sheet", metavar="NAME", help="The sheet of a workbook, if not the first.")
@click.option("--time-column", metavar="NAME", help="The column that says when; else a refusal is as of this import.")
@click.option("--replace-registry", is_flag=True, help="This is the registry's list in full: lift who is not on it.")
@click.option(
    "--hashes",
    type=HashKindType(),
    metavar="KIND",
    help="The column holds hashes of addresses, as vendors hand them out: md5, sha1, sha256 or sha512.",
)
@click.option("--grant", is_flag=True, help="The list holds consents, not refusals.")
@click.option("--wording-column", metavar="NAME", help="With --grant: what each person was shown.")
@click.option("--method-column", metavar="NAME", help="With --grant: how each person said yes.")
@click.option("--expires-column", metavar="NAME", help="With --grant: when each consent ends.")
@json_option
@click.pass_obj
def import_list(settings: Settings, /, controller: str, as_json: bool, **options: Any) -> None:
    """Import FILE, a list of refusals, or with --grant of consents.

    \b
    Example:
      prefcenter import bounces.csv --controller opencontact --reason bounced \\
          --source smtp-relay --column email

    FILE is delimited text, NDJSON, Parquet or an Excel workbook; text may be packed with gzip or Zstandard. Several, or
    a pattern, are imported one after the other; `-` is standard input. Refusals only tighten, and the same file again
    changes nothing. Invalid rows go to FILE.invalid.csv, or a file of the list's own format.
    """
    chosen = ImportOptions(**options)
    plan = _grant_plan(chosen) if chosen.grant else _refusal_plan(chosen)
    report = asyncio.run(_run(settings, controller, plan))
    click.echo(json.dumps(_report_json(report)) if as_json else _report_text(report))
    for fault in report.faults:
        click.echo(without_addresses(fault), err=True)


async def _run(settings: Settings, controller: str, plan: RefusalImport | GrantImport) -> ImportReport:
    async with open_services(settings) as services:
        found = await services.controller(controller)
        standard_input = None if sys.stdin is None else sys.stdin.buffer
        with bytes_progress("import") as progress:
            handed = (found.importing, found.policy.country, progress, standard_input)
            if isinstance(plan, GrantImport):
                return await import_grants(plan, *handed)
            return await import_refusals(plan, *handed)


def _refusal_plan(chosen: ImportOptions) -> RefusalImport:
    if chosen.reason is None:
        raise click.UsageError("Missing option '--reason' (or '--grant').")
    if sum(narrowed is not None for narrowed in (chosen.purpose, chosen.purpose_class, chosen.data_use)) > 1:
        raise click.UsageError("Name one of --purpose, --class and --data-use.")
    if chosen.wording_column or chosen.method_column or chosen.expires_column:
        raise click.UsageError("--wording-column, --method-column and --expires-column go with --grant.")
    scoped_channel = None if chosen.data_use else chosen.channel
    return RefusalImport(
        path=chosen.files[0],
        further=chosen.files[1:],
        sheet=chosen.sheet,
        channel=chosen.channel or Channel.EMAIL,
        reason=chosen.reason,
        scope=Scope(chosen.purpose, chosen.purpose_class, scoped_channel, chosen.data_use),
        source=chosen.source,
        column=chosen.column,
        time_column=chosen.time_column,
        replace_registry=chosen.replace_registry,
        hashes=chosen.hashes,
    )


def _grant_plan(chosen: ImportOptions) -> GrantImport:
    if chosen.reason or chosen.purpose_class or chosen.replace_registry or chosen.hashes:
        raise click.UsageError("--grant goes with none of --reason, --class, --replace-registry and --hashes.")
    if not (chosen.time_column and chosen.wording_column and chosen.method_column):
        raise click.UsageError("--grant needs --time-column, --wording-column and --method-column.")
    if (chosen.purpose is None) == (chosen.data_use is None):
        raise click.UsageError("--grant needs either --purpose or --data-use.")
    channel = chosen.channel or Channel.EMAIL
    return GrantImport(
        path=chosen.files[0],
        further=chosen.files[1:],
        sheet=chosen.sheet,
        channel=channel,
        cell=Cell(chosen.purpose, None if chosen.data_use else channel, chosen.data_use),
        source=check_slug(chosen.source, "source"),
        time_column=chosen.time_column,
        wording_column=chosen.wording_column,
        method_column=chosen.method_column,
        expires_column=chosen.expires_column,
        column=chosen.column,
    )


def _report_json(report: ImportReport) -> dict[str, object]:
    counts: dict[str, object] = {outcome.value: report.outcomes[outcome] for outcome in RowOutcome}
    lifted = {} if report.lifted is None else {"lifted": report.lifted}
    faults = [without_addresses(fault) for fault in report.faults]
    return {"read": report.read, **counts, "invalid": report.invalid, **lifted, "faults": faults}


def _report_text(report: ImportReport) -> str:
    counts = "  ".join(f"{outcome} {report.outcomes[outcome]:,}" for outcome in RowOutcome)
    lines = [f"read {report.read:,}  {counts}  invalid {report.invalid:,}"]
    if report.lifted is not None:
        lines.append(f"lifted {report.lifted:,} that the registry no longer names")
    lines += [f"invalid rows: {without_addresses(str(path))}" for path in report.invalid_files]
    return "\n".join(lines)
