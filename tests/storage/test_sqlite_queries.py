"""How the store works: one query a batch and table, an index under each, single acts before bulk ones."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from contextvars import Context
from pathlib import Path
from typing import TypeVarTuple

from prefcenter.domain.events import EVERYTHING
from prefcenter.domain.terms import Channel, Reason
from prefcenter.security.digests import Digester
from prefcenter.security.fields import FieldCipher
from prefcenter.security.keyring import Keyring
from prefcenter.services.decisions import Decisions, Question
from prefcenter.services.ports import RECEIPT_LIFE_MS
from prefcenter.services.recording import Recording
from prefcenter.storage.sqlite import SqliteStore
from prefcenter.storage.sqlite_receipts import FORGOTTEN_A_WRITE_MAX
from prefcenter.storage.sqlite_writer import GroupCommitWriter
from tests.contract.acts import a_receipt, a_send, first_refusal, sealed_contact, subjects_of
from tests.factories import NOW, POLICY

ADDRESSES = 1_000

Arguments = TypeVarTuple("Arguments")


class TracedStore(SqliteStore):
    """A store that writes down each statement its reader runs."""

    def trace(self) -> list[str]:
        statements: list[str] = []
        self._reader.set_trace_callback(statements.append)
        return statements


async def test_a_thousand_decisions_take_one_query_of_one_table(path: Path, keyring: Keyring) -> None:
    store = TracedStore(path, keyring)
    digester = Digester(keyring, POLICY.controller)
    recording = Recording(POLICY, digester, store, lambda: NOW, FieldCipher(keyring, POLICY.controller))
    await recording.opt_out("person7@example.com", EVERYTHING, "form")
    decisions = Decisions(POLICY, digester, store)
    questions = [Question(f"person{number}@example.com", "jobs", Channel.EMAIL) for number in range(ADDRESSES)]
    await decisions.decide(questions[7], NOW)
    statements = store.trace()
    decided = await decisions.decide_many(questions, NOW)
    assert len(statements) == 1
    assert " FROM records " in statements[0]
    assert [number for number, item in enumerate(decided) if item.reason is Reason.OPTED_OUT] == [7]
    await store.close()


async def test_the_sends_to_ten_thousand_people_are_one_query_of_one_table(path: Path, keyring: Keyring) -> None:
    store = TracedStore(path, keyring)
    sends = [a_send(f"person {number}") for number in range(10_000)]
    assert await store.record_sends("acme", "offers", sends, forget_before_ms=0) == 10_000
    subjects = [send.subject for send in sends]
    await store.sends("acme", "offers", subjects[:1], 0)
    statements = store.trace()
    assert len(await store.sends("acme", "offers", subjects, 0)) == 10_000
    assert len(statements) == 1
    assert " FROM sends " in statements[0]
    await store.close()


async def test_sealed_plaintext_of_many_records_is_one_query(path: Path, keyring: Keyring) -> None:
    store = TracedStore(path, keyring)
    contacts = [sealed_contact(f"person {number}") for number in range(100)]
    await store.append("acme", contacts)
    await store.heads("acme")
    statements = store.trace()
    assert len(await store.load_sealed("acme", subjects_of(contacts))) == 100
    assert len(statements) == 1
    await store.close()


async def written_by(store: SqliteStore, act: Callable[[], Awaitable[object]]) -> list[str]:
    """The statements of an act itself, without those that begin and end every transaction."""
    statements: list[str] = []
    await store._write(lambda connection: connection.set_trace_callback(statements.append))
    await act()
    await store._write(lambda connection: connection.set_trace_callback(None))
    began = statements.index("PRAGMA data_version", 1)
    return statements[began + 1 : statements.index("COMMIT", began)]


async def test_an_act_without_receipt_and_sealed_plaintext_asks_for_neither(path: Path, keyring: Keyring) -> None:
    store = SqliteStore(path, keyring)
    await store.append("acme", [first_refusal(f"person {number}") for number in range(100)])
    written = await written_by(store, lambda: store.append("acme", [first_refusal("pat")]))
    assert [text.split()[0] for text in written] == ["SELECT", "INSERT", "INSERT"]
    await store.close()


async def test_a_receipt_costs_a_look_up_a_clearing_and_a_row(path: Path, keyring: Keyring) -> None:
    store = SqliteStore(path, keyring)
    await store.append("acme", [first_refusal(f"person {number}") for number in range(100)])
    receipt = a_receipt()
    written = await written_by(store, lambda: store.append("acme", [first_refusal("pat")], receipt=receipt))
    assert [text.split()[0] for text in written] == [*("SELECT", "SELECT", "INSERT", "INSERT"), "DELETE", "INSERT"]
    await store.close()


async def test_old_receipts_are_cleared_away_some_at_a_time(path: Path, keyring: Keyring) -> None:
    store = SqliteStore(path, keyring)
    old = [a_receipt(f"old {number}") for number in range(FORGOTTEN_A_WRITE_MAX + 10)]
    await asyncio.gather(*(store.append("acme", [], receipt=receipt) for receipt in old))
    now_ms = NOW + RECEIPT_LIFE_MS + 1
    for left in (11, 2):
        await store.append("acme", [], receipt=a_receipt(f"new {left}", received_ms=now_ms))
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT count(*) FROM receipts").fetchone() == (left,)
    await store.close()


def test_look_ups_and_feeds_go_through_an_index(path: Path) -> None:
    queries = (
        "SELECT state FROM records WHERE controller = 1 AND digest IN (x'00', x'01')",
        "SELECT mac FROM events WHERE partition = 8 ORDER BY position DESC LIMIT 1",
        "SELECT body FROM events WHERE partition = 8 AND position > 5 ORDER BY position LIMIT 10",
        "SELECT body FROM events WHERE subject = 1 AND version < 3",
        "SELECT s.content FROM records r CROSS JOIN sealed s ON s.record = r.id"
        " WHERE r.controller = 1 AND r.digest IN (x'00', x'01')",
        "SELECT result FROM receipts WHERE controller = 1 AND name = x'00'",
        "SELECT name FROM receipts WHERE received_ms < 5 ORDER BY received_ms LIMIT 10",
        "SELECT sent_ms FROM sends NOT INDEXED"
        " WHERE controller = 1 AND purpose = 1 AND sent_ms > 5 AND digest IN (x'00', x'01')",
        "SELECT digest FROM sends WHERE controller = 1 AND purpose = 1"
        " AND (sent_ms, digest, campaign) > (1, x'', x'') ORDER BY sent_ms, digest, campaign LIMIT 10",
        "DELETE FROM sends WHERE controller = 1 AND purpose = 1 AND sent_ms < 5",
        "DELETE FROM sends WHERE controller = 1 AND digest = x'00'",
        "SELECT label FROM api_keys WHERE id = 'k1'",
    )
    with closing(sqlite3.connect(path)) as connection:
        for query in queries:
            plan = [detail for *_, detail in connection.execute(f"EXPLAIN QUERY PLAN {query}")]
            assert all(step.startswith("SEARCH") for step in plan), plan


async def test_single_acts_go_before_bulk_ones_that_came_earlier(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    writer = GroupCommitWriter(connection, lambda: None)
    may_go_on, order = threading.Event(), list[str]()
    outcomes = [
        writer.submit(lambda: may_go_on.wait(5), bulk=True),
        writer.submit(lambda: order.append("bulk 1"), bulk=True),
        writer.submit(lambda: order.append("bulk 2"), bulk=True),
        writer.submit(lambda: order.append("single")),
    ]
    may_go_on.set()
    await asyncio.gather(*outcomes)
    writer.close()
    assert order == ["single", "bulk 1", "bulk 2"]


class CountingLoop(asyncio.SelectorEventLoop):
    """A loop that counts how often another thread wakes it up."""

    wake_ups = 0

    def call_soon_threadsafe(
        self, callback: Callable[[*Arguments], object], *args: *Arguments, context: Context | None = None
    ) -> asyncio.Handle:
        self.wake_ups += 1
        return super().call_soon_threadsafe(callback, *args, context=context)


def test_callers_that_wait_together_are_woken_up_together(path: Path, keyring: Keyring) -> None:
    async def write() -> int:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, CountingLoop)
        store = SqliteStore(path, keyring)
        may_go_on = threading.Event()
        blocking = asyncio.create_task(store._write(lambda _: may_go_on.wait(5)))
        acts = [asyncio.create_task(store.append("acme", [first_refusal(f"person {number}")])) for number in range(100)]
        await asyncio.sleep(0.05)
        may_go_on.set()
        await asyncio.gather(blocking, *acts)
        woken = loop.wake_ups
        await store.close()
        return woken

    with asyncio.Runner(loop_factory=CountingLoop) as runner:
        assert runner.run(write()) <= 2


def test_callers_in_two_loops_are_each_answered_in_their_own(path: Path, keyring: Keyring) -> None:
    store = SqliteStore(path, keyring)

    async def write(name: str) -> int:
        for number in range(50):
            await store.append("acme", [first_refusal(f"{name} {number}")])
        return len(await store.load("acme", [first_refusal(f"{name} 49").after.subject]))

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(lambda name: asyncio.run(write(name)), ["pat", "kim"])) == [1, 1]
    asyncio.run(store.close())


def test_a_loop_that_ended_while_its_act_was_written_holds_up_nobody(path: Path, keyring: Keyring) -> None:
    store = SqliteStore(path, keyring)
    may_go_on = threading.Event()

    async def give_up() -> None:
        waiting = asyncio.create_task(store._write(lambda _: may_go_on.wait(5)))
        await asyncio.sleep(0.05)
        waiting.cancel()

    asyncio.run(give_up())
    may_go_on.set()
    asyncio.run(store.append("acme", [first_refusal("pat")]))
    assert len(asyncio.run(store.load("acme", [first_refusal("pat").after.subject]))) == 1
    asyncio.run(store.close())


async def test_acts_that_wait_together_share_a_commit(path: Path, keyring: Keyring) -> None:
    store = SqliteStore(path, keyring)
    await store.append("acme", [first_refusal("first")])
    commits: list[str] = []
    await store._write(lambda connection: connection.set_trace_callback(commits.append))
    await asyncio.gather(*(store.append("acme", [first_refusal(f"person {number}")]) for number in range(100)))
    assert sum(statement == "COMMIT" for statement in commits) < 10
    await store.close()


async def test_an_act_whose_caller_gave_up_while_it_waited_is_not_done(path: Path, keyring: Keyring) -> None:
    store = SqliteStore(path, keyring)
    await store.append("acme", [first_refusal("first")])
    may_go_on = threading.Event()
    blocking = asyncio.create_task(store._write(lambda _: may_go_on.wait(5)))
    await asyncio.sleep(0.05)
    given_up = asyncio.create_task(store.append("acme", [first_refusal("pat")]))
    await asyncio.sleep(0.05)
    given_up.cancel()
    await asyncio.sleep(0)
    may_go_on.set()
    await blocking
    assert await store.load("acme", [first_refusal("pat").after.subject]) == []
    await store.close()


async def test_a_fault_in_one_act_fails_that_act_alone(path: Path, keyring: Keyring) -> None:
    store = SqliteStore(path, keyring)
    may_go_on = threading.Event()
    blocking = asyncio.create_task(store._write(lambda _: may_go_on.wait(5)))
    await asyncio.sleep(0.05)
    acts = asyncio.gather(
        store.append("acme", [first_refusal("kim")]),
        store._write(lambda _: 1 // 0),
        store.append("acme", [first_refusal("lee")]),
        return_exceptions=True,
    )
    await asyncio.sleep(0.05)
    may_go_on.set()
    assert [type(outcome) for outcome in await acts] == [type(None), ZeroDivisionError, type(None)]
    assert await blocking
    heads = await store.heads("acme")
    assert sum(head.position for head in heads) == 2
    await store.close()
