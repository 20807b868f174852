"""A store copied to another kind of store and back is the same store, and an unfinished copy is none."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from prefcenter.domain.decision import Decision
from prefcenter.domain.errors import StoreDamaged, StoreError
from prefcenter.domain.events import EVERYTHING
from prefcenter.domain.record import Record
from prefcenter.domain.terms import AddressKind, Channel, Reason, RefusalReason
from prefcenter.security.keyring import Keyring
from prefcenter.services.decisions import Question
from prefcenter.services.importing import RefusalRow
from prefcenter.services.ports import Store
from prefcenter.storage import create_store, open_store
from prefcenter.storage.copying import EVENTS, Copied, Row, copy_store
from prefcenter.storage.mongo_copying import opened_archive as opened_mongo
from prefcenter.storage.mongo_schema import opened_database
from prefcenter.storage.mongo_url import read_mongo_url
from prefcenter.storage.opening import copy_between
from prefcenter.storage.sealers import SealerByController
from prefcenter.storage.sqlite_copying import SqliteArchive
from prefcenter.storage.sqlite_copying import opened_archive as opened_sqlite
from tests.contract.acts import (
    DOCUMENT,
    a_receipt,
    a_send,
    an_api_key,
    append_one,
    erased,
    granted,
    refused,
    sealed_contact,
    whole_feed,
)
from tests.contract.test_services import Desk
from tests.factories import DAY, NOW, a_digest
from tests.mongo_server import new_store_url

PEOPLE = 100_000 if os.environ.get("PREFCENTER_SOAK") else 2_000


async def fill(store: Store, keyring: Keyring, people: int = 100) -> None:
    """Something of every kind, for two controllers."""
    await store.put_api_key(an_api_key())
    await store.put_api_key(an_api_key("k2", NOW + 1, revoked_ms=NOW + 2))
    for controller in ("globex", "acme"):
        await store.adopt_policy(controller, DOCUMENT, instead_of=None)
        await store.first_import_ms(controller, b"list of nine", NOW)
        record = await append_one(store, Record(a_digest("pat")), refused(), granted(NOW + 1), controller=controller)
        await append_one(store, record, erased(NOW + 2), controller=controller)
        await store.append(controller, [sealed_contact("kim")], receipt=a_receipt())
        for name, content in (("kim", b"sealed letter"), ("kim", None), ("lee", b"another"), ("lee", b"sent")):
            await store.queue_letter(controller, a_digest(name), content, NOW, letters_max=9)
        await store.finish_letter((await store.claim_letters(NOW, until_ms=NOW + 5, limit=1))[0].id)
        await store.record_sends(controller, "offers", [a_send("lee"), a_send("kim", NOW + 5)], forget_before_ms=0)
    importing = Desk(store, keyring).importing
    for start in range(0, people, 5_000):
        rows = [RefusalRow(f"person{number}@example.com", NOW) for number in range(start, min(people, start + 5_000))]
        await importing.refuse(rows, RefusalReason.MANUAL, EVERYTHING, "list", AddressKind.EMAIL)


async def told(url: str, keyring: Keyring) -> list[Any]:
    """Everything that the port says of a store, and what its audit says."""
    store = open_store(url, keyring)
    heads = await store.heads("acme")
    records = [record async for page in store.scan("acme") for record in page]
    answers: list[Any] = [
        records,
        await store.load_sealed("acme", [record.subject for record in records]),
        [send async for page in store.scan_sends("acme", "offers") for send in page],
        await store.receipt("acme", a_receipt().name, 0),
        [await whole_feed(store, controller, 1_000) for controller in ("acme", "globex")],
        heads,
        [await store.policy_in_force(controller) for controller in ("acme", "globex")],
        await store.api_keys(),
        await store.first_import_ms("acme", b"list of nine", NOW + 99),
        await store.records_per_key(),
        await store.audit("acme", [heads]),
        await store.audit("globex", []),
    ]
    due = await store.claim_letters(NOW + 10, until_ms=NOW + 11, limit=50)
    answers.append(sorted((item.controller, item.subject.value, item.queued_ms, item.content) for item in due))
    for letter in due:
        await store.postpone_letter(letter.id, NOW)
    await store.close()
    return answers


async def filled(url: str, keyring: Keyring, people: int = 100) -> None:
    create_store(url)
    store = open_store(url, keyring)
    await fill(store, keyring, people)
    await store.close()


def sqlite_url(path: Path) -> str:
    return f"sqlite://{path}"


@pytest.mark.soak
@pytest.mark.timeout(7_200 if os.environ.get("PREFCENTER_SOAK") else 120)
def test_a_store_that_went_to_mongodb_and_back_says_the_same(tmp_path: Path, keyring: Keyring) -> None:
    first, between, back = sqlite_url(tmp_path / "first"), new_store_url(), sqlite_url(tmp_path / "back")
    asyncio.run(filled(first, keyring, PEOPLE))
    there = copy_between(first, between, keyring)
    again = copy_between(between, back, keyring)
    assert there == again
    assert [item.controller for item in there] == ["globex", "acme"]
    assert there[1].rows["records"] == PEOPLE + 2
    original = asyncio.run(told(first, keyring))
    assert asyncio.run(told(between, keyring)) == original
    assert asyncio.run(told(back, keyring)) == original
    assert original[-3].findings == original[-2].findings == ()
    answers = asyncio.run(decided(first, keyring, PEOPLE))
    assert {answer.reason for answer in answers} == {Reason.MANUAL, Reason.PERMITTED}
    assert asyncio.run(decided(between, keyring, PEOPLE)) == answers
    assert asyncio.run(decided(back, keyring, PEOPLE)) == answers


async def decided(url: str, keyring: Keyring, people: int) -> list[Decision]:
    """The decision about everybody who was imported, and about one who was not."""
    store = open_store(url, keyring)
    desk = Desk(store, keyring)
    questions = [Question(f"person{number}@example.com", "jobs", Channel.EMAIL) for number in range(people + 1)]
    answers = [
        answer
        for start in range(0, len(questions), 1_000)
        for answer in await desk.decisions.decide_many(questions[start : start + 1_000], NOW + DAY)
    ]
    await store.close()
    return answers


def test_every_decision_is_the_same_in_both(tmp_path: Path, keyring: Keyring) -> None:
    first, second = sqlite_url(tmp_path / "first"), new_store_url()
    asyncio.run(filled(first, keyring))
    copy_between(first, second, keyring)

    async def decisions(url: str) -> Sequence[object]:
        store = open_store(url, keyring)
        reasons = await Desk(store, keyring).reasons()
        await store.close()
        return reasons

    assert asyncio.run(decisions(second)) == asyncio.run(decisions(first))


def test_a_copied_store_is_written_to_as_the_first_was(tmp_path: Path, keyring: Keyring) -> None:
    first, second = sqlite_url(tmp_path / "first"), new_store_url()
    asyncio.run(filled(first, keyring))
    copy_between(first, second, keyring)

    async def go_on() -> None:
        store = open_store(second, keyring)
        heads = await store.heads("acme")
        await append_one(store, Record(a_digest("late")), refused("another-source"))
        report = await store.audit("acme", [heads, await store.heads("acme")])
        assert report.findings == ()
        await store.close()

    asyncio.run(go_on())


class Broken(Exception):
    """The copying process ends."""


class BreakingTarget(SqliteArchive):
    """Ends after some events, as a killed process would."""

    def take(self, controller: str, table: str, rows: Sequence[Row]) -> None:
        if table == EVENTS:
            super().take(controller, table, rows[: len(rows) // 2])
            raise Broken
        super().take(controller, table, rows)


@pytest.mark.parametrize("breaks", [1, 3])
def test_a_copy_that_was_interrupted_goes_on_and_is_no_store_until_then(
    tmp_path: Path, keyring: Keyring, breaks: int
) -> None:
    first, second = sqlite_url(tmp_path / "first"), sqlite_url(tmp_path / "second")
    asyncio.run(filled(first, keyring))
    sealers = SealerByController(keyring)
    for _ in range(breaks):
        with (
            opened_sqlite(tmp_path / "first", sealers, is_target=False) as source,
            opened_sqlite(tmp_path / "second", sealers, is_target=True) as target,
            pytest.raises(Broken),
        ):
            copy_store(source, BreakingTarget(target._connection, sealers))
        with pytest.raises(StoreDamaged, match="not finished"):
            open_store(second, keyring)
    copy_between(first, second, keyring)
    assert asyncio.run(told(second, keyring)) == asyncio.run(told(first, keyring))


def test_an_unfinished_copy_in_mongodb_is_no_store(tmp_path: Path, keyring: Keyring) -> None:
    first, second = sqlite_url(tmp_path / "first"), new_store_url()
    asyncio.run(filled(first, keyring))
    with opened_mongo(read_mongo_url(second), SealerByController(keyring), is_target=True) as target:
        target.begin()
    with pytest.raises(StoreDamaged, match="not finished"):
        open_store(second, keyring)
    copied: Sequence[Copied] = copy_between(first, second, keyring)
    assert asyncio.run(told(second, keyring)) == asyncio.run(told(first, keyring))
    assert len(copied) == 2


def test_a_source_that_is_written_to_meanwhile_gives_no_copy(tmp_path: Path, keyring: Keyring) -> None:
    first = sqlite_url(tmp_path / "first")
    asyncio.run(filled(first, keyring))

    class Meanwhile(SqliteArchive):
        def close_ledger(self, controller: str, heads: object) -> None:
            if controller == "acme":
                asyncio.run(self._write())

        async def _write(self) -> None:
            store = open_store(first, keyring)
            await store.record_sends("acme", "offers", [a_send("late", NOW + 9)], forget_before_ms=0)
            await store.close()

    sealers = SealerByController(keyring)
    with (
        opened_sqlite(tmp_path / "first", sealers, is_target=False) as source,
        opened_sqlite(tmp_path / "second", sealers, is_target=True) as target,
        pytest.raises(StoreError, match="not the same"),
    ):
        copy_store(source, Meanwhile(target._connection, sealers))
    with pytest.raises(StoreDamaged):
        open_store(sqlite_url(tmp_path / "second"), keyring)


@pytest.mark.parametrize("is_distributed", [True, False])
def test_a_ledger_whose_end_was_cut_off_is_not_copied_as_if_it_were_whole(
    tmp_path: Path, keyring: Keyring, is_distributed: bool
) -> None:
    first, second = new_store_url(), new_store_url() if is_distributed else sqlite_url(tmp_path / "second")
    asyncio.run(filled(first, keyring))
    with opened_database(read_mongo_url(first)) as database:
        database["events"].find_one_and_delete({}, sort=[("_id", -1)])
    with pytest.raises(StoreError, match="heads"):
        copy_between(first, second, keyring)
    with pytest.raises(StoreDamaged):
        open_store(second, keyring)


def test_nothing_is_copied_over_a_store_in_use(tmp_path: Path, keyring: Keyring) -> None:
    first, second, third = sqlite_url(tmp_path / "first"), sqlite_url(tmp_path / "second"), new_store_url()
    asyncio.run(filled(first, keyring))
    for url in (second, third):
        asyncio.run(filled(url, keyring))
        before = asyncio.run(told(url, keyring))
        with pytest.raises(StoreError, match="in use"):
            copy_between(first, url, keyring)
        assert asyncio.run(told(url, keyring)) == before
