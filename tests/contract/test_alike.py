"""What every store promises about records that say the same: loading them together, and the same change of many."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from prefcenter.domain.digest import Digest, Digests
from prefcenter.domain.errors import VersionConflict
from prefcenter.domain.events import Refused
from prefcenter.domain.ledger import Head, partition_of
from prefcenter.domain.record import Record
from prefcenter.services.ports import AlikeChanges, Beginnings, Change, Store
from tests.contract.acts import (
    START,
    a_receipt,
    append_one,
    change,
    first_refusal,
    granted,
    positions_by_partition,
    refused,
    whole_feed,
)
from tests.factories import DAY, NOW, a_digest

NAMES = [f"person {number}" for number in range(100)]


def digests_of(names: Iterable[str]) -> Digests:
    (together,) = Digests.grouped([a_digest(name) for name in names])
    return together


def beginnings(names: Iterable[str], *events: Refused) -> Beginnings:
    """The first thing that ever happens to many: an event for each, or the same one."""
    subjects = digests_of(names)
    return Beginnings(subjects, events if len(events) > 1 else [*(events or [refused()])] * len(subjects))


def alike(names: Iterable[str], first: Change) -> AlikeChanges:
    """The same change of many that are there."""
    return AlikeChanges(first, digests_of(names))


async def loaded(store: Store, names: Iterable[str]) -> dict[Digest, Record]:
    found = await store.load_alike("acme", [digests_of(names)])
    return {subject: group.of(subject) for group in found for subject in group.subjects}


async def loaded_one_by_one(store: Store, names: Iterable[str]) -> dict[Digest, Record]:
    return {record.subject: record for record in await store.load("acme", list(digests_of(names)))}


async def require_whole_ledger(store: Store, controller: str = "acme") -> None:
    assert not [finding for finding in (await store.audit(controller, [])).findings if "policy" not in finding]


async def test_records_are_the_same_together_and_one_by_one(store: Store) -> None:
    await store.append("acme", [first_refusal(name, "form" if len(name) < 9 else "crm") for name in NAMES[:50]])
    await append_one(store, Record(a_digest(NAMES[60])), granted(), refused("import", NOW + 1))
    found = await loaded(store, NAMES)
    assert found == await loaded_one_by_one(store, NAMES)
    assert len(found) == 51


async def test_nothing_is_loaded_together_for_nobody_and_for_an_unknown_controller(store: Store) -> None:
    await store.append("acme", [first_refusal("pat")])
    assert list(await store.load_alike("acme", [])) == []
    assert list(await store.load_alike("acme", [digests_of(["kim"])])) == []
    assert list(await store.load_alike("nobody", [digests_of(["pat"])])) == []


async def test_the_same_beginning_of_many_is_what_each_of_them_would_be(store: Store) -> None:
    whole = beginnings(NAMES)
    await store.append("acme", [], bulk=True, alike=[whole])
    assert await loaded_one_by_one(store, NAMES) == {item.after.subject: item.after for item in whole}
    feed = await whole_feed(store)
    assert {item.subject: (item.version, item.event) for item in feed} == {
        a_digest(name): (1, refused()) for name in NAMES
    }
    assert all(item.partition == partition_of(item.subject.value) for item in feed)
    await require_whole_ledger(store)


async def test_many_begin_at_times_of_their_own(store: Store) -> None:
    """Times of many and of few bytes, and none at all."""
    times = [None, 5, NOW - DAY, *(NOW - number for number in range(len(NAMES) - 3))]
    events = [replace(refused(), stated_ms=time) for time in times]
    begun = beginnings(NAMES, *events)
    await store.append("acme", [], bulk=True, alike=[begun])
    assert await loaded_one_by_one(store, NAMES) == {item.after.subject: item.after for item in begun}
    told = {item.subject: item.event for item in await whole_feed(store)}
    assert told == dict(zip(begun.subjects, events, strict=True))
    await require_whole_ledger(store)


async def test_nobody_begins(store: Store) -> None:
    await store.append("acme", [first_refusal("pat")], alike=[Beginnings(digests_of(["kim"]).taken([]), [])])
    assert len(await whole_feed(store)) == 1


async def test_positions_have_no_gaps_among_changes_of_one_and_of_many(store: Store) -> None:
    await store.append("acme", [first_refusal("pat")], alike=[beginnings(NAMES[:30])])
    await append_one(store, Record(a_digest("kim")), refused())
    await store.append("acme", [first_refusal("lee")], alike=[beginnings(NAMES[30:])])
    positions = positions_by_partition(await whole_feed(store))
    assert sum(map(len, positions.values())) == 103
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in positions.values())
    heads = await store.heads("acme")
    assert [head.position for head in heads] == [len(positions[number]) for number in range(len(START))]
    await require_whole_ledger(store)


async def test_records_that_say_the_same_change_together(store: Store) -> None:
    await store.append("acme", [], alike=[beginnings(NAMES)])
    (group,) = [group for group in await store.load_alike("acme", [digests_of(NAMES[:40])]) if len(group.subjects) > 1]
    later = change(group.first, refused("import", NOW + 1), refused("crm", NOW + 2))
    await store.append("acme", [], alike=[AlikeChanges(later, group.subjects)])
    found = await loaded_one_by_one(store, NAMES)
    versions = [found[a_digest(name)].version for name in NAMES]
    assert versions == [3] * 40 + [1] * 60
    of_first = sorted(
        (item.version, item.event) for item in await whole_feed(store) if item.subject == a_digest(NAMES[0])
    )
    assert [event for _, event in of_first] == [refused(), refused("import", NOW + 1), refused("crm", NOW + 2)]
    await require_whole_ledger(store)


@pytest.mark.parametrize("moved_on", [0, 39, 99])
async def test_one_that_moved_on_keeps_all_from_changing(store: Store, moved_on: int) -> None:
    await store.append("acme", [], alike=[beginnings(NAMES)])
    stale = await loaded_one_by_one(store, NAMES)
    await append_one(store, stale[a_digest(NAMES[moved_on])], granted(NOW + 1))
    before, events = await loaded_one_by_one(store, NAMES), len(await whole_feed(store))
    later = change(stale[a_digest(NAMES[0])], refused("import", NOW + 2))
    with pytest.raises(VersionConflict):
        await store.append("acme", [first_refusal("kim")], bulk=True, alike=[beginnings(["lee"]), alike(NAMES, later)])
    assert await loaded_one_by_one(store, [*NAMES, "kim", "lee"]) == before
    assert len(await whole_feed(store)) == events
    await require_whole_ledger(store)


async def test_one_that_exists_by_now_keeps_all_from_beginning(store: Store) -> None:
    await append_one(store, Record(a_digest(NAMES[7])), refused("crm"))
    with pytest.raises(VersionConflict):
        await store.append("acme", [first_refusal("kim")], bulk=True, alike=[beginnings(NAMES)])
    assert len(await loaded_one_by_one(store, [*NAMES, "kim"])) == 1
    await store.append("acme", [], bulk=True, alike=[beginnings(NAMES[:7])])
    await require_whole_ledger(store)


async def test_records_that_are_not_there_cannot_change_together(store: Store) -> None:
    gone = replace(change(Record(a_digest("nobody")), refused()).after, version=4)
    with pytest.raises(VersionConflict):
        await store.append("acme", [], bulk=True, alike=[alike(["nobody", "kim"], change(gone, refused("crm")))])
    assert await store.heads("acme") == (Head(),) * len(START)


async def test_a_receipt_comes_with_changes_of_many_too(store: Store) -> None:
    await store.append("acme", [], receipt=a_receipt(), alike=[beginnings(NAMES)])
    assert await store.receipt("acme", a_receipt().name, 0) == a_receipt()
    with pytest.raises(VersionConflict):
        await store.append("acme", [], receipt=a_receipt(), alike=[beginnings(["kim", "lee"])])
    assert await loaded_one_by_one(store, ["kim", "lee"]) == {}


async def test_controllers_know_nothing_of_each_others_alike_records(store: Store) -> None:
    for controller in ("acme", "globex"):
        await store.append(controller, [], alike=[beginnings(NAMES)])
        await require_whole_ledger(store, controller)
    assert len(await whole_feed(store, "globex")) == len(NAMES)
