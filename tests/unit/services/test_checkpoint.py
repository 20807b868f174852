"""The checkpoint moves forward only, shows an older copy of the store, and stops decisions then, never opt-outs."""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prefcenter.domain.errors import InvalidInput, StoreDamaged
from prefcenter.domain.events import EVERYTHING
from prefcenter.domain.ledger import PARTITIONS, Head
from prefcenter.security.keyring import new_keyring
from prefcenter.security.seals import Sealer
from prefcenter.services.acts import Outcome
from prefcenter.services.checkpoint import Checkpoint, read_signed_heads, signed_heads
from tests.running_home import RunningHome
from tests.unit.services.asking import BUSINESS, CONTROLLER, recording_of
from tests.unit.services.contested import store_path

SEALER = Sealer(new_keyring("2026-11-21T00:00:00.000Z"), CONTROLLER)
HEADS = tuple(Head(number, bytes([number]) * 16) for number in range(PARTITIONS))


@pytest.fixture
def older_store(home: RunningHome, tmp_path: Path) -> Path:
    """A copy of the store as it was before the last acknowledged opt-out, whose head the checkpoint has signed."""
    home.run(recording_of(home).opt_out("kim@acme.example", EVERYTHING, "page"))
    home.reopen()
    copy = tmp_path / "older.sqlite3"
    shutil.copyfile(store_path(home), copy)
    home.run(recording_of(home).opt_out(BUSINESS, EVERYTHING, "page"))
    home.reopen()
    return copy


def put_back(home: RunningHome, copy: Path) -> None:
    with home.closed():
        for leftover in store_path(home).parent.glob("store.sqlite3-*"):
            leftover.unlink()
        shutil.copyfile(copy, store_path(home))


def positions(home: RunningHome) -> int:
    return sum(head.position for head in home.services.checkpoint.read()[CONTROLLER])


def edit(home: RunningHome, change: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads(home.settings.checkpoint.read_text("utf-8"))
    change(document)
    home.settings.checkpoint.write_text(json.dumps(document), "utf-8")


def test_heads_are_read_back_as_they_were_signed() -> None:
    assert read_signed_heads(SEALER, signed_heads(SEALER, HEADS), "here") == HEADS


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document["heads"][3].update(position=4),
        lambda document: document["heads"][3].update(mac="00" * 16),
        lambda document: document["heads"].pop(),
        lambda document: document["heads"].reverse(),
        lambda document: document.update(mac="00" * 16),
        lambda document: document.update(mac="not hex"),
        lambda document: document.update(key=2),
        lambda document: document.pop("heads"),
        lambda document: document["heads"][3].update(position=2**70),
    ],
)
def test_heads_that_were_altered_are_refused_and_placed(change: Callable[[dict[str, Any]], object]) -> None:
    document = signed_heads(SEALER, HEADS)
    change(document)
    with pytest.raises(InvalidInput, match=r"^here: "):
        read_signed_heads(SEALER, document, "here")


def test_heads_signed_for_another_controller_are_refused() -> None:
    other = Sealer(new_keyring("2026-11-21T00:00:00.000Z"), CONTROLLER)
    with pytest.raises(InvalidInput, match="not signed by this keyring"):
        read_signed_heads(other, signed_heads(SEALER, HEADS), "here")


def test_heads_that_are_too_few_are_refused_even_where_they_are_signed() -> None:
    with pytest.raises(InvalidInput):
        read_signed_heads(SEALER, signed_heads(SEALER, HEADS[:7]), "here")


def test_closing_a_home_moves_its_checkpoint_forward(home: RunningHome) -> None:
    before = positions(home)
    home.run(recording_of(home).opt_out(BUSINESS, EVERYTHING, "page"))
    assert positions(home) == before
    home.reopen()
    assert positions(home) == before + 1
    assert stat.S_IMODE(home.settings.checkpoint.stat().st_mode) == 0o600


def test_a_checkpoint_that_says_all_there_is_is_not_written_again(home: RunningHome) -> None:
    home.reopen()
    before = home.settings.checkpoint.stat()
    home.reopen()
    after = home.settings.checkpoint.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_an_older_store_gives_no_decisions_but_still_takes_opt_outs(home: RunningHome, older_store: Path) -> None:
    put_back(home, older_store)
    with pytest.raises(StoreDamaged, match="lost events that were acknowledged"):
        home.of(CONTROLLER)
    services = home.run(home.services.controller(CONTROLLER))
    assert home.run(services.recording.opt_out("lee@acme.example", EVERYTHING, "page")) is Outcome.RECORDED


def test_another_controller_of_an_older_store_still_decides(home: RunningHome, older_store: Path) -> None:
    put_back(home, older_store)
    assert home.of("contact-center-1").policy.controller == "contact-center-1"


def test_what_an_older_store_has_lost_stays_in_the_checkpoint(home: RunningHome, older_store: Path) -> None:
    signed = home.services.checkpoint.read()[CONTROLLER]
    put_back(home, older_store)
    services = home.run(home.services.controller(CONTROLLER))
    for number in range(40):
        home.run(services.recording.opt_out(f"person{number}@acme.example", EVERYTHING, "page"))
    home.reopen()
    assert home.services.checkpoint.read()[CONTROLLER] == signed
    with pytest.raises(StoreDamaged):
        home.of(CONTROLLER)
    assert home.audit_findings() != []


def test_a_home_without_a_checkpoint_decides_and_cannot_be_read_as_signed(home: RunningHome, tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "checkpoint.json", home.services.sealer_of)
    assert home.run(checkpoint.is_held_by(home.services.store, CONTROLLER))
    with pytest.raises(InvalidInput, match="missing"):
        checkpoint.read()
    home.run(checkpoint.advance(home.services.store))
    assert set(checkpoint.read()) == {CONTROLLER, "contact-center-1"}


def test_an_altered_checkpoint_stops_decisions_and_is_kept_as_evidence(home: RunningHome) -> None:
    edit(home, lambda document: document["controllers"][CONTROLLER]["heads"][0].update(position=9))
    altered = home.settings.checkpoint.read_text("utf-8")
    with pytest.raises(InvalidInput, match=f"^checkpoint.json: {CONTROLLER}: "):
        home.of(CONTROLLER)
    services = home.run(home.services.controller(CONTROLLER))
    assert home.run(services.recording.opt_out(BUSINESS, EVERYTHING, "page")) is Outcome.RECORDED
    home.reopen()
    assert home.settings.checkpoint.read_text("utf-8") == altered
    assert home.audit_findings() != []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"controllers": 3}', '{"controllers": {"opencontact": 1}}', "\0"])
def test_a_file_that_is_no_checkpoint_is_an_error(home: RunningHome, text: str) -> None:
    home.settings.checkpoint.write_text(text, "utf-8")
    with pytest.raises(InvalidInput, match=r"^checkpoint.json: "):
        home.of(CONTROLLER)


def test_a_checkpoint_holds_under_a_new_key(home: RunningHome) -> None:
    home.run(recording_of(home).opt_out(BUSINESS, EVERYTHING, "page"))
    home.rotate_keys()
    assert home.of(CONTROLLER).policy.controller == CONTROLLER
    assert home.audit_findings() == []
