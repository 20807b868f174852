"""What every store promises about its ledger: positions, the feed, heads, erasure, the audit."""

from __future__ import annotations

import asyncio

import pytest

from prefcenter.domain.errors import VersionConflict
from prefcenter.domain.ledger import PARTITIONS, Head, partition_of
from prefcenter.domain.record import Record
from prefcenter.services.ports import Store
from tests.contract.acts import (
    DOCUMENT,
    START,
    append_one,
    change,
    erased,
    first_refusal,
    granted,
    positions_by_partition,
    refused,
    whole_feed,
)
from tests.factories import NOW, a_digest


async def fill(store: Store, count: int = 100, controller: str = "acme") -> None:
    await store.append(controller, [first_refusal(f"person {number}") for number in range(count)])


async def test_an_empty_ledger_has_eight_empty_heads(store: Store) -> None:
    assert await store.heads("acme") == (Head(),) * PARTITIONS
    assert list(await store.since("acme", START, 10)) == []


async def test_positions_have_no_gaps_under_concurrent_writers(store: Store) -> None:
    await asyncio.gather(
        *(store.append("acme", [first_refusal(f"person {number}")], bulk=number % 3 == 0) for number in range(200)),
        *(append_one(store, Record(a_digest("pat")), refused(f"writer-{number}")) for number in range(10)),
        return_exceptions=True,
    )
    positions = positions_by_partition(await whole_feed(store))
    assert sum(map(len, positions.values())) == 201
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in positions.values())


async def test_the_feed_tells_each_event_in_its_partition_and_in_order(store: Store) -> None:
    first = await append_one(store, Record(a_digest("pat")), refused(), granted(NOW + 1))
    await append_one(store, Record(a_digest("kim")), refused("import"))
    await append_one(store, first, refused("form", NOW + 2))
    feed = await whole_feed(store)
    of_pat = [(item.version, item.event) for item in feed if item.subject == first.subject]
    assert of_pat == [(1, refused()), (2, granted(NOW + 1)), (3, refused("form", NOW + 2))]
    assert all(item.partition == partition_of(item.subject.value) for item in feed)
    assert len(feed) == 4


@pytest.mark.parametrize("limit", [1, 7, 99, 100, 101])
async def test_the_feed_is_paged_and_resumes_where_it_stopped(store: Store, limit: int) -> None:
    await fill(store)
    whole = await store.since("acme", START, 1_000)
    assert len(await store.since("acme", START, limit)) == min(limit, 100)
    resumed = await whole_feed(store, limit=limit)
    assert positions_by_partition(resumed) == positions_by_partition(whole)


@pytest.mark.parametrize("limit", [1, 3, 8, 12, 50])
async def test_no_partition_waits_for_another_to_end(store: Store, limit: int) -> None:
    await fill(store, 400)
    heads = [head.position for head in await store.heads("acme")]
    positions = list(START)
    for _ in range(PARTITIONS):
        left = [head - position for head, position in zip(heads, positions, strict=True)]
        page = positions_by_partition(await store.since("acme", positions, limit))
        given = [len(page[number]) for number in range(PARTITIONS)]
        assert sum(given) == min(limit, sum(left))
        fewest = min((count for count, had in zip(given, left, strict=True) if count < had), default=limit)
        assert max(given) - fewest <= 1
        positions = [position + count for position, count in zip(positions, given, strict=True)]
    assert all(positions), "with any limit every partition has its turn"


async def test_what_one_partition_does_not_need_goes_to_the_others(store: Store) -> None:
    await fill(store, 400)
    heads = [head.position for head in await store.heads("acme")]
    positions = [0, 0, *heads[2:]]
    page = positions_by_partition(await store.since("acme", positions, 40))
    assert [len(page[number]) for number in range(PARTITIONS)] == [20, 20, 0, 0, 0, 0, 0, 0]
    positions = [heads[0] - 3, *heads[1:7], 0]
    page = positions_by_partition(await store.since("acme", positions, 20))
    assert [len(page[number]) for number in range(PARTITIONS)] == [3, 0, 0, 0, 0, 0, 0, 17]


async def test_a_position_that_is_ahead_of_the_ledger_gives_nothing(store: Store) -> None:
    await fill(store, 20)
    heads = [head.position for head in await store.heads("acme")]
    assert list(await store.since("acme", [position + 5 for position in heads], 10)) == []
    assert len(await store.since("acme", [heads[0] + 5, *START[1:]], 100)) == 20 - heads[0]


async def test_a_reader_that_waits_sees_only_what_came_since(store: Store) -> None:
    await fill(store)
    positions = [head.position for head in await store.heads("acme")]
    assert list(await store.since("acme", positions, 10)) == []
    await append_one(store, Record(a_digest("late")), refused())
    assert [item.subject for item in await store.since("acme", positions, 10)] == [a_digest("late")]


async def test_a_reader_beside_writers_misses_nothing(store: Store) -> None:
    seen: list[tuple[int, int]] = []
    positions = list(START)

    async def read() -> None:
        while len(seen) < 150:
            for item in await store.since("acme", positions, 20):
                seen.append((item.partition, item.position))
                positions[item.partition] = item.position

    writers = (store.append("acme", [first_refusal(f"person {number}")]) for number in range(150))
    await asyncio.gather(read(), *writers)
    whole = [(item.partition, item.position) for item in await store.since("acme", START, 1_000)]
    assert sorted(seen) == whole


async def test_each_partition_counts_for_itself_and_for_one_controller(store: Store) -> None:
    await fill(store)
    await fill(store, controller="globex")
    for controller in ("acme", "globex"):
        heads = await store.heads(controller)
        positions = positions_by_partition(await whole_feed(store, controller))
        assert [head.position for head in heads] == [len(positions[number]) for number in range(PARTITIONS)]
        assert sum(head.position for head in heads) == 100
    assert await store.heads("acme") != await store.heads("globex")


async def test_a_head_stays_on_its_chain_for_good(store: Store) -> None:
    await fill(store, 50)
    early = await store.heads("acme")
    await store.append("acme", [first_refusal(f"later {number}") for number in range(50)])
    late = await store.heads("acme")
    assert early != late
    assert await store.holds_heads("acme", early)
    assert await store.holds_heads("acme", late)
    assert await store.holds_heads("acme", ())
    assert await store.holds_heads("nobody", (Head(),) * PARTITIONS)


async def test_a_head_that_was_never_reached_or_has_another_mac_is_not_held(store: Store) -> None:
    await fill(store)
    heads = list(await store.heads("acme"))
    ahead = [Head(heads[0].position + 1, heads[0].mac), *heads[1:]]
    forged = [*heads[:-1], Head(heads[-1].position, bytes(16))]
    assert not await store.holds_heads("acme", ahead)
    assert not await store.holds_heads("acme", forged)
    assert not await store.holds_heads("globex", heads)


async def test_an_erasure_drops_the_bodies_before_it(store: Store) -> None:
    await fill(store, 20)
    first = await append_one(store, Record(a_digest("pat")), refused(), granted(NOW + 1))
    gone = await append_one(store, first, erased(NOW + 2))
    later = await append_one(store, gone, granted(NOW + 3))
    assert list(await store.load("acme", [first.subject])) == [later]
    feed = [item for item in await whole_feed(store) if item.subject == first.subject]
    assert [item.event for item in feed] == [None, None, erased(NOW + 2), granted(NOW + 3)]
    assert [item.version for item in feed] == [1, 2, 3, 4]


async def test_the_audit_is_clean_after_an_erasure_and_after_a_second_one(store: Store) -> None:
    await store.adopt_policy("acme", DOCUMENT, instead_of=None)
    await fill(store, 20)
    heads = await store.heads("acme")
    record = await append_one(store, Record(a_digest("pat")), refused(), granted(NOW + 1))
    for step in (10, 20):
        record = await append_one(store, record, granted(NOW + step), erased(NOW + step + 1), refused())
        assert (await store.audit("acme", [heads, await store.heads("acme")])).findings == ()
    assert sum(item.event is None for item in await whole_feed(store)) == 6


async def test_an_erasure_in_the_middle_of_one_change_drops_what_came_before_it_there(store: Store) -> None:
    await append_one(store, Record(a_digest("pat")), granted(), erased(NOW + 1), granted(NOW + 2))
    events = [item.event for item in await whole_feed(store)]
    assert events == [None, erased(NOW + 1), granted(NOW + 2)]


async def test_the_audit_of_a_clean_store_finds_nothing_and_counts_what_it_read(store: Store) -> None:
    await store.adopt_policy("acme", DOCUMENT, instead_of=None)
    await store.first_import_ms("acme", b"list", NOW)
    await fill(store)
    early = await store.heads("acme")
    (some,) = await store.load("acme", [a_digest("person 5")])
    await append_one(store, some, granted(NOW + 1))
    await fill(store, 7, "globex")
    report = await store.audit("acme", [early, await store.heads("acme")])
    assert (report.events, report.records, report.findings) == (101, 100, ())


async def test_the_audit_says_when_a_signed_head_is_not_in_the_ledger(store: Store) -> None:
    await store.adopt_policy("acme", DOCUMENT, instead_of=None)
    await fill(store)
    heads = await store.heads("acme")
    beyond = tuple(Head(head.position + 1, bytes(16)) for head in heads)
    assert len((await store.audit("acme", [heads, beyond])).findings) == PARTITIONS
    forged = tuple(Head(head.position, bytes(16)) for head in heads)
    assert len((await store.audit("acme", [forged, heads])).findings) == PARTITIONS


async def test_the_audit_of_an_unknown_controller_says_so(store: Store) -> None:
    assert "nobody" in (await store.audit("nobody", [])).findings[0]


async def test_the_audit_misses_a_policy(store: Store) -> None:
    await fill(store, 1)
    assert any("no policy is in force" in finding for finding in (await store.audit("acme", [])).findings)


async def test_a_policy_is_adopted_only_instead_of_the_one_that_was_read(store: Store) -> None:
    assert await store.policy_in_force("acme") is None
    await store.adopt_policy("acme", "first", instead_of=None)
    for stale in (None, "another"):
        with pytest.raises(VersionConflict):
            await store.adopt_policy("acme", "second", instead_of=stale)
    assert await store.policy_in_force("acme") == "first"
    await store.adopt_policy("acme", "second", instead_of="first")
    assert await store.policy_in_force("acme") == "second"
    assert await store.policy_in_force("globex") is None


async def test_the_time_of_an_import_is_that_of_its_first_beginning(store: Store) -> None:
    assert await store.first_import_ms("acme", b"list", NOW) == NOW
    assert await store.first_import_ms("acme", b"list", NOW + 5) == NOW
    assert await store.first_import_ms("acme", b"other list", NOW + 5) == NOW + 5
    assert await store.first_import_ms("globex", b"list", NOW + 7) == NOW + 7


async def test_texts_of_every_kind_come_back(store: Store) -> None:
    sources = [f"source-{number}" for number in range(300)]
    await store.append("acme", [change(Record(a_digest(source)), refused(source)) for source in sources])
    records = await store.load("acme", [a_digest(source) for source in sources])
    assert {record.refusals[0].source for record in records} == set(sources)
