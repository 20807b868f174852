"""The outbox: no letter is lost or sent by two, none goes out too often, and none stays once it is over."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from prefcenter.domain.record import Record
from prefcenter.security.keyring import Keyring
from prefcenter.services.ports import LETTERS_COUNTED_MS, Store, WaitingLetter
from tests.contract.acts import append_one, erased
from tests.contract.backends import Opener
from tests.factories import HOUR, MINUTE, NOW, a_digest

PAT, KIM = a_digest("pat"), a_digest("kim")


async def queue(
    store: Store,
    name: str = "pat",
    content: bytes | None = b"a sealed letter",
    now_ms: int = NOW,
    controller: str = "acme",
    letters_max: int = 3,
) -> bool:
    return await store.queue_letter(controller, a_digest(name), content, now_ms, letters_max=letters_max)


async def claim(store: Store, now_ms: int = NOW, limit: int = 100) -> list[WaitingLetter]:
    return list(await store.claim_letters(now_ms, until_ms=now_ms + MINUTE, limit=limit))


async def test_a_letter_is_given_as_it_was_queued_even_after_a_restart(open_again: Opener, keyring: Keyring) -> None:
    first = open_again(keyring)
    assert await queue(first)
    await first.close()
    second = open_again(keyring)
    (letter,) = await claim(second)
    assert letter == WaitingLetter(letter.id, "acme", PAT, NOW, 1, b"a sealed letter")
    await second.close()


async def test_a_claimed_letter_is_nobody_elses_until_the_claim_ends(
    store: Store, open_again: Opener, keyring: Keyring
) -> None:
    other = open_again(keyring)
    await queue(store)
    (letter,) = await claim(store)
    assert await claim(other, NOW + MINUTE - 1) == []
    assert await claim(other, NOW + MINUTE) == [replace(letter, attempts=2)]
    await other.close()


async def test_claims_at_once_never_give_a_letter_to_two(store: Store, open_again: Opener, keyring: Keyring) -> None:
    other = open_again(keyring)
    for number in range(20):
        await queue(store, f"person {number}")
    claims = await asyncio.gather(*(claim(one, limit=3) for one in (store, other) * 4))
    ids = [letter.id for given in claims for letter in given]
    assert len(ids) == len(set(ids)) == 20
    await other.close()


async def test_letters_are_given_oldest_first_and_no_more_than_asked_for(store: Store) -> None:
    for age, name in ((1, "second"), (2, "first"), (0, "third")):
        await queue(store, name, now_ms=NOW - age)
    assert [letter.subject for letter in await claim(store, limit=2)] == [a_digest("first"), a_digest("second")]
    assert [letter.subject for letter in await claim(store, limit=2)] == [a_digest("third")]


async def test_a_letter_is_not_due_before_it_was_queued(store: Store) -> None:
    await queue(store, now_ms=NOW)
    assert await claim(store, NOW - 1) == []


async def test_a_finished_letter_is_never_given_again(store: Store) -> None:
    await queue(store)
    (letter,) = await claim(store)
    for _ in range(2):
        await store.finish_letter(letter.id)
    await store.postpone_letter(letter.id, NOW)
    assert await claim(store, NOW + HOUR) == []


async def test_a_postponed_letter_is_given_when_it_is_due(store: Store) -> None:
    await queue(store)
    (letter,) = await claim(store)
    await store.postpone_letter(letter.id, NOW + 2 * MINUTE)
    assert await claim(store, NOW + 2 * MINUTE - 1) == []
    assert await claim(store, NOW + 2 * MINUTE) == [replace(letter, attempts=2)]


async def test_a_letter_that_nobody_knows_is_finished_and_postponed_without_effect(store: Store) -> None:
    await queue(store)
    await store.finish_letter("4711")
    await store.postpone_letter("4711", NOW + HOUR)
    assert len(await claim(store)) == 1


async def test_letters_to_one_address_are_limited_by_the_hour_sent_or_not(store: Store) -> None:
    assert await queue(store)
    (letter,) = await claim(store)
    await store.finish_letter(letter.id)
    assert await queue(store, now_ms=NOW + 1)
    assert await queue(store, content=None, now_ms=NOW + 2)
    assert not await queue(store, now_ms=NOW + 3)
    assert not await queue(store, now_ms=NOW + LETTERS_COUNTED_MS - 1)
    assert await queue(store, now_ms=NOW + LETTERS_COUNTED_MS)
    assert not await queue(store, now_ms=NOW + LETTERS_COUNTED_MS)


async def test_other_addresses_and_controllers_have_limits_of_their_own(store: Store) -> None:
    assert await queue(store, letters_max=1)
    assert not await queue(store, letters_max=1)
    assert await queue(store, "kim", letters_max=1)
    assert await queue(store, controller="globex", letters_max=1)
    assert {letter.controller for letter in await claim(store)} == {"acme", "globex"}


async def test_one_that_is_only_counted_is_never_given(store: Store) -> None:
    assert await queue(store, content=None)
    assert await claim(store, NOW + HOUR) == []


async def test_many_at_once_do_not_pass_the_limit(store: Store) -> None:
    assert sum(await asyncio.gather(*(queue(store) for _ in range(10)))) == 3


async def test_an_erasure_drops_the_letters_of_its_address_and_no_others(store: Store) -> None:
    await queue(store)
    await queue(store, "kim")
    await append_one(store, Record(PAT), erased())
    assert [letter.subject for letter in await claim(store)] == [KIM]


@pytest.mark.parametrize("step", ["queued", "claimed", "finished"])
async def test_letters_do_not_disturb_the_audit(store: Store, step: str) -> None:
    await store.adopt_policy("acme", "{}", instead_of=None)
    await queue(store)
    if step != "queued":
        (letter,) = await claim(store)
        if step == "finished":
            await store.finish_letter(letter.id)
    assert (await store.audit("acme", [])).findings == ()
