"""`prefcenter init`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from prefcenter.bootstrap import init_home
from prefcenter.settings import Settings


@click.command()
@click.option(
    "--policies",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Copy the policies of this directory; else the home starts with one commented policy.",
)
@click.pass_obj
def init(settings: Settings, policies: Path | None) -> None:
    """Make a home: keyring, store and policies. A second time is refused.

    \b
    Example:
      prefcenter init --policies fixtures/policies

    Back up keyring.json at once, apart from the store: without it the suppressions are lost.
    """
    controllers = asyncio.run(init_home(settings, policies))
    click.echo(f"home    {settings.home}")
    click.echo(f"for     {', '.join(controllers)}")
    if policies is None:
        click.echo("next    make the policy yours, in the directory policies of the home")
    click.echo("next    back up the keyring, apart from the store: prefcenter keys backup FILE")
