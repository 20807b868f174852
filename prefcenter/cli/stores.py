"""`prefcenter store`."""

from __future__ import annotations

from pathlib import Path

import click

from prefcenter.bootstrap.stores import copy_store, make_store_of
from prefcenter.cli.counts import counted
from prefcenter.settings import Settings, file_url

CURRENT = "current"


@click.group(short_help="Make a store, or move one.")
def store() -> None:
    """Make a store, or move one.

    \b
    Example:
      prefcenter store init
    """


@store.command(short_help="Make collections and indexes where they are missing.")
@click.pass_obj
def init(settings: Settings) -> None:
    """Make the store that PREFCENTER_STORE names, or what is missing of it; nothing that is there is changed.

    \b
    Example:
      prefcenter store init

    A server makes nothing by itself: a database without its indexes would take in what they refuse. `prefcenter init`
    makes the store of a new home; this is for a database that a copy goes into, or that lost an index.
    """
    was_whole = make_store_of(settings)
    click.echo("whole already; nothing was changed" if was_whole else "made")


@store.command(short_help="Copy a store into another, of the same kind or not.")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.pass_obj
def copy(settings: Settings, source: str, target: str) -> None:
    """Copy the store FROM to TO, where none may stand, with the keyring of the home.

    \b
    Example:
      prefcenter store copy current moved.sqlite3

    Each is a store's URL, or an SQLite file; `current` is the store in use. Stop what writes to FROM first. The copy is
    compared with its source, ledger heads and every row, before it can be opened; one that was interrupted goes on when
    it is asked for again. FROM stays as it is: set PREFCENTER_STORE to TO, run `prefcenter audit verify`, and keep FROM
    until you are content.
    """
    for copied in copy_store(settings, _url(settings, source), _url(settings, target)):
        rows = ", ".join(counted(copied.rows[table], noun) for table, noun in _NOUNS.items())
        click.echo(f"{copied.controller}  {rows}: the same in both")


def _url(settings: Settings, store: str) -> str:
    if store == CURRENT:
        return settings.store_url
    return store if "://" in store else file_url(Path(store).absolute())


_NOUNS = {"records": "record", "events": "event", "sealed": "contact field", "sends": "send", "receipts": "receipt"}
