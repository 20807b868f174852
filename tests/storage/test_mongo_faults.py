"""What is left of the promises when the database fails: no acknowledged refusal is lost, no doubt is a permission."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import TypeVar

import pytest

from prefcenter.domain.errors import StoreBusy, StoreError
from prefcenter.domain.events import EVERYTHING
from prefcenter.domain.record import Record
from prefcenter.domain.terms import AddressClass, Channel, Reason
from prefcenter.security.keyring import Keyring
from prefcenter.services.decisions import Question
from prefcenter.services.ports import Store
from prefcenter.storage import create_store, open_store
from prefcenter.storage.mongo import MongoStore
from prefcenter.storage.mongo_url import read_mongo_url
from tests.contract.acts import DOCUMENT, append_one, first_refusal, refused, whole_feed
from tests.contract.test_services import Desk
from tests.factories import DAY, NOW, a_digest
from tests.mongo_server import MongoServer, store_url

T = TypeVar("T")
NOT_PRIMARY, WRITE_CONFLICT, SHUTTING_DOWN = 10_107, 112, 11_600


class Impatient(MongoStore):
    """Gives up soon, so that a test need not wait for long."""

    patience_s = 0.3


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoServer]:
    """A server of this file's own, which it may kill."""
    made = MongoServer(tmp_path_factory.mktemp("mongo"))
    made.start()
    yield made
    made.end()


@pytest.fixture
def url(server: MongoServer) -> str:
    made = f"{store_url(server, 'prefcenter_' + token_hex(6))}&serverSelectionTimeoutMS=1000&heartbeatFrequencyMS=500"
    create_store(made)
    return made


class Failing:
    """Makes the server fail named commands on purpose, by its own test command."""

    def __init__(self, server: MongoServer) -> None:
        self._server = server

    def on(self, *commands: str, times: int | None = None, **how: object) -> None:
        mode: object = "alwaysOn" if times is None else {"times": times}
        data = {"failCommands": list(commands), **how}
        self._server.admin({"configureFailPoint": "failCommand", "mode": mode, "data": data})

    def off(self) -> None:
        self._server.admin({"configureFailPoint": "failCommand", "mode": "off"})


@pytest.fixture
def failing(server: MongoServer) -> Iterator[Failing]:
    made = Failing(server)
    yield made
    made.off()


async def audited(store: Store) -> tuple[str, ...]:
    await store.adopt_policy("acme", DOCUMENT, instead_of=await store.policy_in_force("acme"))
    return (await store.audit("acme", [await store.heads("acme")])).findings


@pytest.mark.parametrize("command", ["findAndModify", "insert", "find", "update", "commitTransaction"])
@pytest.mark.parametrize("times", [1, 3])
async def test_a_connection_that_drops_mid_transaction_keeps_the_act_once_or_not_at_all(
    url: str, keyring: Keyring, failing: Failing, command: str, times: int
) -> None:
    store = open_store(url, keyring)
    await append_one(store, Record(a_digest("first")), refused())
    failing.on(command, times=times, closeConnection=True)
    acknowledged = False
    with suppress(StoreError):
        await store.append("acme", [first_refusal("pat")])
        acknowledged = True
    failing.off()
    kept = await store.load("acme", [a_digest("pat")])
    assert len(kept) == 1 or not acknowledged
    assert len([item for item in await whole_feed(store) if item.subject == a_digest("pat")]) == len(kept)
    assert await audited(store) == ()
    await store.close()


@pytest.mark.parametrize("code", [NOT_PRIMARY, SHUTTING_DOWN])
async def test_a_primary_that_steps_down_costs_an_error_or_a_moment_and_nothing_else(
    url: str, keyring: Keyring, failing: Failing, code: int
) -> None:
    store = open_store(url, keyring)
    await append_one(store, Record(a_digest("first")), refused())
    labels = ["TransientTransactionError"]
    failing.on("findAndModify", "insert", "commitTransaction", times=2, errorCode=code, errorLabels=labels)
    await store.append("acme", [first_refusal("pat")])
    failing.off()
    assert len(await store.load("acme", [a_digest("pat")])) == 1
    assert await audited(store) == ()
    await store.close()


async def test_while_there_is_no_primary_nothing_is_decided_and_nothing_acknowledged(
    url: str, keyring: Keyring, failing: Failing
) -> None:
    store = Impatient(read_mongo_url(url), keyring)
    desk = Desk(store, keyring)
    await desk.recording.opt_out("pat@acme.example", EVERYTHING, "form")
    failing.on("find", "findAndModify", "insert", "getMore", errorCode=NOT_PRIMARY)
    for attempt in (
        lambda: desk.decisions.decide_many([Question("kim@acme.example", "offers", Channel.EMAIL)], NOW + DAY),
        lambda: store.append("acme", [first_refusal("kim")]),
        lambda: store.heads("acme"),
    ):
        await _expect_store_error(attempt)
    failing.off()
    assert await _once_there_is_a_primary(lambda: store.load("acme", [a_digest("kim")])) == []
    assert await _reason(desk, "pat@acme.example") is Reason.OPTED_OUT
    await store.close()


async def _once_there_is_a_primary(attempt: Callable[[], Awaitable[T]]) -> T:
    """The answer, once the driver has found the primary again."""
    for _ in range(20):
        with suppress(StoreError):
            return await attempt()
    return await attempt()


async def _expect_store_error(attempt: Callable[[], Awaitable[object]]) -> None:
    with pytest.raises(StoreError) as caught:
        await attempt()
    assert "127.0.0.1" not in str(caught.value)


async def _reason(desk: Desk, address: str) -> Reason:
    question = Question(address, "offers", Channel.EMAIL, address_class=AddressClass.BUSINESS)
    return (await desk.decisions.decide_many([question], NOW + DAY))[0].reason


async def test_a_commit_whose_outcome_stays_unknown_is_an_error_and_no_acknowledgement(
    url: str, keyring: Keyring, failing: Failing
) -> None:
    store = Impatient(read_mongo_url(url), keyring)
    await append_one(store, Record(a_digest("first")), refused())
    failing.on("commitTransaction", closeConnection=True)
    with pytest.raises(StoreError, match="not known"):
        await store.append("acme", [first_refusal("pat")])
    failing.off()
    kept = await _once_there_is_a_primary(lambda: store.load("acme", [a_digest("pat")]))
    assert len(await whole_feed(store)) == 1 + len(kept)
    await store.close()


async def test_an_act_whose_outcome_stayed_unknown_keeps_the_next_one_waiting_no_longer_than_the_database_is_away(
    url: str, keyring: Keyring, failing: Failing
) -> None:
    store, other = Impatient(read_mongo_url(url), keyring), Impatient(read_mongo_url(url), keyring)
    await append_one(store, Record(a_digest("first")), refused())
    failing.on("commitTransaction", "abortTransaction", closeConnection=True)
    with pytest.raises(StoreError, match="not known"):
        await store.append("acme", [first_refusal("pat")])
    failing.off()
    with pytest.raises(StoreError, match="other writers"):
        await other.append("acme", [first_refusal("lee")])
    await store.append("acme", [first_refusal("kim")])
    await other.append("acme", [first_refusal("lee")])
    assert len(await store.load("acme", [a_digest("kim"), a_digest("lee")])) == 2
    assert await audited(store) == ()
    for opened in (store, other):
        await opened.close()


async def test_a_store_that_stays_busy_says_so(url: str, keyring: Keyring, failing: Failing) -> None:
    store = Impatient(read_mongo_url(url), keyring)
    await append_one(store, Record(a_digest("first")), refused())
    failing.on("insert", errorCode=WRITE_CONFLICT, errorLabels=["TransientTransactionError"])
    with pytest.raises(StoreError, match="other writers"):
        await store.append("acme", [first_refusal("pat")])
    failing.off()
    assert await store.load("acme", [a_digest("pat")]) == []
    await store.close()


async def test_a_server_that_hangs_decides_nothing_and_acknowledges_nothing(
    server: MongoServer, url: str, keyring: Keyring
) -> None:
    store = Impatient(read_mongo_url(f"{url}&socketTimeoutMS=500"), keyring)
    await append_one(store, Record(a_digest("first")), refused())
    with server.hanging():
        await _expect_store_error(lambda: store.load("acme", [a_digest("first")]))
        await _expect_store_error(lambda: store.append("acme", [first_refusal("pat")]))
    kept = await _once_there_is_a_primary(lambda: store.load("acme", [a_digest("first"), a_digest("pat")]))
    assert len(await whole_feed(store)) == len(kept) >= 1
    assert await audited(store) == ()
    await store.close()


async def test_who_finds_all_connections_in_use_is_told_that_the_store_is_busy(
    url: str, keyring: Keyring, failing: Failing
) -> None:
    store = open_store(f"{url}&maxPoolSize=1&waitQueueTimeoutMS=200", keyring)
    record = await append_one(store, Record(a_digest("pat")), refused())
    failing.on("find", blockConnection=True, blockTimeMS=1_000)
    asked = [store.load("acme", [record.subject]) for _ in range(3)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    failing.off()
    told = [answer for answer in answers if isinstance(answer, StoreBusy)]
    assert [answer for answer in answers if answer not in told] == [[record]] * (3 - len(told))
    assert "all connections" in str(told[0])
    assert await store.load("acme", [record.subject]) == [record]
    await store.close()


class Crowd:
    """People who opt out one after the other, some at once, whatever happens to the database; and somebody who asks."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.acknowledged: list[str] = []
        self.failed = 0
        self.decided = 0
        self.refused_for_doubt = 0
        self.wrong: list[str] = []

    async def opt_out(self, writer: int, until: asyncio.Event) -> None:
        number = 0
        while not until.is_set():
            address = f"person{writer}x{number}@acme.example"
            number += 1
            try:
                await self._desk.recording.opt_out(address, EVERYTHING, "form")
                self.acknowledged.append(address)
            except StoreError:
                self.failed += 1

    async def goes_on(self, acts: int = 30) -> None:
        """Wait until some more were acknowledged."""
        wanted = len(self.acknowledged) + acts
        while len(self.acknowledged) < wanted:  # noqa: ASYNC110 - a test that polls is the shorter one
            await asyncio.sleep(0.02)

    async def ask(self, until: asyncio.Event) -> None:
        while not until.is_set():
            known = self.acknowledged[-20:]
            for address in known:
                await self._ask_about(address)
            await asyncio.sleep(0.02)

    async def _ask_about(self, address: str) -> None:
        self.decided += 1
        try:
            if await _reason(self._desk, address) is not Reason.OPTED_OUT:
                self.wrong.append(address)
        except StoreError:
            self.refused_for_doubt += 1


async def test_a_server_that_is_killed_under_load_loses_no_acknowledged_refusal(
    server: MongoServer, url: str, keyring: Keyring, record_property: Callable[[str, object], None]
) -> None:
    class Patient(MongoStore):
        patience_s = 1.0

    store = Patient(read_mongo_url(url), keyring)
    crowd, until = Crowd(Desk(store, keyring)), asyncio.Event()
    tasks = [asyncio.create_task(crowd.opt_out(writer, until)) for writer in range(6)]
    tasks.append(asyncio.create_task(crowd.ask(until)))
    for _ in range(2):
        await crowd.goes_on()
        await asyncio.to_thread(server.kill)
        await asyncio.sleep(0.3)
        await asyncio.to_thread(server.start)
    await crowd.goes_on()
    until.set()
    await asyncio.gather(*tasks)
    assert crowd.wrong == []
    assert crowd.failed > 0, "the kills were felt"
    reasons = [await _reason(crowd._desk, address) for address in crowd.acknowledged]
    assert set(reasons) == {Reason.OPTED_OUT}
    assert await audited(store) == ()
    assert crowd.decided > crowd.refused_for_doubt
    record_property("acts", f"{len(crowd.acknowledged)} acknowledged and all kept, {crowd.failed} not acknowledged")
    record_property("decisions", f"2 kills; {crowd.decided} asked for, {crowd.refused_for_doubt} failed, 0 wrong")
    await store.close()


async def test_while_the_only_member_is_a_secondary_it_decides_nothing(
    server: MongoServer, url: str, keyring: Keyring
) -> None:
    store = Impatient(read_mongo_url(url), keyring)
    record = await append_one(store, Record(a_digest("pat")), refused())
    await asyncio.to_thread(server.admin, {"replSetStepDown": 4, "force": True})
    await _expect_store_error(lambda: store.append("acme", [first_refusal("kim")]))
    await _expect_store_error(lambda: store.load("acme", [record.subject]))
    subjects = [record.subject, a_digest("kim")]
    assert await _once_there_is_a_primary(lambda: store.load("acme", subjects)) == [record]
    await store.append("acme", [first_refusal("kim")])
    assert await audited(store) == ()
    await store.close()


async def test_a_primary_that_steps_down_under_load_loses_no_acknowledged_refusal(
    server: MongoServer, url: str, keyring: Keyring, record_property: Callable[[str, object], None]
) -> None:
    store = open_store(url, keyring)
    crowd, until = Crowd(Desk(store, keyring)), asyncio.Event()
    tasks = [asyncio.create_task(crowd.opt_out(writer, until)) for writer in range(6)]
    tasks.append(asyncio.create_task(crowd.ask(until)))
    for _ in range(2):
        await crowd.goes_on(12)
        await asyncio.to_thread(server.admin, {"replSetStepDown": 1, "force": True})
    await crowd.goes_on(12)
    until.set()
    await asyncio.gather(*tasks)
    assert crowd.wrong == []
    assert {await _reason(crowd._desk, address) for address in crowd.acknowledged} == {Reason.OPTED_OUT}
    assert await audited(store) == ()
    record_property("acts", f"{len(crowd.acknowledged)} acknowledged and all kept, {crowd.failed} not acknowledged")
    record_property("decisions", f"2 times; {crowd.decided} asked for, {crowd.refused_for_doubt} failed, 0 wrong")
    await store.close()


async def test_a_marker_goes_on_after_the_stream_broke_and_misses_nothing(
    server: MongoServer, url: str, keyring: Keyring, failing: Failing, tmp_path: Path
) -> None:
    store, other = open_store(url, keyring), open_store(url, keyring)
    before = await store.marker()
    await other.append("acme", [first_refusal("pat")])
    failing.on("getMore", times=1, closeConnection=True)
    after = await store.marker()
    assert after != before
    await asyncio.to_thread(server.kill)
    await asyncio.to_thread(server.start)
    await other.append("acme", [first_refusal("kim")])
    assert await store.marker() != after
    for opened in (store, other):
        await opened.close()


async def test_a_place_in_the_stream_that_the_server_has_forgotten_counts_as_a_change(
    keyring: Keyring, tmp_path: Path
) -> None:
    forgetful = MongoServer(tmp_path, "--oplog-max-entries", "5")
    await asyncio.to_thread(forgetful.start)
    url = store_url(forgetful, "prefcenter")
    create_store(url)
    store, other = open_store(url, keyring), open_store(url, keyring)
    before = await store.marker()
    await asyncio.to_thread(forgetful.kill)
    await asyncio.to_thread(forgetful.start)
    for number in range(10):
        await other.append("acme", [first_refusal(f"person {number}")])
    await asyncio.to_thread(forgetful.admin, {"secantusAdmin.pruneOplog": 1})
    after = await store.marker()
    assert after != before
    assert await store.marker() == after
    await other.append("acme", [first_refusal("pat")])
    assert await store.marker() != after
    assert len(await whole_feed(store)) == 11
    for opened in (store, other):
        await opened.close()
    await asyncio.to_thread(forgetful.end)
