"""What every store promises about sends, which frequency caps count (TCC-2)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from prefcenter.domain.digest import Digest
from prefcenter.domain.record import Record
from prefcenter.security.keyring import Keyring
from prefcenter.services.ports import Send, Store
from tests.contract.acts import a_send, append_one, change, erased, first_refusal
from tests.contract.backends import Opener
from tests.factories import DAY, NOW, a_digest

PAT, KIM = a_digest("pat"), a_digest("kim")
AUTUMN = b"autumn campaign."


async def note(store: Store, *sends: Send, purpose: str = "offers", forget_before_ms: int = 0) -> int:
    return await store.record_sends("acme", purpose, sends, forget_before_ms=forget_before_ms)


async def times(
    store: Store, *subjects: Digest, purpose: str = "offers", since_ms: int = 0
) -> Mapping[Digest, Sequence[int]]:
    found = await store.sends("acme", purpose, subjects, since_ms)
    return {subject: list(sent) for subject, sent in found.items()}


async def test_sends_are_given_by_subject_in_order(store: Store) -> None:
    assert await note(store, a_send("pat", NOW + 2), a_send("kim", NOW), a_send("pat", NOW + 1, AUTUMN)) == 3
    assert await times(store, PAT, KIM, a_digest("lee")) == {PAT: [NOW + 1, NOW + 2], KIM: [NOW]}
    assert await times(store) == {}


async def test_a_send_is_noted_once_an_address_and_campaign(store: Store) -> None:
    assert await note(store, a_send("pat", NOW), a_send("pat", NOW + 5)) == 1
    assert await note(store, a_send("pat", NOW + 9), a_send("kim")) == 1
    assert await note(store) == 0
    assert await times(store, PAT, KIM) == {PAT: [NOW], KIM: [NOW]}


async def test_of_concurrent_reports_of_one_campaign_each_send_is_new_once(store: Store) -> None:
    sends = [a_send(f"person {number}") for number in range(50)]
    new = await asyncio.gather(*(note(store, *sends[:count]) for count in range(1, 51)))
    assert sum(new) == 50


async def test_only_sends_after_the_time_are_given(store: Store) -> None:
    await note(store, a_send("pat", NOW), a_send("pat", NOW + 1, AUTUMN))
    assert await times(store, PAT, since_ms=NOW - 1) == {PAT: [NOW, NOW + 1]}
    assert await times(store, PAT, since_ms=NOW) == {PAT: [NOW + 1]}
    assert await times(store, PAT, since_ms=NOW + 1) == {}


async def test_sends_before_a_time_are_forgotten_for_that_purpose_only(store: Store) -> None:
    for purpose in ("offers", "news"):
        await note(store, a_send("pat", NOW), a_send("kim", NOW + 1), purpose=purpose)
    assert await note(store, forget_before_ms=NOW + 1) == 0
    assert await times(store, PAT, KIM) == {KIM: [NOW + 1]}
    assert await times(store, PAT, KIM, purpose="news") == {PAT: [NOW], KIM: [NOW + 1]}


async def test_what_is_forgotten_when_it_comes_is_not_noted(store: Store) -> None:
    assert await note(store, a_send("pat", NOW - 1), a_send("kim", NOW), forget_before_ms=NOW) == 1
    assert await times(store, PAT, KIM) == {KIM: [NOW]}


async def test_purposes_and_controllers_count_for_themselves(store: Store) -> None:
    await note(store, a_send("pat", NOW))
    await store.append("globex", [first_refusal("pat")])
    assert await times(store, PAT, purpose="news") == {}
    assert dict(await store.sends("globex", "offers", [PAT], 0)) == {}
    assert dict(await store.sends("nobody", "offers", [PAT], 0)) == {}
    assert await note(store, a_send("pat", NOW + 1), purpose="news") == 1
    assert await store.record_sends("globex", "offers", [a_send("pat", NOW + 2)], forget_before_ms=0) == 1
    assert await times(store, PAT) == {PAT: [NOW]}
    assert await times(store, PAT, purpose="news") == {PAT: [NOW + 1]}
    assert await store.record_sends("globex", "offers", [], forget_before_ms=NOW + 3) == 0
    assert await times(store, PAT) == {PAT: [NOW]}


async def test_a_purpose_that_is_first_sent_for_by_another_process_is_seen(
    store: Store, open_again: Opener, keyring: Keyring
) -> None:
    assert await times(store, PAT) == {}
    other = open_again(keyring)
    await note(other, a_send("pat"))
    await other.close()
    assert await times(store, PAT) == {PAT: [NOW]}


async def test_an_erasure_drops_the_sends_to_its_subject(store: Store) -> None:
    record = await append_one(store, Record(PAT), *first_refusal("pat").events)
    for purpose in ("offers", "news"):
        await note(store, a_send("pat"), a_send("pat", NOW, AUTUMN), a_send("kim"), purpose=purpose)
    await store.record_sends("globex", "offers", [a_send("pat")], forget_before_ms=0)
    await append_one(store, record, erased(NOW + 1))
    for purpose in ("offers", "news"):
        assert await times(store, PAT, KIM, purpose=purpose) == {KIM: [NOW]}
    assert dict(await store.sends("globex", "offers", [PAT], 0)) == {PAT: [NOW]}


async def test_an_erasure_drops_the_sends_under_every_name_that_it_tells(store: Store) -> None:
    await note(store, a_send("pat"), a_send("kim"), a_send("lee"))
    of_pat_and_kim = replace(change(Record(PAT), erased(NOW + 1)), other_names=(PAT, KIM))
    await store.append("acme", [of_pat_and_kim])
    assert await times(store, PAT, KIM, a_digest("lee")) == {a_digest("lee"): [NOW]}


async def test_names_that_come_without_an_erasure_drop_nothing(store: Store) -> None:
    await note(store, a_send("pat"), a_send("kim"))
    await store.append("acme", [replace(first_refusal("pat"), other_names=(KIM,))])
    assert await times(store, PAT, KIM) == {PAT: [NOW], KIM: [NOW]}


async def test_a_scan_gives_every_send_of_a_purpose_once_oldest_first(store: Store) -> None:
    sends = [a_send(f"person {number}", NOW + number % 7 * DAY) for number in range(2_500)]
    assert await note(store, *sends) == 2_500
    await note(store, a_send("pat"), purpose="news")
    pages = [page async for page in store.scan_sends("acme", "offers")]
    assert len(pages) > 1
    scanned = [send for page in pages for send in page]
    assert set(scanned) == set(sends)
    assert len(scanned) == 2_500
    assert [send.sent_ms for send in scanned] == sorted(send.sent_ms for send in sends)


async def test_a_scan_for_an_unknown_purpose_or_controller_is_empty(store: Store) -> None:
    await note(store, a_send("pat"))
    assert [page async for page in store.scan_sends("acme", "news")] == []
    assert [page async for page in store.scan_sends("nobody", "offers")] == []


async def test_sends_are_no_events_and_a_restart_keeps_them(open_again: Opener, keyring: Keyring) -> None:
    store = open_again(keyring)
    await note(store, a_send("pat"))
    assert [head.position for head in await store.heads("acme")] == [0] * 8
    await store.close()
    store = open_again(keyring)
    assert await times(store, PAT) == {PAT: [NOW]}
    await store.close()
