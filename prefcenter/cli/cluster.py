"""`prefcenter-scrub-spark`: a program of its own, for Spark comes with an extra that the commands do without."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from jobs.scrub.manifest import Manifest
from jobs.scrub.plan import ScrubPlan, require_offered
from prefcenter.bootstrap import open_services
from prefcenter.cli import program
from prefcenter.cli.options import at_option, channel_option, controller_option, json_option, purpose_option
from prefcenter.domain.errors import InvalidInput
from prefcenter.settings import Settings, read_settings

NAME = "prefcenter-scrub-spark"


@click.command(NAME, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.argument("path", metavar="LIST", type=click.Path(path_type=Path))
@controller_option
@purpose_option(required=True)
@channel_option(required=True)
@click.option("--address-column", metavar="NAME", required=True, help="The column with the addresses.")
@click.option("--class-column", metavar="NAME", help="The column that says business or personal.")
@click.option("--audience", metavar="WORD", help="The audience that all of the list is addressed as.")
@at_option(end_of_day=False, at_help="Decide as of this time instead of now.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", required=True, help="Where the outputs appear.")
@click.option("--master", metavar="URL", help="The cluster, if Spark's own settings do not name it; local[*]: none.")
@click.option("--home", type=click.Path(path_type=Path, file_okay=False), help="As for `prefcenter`.")
@json_option
def scrub_on_spark(home: Path | None, controller: str, master: str | None, as_json: bool, **options: Any) -> int:
    """Sort every row of LIST, which is Parquet, into kept, suppressed and rejected, on a Spark cluster.

    \b
    Example:
      prefcenter-scrub-spark people.parquet --controller opencontact --purpose client-marketing \\
          --channel email --address-column email --out scrubbed --master 'local[*]'

    Every node sees LIST and DIR, and has prefcenter installed. DIR gets kept, suppressed and rejected, each a directory
    of Parquet parts, and manifest.json. Exit 1: the result is stale; scrub again.
    """
    if find_spec("pyspark") is None:
        raise InvalidInput("Spark is not installed; it comes with the extra: pip install 'prefcenter[spark]'")
    manifest = asyncio.run(_run(read_settings(os.environ, home), controller, master, ScrubPlan(**options)))
    click.echo(manifest.to_json().rstrip() if as_json else manifest_summary(manifest))
    return program.EXIT_NO if manifest.is_stale else program.EXIT_DONE


async def _run(settings: Settings, controller: str, master: str | None, plan: ScrubPlan) -> Manifest:
    from jobs.scrub_spark import ClusterServices, cluster_session, scrub_on_cluster

    async with open_services(settings) as services:
        found = await services.deciding(controller)
        require_offered(plan, found.policy)
        handed = ClusterServices(found.decisions, found.digester, found.store, found.sealer, services.clock)
        spark = cluster_session(master, {})
        try:
            return await scrub_on_cluster(plan, handed, spark)
        finally:
            spark.stop()


def manifest_summary(manifest: Manifest) -> str:
    """The counts, a line each."""
    return "\n".join(f"{name:<12}{count:>16,}" for name, count in manifest.counts.items())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and exit, with the codes and errors of `prefcenter`."""
    program.main(arguments, scrub_on_spark, NAME)
