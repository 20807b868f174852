"""What every store promises to processes that share it: each is another opening of the same data."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from prefcenter.domain.errors import VersionConflict
from prefcenter.domain.events import EVERYTHING
from prefcenter.domain.record import Record
from prefcenter.domain.terms import AddressClass, Channel, Reason, RefusalReason
from prefcenter.security.digests import Digester
from prefcenter.security.fields import FieldCipher
from prefcenter.security.keyring import Keyring
from prefcenter.services.decisions import Question
from prefcenter.services.ports import Store
from prefcenter.services.recording import Recording
from tests.contract.acts import (
    DOCUMENT,
    START,
    a_receipt,
    append_one,
    change,
    first_refusal,
    positions_by_partition,
    refused,
    whole_feed,
)
from tests.contract.backends import Opener
from tests.contract.test_services import Desk, SteppingClock, consent
from tests.factories import DAY, NOW, POLICY, a_digest

CONTROLLER = POLICY.controller


@asynccontextmanager
async def opened(open_again: Opener, keyring: Keyring, count: int = 2) -> AsyncIterator[Sequence[Store]]:
    stores = [open_again(keyring) for _ in range(count)]
    try:
        yield stores
    finally:
        for store in stores:
            await store.close()


async def test_processes_that_refuse_for_one_subject_at_once_lose_no_refusal(
    open_again: Opener, keyring: Keyring
) -> None:
    async with opened(open_again, keyring, 3) as stores:
        desks = [Desk(store, keyring) for store in stores]
        sources = [f"form-{number}" for number in range(12)]
        await asyncio.gather(
            *(
                desks[number % 3].recording.suppress("pat@acme.example", reason, EVERYTHING, source)
                for number, source in enumerate(sources)
                for reason in (RefusalReason.OPTED_OUT, RefusalReason.COMPLAINED)
            )
        )
        feed = await whole_feed(stores[0], CONTROLLER)
        assert [item.version for item in feed] == list(range(1, len(feed) + 1))
        (record,) = [record async for page in stores[1].scan(CONTROLLER) for record in page]
        assert {refusal.reason for refusal in record.refusals} == {RefusalReason.OPTED_OUT, RefusalReason.COMPLAINED}


async def test_of_processes_that_write_over_one_version_one_wins(open_again: Opener, keyring: Keyring) -> None:
    async with opened(open_again, keyring, 3) as stores:
        known = await append_one(stores[0], Record(a_digest("pat")), refused())
        outcomes = await asyncio.gather(
            *(append_one(store, known, refused(f"writer-{number}")) for number, store in enumerate(stores)),
            return_exceptions=True,
        )
        assert sum(isinstance(outcome, VersionConflict) for outcome in outcomes) == 2
        winners = [outcome for outcome in outcomes if isinstance(outcome, Record)]
        for store in stores:
            assert list(await store.load("acme", [known.subject])) == winners


async def test_positions_have_no_gaps_whoever_writes(open_again: Opener, keyring: Keyring) -> None:
    async with opened(open_again, keyring) as stores:
        await asyncio.gather(
            *(stores[number % 2].append("acme", [first_refusal(f"person {number}")]) for number in range(60)),
            *(
                store.append("acme", [first_refusal(f"bulk {number}")], bulk=True)
                for number, store in enumerate(stores)
            ),
        )
        await stores[0].adopt_policy("acme", DOCUMENT, instead_of=None)
        positions = positions_by_partition(await whole_feed(stores[0]))
        assert sum(map(len, positions.values())) == 62
        assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in positions.values())
        assert (await stores[1].audit("acme", [await stores[0].heads("acme")])).findings == ()


async def test_one_idempotency_key_in_two_processes_is_one_act(open_again: Opener, keyring: Keyring) -> None:
    async with opened(open_again, keyring) as stores:
        outcomes = await asyncio.gather(
            *(
                store.append("acme", [first_refusal(f"person {number}")], receipt=a_receipt())
                for number, store in enumerate(stores)
            ),
            return_exceptions=True,
        )
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType", "VersionConflict"]
        assert len(await whole_feed(stores[0])) == 1


async def test_a_reader_of_one_process_misses_nothing_of_another(open_again: Opener, keyring: Keyring) -> None:
    async with opened(open_again, keyring) as (reader, writer):
        positions, seen = list(START), list[tuple[int, int]]()

        async def read() -> None:
            while len(seen) < 80:
                for item in await reader.since("acme", positions, 7):
                    seen.append((item.partition, item.position))
                    positions[item.partition] = item.position

        await asyncio.gather(read(), *(writer.append("acme", [first_refusal(f"person {n}")]) for n in range(80)))
        assert len(set(seen)) == len(seen) == 80


async def test_pages_give_what_was_there_once_while_another_process_writes(
    open_again: Opener, keyring: Keyring
) -> None:
    async with opened(open_again, keyring) as (reader, writer):
        early = [first_refusal(f"early {number}") for number in range(30)]
        await writer.append("acme", early)
        met: list[Record] = []
        after: str | None = None
        for step in range(100):
            page = await reader.page("acme", after, 7)
            met += page.records
            if step < 5:
                await writer.append("acme", [change(early[step].after, refused("again", NOW + 1))])
                await writer.append("acme", [first_refusal(f"late {step}")])
            if page.next is None:
                break
            after = page.next
        subjects = [record.subject for record in met]
        assert len(set(subjects)) == len(subjects)
        assert {item.after.subject for item in early} <= set(subjects)


@pytest.mark.parametrize("behind_ms", [0, 5_000, 50_000])
async def test_of_two_machines_whose_clocks_differ_the_later_act_counts(
    open_again: Opener, keyring: Keyring, behind_ms: int
) -> None:
    async with opened(open_again, keyring) as stores:
        ahead, behind = (Desk(store, keyring) for store in stores)
        digester, cipher = Digester(keyring, CONTROLLER), FieldCipher(keyring, CONTROLLER)
        slow = Recording(POLICY, digester, stores[1], SteppingClock(NOW - behind_ms), cipher)
        await ahead.recording.opt_out("pat@acme.example", EVERYTHING, "form")
        assert await _reason(behind) is Reason.OPTED_OUT
        await slow.record_consent("pat@acme.example", consent("offers"))
        assert await _reason(ahead) is Reason.PERMITTED
        await slow.opt_out("pat@acme.example", EVERYTHING, "form")
        await ahead.recording.record_consent("pat@acme.example", consent("tips"))
        assert await _reason(ahead) is Reason.OPTED_OUT
        assert await _reason(behind, "tips") is Reason.PERMITTED


async def _reason(desk: Desk, purpose: str = "offers") -> Reason:
    question = Question("pat@acme.example", purpose, Channel.EMAIL, address_class=AddressClass.BUSINESS)
    return (await desk.decisions.decide_many([question], NOW + DAY))[0].reason
