"""Alive, and ready: the store and the keyring are really tried."""

from __future__ import annotations

from pathlib import Path

import pytest

from prefcenter.settings import Settings
from tests.web.serving_home import POLICIES, running, take_store_away


async def test_a_server_of_a_whole_home_is_alive_and_ready(settings: Settings) -> None:
    async with running(settings) as server:
        assert (await server.ask("/healthz")).document == {"status": "alive"}
        assert (await server.ask("/readyz")).document == {"status": "ready"}
        assert (await server.ask("/readyz", method="HEAD")).status == 200


def spoil_keyring(settings: Settings) -> None:
    settings.keyring.chmod(0o644)
    settings.keyring.write_bytes(settings.keyring.read_bytes() + b"\n")


def spoil_policy(settings: Settings) -> None:
    (settings.policies / "openscape.toml").write_text("[controller]\n", "utf-8")


def spoil_checkpoint(settings: Settings) -> None:
    settings.checkpoint.write_text("{}", "utf-8")


def take_policies_away(settings: Settings) -> None:
    for path in settings.policies.glob("*.toml"):
        path.unlink()


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (take_store_away, "store"),
        (spoil_keyring, "keyring"),
        (spoil_policy, "store"),
        (spoil_checkpoint, "store_damaged"),
        (take_policies_away, "store"),
    ],
)
async def test_a_server_that_cannot_decide_for_everybody_is_alive_and_not_ready(
    settings: Settings, spoil: object, code: str
) -> None:
    assert callable(spoil)
    async with running(settings) as server:
        assert (await server.ask("/readyz")).status == 200
        spoil(settings)
        assert (await server.ask("/healthz")).status == 200
        answer = await server.ask("/readyz")
        assert (answer.status, answer.document["error"]["code"]) == (503, code)
        assert all(path.stem not in answer.body.decode() for path in POLICIES.glob("*.toml"))
        restore(settings)
        assert (await server.ask("/readyz")).status == 200


def restore(settings: Settings) -> None:
    """Undo whatever was spoilt."""
    aside = settings.home / "aside.sqlite3"
    if aside.exists():
        aside.rename(settings.home / "store.sqlite3")
    settings.keyring.chmod(0o600)
    settings.keyring.write_bytes(settings.keyring.read_bytes() + b"\n")
    if settings.checkpoint.read_text("utf-8") == "{}":
        settings.checkpoint.unlink()
    for path in POLICIES.glob("*.toml"):
        target = Path(settings.policies / path.name)
        if not target.exists() or target.read_bytes() != path.read_bytes():
            target.write_bytes(path.read_bytes())


async def test_a_server_that_stops_is_not_ready(settings: Settings) -> None:
    async with running(settings) as server:
        server.around.is_draining = True
        assert (await server.ask("/readyz")).status == 503
        assert (await server.ask("/healthz")).status == 200
