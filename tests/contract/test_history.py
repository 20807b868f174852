"""The history of records: what happened to each, in order."""

from __future__ import annotations

from prefcenter.domain.record import Record
from prefcenter.services.ports import Store
from tests.contract.acts import append_one, erased, granted, refused, whole_feed
from tests.factories import a_digest


async def test_a_history_is_what_the_feed_says_of_the_records_and_nothing_else(store: Store) -> None:
    pat = await append_one(store, Record(a_digest("pat")), refused())
    kim = await append_one(store, Record(a_digest("kim")), refused("page"))
    await append_one(store, Record(a_digest("lee")), refused())
    await append_one(store, pat, granted(), refused("form"))
    await append_one(store, Record(a_digest("pat")), refused(), controller="globex")
    history = await store.history("acme", [pat.subject, kim.subject, a_digest("nobody")])
    assert list(history) == [item for item in await whole_feed(store) if item.subject in (pat.subject, kim.subject)]
    assert [item.version for item in history if item.subject == pat.subject] == [1, 2, 3]


async def test_what_was_erased_has_no_bodies_in_the_history(store: Store) -> None:
    pat = await append_one(store, Record(a_digest("pat")), refused(), erased())
    first, second = await store.history("acme", [pat.subject])
    assert (first.event, second.event) == (None, erased())


async def test_nobody_has_no_history(store: Store) -> None:
    assert list(await store.history("acme", [a_digest("pat")])) == []
    assert list(await store.history("acme", [])) == []
