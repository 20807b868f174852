"""A home that stays open: what changes under it binds the very next answer, and doubt gives none."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

import pytest

from prefcenter.bootstrap import audit, init_home, open_services, retire_key, rotate_keys
from prefcenter.bootstrap.live import LiveHome, live_home
from prefcenter.domain.errors import InvalidInput, InvalidPolicy, KeyringError, StoreDamaged, StoreError
from prefcenter.domain.events import EVERYTHING
from prefcenter.domain.terms import AddressClass, Channel
from prefcenter.logs import configure_logs
from prefcenter.security.keyring import new_keyring, save_keyring
from prefcenter.services.decisions import Question
from prefcenter.settings import Settings, read_settings

POLICIES = Path(__file__).resolve().parents[3] / "fixtures" / "policies"
CONTROLLER = "opencontact"
PAT, KIM = "pat@acme.example", "kim@acme.example"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Those of a home of two controllers."""
    source = tmp_path / "source"
    source.mkdir()
    for name in ("opencontact", "openscape"):
        shutil.copy(POLICIES / f"{name}.toml", source)
    settings = read_settings({}, tmp_path / "home")
    asyncio.run(init_home(settings, source))
    return settings


@pytest.fixture(autouse=True)
def logged() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    configure_logs(stream)
    yield stream
    configure_logs()


def events(logged: io.StringIO) -> list[str]:
    return [json.loads(line)["event"] for line in logged.getvalue().splitlines()]


@asynccontextmanager
async def opened(settings: Settings, recheck_seconds: float = 3_600.0) -> AsyncIterator[LiveHome]:
    """A home that looks again at an interval which no test outlasts."""
    async with live_home(LiveHome(settings, recheck_seconds=recheck_seconds)) as home:
        yield home


async def reason(home: LiveHome, address: str = PAT) -> str:
    question = Question(address, "client-marketing", Channel.EMAIL, address_class=AddressClass.BUSINESS)
    deciding = await home.deciding(CONTROLLER)
    return (await deciding.decisions.decide(question, home.clock())).reason.value


async def opt_out(home: LiveHome, address: str = PAT) -> None:
    await (await home.controller(CONTROLLER)).recording.opt_out(address, EVERYTHING, "page")


async def opt_out_elsewhere(settings: Settings, address: str = PAT) -> None:
    """The opt-out of another process, such as the command line."""
    async with open_services(settings) as services:
        await (await services.controller(CONTROLLER)).recording.opt_out(address, EVERYTHING, "page")


def positions(settings: Settings) -> int:
    """How many events of a controller the checkpoint vouches for."""
    document = json.loads(settings.checkpoint.read_text("utf-8"))
    return sum(head["position"] for head in document["controllers"][CONTROLLER]["heads"])


def copy_store(settings: Settings, target: Path) -> None:
    with closing(sqlite3.connect(settings.home / "store.sqlite3")) as connection:
        connection.execute("VACUUM INTO ?", (str(target),))


def put_store(settings: Settings, source: Path) -> None:
    """Put another store file in the place of the one that is there, as a restore does."""
    for suffix in ("-wal", "-shm"):
        settings.home.joinpath(f"store.sqlite3{suffix}").unlink(missing_ok=True)
    source.chmod(0o600)
    source.replace(settings.home / "store.sqlite3")


async def test_what_another_process_records_binds_the_next_answer(settings: Settings) -> None:
    async with opened(settings) as home:
        assert await reason(home) == "permitted"
        await opt_out_elsewhere(settings)
        assert await reason(home) == "opted_out"


async def test_the_marker_moves_with_every_write_of_whatever_process(settings: Settings) -> None:
    async with opened(settings) as home:
        seen = [await home.marker()]
        await opt_out(home)
        seen.append(await home.marker())
        await opt_out_elsewhere(settings, KIM)
        seen.append(await home.marker())
        assert len(set(seen)) == 3
        assert await home.marker() == seen[-1]


async def test_a_rotated_key_is_used_by_the_next_request(settings: Settings, logged: io.StringIO) -> None:
    async with opened(settings) as home:
        await opt_out(home)
        await rotate_keys(settings)
        assert await reason(home) == "opted_out"
        await opt_out(home, KIM)
        async with open_services(settings) as services:
            assert await services.store.records_per_key() == {1: 1, 2: 1}
    assert events(logged) == ["home_changed"]


async def test_what_was_written_under_a_key_made_since_is_found(settings: Settings) -> None:
    async with opened(settings) as home:
        assert await reason(home) == "permitted"
        await rotate_keys(settings)
        await opt_out_elsewhere(settings)
        assert await reason(home) == "opted_out"


async def test_no_record_is_written_under_a_key_that_was_retired(settings: Settings) -> None:
    async with opened(settings) as home:
        assert await reason(home) == "permitted"
        await rotate_keys(settings)
        await retire_key(settings, 1)
        await opt_out(home)
        assert await reason(home) == "opted_out"
        async with open_services(settings) as services:
            assert await services.store.records_per_key() == {2: 1}
    assert [report.findings for report in (await audit(settings)).values()] == [(), ()]


async def test_requests_that_began_before_a_rotation_end_well(settings: Settings) -> None:
    async with opened(settings) as home:
        before = await home.controller(CONTROLLER)
        await rotate_keys(settings)
        assert await reason(home) == "permitted"
        await before.recording.opt_out(PAT, EVERYTHING, "page")
        assert await reason(home) == "opted_out"


@pytest.mark.parametrize("spoil", ["unlink", "garble", "expose", "another"])
async def test_a_keyring_that_cannot_be_used_gives_no_decision_and_takes_no_act(settings: Settings, spoil: str) -> None:
    async with opened(settings) as home:
        assert await reason(home) == "permitted"
        keyring = settings.keyring.read_bytes()
        _spoil(settings.keyring, spoil)
        with pytest.raises((KeyringError, StoreError)):
            await reason(home)
        with pytest.raises((KeyringError, StoreError)):
            await opt_out(home)
        settings.keyring.unlink(missing_ok=True)
        settings.keyring.touch(0o600)
        settings.keyring.write_bytes(keyring)
        assert await reason(home) == "permitted"


def _spoil(path: Path, how: str) -> None:
    if how == "unlink":
        path.unlink()
    elif how == "garble":
        path.write_text("{}", "utf-8")
    elif how == "expose":
        content = path.read_bytes()
        path.unlink()
        path.touch(0o644)
        path.write_bytes(content)
    else:
        save_keyring(new_keyring("2026-11-21T00:00:00.000Z"), path, replace_existing=True)


async def test_a_key_that_wrote_from_elsewhere_stops_decisions_at_the_next_look(
    settings: Settings, tmp_path: Path
) -> None:
    elsewhere = read_settings({"PREFCENTER_STORE": settings.store_url}, tmp_path / "elsewhere")
    shutil.copytree(settings.home, elsewhere.home)
    async with opened(settings, recheck_seconds=0.0) as home:
        assert await reason(home) == "permitted"
        await rotate_keys(elsewhere)
        await opt_out_elsewhere(elsewhere)
        with pytest.raises(KeyringError, match="lacks key 2"):
            await reason(home)


async def test_a_changed_policy_file_comes_into_force_with_the_next_request(settings: Settings) -> None:
    file = settings.policies / f"{CONTROLLER}.toml"
    async with opened(settings) as home:
        before = (await home.deciding(CONTROLLER)).policy
        file.write_text(file.read_text("utf-8").replace("decision_ttl_hours = 24", "decision_ttl_hours = 1"), "utf-8")
        after = (await home.deciding(CONTROLLER)).policy
        assert (before.decision_ttl_hours, after.decision_ttl_hours) == (24, 1)


async def test_a_faulty_policy_file_gives_no_decision_but_opt_outs_are_taken(
    settings: Settings, logged: io.StringIO
) -> None:
    file = settings.policies / f"{CONTROLLER}.toml"
    text = file.read_text("utf-8")
    async with opened(settings) as home:
        assert await reason(home) == "permitted"
        file.write_text(text + "\n[[purpose]]\n", "utf-8")
        for _ in range(3):
            with pytest.raises(StoreError, match="policy file is faulty"):
                await reason(home)
        await opt_out(home)
        file.write_text(text, "utf-8")
        assert await reason(home) == "opted_out"
    assert events(logged) == ["policy_faulty"]


async def test_a_policy_that_would_reopen_refusals_does_not_come_into_force(settings: Settings) -> None:
    file = settings.policies / f"{CONTROLLER}.toml"
    text = file.read_text("utf-8").replace('id = "client-marketing"', 'id = "client-selling"')
    async with opened(settings) as home:
        assert await reason(home) == "permitted"
        file.write_text(text, "utf-8")
        with pytest.raises(StoreError):
            await reason(home)


async def test_a_server_that_starts_with_a_faulty_policy_takes_opt_outs_by_the_last_one(settings: Settings) -> None:
    file = settings.policies / f"{CONTROLLER}.toml"
    text = file.read_text("utf-8")
    file.write_text("[controller]\n", "utf-8")
    async with opened(settings) as home:
        with pytest.raises(StoreError):
            await reason(home)
        await opt_out(home)
        file.write_text(text, "utf-8")
        assert await reason(home) == "opted_out"


@pytest.mark.parametrize("gone", ["the file", "all files", "the directory"])
async def test_without_its_policy_file_a_controller_decides_nothing_and_takes_opt_outs_by_the_last_one(
    settings: Settings, gone: str, logged: io.StringIO
) -> None:
    aside = settings.home / "aside"
    shutil.copytree(settings.policies, aside)
    async with opened(settings) as home:
        assert await reason(home) == "permitted"
        take_policies_away(settings, gone)
        with pytest.raises(StoreError, match="policy file is faulty or gone"):
            await reason(home)
        await opt_out(home)
        assert CONTROLLER in home.known_controllers()
        assert CONTROLLER not in home.controllers()
        assert events(logged) == ["policy_faulty"]
        shutil.copytree(aside, settings.policies, dirs_exist_ok=True)
        assert await reason(home) == "opted_out"


async def test_a_server_that_starts_without_a_policy_file_takes_opt_outs_by_the_last_one(settings: Settings) -> None:
    text = (settings.policies / f"{CONTROLLER}.toml").read_text("utf-8")
    take_policies_away(settings, "the file")
    async with opened(settings) as home:
        assert list(home.known_controllers()) == ["opencontact", "openscape"]
        await opt_out(home)
        (settings.policies / f"{CONTROLLER}.toml").write_text(text, "utf-8")
        assert await reason(home) == "opted_out"


def take_policies_away(settings: Settings, what: str) -> None:
    if what == "the directory":
        shutil.rmtree(settings.policies)
    else:
        for path in settings.policies.glob("*.toml" if what == "all files" else f"{CONTROLLER}.toml"):
            path.unlink()


async def test_a_policy_that_keeps_data_where_the_store_is_not_decides_nothing_and_takes_opt_outs(
    settings: Settings,
) -> None:
    settings = replace(settings, store_regions=frozenset({"EEA"}))
    file = settings.policies / f"{CONTROLLER}.toml"
    text = file.read_text("utf-8")
    async with opened(settings) as home:
        assert await reason(home) == "permitted"
        file.write_text(text.replace('["EEA"]', '["UK"]'), "utf-8")
        with pytest.raises(StoreError):
            await reason(home)
        await opt_out(home)
        file.write_text(text, "utf-8")
        assert await reason(home) == "opted_out"


async def test_a_controller_whose_first_policy_is_faulty_has_no_services(settings: Settings) -> None:
    (settings.policies / "acme.toml").write_text("[controller]\n", "utf-8")
    async with opened(settings) as home:
        assert list(home.controllers()) == ["acme", "opencontact", "openscape"]
        with pytest.raises(InvalidPolicy):
            await home.controller("acme")


@pytest.mark.parametrize("name", ["acme", "", "../opencontact", "a\0b", "x" * 5_000])
async def test_an_unknown_controller_is_unknown_whatever_its_name(settings: Settings, name: str) -> None:
    async with opened(settings) as home:
        for ask in (home.controller, home.deciding):
            with pytest.raises(InvalidInput, match="not one of this home's policies"):
                await ask(name)


async def test_an_older_store_that_is_put_back_gives_no_decisions(settings: Settings, tmp_path: Path) -> None:
    async with opened(settings) as home:
        copy_store(settings, tmp_path / "older")
        await opt_out(home)
        await home.advance_checkpoint()
        put_store(settings, tmp_path / "older")
        for _ in range(2):
            with pytest.raises(StoreDamaged, match="lost events"):
                await reason(home)
        await opt_out(home, KIM)
    assert positions(settings) == 1


async def test_a_store_that_is_put_back_whole_is_used_at_once(settings: Settings, tmp_path: Path) -> None:
    async with opened(settings) as home:
        marker = await home.marker()
        await opt_out_elsewhere(settings)
        copy_store(settings, tmp_path / "newest")
        put_store(settings, tmp_path / "newest")
        assert await reason(home) == "opted_out"
        assert await home.marker() != marker
        await opt_out(home, KIM)
    async with open_services(settings) as services:
        assert await services.store.records_per_key() == {1: 2}


async def test_a_store_that_is_gone_acknowledges_nothing(settings: Settings, tmp_path: Path) -> None:
    async with opened(settings) as home:
        assert await reason(home) == "permitted"
        copy_store(settings, tmp_path / "copy")
        (settings.home / "store.sqlite3").unlink()
        with pytest.raises(StoreError):
            await reason(home)
        with pytest.raises(StoreError):
            await opt_out(home)
        put_store(settings, tmp_path / "copy")
        assert await reason(home) == "permitted"


async def test_a_checkpoint_that_was_altered_stops_decisions(settings: Settings) -> None:
    async with opened(settings) as home:
        await opt_out(home)
        assert await reason(home) == "opted_out"
        await home.advance_checkpoint()
        text = settings.checkpoint.read_text("utf-8")
        settings.checkpoint.write_text(text.replace('"position": 1', '"position": 2'), "utf-8")
        with pytest.raises(StoreDamaged, match="not signed by this keyring"):
            await reason(home)
        altered = settings.checkpoint.read_bytes()
    assert settings.checkpoint.read_bytes() == altered


async def test_the_checkpoint_advances_while_serving_and_at_the_end(settings: Settings) -> None:
    async with live_home(LiveHome(settings), checkpoint_seconds=0.02) as home:
        await opt_out(home)
        for _ in range(500):
            if positions(settings) == 1:
                break
            await asyncio.sleep(0.01)
        assert positions(settings) == 1
    async with opened(settings) as home:
        await opt_out(home, KIM)
        assert positions(settings) == 1
    assert positions(settings) == 2


async def test_several_servers_of_a_home_never_take_its_checkpoint_back(settings: Settings) -> None:
    async with opened(settings) as one, opened(settings) as other:
        seen = []
        for number in range(12):
            await opt_out(one if number % 2 else other, f"p{number}@acme.example")
            await asyncio.gather(*(home.advance_checkpoint() for home in (one, other) * 3))
            seen.append(positions(settings))
    assert seen == list(range(1, 13))


async def test_a_checkpoint_that_cannot_advance_is_told_and_serving_goes_on(
    settings: Settings, logged: io.StringIO
) -> None:
    store, aside = settings.home / "store.sqlite3", settings.home / "aside"
    async with live_home(LiveHome(settings), checkpoint_seconds=0.01) as home:
        store.replace(aside)
        for _ in range(500):
            if "checkpoint_stands_still" in logged.getvalue():
                break
            await asyncio.sleep(0.01)
        aside.replace(store)
        await opt_out(home)
    assert "checkpoint_stands_still" in events(logged)
    assert positions(settings) == 1


async def test_a_closed_home_acknowledges_nothing(settings: Settings) -> None:
    async with opened(settings) as home:
        pass
    with pytest.raises(StoreError):
        await opt_out(home)


async def test_a_home_that_was_never_made_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(KeyringError, match="prefcenter init"):
        async with opened(read_settings({}, tmp_path / "none")):
            pass
