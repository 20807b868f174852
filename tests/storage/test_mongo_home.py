"""A home whose store is a MongoDB database: made, served from two machines, and only from where its policies allow."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from prefcenter.bootstrap import audit, init_home, open_services
from prefcenter.bootstrap.live import LiveHome, live_home
from prefcenter.domain.errors import InvalidInput, KeyringError, StoreDamaged, StoreError
from prefcenter.domain.events import EVERYTHING
from prefcenter.domain.terms import Channel, Reason
from prefcenter.security.keyring import Keyring, new_keyring
from prefcenter.services.decisions import Question
from prefcenter.settings import Settings, read_settings
from prefcenter.storage import create_store, make_store, open_store
from prefcenter.storage.mongo_schema import COLLECTIONS, SCHEMA, opened_database
from prefcenter.storage.mongo_url import read_mongo_url
from tests.contract.acts import an_api_key, first_refusal
from tests.mongo_server import new_store_url

POLICIES = Path(__file__).resolve().parents[2] / "fixtures" / "policies"
ADDRESS = "pat@acme.example"


def settings_of(home: Path, url: str, regions: str = "EEA, US, UK") -> Settings:
    return read_settings({"PREFCENTER_STORE": url, "PREFCENTER_STORE_REGION": regions}, home)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = settings_of(tmp_path / "home", new_store_url())
    asyncio.run(init_home(made, POLICIES))
    return made


async def reason(home: LiveHome) -> Reason:
    services = await home.deciding("opencontact")
    question = Question(ADDRESS, "client-marketing", Channel.EMAIL)
    return (await services.decisions.decide_many([question], home.clock()))[0].reason


async def test_a_refusal_on_one_machine_binds_the_next_decision_on_another(settings: Settings, tmp_path: Path) -> None:
    shutil.copytree(settings.home, tmp_path / "other")
    other = settings_of(tmp_path / "other", settings.store_url)
    async with live_home(LiveHome(settings)) as here, live_home(LiveHome(other)) as there:
        before = await there.marker()
        assert await reason(there) is not Reason.OPTED_OUT
        await (await here.controller("opencontact")).recording.opt_out(ADDRESS, EVERYTHING, "form")
        assert await reason(there) is Reason.OPTED_OUT
        assert await there.marker() != before
    reports = await audit(settings, ["opencontact"])
    assert reports["opencontact"].findings == ()
    assert reports["opencontact"].records == 1


async def test_a_home_is_not_made_over_a_store_that_stands(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not empty"):
        await init_home(settings_of(tmp_path / "second", settings.store_url), POLICIES)
    assert not (tmp_path / "second").exists()


@pytest.mark.parametrize("regions", ["", "US"])
async def test_a_home_whose_policies_keep_their_data_elsewhere_is_not_begun(tmp_path: Path, regions: str) -> None:
    url = new_store_url()
    with pytest.raises(InvalidInput, match=r"opencontact: .*EEA.*nothing was done"):
        await init_home(settings_of(tmp_path / "home", url, regions), POLICIES)
    assert len(await init_home(settings_of(tmp_path / "home", url), POLICIES)) == 5


@pytest.mark.parametrize("regions", ["", "US"])
async def test_a_policy_is_served_only_from_where_its_data_stays(settings: Settings, regions: str) -> None:
    moved = settings_of(settings.home, settings.store_url, regions)
    async with open_services(moved) as services:
        with pytest.raises(InvalidInput, match=r"opencontact: .*EEA.*PREFCENTER_STORE_REGION"):
            await services.controller("opencontact")
        await services.controller("openscape")


async def test_a_file_of_this_machine_needs_no_declaration_but_a_wrong_one_is_refused(tmp_path: Path) -> None:
    home = read_settings({}, tmp_path / "home")
    await init_home(home, POLICIES)
    wrong = read_settings({"PREFCENTER_STORE_REGION": "US"}, home.home)
    right = read_settings({"PREFCENTER_STORE_REGION": "de,eea"}, home.home)
    async with open_services(right) as services:
        await services.controller("opencontact")
    async with open_services(wrong) as services:
        with pytest.raises(InvalidInput, match="names another region"):
            await services.controller("opencontact")


def test_every_collection_stands_in_the_document_of_scaling() -> None:
    document = (POLICIES.parents[1] / "docs" / "scaling.md").read_text("utf-8")
    assert [name for name in COLLECTIONS if f"`{name}`" not in document] == []


def test_a_database_without_a_store_is_not_opened(keyring: Keyring) -> None:
    with pytest.raises(StoreDamaged, match="store init"):
        open_store(new_store_url(), keyring)


def test_a_store_of_a_newer_version_is_not_touched(keyring: Keyring) -> None:
    url = new_store_url()
    create_store(url)
    with opened_database(read_mongo_url(url)) as database:
        database["meta"].update_one({"_id": SCHEMA}, {"$set": {"version": 99}})
    for act in (lambda: open_store(url, keyring), lambda: make_store(url)):
        with pytest.raises(StoreError, match="upgrade"):
            act()


@pytest.mark.parametrize("is_api_key", [True, False])
async def test_another_keyring_is_told_at_once(keyring: Keyring, is_api_key: bool) -> None:
    url = new_store_url()
    create_store(url)
    store = open_store(url, keyring)
    await (store.put_api_key(an_api_key()) if is_api_key else store.append("acme", [first_refusal("pat")]))
    await store.close()
    with pytest.raises(KeyringError, match="not the one"):
        open_store(url, new_keyring("2026-11-21T00:00:00.000Z"))


@pytest.mark.parametrize(
    "url",
    [
        "mongodb://db.example",
        "mongodb://pat:secret@db.example/",
        "mongodb://pat:secret@db.example/prefcenter?w=1",
        "mongodb://pat:secret@db.example/prefcenter?journal=false",
        "mongodb://pat:secret@db.example/prefcenter?readPreference=secondaryPreferred",
        "mongodb://pat:secret@db.example/prefcenter?tls=true&maxstalenessseconds=90",
        "mongodb://pat:secret@db.example/prefcenter?directConnection=true",
        "mongodb://pat:secret@db.example/prefcenter?readConcernLevel=local",
        "mongodb://pat:secret@db.example/prefcenter?tls=true&tlsInsecure=true",
        "mongodb://pat:secret@db.example/prefcenter?tls=true&tlsAllowInvalidCertificates=true",
        "mongodb://pat:secret@db.example/prefcenter?tls=true&tlsAllowInvalidHostnames=true",
        "mongodb://pat:secret@db.example/prefcenter?subjectsPerQuery=0",
        "mongodb://pat:secret@db.example:port/prefcenter",
        "mongodb+srv://pat:secret@/prefcenter",
        "postgres://pat:secret@db.example/prefcenter",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_and_not_shown(url: str, keyring: Keyring) -> None:
    with pytest.raises(InvalidInput) as caught:
        open_store(url, keyring)
    assert "secret" not in str(caught.value)
    assert "db.example" not in str(caught.value)


def test_a_server_that_is_not_there_is_an_error_without_its_address(keyring: Keyring) -> None:
    with pytest.raises(StoreError) as caught:
        open_store("mongodb://pat:secret@127.0.0.1:9/prefcenter?serverSelectionTimeoutMS=200", keyring)
    assert "cannot be reached" in str(caught.value)
    assert not {"pat", "secret", "127.0.0.1"} & set(str(caught.value).replace(":", " ").split())
    assert "secret" not in repr(read_mongo_url("mongodb://pat:secret@db.example/prefcenter"))
