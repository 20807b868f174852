"""What a batch costs: commands are counted on their way to the database, and a batch is one, however large it is."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from prefcenter.domain.events import EVERYTHING
from prefcenter.domain.terms import AddressKind, Channel, RefusalReason
from prefcenter.security.keyring import Keyring
from prefcenter.services.decisions import Question
from prefcenter.services.importing import RefusalRow
from prefcenter.storage import create_store
from prefcenter.storage.mongo import MongoStore
from prefcenter.storage.mongo_url import read_mongo_url
from tests.contract.acts import START, a_send, first_refusal, sealed_contact
from tests.contract.test_services import Desk
from tests.factories import NOW, a_digest
from tests.mongo_server import new_store_url

ALSO_THERE = {"hello", "ping", "endSessions", "abortTransaction"}
"""What the driver sends of its own accord."""


Recorder = Callable[[str, object], None]


def told(commands: Mapping[tuple[str, str], int]) -> str:
    return ", ".join(f"{count} {name} {target}".removesuffix(" 1") for (name, target), count in commands.items())


class Counting(CommandListener):
    """Counts commands by name and collection."""

    def __init__(self) -> None:
        self.sent: Counter[tuple[str, str]] = Counter()

    def started(self, event: CommandStartedEvent) -> None:
        if event.command_name not in ALSO_THERE:
            self.sent[event.command_name, str(event.command.get(event.command_name, ""))] += 1

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Nothing: it was counted when it was sent."""

    def failed(self, event: CommandFailedEvent) -> None:
        """Likewise."""

    def taken(self) -> dict[tuple[str, str], int]:
        sent, self.sent = dict(self.sent), Counter()
        return sent


class Counted:
    """A store whose commands are counted, with a little in it."""

    def __init__(self, keyring: Keyring) -> None:
        url = new_store_url().replace("subjectsPerQuery=50", "subjectsPerQuery=5000")
        create_store(url)
        self.commands = Counting()
        self.store = MongoStore(read_mongo_url(url), keyring, event_listeners=[self.commands])
        self.desk = Desk(self.store, keyring)

    async def fill(self, people: int = 1) -> None:
        names = ["pat", *(f"person {number}" for number in range(1, people))]
        await self.store.append("acme", [sealed_contact(name) for name in names])
        await self.store.record_sends("acme", "news", [a_send(name) for name in names], forget_before_ms=0)
        await self.store.load("acme", [a_digest("pat")])
        await self.store.sends("acme", "news", [a_digest("pat")], 0)
        self.commands.taken()


@pytest.mark.parametrize(("count", "known"), [(1, 1), (2_000, 1), (400, 400)])
async def test_a_batch_of_look_ups_is_one_command_a_collection(
    keyring: Keyring, count: int, known: int, record_property: Recorder
) -> None:
    counted = Counted(keyring)
    await counted.fill(known)
    subjects = [a_digest("pat"), *(a_digest(f"person {number}") for number in range(1, count))]
    assert len(await counted.store.load("acme", subjects)) == known
    assert len(await counted.store.load_sealed("acme", subjects)) == known
    assert len(await counted.store.sends("acme", "news", subjects, 0)) == known
    sent = counted.commands.taken()
    assert sent == {("find", "records"): 1, ("find", "sealed"): 1, ("find", "sends"): 1}
    record_property(f"{count} subjects, {known} of them known", told(sent))
    await counted.store.close()


async def test_a_page_of_records_or_of_the_feed_is_one_command_beside_the_heads(
    keyring: Keyring, record_property: Recorder
) -> None:
    counted = Counted(keyring)
    await counted.fill(300)
    await counted.store.page("acme", None, 200)
    of_records = counted.commands.taken()
    assert of_records == {("find", "records"): 1}
    assert len(await counted.store.since("acme", START, 200)) == 200
    of_feed = counted.commands.taken()
    assert of_feed == {("find", "ledgers"): 1, ("find", "events"): 1}
    record_property("200 records", told(of_records))
    record_property("200 changes", told(of_feed))
    await counted.store.close()


@pytest.mark.parametrize("purpose", ["offers", "news"])
async def test_a_batch_of_decisions_asks_each_collection_once(
    keyring: Keyring, purpose: str, record_property: Recorder
) -> None:
    counted = Counted(keyring)
    await counted.fill()
    rows = [RefusalRow(f"person{number}@example.com", NOW) for number in range(0, 300, 2)]
    await counted.desk.importing.refuse(rows, RefusalReason.MANUAL, EVERYTHING, "list", AddressKind.EMAIL)
    costs: list[dict[tuple[str, str], int]] = []
    for count in (1, 1, 300):
        questions = [Question(f"person{number}@example.com", purpose, Channel.EMAIL) for number in range(count)]
        await counted.desk.decisions.decide_many(questions, NOW)
        costs.append(counted.commands.taken())
    del costs[0]  # the first one reads the texts that the import brought
    assert costs[0] == costs[1]
    assert costs[0][("find", "records")] == 1
    assert set(costs[0].values()) == {1}
    record_property(f"1 decision, and 300 of which 150 are refused, of purpose {purpose}", told(costs[0]))
    await counted.store.close()


async def test_acts_that_wait_together_share_one_transaction(keyring: Keyring, record_property: Recorder) -> None:
    counted = Counted(keyring)
    await counted.fill()
    costs: list[dict[tuple[str, str], Any]] = []
    for start, count in ((100, 1), (200, 40)):
        changes = [first_refusal(f"person {number}") for number in range(start, start + count)]
        await asyncio.gather(*(counted.store.append("acme", [change]) for change in changes))
        costs.append(counted.commands.taken())
    assert (
        costs[0]
        == costs[1]
        == {
            ("findAndModify", "ledgers"): 1,
            ("find", "records"): 1,
            ("insert", "records"): 1,
            ("insert", "events"): 1,
            ("update", "ledgers"): 1,
            ("commitTransaction", "1"): 1,
        }
    )
    record_property("1 append, and 40 at once", told(costs[0]))
    await counted.store.close()


async def test_an_opt_out_reads_once_and_writes_in_one_transaction(keyring: Keyring) -> None:
    counted = Counted(keyring)
    await counted.desk.recording.opt_out("pat@acme.example", EVERYTHING, "form")
    counted.commands.taken()
    await counted.desk.recording.opt_out("kim@acme.example", EVERYTHING, "form")
    sent = counted.commands.taken()
    assert sent[("commitTransaction", "1")] == 1
    assert sent[("find", "records")] == 2
    await counted.store.close()


async def test_a_marker_is_one_command_where_nothing_happened(keyring: Keyring, record_property: Recorder) -> None:
    counted = Counted(keyring)
    await counted.fill()
    await counted.store.marker()
    counted.commands.taken()
    await counted.store.marker()
    sent = counted.commands.taken()
    assert [name for name, _ in sent] == ["getMore"]
    assert list(sent.values()) == [1]
    record_property("whether anything was written", "1 getMore of the change stream")
    await counted.store.close()
