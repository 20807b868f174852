"""`prefcenter apikey`: the keys with which marketing tools call the server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import click

from prefcenter.bootstrap import Services, open_services
from prefcenter.cli.options import TimeType, WordType, json_option
from prefcenter.cli.program import EXIT_DONE, EXIT_NO
from prefcenter.domain.errors import InvalidInput
from prefcenter.domain.time import format_time
from prefcenter.services.callers import ApiKeys, CallerScope
from prefcenter.services.ports import ApiKey
from prefcenter.settings import Settings

T = TypeVar("T")


@click.group(short_help="Keys for tools that call the server: create, list, revoke.")
def apikey() -> None:
    """Keys for tools that call the server. What a key may do is its scopes; for whom, its controllers.

    \b
    Example:
      prefcenter apikey create --label mail-tool --scope decide
      prefcenter apikey list
    """


@apikey.command(short_help="Make a key and print it, once.")
@click.option("--label", required=True, metavar="SLUG", help="Whose key it is: a short slug, for the list.")
@click.option(
    "--scope",
    "scopes",
    type=WordType(CallerScope),
    multiple=True,
    required=True,
    help="What it may do; may be repeated.",
)
@click.option(
    "--controller", "controllers", metavar="ID", multiple=True, help="For whom; may be repeated. Else for all."
)
@click.option("--expires", "expires_ms", type=TimeType(end_of_day=False), metavar="TIME", help="When it ends.")
@json_option
@click.pass_obj
def create(
    settings: Settings,
    label: str,
    scopes: Sequence[CallerScope],
    controllers: Sequence[str],
    expires_ms: int | None,
    as_json: bool,
) -> None:
    """Make a key and print it. It is shown this once: the store keeps only a hash of it.

    \b
    Example:
      prefcenter apikey create --label mail-tool --scope decide \\
          --controller opencontact --expires 2031-01-01
    """

    async def make(services: Services) -> tuple[ApiKey, str]:
        unknown = set(controllers) - set(services.policies.controllers())
        if unknown:
            raise InvalidInput("controller: not one of this home's policies")
        return await _keys(services).create(label, scopes, controllers, expires_ms)

    key, text = asyncio.run(_with(settings, make))
    click.echo(json.dumps({"id": key.id, "key": text}) if as_json else text)


@apikey.command("list", short_help="List the keys, and when each was last used.")
@json_option
@click.pass_obj
def list_keys(settings: Settings, as_json: bool) -> None:
    """List all keys: id, state, label, scopes, controllers, last use. Secrets are not kept, so none is shown.

    \b
    Example:
      prefcenter apikey list
    """

    async def read(services: Services) -> tuple[Sequence[ApiKey], int]:
        return await _keys(services).all(), services.clock()

    keys, now_ms = asyncio.run(_with(settings, read))
    if as_json:
        click.echo(json.dumps([_as_json(key, now_ms) for key in keys]))
        return
    for key in keys:
        click.echo(_as_text(key, now_ms))


@apikey.command(short_help="Put a key out of force, at once and for good.")
@click.argument("key_id", metavar="ID")
@click.pass_obj
def revoke(settings: Settings, key_id: str) -> int:
    """Put a key out of force for good: the next request with it is refused. Exit 1: it was revoked already.

    \b
    Example:
      prefcenter apikey revoke 0123456789ab
    """
    is_new = asyncio.run(_with(settings, lambda services: _keys(services).revoke(key_id)))
    click.echo(f"{key_id}  {'revoked' if is_new else 'was revoked already'}")
    return EXIT_DONE if is_new else EXIT_NO


async def _with(settings: Settings, work: Callable[[Services], Awaitable[T]]) -> T:
    async with open_services(settings) as services:
        return await work(services)


def _keys(services: Services) -> ApiKeys:
    return ApiKeys(services.store, services.clock)


def _state(key: ApiKey, now_ms: int) -> str:
    if key.revoked_ms is not None:
        return "revoked"
    return "expired" if key.expires_ms is not None and key.expires_ms <= now_ms else "in force"


def _as_text(key: ApiKey, now_ms: int) -> str:
    controllers = ",".join(sorted(key.controllers)) or "all controllers"
    used = f"last used {format_time(key.last_used_ms)}" if key.last_used_ms else "never used"
    scopes = ",".join(sorted(key.scopes))
    return f"{key.id}  {_state(key, now_ms)}  {key.label}  {scopes}  {controllers}  {used}"


def _as_json(key: ApiKey, now_ms: int) -> dict[str, object]:
    return {
        "id": key.id,
        "label": key.label,
        "state": _state(key, now_ms),
        "scopes": sorted(key.scopes),
        "controllers": sorted(key.controllers),
        "created": format_time(key.created_ms),
        "expires": _time(key.expires_ms),
        "revoked": _time(key.revoked_ms),
        "lastUsed": _time(key.last_used_ms),
    }


def _time(time_ms: int | None) -> str | None:
    return None if time_ms is None else format_time(time_ms)
