"""`prefcenter policy check`."""

from __future__ import annotations

from pathlib import Path

import click

from prefcenter.cli.counts import counted
from prefcenter.cli.program import EXIT_DONE, EXIT_NO, without_addresses
from prefcenter.domain.errors import InvalidInput, InvalidPolicy
from prefcenter.services.clause_register import clauses_file, known_clauses
from prefcenter.services.policy_files import load_policies


@click.group()
def policy() -> None:
    """Policies: what a controller promised, as TOML files.

    \b
    Example:
      prefcenter policy check fixtures/policies
    """


@policy.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
def check(directory: Path) -> int:
    """Check every policy of DIR and report all faults at once. Exit 1: there are some.

    \b
    Example:
      prefcenter policy check fixtures/policies
    """
    if not directory.is_dir():
        raise InvalidInput(f"{directory}: not a directory of policies")
    try:
        policies = load_policies(directory, known_clauses=known_clauses(clauses_file()))
    except InvalidPolicy as error:
        click.echo(without_addresses(str(error)), err=True)
        return EXIT_NO
    for controller, loaded in sorted(policies.items()):
        counts = f"{counted(len(loaded.purposes), 'purpose')}, {counted(len(loaded.data_uses), 'data use')}"
        click.echo(f"{controller}  version {loaded.version}, {counts}")
    return EXIT_DONE
