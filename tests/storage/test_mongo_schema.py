"""The database refuses what is no document of ours, and `store init` makes it whole again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pymongo.database import Database
from pymongo.errors import OperationFailure, WriteError

from prefcenter.domain.errors import StoreError
from prefcenter.security.keyring import Keyring
from prefcenter.storage import create_store, make_store, open_store
from prefcenter.storage.mongo_schema import COLLECTIONS, opened_database, schema_faults
from prefcenter.storage.mongo_url import read_mongo_url
from tests.contract.acts import first_refusal, whole_feed
from tests.mongo_server import new_store_url

Documents = Database[dict[str, Any]]
REFUSED_BY_VALIDATOR = 121


@pytest.fixture
def url() -> str:
    made = new_store_url()
    create_store(made)
    return made


@pytest.mark.parametrize("name", COLLECTIONS)
def test_what_is_no_document_of_a_collection_is_refused_by_the_database(url: str, name: str) -> None:
    with opened_database(read_mongo_url(url)) as database, pytest.raises(WriteError) as caught:
        database[name].insert_one({"_id": 1.5})
    assert caught.value.code == REFUSED_BY_VALIDATOR


async def test_a_field_too_many_is_refused_as_a_wrong_type_is(url: str, keyring: Keyring) -> None:
    store = open_store(url, keyring)
    await store.append("acme", [first_refusal("pat")])
    await store.close()
    with opened_database(read_mongo_url(url)) as database:
        for change in ({"$set": {"address": "pat@acme.example"}}, {"$set": {"version": "2"}}, {"$unset": {"state": 1}}):
            with pytest.raises(OperationFailure) as caught:
                database["records"].update_one({}, change)
            assert caught.value.code == REFUSED_BY_VALIDATOR


HARM: dict[str, Callable[[Documents], object]] = {
    "a collection is dropped": lambda database: database["letters"].drop(),
    "an index is dropped": lambda database: database["imports"].drop_index("controller_1"),
    "a validator is taken off": lambda database: database.command("collMod", "records", validator={}),
    "a validator is switched off": lambda database: database.command("collMod", "keys", validationLevel="off"),
    "a validator only warns": lambda database: database.command("collMod", "keys", validationAction="warn"),
}


@pytest.mark.parametrize("harm", HARM.values(), ids=HARM.keys())
def test_what_is_not_as_it_was_made_is_found_and_mended(url: str, harm: Callable[[Documents], object]) -> None:
    assert make_store(url), "it was whole"
    with opened_database(read_mongo_url(url)) as database:
        harm(database)
        assert len(list(schema_faults(database))) == 1
        assert not make_store(url)
        assert list(schema_faults(database)) == []
    assert make_store(url)


def test_an_index_that_was_made_otherwise_is_for_its_maker_to_drop(url: str) -> None:
    fields = [("digest", 1), ("controller", 1), ("version", 1)]
    with opened_database(read_mongo_url(url)) as database:
        database["events"].drop_index(fields)
        database["events"].create_index(fields)
        with pytest.raises(StoreError, match="made otherwise"):
            make_store(url)


def test_numbers_need_no_unique_index_where_a_cluster_cannot_have_one(url: str) -> None:
    fields = [("controller", 1), ("number", 1)]
    with opened_database(read_mongo_url(url)) as database:
        database["records"].drop_index(fields)
        assert len(list(schema_faults(database))) == 1
        database["records"].create_index(fields)
        assert list(schema_faults(database)) == []
    assert make_store(url)


@pytest.mark.parametrize("make", [create_store, make_store])
async def test_a_making_that_was_interrupted_is_gone_on_with(keyring: Keyring, make: Callable[[str], object]) -> None:
    url = new_store_url()
    with opened_database(read_mongo_url(url)) as database:
        for name in ("keys", "records"):
            database.create_collection(name)
    with pytest.raises(StoreError, match="store init"):
        open_store(url, keyring)
    make(url)
    store = open_store(url, keyring)
    await store.append("acme", [first_refusal("pat")])
    assert len(await whole_feed(store)) == 1
    await store.close()


@pytest.mark.parametrize("make", [create_store, make_store])
def test_nothing_is_made_beside_what_belongs_to_others(make: Callable[[str], object]) -> None:
    url = new_store_url()
    with opened_database(read_mongo_url(url)) as database:
        database["orders"].insert_one({"_id": 1})
        with pytest.raises(StoreError):
            make(url)
        assert database.list_collection_names() == ["orders"]
