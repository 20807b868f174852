"""A home is made whole or not at all; keys come and go without losing a refusal."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from prefcenter.bootstrap import (
    audit,
    init_home,
    key_use,
    open_services,
    retire_key,
    rotate_keys,
    system_clock,
)
from prefcenter.domain.errors import InvalidInput, InvalidPolicy, KeyringError, PrefcenterError, StoreError
from prefcenter.domain.events import EVERYTHING
from prefcenter.domain.terms import AddressClass, Channel, RefusalReason
from prefcenter.security.keyring import KeyState, load_keyring
from prefcenter.services.decisions import Question
from prefcenter.settings import STORE_VARIABLE, Settings, read_settings

POLICIES = Path(__file__).resolve().parents[2] / "fixtures" / "policies"
CONTROLLER = "opencontact"
FIVE = ["contact-center-1", "contact-centre-community", "one-contact-center", "opencontact", "openscape"]


def init(settings: Settings, policies: Path | None = POLICIES) -> Sequence[str]:
    return asyncio.run(init_home(settings, policies))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a home that is yet to be made, in a directory where nothing else stands."""
    return read_settings({}, tmp_path / "data" / "home")


@pytest.fixture
def made(settings: Settings) -> Settings:
    init(settings)
    return settings


def test_a_home_is_on_disk_before_anything_is_acknowledged_in_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = set()
    sync = os.fsync

    def note(descriptor: int) -> None:
        synced.add(os.fstat(descriptor).st_ino)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    init(settings)
    assert settings.home.parent.stat().st_ino in synced


def opt_out(settings: Settings, address: str) -> None:
    async def act() -> None:
        async with open_services(settings) as services:
            recording = (await services.controller(CONTROLLER)).recording
            await recording.opt_out(address, EVERYTHING, "page")

    asyncio.run(act())


def reason(settings: Settings, address: str) -> str:
    async def ask() -> str:
        async with open_services(settings) as services:
            decisions = (await services.deciding(CONTROLLER)).decisions
            question = Question(address, "client-marketing", Channel.EMAIL, address_class=AddressClass.BUSINESS)
            return (await decisions.decide(question, services.clock())).reason.value

    return asyncio.run(ask())


def findings(settings: Settings) -> list[str]:
    reports = asyncio.run(audit(settings))
    return [finding for report in reports.values() for finding in report.findings]


def modes(home: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in (home, *home.iterdir())}


def test_a_new_home_holds_everything_and_nobody_else_reads_it(settings: Settings) -> None:
    assert list(init(settings)) == FIVE
    of_home = modes(settings.home)
    assert of_home.pop("policies") & 0o700 == 0o700
    assert of_home == {"home": 0o700, "keyring.json": 0o600, "store.sqlite3": 0o600, "checkpoint.json": 0o600}
    assert [path.name for path in settings.home.parent.iterdir()] == ["home"]
    assert findings(settings) == []


def test_the_policies_of_a_new_home_are_in_force_at_once(made: Settings) -> None:
    async def known() -> list[bool]:
        async with open_services(made) as services:
            return [await services.store.policy_in_force(controller) is not None for controller in FIVE]

    assert asyncio.run(known()) == [True] * 5


def test_own_clauses_are_copied_with_the_policies(settings: Settings, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    text = (POLICIES / "openscape.toml").read_text("utf-8").replace('"UN-6"', '"MY-1"')
    (source / "openscape.toml").write_text(text, "utf-8")
    (source / "clauses.md").write_text("- **MY-1**: what must hold\n", "utf-8")
    (source / "notes.txt").write_text("not a policy", "utf-8")
    assert list(init(settings, source)) == ["openscape"]
    assert sorted(path.name for path in settings.policies.iterdir()) == ["clauses.md", "openscape.toml"]


def test_a_home_without_policies_of_its_own_starts_from_one(settings: Settings) -> None:
    assert list(init(settings, None)) == ["my-organisation"]
    assert "# " in (settings.policies / "my-organisation.toml").read_text("utf-8")


def test_an_empty_directory_may_become_a_home_and_stays_the_same_directory(settings: Settings) -> None:
    """It may be a mount point, and then nothing can be renamed to it."""
    settings.home.mkdir(parents=True)
    before = settings.home.stat().st_ino
    assert list(init(settings)) == FIVE
    assert settings.home.stat().st_ino == before
    assert sorted(path.name for path in settings.home.iterdir()) == [
        "checkpoint.json",
        "keyring.json",
        "policies",
        "store.sqlite3",
    ]


def test_a_link_to_an_empty_directory_may_become_a_home(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    settings.home.parent.mkdir()
    settings.home.symlink_to(tmp_path / "real")
    init(settings)
    assert (tmp_path / "real" / "keyring.json").is_file()


def test_policies_from_an_empty_directory_leave_nothing(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInput, match="empty: expected at least one policy"):
        init(settings, tmp_path / "empty")
    assert list(settings.home.parent.iterdir()) == []


def test_a_second_init_refuses_and_leaves_the_first_as_it_was(made: Settings) -> None:
    opt_out(made, "pat@acme.example")
    keyring = made.keyring.read_bytes()
    with pytest.raises(InvalidInput, match="a home is made once"):
        init(made)
    assert made.keyring.read_bytes() == keyring
    assert reason(made, "pat@acme.example") == "opted_out"
    assert [path.name for path in made.home.parent.iterdir()] == ["home"]


def test_a_home_is_not_made_where_a_file_stands(settings: Settings) -> None:
    settings.home.parent.mkdir()
    settings.home.write_text("mine", "utf-8")
    with pytest.raises(InvalidInput, match="not empty"):
        init(settings)
    assert settings.home.read_text("utf-8") == "mine"


def test_a_faulty_policy_leaves_nothing(settings: Settings, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "acme.toml").write_text("[controller]\n", "utf-8")
    with pytest.raises(InvalidPolicy):
        init(settings, source)
    assert list(settings.home.parent.iterdir()) == []


@pytest.mark.parametrize("name", ["missing", "file"])
def test_policies_that_are_no_directory_leave_nothing(settings: Settings, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(InvalidInput, match="not a directory of policies"):
        init(settings, tmp_path / name)
    assert list(settings.home.parent.iterdir()) == []


def test_a_store_that_stands_elsewhere_is_never_taken_over(made: Settings, tmp_path: Path) -> None:
    opt_out(made, "pat@acme.example")
    other = read_settings({STORE_VARIABLE: made.store_url}, tmp_path / "other")
    with pytest.raises(StoreError, match="stands there already"):
        init(other)
    assert not other.home.exists()
    assert reason(made, "pat@acme.example") == "opted_out"


def test_a_home_that_was_never_made_says_what_to_run(settings: Settings) -> None:
    with pytest.raises(KeyringError, match="prefcenter init"):
        findings(settings)


def test_a_store_opens_with_its_own_keyring_only(made: Settings, tmp_path: Path) -> None:
    other = read_settings({}, tmp_path / "other")
    init(other)
    made.keyring.write_bytes(other.keyring.read_bytes())
    with pytest.raises(KeyringError):
        reason(made, "pat@acme.example")


def test_an_unknown_controller_has_no_services(made: Settings) -> None:
    async def ask() -> None:
        async with open_services(made) as services:
            await services.deciding("acme")

    with pytest.raises(InvalidInput, match=r"^controller: "):
        asyncio.run(ask())


def test_a_read_only_store_decides_and_records_nothing(made: Settings) -> None:
    opt_out(made, "pat@acme.example")
    read_only = Settings(made.home, f"{made.store_url}?mode=ro")
    assert reason(read_only, "pat@acme.example") == "opted_out"
    with pytest.raises(StoreError, match="read-only"):
        opt_out(read_only, "kim@acme.example")
    assert reason(made, "kim@acme.example") == "permitted"


def test_a_rotated_keyring_still_finds_what_older_keys_wrote(made: Settings) -> None:
    opt_out(made, "pat@acme.example")
    rotated = asyncio.run(rotate_keys(made))
    assert [key.state for key in rotated.keys] == [KeyState.ACTIVE, KeyState.LIVE]
    assert load_keyring(made.keyring) == rotated
    assert reason(made, "p.at+x@acme.example") == "permitted"
    assert reason(made, "pat+x@acme.example") == "opted_out"
    opt_out(made, "kim@acme.example")
    assert asyncio.run(key_use(made))[1] == {1: 1, 2: 1}
    assert findings(made) == []


def test_a_key_that_records_still_carry_is_not_retired(made: Settings) -> None:
    opt_out(made, "pat@acme.example")
    asyncio.run(rotate_keys(made))
    keyring = made.keyring.read_bytes()
    with pytest.raises(KeyringError, match="1 records still carry it"):
        asyncio.run(retire_key(made, 1))
    assert made.keyring.read_bytes() == keyring
    assert reason(made, "pat@acme.example") == "opted_out"


def test_a_key_that_writes_is_not_retired(made: Settings) -> None:
    with pytest.raises(KeyringError, match="rotate first"):
        asyncio.run(retire_key(made, 1))


def test_a_key_that_never_was_is_not_retired(made: Settings) -> None:
    with pytest.raises(KeyringError, match="key 7 "):
        asyncio.run(retire_key(made, 7))


def test_a_key_that_no_record_carries_is_retired_and_the_audit_stays_clean(made: Settings) -> None:
    asyncio.run(rotate_keys(made))
    opt_out(made, "pat@acme.example")
    retired = asyncio.run(retire_key(made, 1))
    assert [key.state for key in retired.keys] == [KeyState.ACTIVE, KeyState.RETIRED]
    assert load_keyring(made.keyring) == retired
    assert reason(made, "pat@acme.example") == "opted_out"
    assert findings(made) == []


def test_an_audit_may_be_of_one_controller(made: Settings) -> None:
    opt_out(made, "pat@acme.example")
    (report,) = asyncio.run(audit(made, [CONTROLLER])).values()
    assert (report.events, report.records, report.findings) == (1, 1, ())


@pytest.mark.parametrize("lose", [Path.unlink, lambda path: path.write_text("{}", "utf-8")])
def test_an_audit_without_a_checkpoint_finds_that_and_does_not_make_one(
    made: Settings, lose: Callable[[Path], object]
) -> None:
    lose(made.checkpoint)
    before = made.checkpoint.exists()
    assert findings(made) != []
    assert findings(made) != []
    assert made.checkpoint.exists() is before


def test_an_error_on_the_way_still_notes_what_was_acknowledged(made: Settings) -> None:
    async def act() -> None:
        async with open_services(made) as services:
            recording = (await services.controller(CONTROLLER)).recording
            await recording.opt_out("pat@acme.example", EVERYTHING, "page")
            await recording.lift("pat@acme.example", RefusalReason.OPTED_OUT, "by-mistake")

    before = made.checkpoint.read_bytes()
    with pytest.raises(PrefcenterError):
        asyncio.run(act())
    assert made.checkpoint.read_bytes() != before
    assert reason(made, "pat@acme.example") == "opted_out"


def test_the_clock_counts_milliseconds_of_this_century() -> None:
    assert 1_700_000_000_000 < system_clock() < 4_102_444_800_000
