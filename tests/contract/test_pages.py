"""What every store promises about pages of records, by which a tool reads all suppressions."""

from __future__ import annotations

import pytest

from prefcenter.domain.errors import InvalidInput
from prefcenter.domain.record import Record
from prefcenter.services.ports import Store
from tests.contract.acts import append_one, first_refusal, refused, subjects_of
from tests.factories import NOW

CHANGES = [first_refusal(f"person {number}") for number in range(25)]


async def all_pages(store: Store, limit: int) -> list[list[Record]]:
    page = await store.page("acme", None, limit)
    pages = [list(page.records)]
    while page.next is not None:
        page = await store.page("acme", page.next, limit)
        pages.append(list(page.records))
    return pages


async def fill(store: Store) -> None:
    for item in CHANGES:
        await store.append("globex", [item])
        await store.append("acme", [item])


@pytest.mark.parametrize("limit", [1, 7, 24, 25, 26])
async def test_pages_give_every_record_once_in_the_order_they_were_written(store: Store, limit: int) -> None:
    await fill(store)
    pages = await all_pages(store, limit)
    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
    assert [record.subject for page in pages for record in page] == subjects_of(CHANGES)
    assert pages[-1], "a page that says there is a next one is right"


async def test_there_is_no_page_of_nothing(store: Store) -> None:
    page = await store.page("acme", None, 10)
    assert (list(page.records), page.next) == ([], None)


async def test_a_record_that_changes_keeps_its_place(store: Store) -> None:
    await fill(store)
    first = await store.page("acme", None, 10)
    await append_one(store, first.records[3], refused("import", NOW + 1))
    await append_one(store, CHANGES[20].after, refused("import", NOW + 1))
    second = await store.page("acme", first.next, 100)
    assert [record.subject for record in second.records] == subjects_of(CHANGES[10:])
    assert second.records[10].version == 2


async def test_a_record_written_meanwhile_comes_last(store: Store) -> None:
    await fill(store)
    first = await store.page("acme", None, 20)
    late = first_refusal("late")
    await store.append("acme", [late])
    rest = await store.page("acme", first.next, 100)
    assert [record.subject for record in rest.records] == subjects_of([*CHANGES[20:], late])


@pytest.mark.parametrize("place", ["", "-1", "x", "1.5", "1 ", "²", "٣", "9" * 40])
async def test_a_place_that_no_page_gave_is_bad_input(store: Store, place: str) -> None:
    with pytest.raises(InvalidInput, match="after: not a place"):
        await store.page("acme", place, 10)
