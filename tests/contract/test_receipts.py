"""What every store promises about receipts: an idempotency key stands for one act, and is on disk together with it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from prefcenter.domain.errors import VersionConflict
from prefcenter.domain.record import Record
from prefcenter.security.keyring import Keyring
from prefcenter.services.ports import RECEIPT_LIFE_MS, Receipt, Store
from tests.contract.acts import a_receipt, a_send, append_one, change, first_refusal, refused, whole_feed
from tests.contract.backends import Opener
from tests.factories import HOUR, NOW, a_digest

RECEIPT = a_receipt()


async def receipt_now(store: Store, receipt: Receipt = RECEIPT, now_ms: int = NOW) -> Receipt | None:
    return await store.receipt("acme", receipt.name, now_ms - RECEIPT_LIFE_MS)


async def test_an_act_and_its_receipt_are_kept_together(store: Store) -> None:
    assert await receipt_now(store) is None
    receipt = replace(RECEIPT, result=bytes(range(256)))
    await store.append("acme", [first_refusal("pat")], receipt=receipt)
    assert await receipt_now(store) == receipt
    assert len(await store.load("acme", [a_digest("pat")])) == 1


async def test_a_receipt_may_be_all_that_an_act_leaves(store: Store) -> None:
    await store.append("acme", [], receipt=RECEIPT)
    assert await receipt_now(store) == RECEIPT
    assert await whole_feed(store) == []


async def test_a_taken_name_is_a_conflict_and_writes_nothing(store: Store) -> None:
    await store.append("acme", [first_refusal("pat")], receipt=RECEIPT)
    again = a_receipt(sent="something else", received_ms=NOW + HOUR)
    with pytest.raises(VersionConflict):
        await store.append("acme", [first_refusal("kim")], receipt=again)
    with pytest.raises(VersionConflict):
        await store.record_sends("acme", "offers", [a_send()], forget_before_ms=0, receipt=again)
    assert await store.load("acme", [a_digest("kim")]) == []
    assert dict(await store.sends("acme", "offers", [a_digest("pat")], 0)) == {}
    assert await receipt_now(store) == RECEIPT


async def test_a_stale_record_keeps_no_receipt(store: Store) -> None:
    await append_one(store, Record(a_digest("pat")), refused())
    with pytest.raises(VersionConflict):
        await store.append("acme", [first_refusal("pat")], receipt=RECEIPT)
    assert await receipt_now(store) is None


async def test_a_conflict_over_a_name_leaves_no_trace_of_a_controller(store: Store) -> None:
    with pytest.raises(VersionConflict):
        await store.append("acme", [change(Record(a_digest("pat"), 7), refused())], receipt=RECEIPT)
    assert list(await store.controllers()) == []


async def test_of_many_acts_with_one_name_one_is_done(store: Store) -> None:
    outcomes = await asyncio.gather(
        *(store.append("acme", [first_refusal(f"person {number}")], receipt=RECEIPT) for number in range(20)),
        return_exceptions=True,
    )
    assert outcomes.count(None) == 1
    assert sum(isinstance(outcome, VersionConflict) for outcome in outcomes) == 19
    assert len(await whole_feed(store)) == 1


async def test_a_name_belongs_to_one_controller(store: Store) -> None:
    await store.append("acme", [first_refusal("pat")], receipt=RECEIPT)
    assert await store.receipt("globex", RECEIPT.name, 0) is None
    await store.append("globex", [first_refusal("pat")], receipt=RECEIPT)
    assert await store.receipt("globex", RECEIPT.name, 0) == RECEIPT


async def test_a_receipt_is_given_until_it_is_older_than_asked_for(store: Store) -> None:
    await store.append("acme", [], receipt=RECEIPT)
    assert await store.receipt("acme", RECEIPT.name, NOW) == RECEIPT
    assert await store.receipt("acme", RECEIPT.name, NOW + 1) is None
    assert await receipt_now(store, now_ms=NOW + RECEIPT_LIFE_MS) == RECEIPT
    assert await receipt_now(store, now_ms=NOW + RECEIPT_LIFE_MS + 1) is None


async def test_a_name_may_be_taken_anew_just_when_it_is_no_longer_given(store: Store) -> None:
    await store.append("acme", [], receipt=RECEIPT)
    at_the_end = a_receipt(sent="something else", received_ms=NOW + RECEIPT_LIFE_MS)
    with pytest.raises(VersionConflict):
        await store.append("acme", [], receipt=at_the_end)
    later = replace(at_the_end, received_ms=NOW + RECEIPT_LIFE_MS + 1)
    await store.append("acme", [first_refusal("pat")], receipt=later)
    assert await receipt_now(store, now_ms=later.received_ms) == later


async def test_old_receipts_do_not_take_young_ones_with_them(store: Store) -> None:
    receipts = [a_receipt(f"key {hour}", received_ms=NOW + hour * HOUR) for hour in range(48)]
    for receipt in receipts:
        await store.append("acme", [], receipt=receipt)
    now_ms = NOW + 47 * HOUR
    given = [await receipt_now(store, receipt, now_ms) is not None for receipt in receipts]
    assert given == [False] * 23 + [True] * 25


async def test_sends_and_a_receipt_that_says_how_many_were_new_are_kept_together(store: Store) -> None:
    await store.record_sends("acme", "offers", [a_send("pat")], forget_before_ms=0)
    sends = [a_send(name) for name in ("pat", "kim", "lee")]
    assert await store.record_sends("acme", "offers", sends, forget_before_ms=0, receipt=RECEIPT) == 2
    assert await receipt_now(store) == replace(RECEIPT, result=b"2")


async def test_a_restart_keeps_receipts(open_again: Opener, keyring: Keyring) -> None:
    store = open_again(keyring)
    await store.append("acme", [first_refusal("pat")], receipt=RECEIPT)
    await store.close()
    store = open_again(keyring)
    assert await receipt_now(store) == RECEIPT
    await store.close()
