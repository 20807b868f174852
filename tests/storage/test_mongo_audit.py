"""The audit of a MongoDB store finds every change that was made behind the program's back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pymongo.database import Database

from prefcenter.domain.record import Record
from prefcenter.security.keyring import Keyring
from prefcenter.services.ports import AuditReport
from prefcenter.storage import create_store, open_store
from prefcenter.storage.mongo_documents import event_id, place_of
from prefcenter.storage.mongo_schema import COLLECTIONS, opened_database
from prefcenter.storage.mongo_url import read_mongo_url
from tests.contract.acts import (
    DOCUMENT,
    a_receipt,
    a_send,
    an_api_key,
    append_one,
    erased,
    first_refusal,
    granted,
    refused,
    sealed_contact,
)
from tests.factories import NOW, a_digest
from tests.mongo_server import new_store_url

Documents = Database[dict[str, Any]]


async def fill(url: str, keyring: Keyring) -> None:
    store = open_store(url, keyring)
    await store.put_api_key(an_api_key())
    await store.adopt_policy("acme", DOCUMENT, instead_of=None)
    await store.first_import_ms("acme", b"list", NOW)
    record = await append_one(store, Record(a_digest("pat")), refused(), granted(NOW + 1))
    await append_one(store, record, granted(NOW + 2))
    gone = await append_one(store, Record(a_digest("ann")), refused(), granted(NOW + 1))
    await append_one(store, gone, erased(NOW + 3))
    await store.append("acme", [sealed_contact("kim"), first_refusal("lee")], receipt=a_receipt())
    await store.record_sends("acme", "offers", [a_send("lee")], forget_before_ms=0)
    await store.queue_letter("acme", a_digest("kim"), b"a sealed letter", NOW, letters_max=3)
    await store.append("globex", [first_refusal("pat")])
    await store.adopt_policy("globex", DOCUMENT, instead_of=None)
    await store.close()


class Patient:
    """A filled store, looked at and altered from outside."""

    def __init__(self, url: str, keyring: Keyring) -> None:
        self._url = url
        self._keyring = keyring
        with opened_database(read_mongo_url(url)) as database:
            self._healthy = {name: list(database[name].find()) for name in COLLECTIONS}

    def audited_after(self, harm: Callable[[Documents], object]) -> AuditReport:
        """The audit's report on the store as the harm leaves it, which is then undone."""
        with opened_database(read_mongo_url(self._url)) as database:
            for name in COLLECTIONS:  # whoever alters documents behind our back can switch the validator off, too
                database.command("collMod", name, validationLevel="off")
            harm(database)
            for name, collection in COLLECTIONS.items():
                database.command("collMod", name, validator=collection.validator, validationLevel="strict")
            try:
                return asyncio.run(self.audited())
            finally:
                self._heal(database)

    async def audited(self) -> AuditReport:
        store = open_store(self._url, self._keyring)
        try:
            ours, theirs = await store.audit("acme", []), await store.audit("globex", [])
            return replace(ours, findings=(*ours.findings, *theirs.findings))
        finally:
            await store.close()

    def _heal(self, database: Documents) -> None:
        for name, documents in self._healthy.items():
            if list(database[name].find()) != documents:
                database[name].delete_many({})
                if documents:
                    database[name].insert_many(documents)


@pytest.fixture(scope="module")
def patient(keyring: Keyring) -> Patient:
    url = new_store_url()
    create_store(url)
    asyncio.run(fill(url, keyring))
    return Patient(url, keyring)


def other(value: Any) -> Any:
    """Another value of the same type, as near as can be."""
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1])
    if isinstance(value, str):
        return value + "x"
    return 1 if value is None else value + 1_000


SEALED_FIELDS = [
    (name, field)
    for name, collection in COLLECTIONS.items()
    for field in collection.fields
    if name != "meta" and (name, field) != ("ledgers", "heads") and (name, field) != ("ledgers", "revision")
]


def test_a_healthy_store_is_whole(patient: Patient) -> None:
    report = patient.audited_after(lambda database: None)
    assert (report.events, report.records, report.findings) == (8, 4, ())


@pytest.mark.parametrize(("name", "field"), SEALED_FIELDS)
def test_a_change_of_any_field_is_found(patient: Patient, name: str, field: str) -> None:
    def harm(database: Documents) -> None:
        document = next(database[name].find().sort("_id", 1))
        before = document["_id"]
        document[field] = other(document[field])
        database[name].delete_one({"_id": before})
        database[name].insert_one(document)

    assert patient.audited_after(harm).findings


MAY_GO_UNNOTICED = {"meta", "imports", "receipts", "sends", "sealed", "api_keys", "letters"}
"""What nothing else speaks of: it can be missed by nobody, and its absence permits nothing that was refused."""


@pytest.mark.parametrize("name", sorted(set(COLLECTIONS) - MAY_GO_UNNOTICED))
def test_a_missing_document_is_found(patient: Patient, name: str) -> None:
    def harm(database: Documents) -> None:
        document = next(database[name].find().sort("_id", 1))
        database[name].delete_one({"_id": document["_id"]})

    assert patient.audited_after(harm).findings


def _swap_bodies(database: Documents) -> None:
    first, second = database["events"].find({"version": 1, "salt": {"$ne": None}}).limit(2)
    for ours, theirs in ((first, second), (second, first)):
        moved = {name: theirs[name] for name in ("salt", "body", "mac")}
        database["events"].update_one({"_id": ours["_id"]}, {"$set": moved})


def _cut_off(database: Documents) -> None:
    last = next(database["events"].find({"digest": a_digest("pat").value, "controller": 1}).sort("version", -1))
    database["events"].delete_one({"_id": last["_id"]})


def _put_older_record_back(database: Documents) -> None:
    """The record of one event fewer, which is the fold of those that remain in view."""
    record = database["records"].find_one({"version": 1, "controller": 1}) or {}
    known = database["records"].find_one({"version": 3, "controller": 1}) or {}
    change = {"version": 2, "state": record["state"]}
    database["records"].update_one({"_id": known["_id"]}, {"$set": change})


def _hide_from_scans(database: Documents) -> None:
    database["records"].update_one({"controller": 1, "number": 2}, {"$set": {"number": -2}})


def _bring_a_body_back(database: Documents) -> None:
    erased_event = database["events"].find_one({"salt": None}) or {}
    database["events"].update_one({"_id": erased_event["_id"]}, {"$set": {"salt": b"12345678"}})


def _forge_heads(database: Documents) -> None:
    ledger = database["ledgers"].find_one({"_id": 1}) or {}
    ledger["heads"][3]["position"] += 1
    database["ledgers"].replace_one({"_id": 1}, ledger)


def _plant_a_stranger(database: Documents) -> None:
    record = database["records"].find_one({"controller": 1}) or {}
    database["records"].insert_one({**record, "_id": b"a" * 20, "controller": 9})


def _give_to_another(database: Documents) -> None:
    database["sends"].update_one({"controller": 1}, {"$set": {"controller": 2}})


def _leave_sealed_alone(database: Documents) -> None:
    database["records"].delete_one({"_id": (database["sealed"].find_one() or {})["_id"]})


def _drop_an_index(database: Documents) -> None:
    database["imports"].drop_index("controller_1")


def _go_beyond_the_end(database: Documents) -> None:
    """Events behind the last of a partition that has some, and in one that has none."""
    last = next(database["events"].find({"controller": 1}).sort("_id", -1).limit(1))
    number, partition, position = place_of(last["_id"])
    empty = next(each for each in range(8) if not _has_events(database, number, each))
    for version, place in ((98, (partition, position + 1)), (99, (empty, 1))):
        database["events"].insert_one({**last, "_id": event_id(number, *place), "version": version})


def _has_events(database: Documents, number: int, partition: int) -> bool:
    return database["events"].find_one({"_id": event_id(number, partition, 1)}) is not None


HARM: dict[str, tuple[Callable[[Documents], None], str]] = {
    "two events are swapped": (_swap_bodies, "altered, moved"),
    "the last event of a record is cut off": (_cut_off, "partition"),
    "an older record is put back": (_put_older_record_back, "not what its events say"),
    "a record is hidden from scans": (_hide_from_scans, "numbered"),
    "an erased body is brought back": (_bring_a_body_back, "altered"),
    "the heads are forged": (_forge_heads, "heads"),
    "events were added behind the end": (_go_beyond_the_end, "follow the last one that was acknowledged"),
    "a document belongs to nobody": (_plant_a_stranger, "no controller"),
    "a send is given to another controller": (_give_to_another, "sends"),
    "what was sealed stands alone": (_leave_sealed_alone, "no record"),
}


@pytest.mark.parametrize(("harm", "complaint"), HARM.values(), ids=HARM.keys())
def test_what_somebody_would_do_is_found(patient: Patient, harm: Callable[[Documents], None], complaint: str) -> None:
    findings = patient.audited_after(harm).findings
    assert any(complaint in finding for finding in findings), findings
    assert not any("example" in finding for finding in findings)


def test_a_dropped_index_is_found_and_made_again(keyring: Keyring) -> None:
    from prefcenter.storage import make_store

    url = new_store_url()
    create_store(url)
    asyncio.run(fill(url, keyring))
    with opened_database(read_mongo_url(url)) as database:
        database["imports"].drop_index("controller_1")
    assert any("index" in finding for finding in asyncio.run(Patient(url, keyring).audited()).findings)
    assert not make_store(url)
    assert asyncio.run(Patient(url, keyring).audited()).findings == ()
    assert make_store(url)


async def test_pages_and_scans_go_on_after_records_that_are_gone(keyring: Keyring) -> None:
    url = new_store_url()
    create_store(url)
    store = open_store(url, keyring)
    await store.append("acme", [first_refusal(f"person {number}") for number in range(30)])
    with opened_database(read_mongo_url(url)) as database:
        database["records"].delete_many({"number": {"$gt": 5, "$lte": 20}})
    page = await store.page("acme", None, 7)
    subjects = [record.subject for record in page.records]
    assert subjects == [a_digest(f"person {number}") for number in (0, 1, 2, 3, 4, 20, 21)]
    rest = await store.page("acme", page.next, 100)
    assert len(rest.records) == 8
    assert sum([len(each) async for each in store.scan("acme")]) == 15
    assert any("30 are numbered, 15 are found" in finding for finding in (await store.audit("acme", [])).findings)
    await store.close()


async def test_an_audit_beside_writers_finds_nothing(keyring: Keyring) -> None:
    url = new_store_url()
    create_store(url)
    store, other = open_store(url, keyring), open_store(url, keyring)
    await store.adopt_policy("acme", DOCUMENT, instead_of=None)
    await store.append("acme", [first_refusal(f"early {number}") for number in range(200)])
    is_over = asyncio.Event()

    async def write() -> None:
        number = 0
        while not is_over.is_set():
            number += 1
            await other.append("acme", [first_refusal(f"late {number}")])

    writing = asyncio.create_task(write())
    reports = [await store.audit("acme", [await store.heads("acme")]) for _ in range(4)]
    is_over.set()
    await writing
    assert [report.findings for report in reports] == [()] * 4
    assert reports[-1].events > reports[0].events >= 200
    for opened in (store, other):
        await opened.close()
