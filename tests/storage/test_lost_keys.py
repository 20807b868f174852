"""A keyring or checkpoint that is older than the store: what it would hide is noticed before any decision."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from prefcenter.bootstrap import audit, open_services, rotate_keys
from prefcenter.domain.errors import KeyringError
from prefcenter.domain.events import EVERYTHING
from tests.storage.homes import CONTROLLER, make_home, settings_of


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return make_home(tmp_path / "home")


async def test_no_decision_without_a_key_that_wrote_to_the_store(home: Path) -> None:
    settings, backup = settings_of(home), home / "keyring-backup.json"
    shutil.copy2(settings.keyring, backup)
    await rotate_keys(settings)
    async with open_services(settings) as services:
        await (await services.controller(CONTROLLER)).recording.opt_out("pat@acme.example", EVERYTHING, "form")
        await services.deciding(CONTROLLER)
    backup.replace(settings.keyring)
    settings.checkpoint.unlink()

    async with open_services(settings) as services:
        with pytest.raises(KeyringError, match="lacks key 2"):
            await services.deciding(CONTROLLER)


async def test_a_key_that_has_not_written_yet_is_not_missed(home: Path) -> None:
    settings, backup = settings_of(home), home / "keyring-backup.json"
    shutil.copy2(settings.keyring, backup)
    await rotate_keys(settings)
    backup.replace(settings.keyring)
    async with open_services(settings) as services:
        await services.deciding(CONTROLLER)


async def test_keys_rotated_during_a_long_run_are_noticed_at_its_next_look_at_the_ledger(home: Path) -> None:
    settings = settings_of(home)
    async with open_services(settings) as long_run:
        decisions = (await long_run.deciding(CONTROLLER)).decisions
        await decisions.heads()
        await rotate_keys(settings)
        async with open_services(settings) as other:
            await (await other.controller(CONTROLLER)).recording.opt_out("pat@acme.example", EVERYTHING, "form")

        with pytest.raises(KeyringError, match=r"lacks key 2.*run the command again"):
            await decisions.heads()


async def test_a_controller_taken_out_of_the_checkpoint_is_a_finding(home: Path) -> None:
    settings = settings_of(home)
    document = json.loads(settings.checkpoint.read_text())
    del document["controllers"][CONTROLLER]
    settings.checkpoint.write_text(json.dumps(document))

    findings = (await audit(settings, [CONTROLLER]))[CONTROLLER].findings

    assert findings == (f"checkpoint.json: {CONTROLLER} is missing from it",)
