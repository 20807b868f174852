"""`prefcenter keys`: look after the keyring."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from prefcenter import bootstrap
from prefcenter.cli.counts import counted
from prefcenter.security.keyring import load_keyring, save_keyring
from prefcenter.settings import Settings


@click.group(short_help="Look after the keyring: check, backup, rotate, retire.")
def keys() -> None:
    """The keyring: without it the suppressions are lost, with it digests can be guessed.

    \b
    Example:
      prefcenter keys check
      prefcenter keys backup keyring-backup.json
    """


@keys.command(short_help="Check the keyring, and say what each key carries.")
@click.pass_obj
def check(settings: Settings) -> None:
    """Check that the keyring is sound, private and this store's, and say what each key still carries.

    \b
    Example:
      prefcenter keys check
    """
    keyring, carried = asyncio.run(bootstrap.key_use(settings))
    for key in keyring.keys:
        records = counted(carried.get(key.id, 0), "record")
        click.echo(f"key {key.id}  {key.state}  made {key.created}  carries {records}")


@keys.command(short_help="Write a copy of the keyring to FILE.")
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_obj
def backup(settings: Settings, file: Path) -> None:
    """Write a copy of the keyring to FILE, readable by its owner only; nothing is overwritten.

    \b
    Example:
      prefcenter keys backup keyring-backup.json
    """
    save_keyring(load_keyring(settings.keyring), file, replace_existing=False)
    click.echo(f"{file.name}: keep it apart from the store, and as secret as the keyring itself")


@keys.command(short_help="Add a key that writes from now on.")
@click.pass_obj
def rotate(settings: Settings) -> None:
    """Add a key that writes from now on; the others are still looked up. Back up again afterwards.

    \b
    Example:
      prefcenter keys rotate
    """
    keyring = asyncio.run(bootstrap.rotate_keys(settings))
    click.echo(f"key {keyring.active.id} writes from now on; back up the keyring again")


@keys.command()
@click.argument("key_id", type=click.IntRange(1, 255))
@click.pass_obj
def retire(settings: Settings, key_id: int) -> None:
    """Put a key out of use. Refused while a record still carries it.

    \b
    Example:
      prefcenter keys retire 1
    """
    asyncio.run(bootstrap.retire_key(settings, key_id))
    click.echo(f"key {key_id} is retired: it verifies old ledger events, and opens links that were made with it")
