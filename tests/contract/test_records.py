"""What every store promises about records: loading, appending, conflicts, scanning."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from prefcenter.domain.digest import Digest
from prefcenter.domain.errors import StoreError, VersionConflict
from prefcenter.domain.events import EVERYTHING, Moment, Refused
from prefcenter.domain.record import Record
from prefcenter.domain.terms import RefusalReason
from prefcenter.security.keyring import Keyring
from prefcenter.services.ports import Store
from tests.contract.acts import append_one, change, first_refusal, granted, refused, subjects_of, whole_feed
from tests.contract.backends import Opener
from tests.factories import NOW, a_digest


def by_subject(records: object) -> dict[Digest, Record]:
    assert isinstance(records, list | tuple)
    return {record.subject: record for record in records}


async def test_what_is_appended_is_loaded_as_it_was(store: Store) -> None:
    record = await append_one(store, Record(a_digest("pat")), refused(), granted(NOW + 1))
    assert list(await store.load("acme", [record.subject])) == [record]


async def test_unknown_subjects_are_left_out(store: Store) -> None:
    record = await append_one(store, Record(a_digest("pat")), refused())
    assert list(await store.load("acme", [a_digest("nobody"), record.subject])) == [record]


async def test_nothing_is_loaded_for_no_subjects_and_for_an_unknown_controller(store: Store) -> None:
    await append_one(store, Record(a_digest("pat")), refused())
    assert list(await store.load("acme", [])) == []
    assert list(await store.load("nobody", [a_digest("pat")])) == []


async def test_a_subject_asked_for_twice_is_loaded_once(store: Store) -> None:
    record = await append_one(store, Record(a_digest("pat")), refused())
    assert list(await store.load("acme", [record.subject, record.subject])) == [record]


@pytest.mark.parametrize("count", [1_000, 70_000])
async def test_a_batch_of_any_size_is_loaded_at_once(store: Store, count: int) -> None:
    changes = [first_refusal(f"person {number}") for number in range(0, count, 100)]
    await store.append("acme", changes, bulk=True)
    records = await store.load("acme", [a_digest(f"person {number}") for number in range(count)])
    assert by_subject(records) == {item.after.subject: item.after for item in changes}


async def test_a_large_append_is_loaded_whole(store: Store) -> None:
    changes = [first_refusal(f"person {number}") for number in range(3_000)]
    await store.append("acme", changes, bulk=True)
    assert len(await store.load("acme", subjects_of(changes))) == 3_000


async def test_several_changes_are_appended_all_or_none(store: Store) -> None:
    known = await append_one(store, Record(a_digest("pat")), refused())
    stale = change(Record(known.subject), refused("import"))
    with pytest.raises(VersionConflict):
        await store.append("acme", [first_refusal("kim"), stale, first_refusal("lee")])
    assert list(await store.load("acme", [a_digest("kim"), a_digest("lee"), known.subject])) == [known]
    assert len(await whole_feed(store)) == 1


async def test_a_stale_version_conflicts_and_writes_nothing(store: Store) -> None:
    first = await append_one(store, Record(a_digest("pat")), refused())
    second = await append_one(store, first, refused("import", NOW + 1))
    for stale in (Record(first.subject), first):
        with pytest.raises(VersionConflict):
            await append_one(store, stale, granted(NOW + 2))
    assert list(await store.load("acme", [first.subject])) == [second]
    assert len(await whole_feed(store)) == 2


async def test_a_version_that_is_ahead_of_the_store_conflicts_too(store: Store) -> None:
    with pytest.raises(VersionConflict):
        await append_one(store, Record(a_digest("pat"), 7), refused())
    assert await store.load("acme", [a_digest("pat")]) == []


async def test_a_conflict_leaves_no_trace_of_a_controller(store: Store) -> None:
    with pytest.raises(VersionConflict):
        await append_one(store, Record(a_digest("pat"), 7), refused())
    with pytest.raises(VersionConflict):
        await store.adopt_policy("acme", "{}", instead_of="another")
    assert list(await store.controllers()) == []


async def test_one_record_twice_in_an_append_is_a_conflict(store: Store) -> None:
    with pytest.raises(VersionConflict):
        await store.append("acme", [first_refusal("pat"), first_refusal("pat", "import")])
    assert await store.load("acme", [a_digest("pat")]) == []


async def test_of_many_who_append_to_one_version_one_wins(store: Store) -> None:
    outcomes = await asyncio.gather(
        *(append_one(store, Record(a_digest("pat")), refused(f"writer-{number}")) for number in range(20)),
        return_exceptions=True,
    )
    winners = [outcome for outcome in outcomes if isinstance(outcome, Record)]
    assert list(await store.load("acme", [a_digest("pat")])) == winners
    assert sum(isinstance(outcome, VersionConflict) for outcome in outcomes) == 19


async def test_a_conflict_of_one_act_fails_none_beside_it(store: Store) -> None:
    twice = [first_refusal("pat"), first_refusal("pat", "import")]
    outcomes = await asyncio.gather(
        store.append("acme", [first_refusal("kim")]),
        store.append("acme", twice),
        store.append("acme", [first_refusal("lee")]),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [type(None), VersionConflict, type(None)]
    assert len(await store.load("acme", [a_digest("kim"), a_digest("lee")])) == 2


async def test_one_controller_never_sees_records_of_another(store: Store) -> None:
    ours = await append_one(store, Record(a_digest("pat")), refused("form"))
    assert list(await store.load("globex", [ours.subject])) == []
    theirs = await append_one(store, Record(a_digest("pat")), refused("import"), controller="globex")
    assert list(await store.load("acme", [ours.subject])) == [ours]
    assert list(await store.load("globex", [ours.subject])) == [theirs]
    assert [item.event for item in await whole_feed(store, "globex")] == [refused("import")]
    assert [page async for page in store.scan("globex")] == [[theirs]]
    assert list(await store.controllers()) == ["acme", "globex"]


async def test_a_scan_gives_every_record_once(store: Store) -> None:
    changes = [first_refusal(f"person {number}") for number in range(2_500)]
    await store.append("globex", [first_refusal("elsewhere")])
    await store.append("acme", changes, bulk=True)
    pages = [page async for page in store.scan("acme")]
    assert len(pages) > 1
    scanned = [record for page in pages for record in page]
    assert len(scanned) == 2_500
    assert by_subject(scanned) == {item.after.subject: item.after for item in changes}


bounced = Refused(NOW, None, RefusalReason.BOUNCED, EVERYTHING, "mailer")


async def test_columns_tell_of_every_record_what_a_scan_does(store: Store) -> None:
    events = (refused("import", NOW - 7), refused("form", NOW + 5), granted(), granted(NOW + 1, "other@1"), bounced)
    changes = [
        change(Record(a_digest(f"person {number}")), *events[number % 3 : number % 3 + number % 4 + 1])
        for number in range(120)
    ]
    await store.append("acme", [*changes, change(Record(a_digest("older", key=2)), refused())])
    pages = [page async for page in store.scan_columns("acme")]
    columns = [cell for page in pages for cell in zip(page.digests, page.like, [page] * len(page.like), strict=True)]
    told = {value: page.told[number] for value, number, page in columns}
    records = [record async for page in store.scan("acme") for record in page]
    assert len(columns) == len(told) == len(records) == 121
    for record in records:
        assert what_is_told(told[record.subject.value]) == what_is_told(record)


async def test_columns_of_an_unknown_controller_are_none(store: Store) -> None:
    assert [page async for page in store.scan_columns("nobody")] == []


def what_is_told(record: Record) -> Record:
    """A record without what its like may have of its own."""
    told = replace(record, subject=replace(record.subject, value=b""), version=0)
    if told != Record(told.subject, refusals=told.refusals):
        return told
    anywhere = [replace(refusal, source="", at=Moment(0, 0, is_stated=False)) for refusal in told.refusals]
    return replace(told, refusals=tuple(anywhere))


async def test_a_scan_of_an_unknown_controller_is_empty(store: Store) -> None:
    assert [page async for page in store.scan("nobody")] == []


async def test_a_record_appended_to_while_scanned_is_met_once(store: Store) -> None:
    changes = [first_refusal(f"person {number}") for number in range(2_500)]
    await store.append("acme", changes, bulk=True)
    met: list[Digest] = []
    async for page in store.scan("acme"):
        met += [record.subject for record in page]
        if len(met) < 2_500:
            await append_one(store, page[0], refused("import", NOW + 1))
    assert sorted(met, key=lambda subject: subject.value) == sorted(subjects_of(changes), key=lambda s: s.value)


async def test_records_are_counted_by_the_key_of_their_subject(store: Store) -> None:
    assert dict(await store.records_per_key()) == {}
    await store.append("acme", [change(Record(a_digest(name, key=1)), refused()) for name in ("pat", "kim")])
    await store.append("globex", [change(Record(a_digest("pat", key=2)), refused())])
    assert dict(await store.records_per_key()) == {1: 2, 2: 1}


async def test_a_second_connection_reads_and_continues_what_the_first_wrote(
    store: Store, open_again: Opener, keyring: Keyring
) -> None:
    other = open_again(keyring)
    try:
        first = await append_one(store, Record(a_digest("pat")), refused("form"))
        second = await append_one(other, first, refused("phone-call", NOW + 1))
        third = await append_one(store, second, refused("letter", NOW + 2))
        assert list(await other.load("acme", [first.subject])) == [third]
        assert [item.version for item in await whole_feed(other)] == [1, 2, 3]
        assert await store.heads("acme") == await other.heads("acme")
    finally:
        await other.close()


async def test_a_restart_keeps_everything(open_again: Opener, keyring: Keyring) -> None:
    store = open_again(keyring)
    await store.adopt_policy("acme", "{}", instead_of=None)
    record = await append_one(store, Record(a_digest("pat")), refused(), granted(NOW + 1))
    begun_ms = await store.first_import_ms("acme", b"list", NOW)
    heads, feed = await store.heads("acme"), await whole_feed(store)
    await store.close()
    store = open_again(keyring)
    assert list(await store.load("acme", [record.subject])) == [record]
    assert (await store.heads("acme"), await whole_feed(store)) == (heads, feed)
    assert await store.policy_in_force("acme") == "{}"
    assert await store.first_import_ms("acme", b"list", NOW + 1) == begun_ms
    assert (await store.audit("acme", [heads])).findings == ()
    await store.close()


async def test_a_closed_store_answers_nothing(open_again: Opener, keyring: Keyring) -> None:
    store = open_again(keyring)
    await append_one(store, Record(a_digest("pat")), refused())
    await store.close()
    await store.close()
    with pytest.raises(StoreError):
        await store.load("acme", [a_digest("pat")])
    with pytest.raises(StoreError):
        await append_one(store, Record(a_digest("kim")), refused())
