"""The change feed: everything that happened, once and in order, for a reader that comes back whenever it likes."""

from __future__ import annotations

import asyncio
import base64
import shutil
from collections import defaultdict
from pathlib import Path

import msgspec
import pytest

from prefcenter.domain.errors import InvalidInput
from prefcenter.domain.events import EVERYTHING, Described, Granted, Held, Refused, Released
from prefcenter.domain.terms import Channel, RefusalReason
from prefcenter.security.seals import MAC_BYTES
from prefcenter.services.feed import PAGE_EVENTS_MAX, Feed, FeedEvent
from prefcenter.services.targets import ContactId
from tests.running_home import RunningHome
from tests.unit.services.asking import (
    BUSINESS,
    CONTROLLER,
    HOME,
    OFFICE,
    PHONE,
    a_consent,
    a_contact,
    recording_of,
    upsert,
)
from tests.unit.services.contested import contacts_on, overtaken_store

WRITERS, ACTS_EACH = 4, 15


def feed_of(home: RunningHome) -> Feed:
    return home.of(CONTROLLER).feed


async def read_on(feed: Feed, after: str | None, first: int) -> tuple[list[FeedEvent], str]:
    """Everything there is after a cursor, a page at a time, and where it ended."""
    events: list[FeedEvent] = []
    while True:
        page = await feed.page(after, first)
        events += page.events
        after = page.end_cursor
        if not page.has_more:
            return events, after


def whole(home: RunningHome, after: str | None = None, first: int = 7) -> list[FeedEvent]:
    return home.run(read_on(feed_of(home), after, first))[0]


def places(events: list[FeedEvent]) -> list[tuple[int, int]]:
    return [(event.partition, event.position) for event in events]


def test_the_feed_tells_what_happened_as_digests(home: RunningHome) -> None:
    home.run(recording_of(home).opt_out(BUSINESS, EVERYTHING, "page"))
    home.run(recording_of(home).record_consent(BUSINESS, a_consent()))
    refused, granted = whole(home)
    assert isinstance(refused.event, Refused)
    assert isinstance(granted.event, Granted)
    assert (refused.version, granted.version) == (1, 2)
    assert refused.subject_id == granted.subject_id
    assert refused.subject_id.startswith("mailbox-1-")
    assert "acme" not in repr((refused, granted))


def test_the_names_of_a_tools_own_addresses_are_those_of_the_feed(home: RunningHome) -> None:
    home.run(recording_of(home).opt_out(BUSINESS, EVERYTHING, "page"))
    ids = feed_of(home).subject_ids(["Pat+x@acme.example", "nobody", HOME], Channel.EMAIL)
    assert ids[0] == (whole(home)[0].subject_id,)
    assert ids[1] is None
    assert ids[2] != ids[0]


def test_after_a_rotation_an_address_has_both_names_the_newest_first(home: RunningHome) -> None:
    home.run(recording_of(home).opt_out(BUSINESS, EVERYTHING, "page"))
    home.rotate_keys()
    home.run(recording_of(home).opt_out(BUSINESS, EVERYTHING, "page"))
    (ids,) = feed_of(home).subject_ids([BUSINESS], Channel.EMAIL)
    assert ids is not None
    assert [text.rsplit("-", 1)[0] for text in ids] == ["mailbox-2", "mailbox-1"]
    assert {event.subject_id for event in whole(home)} == set(ids)


@pytest.mark.parametrize("first", [1, 2, 5, 1_000])
def test_a_reader_resumes_where_it_stopped_with_any_size_of_page(home: RunningHome, first: int) -> None:
    for number in range(12):
        home.run(recording_of(home).opt_out(f"person{number}@example.com", EVERYTHING, "page"))
    early, cursor = home.run(read_on(feed_of(home), None, first))
    home.reopen()
    for number in range(6, 18):
        home.run(recording_of(home).opt_out(f"person{number}@example.com", EVERYTHING, "page"))
    late = whole(home, cursor, first)
    assert (len(early), len(late)) == (12, 12)
    assert sorted(places(early + late)) == sorted(places(whole(home)))
    assert whole(home, early[4].cursor, first)[0] not in early[:5]


def test_every_event_is_a_place_to_resume_from(home: RunningHome) -> None:
    for number in range(10):
        home.run(recording_of(home).opt_out(f"person{number}@example.com", EVERYTHING, "page"))
    events = whole(home, first=4)
    for number, event in enumerate(events, 1):
        assert set(places(whole(home, event.cursor))) == set(places(events[number:]))


def test_the_cursor_after_nothing_is_the_one_that_came_in(home: RunningHome) -> None:
    home.run(recording_of(home).opt_out(BUSINESS, EVERYTHING, "page"))
    end = home.run(feed_of(home).end())
    page = home.run(feed_of(home).page(end, 10))
    assert (page.events, page.end_cursor, page.has_more) == ((), end, False)
    assert home.run(feed_of(home).page(None, 10)).end_cursor == end


def test_a_page_is_limited(home: RunningHome) -> None:
    async def many() -> None:
        acts = (
            recording_of(home).opt_out(f"person{number}@example.com", EVERYTHING, "page")
            for number in range(PAGE_EVENTS_MAX + 1)
        )
        await asyncio.gather(*acts)

    recording_of(home)
    home.run(many())
    page = home.run(feed_of(home).page(None, 10**9))
    assert (len(page.events), page.has_more) == (PAGE_EVENTS_MAX, True)


def test_a_reader_beside_writers_misses_nothing_and_sees_nothing_twice(home: RunningHome) -> None:
    feed, recording, contacts = feed_of(home), recording_of(home), home.of(CONTROLLER).contacts
    writing = WRITERS

    async def write(writer: int) -> None:
        nonlocal writing
        for number in range(ACTS_EACH):
            await recording.opt_out(f"person{number}@example.com", EVERYTHING, f"page-{writer}")
            await contacts.upsert(a_contact(f"p{number}@home.example", f"q{writer}@home.example"))
        writing -= 1

    async def read() -> list[FeedEvent]:
        seen: list[FeedEvent] = []
        cursor: str | None = None
        while writing:
            found, cursor = await read_on(feed, cursor, 3)
            seen += found
            await asyncio.sleep(0)
        return seen + (await read_on(feed, cursor, 3))[0]

    async def together() -> list[FeedEvent]:
        reading = asyncio.ensure_future(read())
        await asyncio.gather(*(write(number) for number in range(WRITERS)))
        return await reading

    seen = home.run(together())
    assert len(set(places(seen))) == len(seen)
    assert set(places(seen)) == set(places(whole(home)))
    versions: dict[str, list[int]] = defaultdict(list)
    for event in seen:
        versions[event.subject_id].append(event.version)
    assert all(found == list(range(1, len(found) + 1)) for found in versions.values())


def octets_of(cursor: str) -> bytes:
    return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))


def cursor_of(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


@pytest.mark.parametrize("cursor", ["", "0", "é", "====", "not a cursor", "AAAA", "x" * 10_000])
def test_a_cursor_that_the_feed_did_not_give_is_an_error(home: RunningHome, cursor: str) -> None:
    with pytest.raises(InvalidInput, match=r"^after: not a cursor"):
        home.run(feed_of(home).page(cursor, 10))


@pytest.mark.parametrize("positions", [[0] * 8, [5] + [0] * 7, [2**63] * 8, [-1] + [0] * 7, [0] * 7, "all"])
def test_a_cursor_that_was_put_together_by_hand_skips_nothing(home: RunningHome, positions: object) -> None:
    home.run(recording_of(home).opt_out(BUSINESS, EVERYTHING, "page"))
    mac = octets_of(home.run(feed_of(home).end()))[:MAC_BYTES]
    with pytest.raises(InvalidInput, match=r"^after: not a cursor"):
        home.run(feed_of(home).page(cursor_of(mac + msgspec.msgpack.encode(positions)), 10))


def test_a_cursor_with_one_bit_changed_is_none(home: RunningHome) -> None:
    home.run(recording_of(home).opt_out(BUSINESS, EVERYTHING, "page"))
    octets = octets_of(home.run(feed_of(home).end()))
    for place in range(len(octets)):
        changed = bytes(octet ^ (place == number) for number, octet in enumerate(octets))
        with pytest.raises(InvalidInput):
            home.run(feed_of(home).page(cursor_of(changed), 10))


def test_a_cursor_of_another_controller_is_none_of_ours(home: RunningHome) -> None:
    theirs = home.run(home.of("contact-center-1").feed.end())
    with pytest.raises(InvalidInput, match=r"^after: not a cursor"):
        home.run(feed_of(home).page(theirs, 10))


def test_a_cursor_outlives_a_rotation(home: RunningHome) -> None:
    home.run(recording_of(home).opt_out(BUSINESS, EVERYTHING, "page"))
    cursor = home.run(feed_of(home).end())
    home.rotate_keys()
    home.run(recording_of(home).opt_out(HOME, EVERYTHING, "page"))
    assert len(whole(home, cursor)) == 1


def test_a_reader_who_is_ahead_of_a_store_that_was_put_back_is_told_so(home: RunningHome, tmp_path: Path) -> None:
    with home.closed():
        shutil.copy(home.settings.home / "store.sqlite3", tmp_path)
    home.run(recording_of(home).opt_out(BUSINESS, EVERYTHING, "page"))
    cursor = home.run(feed_of(home).end())
    with home.closed():
        shutil.copy(tmp_path / "store.sqlite3", home.settings.home)
    feed = home.run(home.services.controller(CONTROLLER)).feed
    with pytest.raises(InvalidInput, match=r"^after: ahead of this store"):
        home.run(feed.page(cursor, 10))
    assert home.run(feed.page(None, 10)).events == ()


def test_a_cursor_holds_nothing_of_a_person(home: RunningHome) -> None:
    home.run(recording_of(home).opt_out(BUSINESS, EVERYTHING, "page"))
    cursor = home.run(feed_of(home).end())
    positions = msgspec.msgpack.decode(octets_of(cursor)[MAC_BYTES:])
    assert sorted(positions) == [0] * 7 + [1]


def test_events_of_contacts_carry_the_crms_own_id(home: RunningHome) -> None:
    upsert(home, HOME, OFFICE, contact_id="crm-7")
    upsert(home, HOME, contact_id="crm-7")
    home.run(recording_of(home).opt_out(ContactId("crm-7"), EVERYTHING, "page"))
    events = whole(home)
    named = {type(event.event) for event in events if event.contact_id == "crm-7"}
    assert named == {Held, Released, Described, Refused}
    refused = [event for event in events if isinstance(event.event, Refused)]
    assert sorted((event.subject_id.split("-")[0], event.contact_id) for event in refused) == [
        ("contact", "crm-7"),
        ("mailbox", None),
    ]


def test_an_erased_contact_has_no_id_and_its_events_no_body(home: RunningHome) -> None:
    upsert(home, HOME, contact_id="crm-7")
    upsert(home, HOME, OFFICE, contact_id="crm-8")
    home.run(recording_of(home).suppress(ContactId("crm-7"), RefusalReason.ERASED, EVERYTHING, "request"))
    events = whole(home)
    assert {event.contact_id for event in events} == {None, "crm-8"}
    bodies = [type(event.event).__name__ for event in events if event.contact_id is None]
    assert sorted(bodies) == ["Erased", "Erased", "NoneType", "NoneType", "NoneType"]


def test_ids_of_contacts_survive_a_rotation_of_keys(home: RunningHome) -> None:
    upsert(home, HOME, contact_id="crm-7")
    home.rotate_keys()
    upsert(home, HOME, OFFICE, contact_id="crm-7")
    assert {event.contact_id for event in whole(home)} == {"crm-7"}


def test_a_page_that_is_read_while_its_contact_is_rewritten_is_whole(home: RunningHome) -> None:
    upsert(home, HOME, contact_id="crm-7")
    store = overtaken_store(home)
    services = home.of(CONTROLLER)
    feed = Feed(services.policy, services.sealer, services.digester, store, services.cipher)
    rewrite = contacts_on(home, store).upsert
    store.overtakers = [lambda: rewrite(a_contact(OFFICE, contact_id="crm-7"))]
    page = home.run(feed.page(None, 10))
    home.run(store.close())
    assert {event.contact_id for event in page.events} == {"crm-7"}


def test_the_feed_of_one_controller_tells_nothing_of_another(home: RunningHome) -> None:
    home.run(recording_of(home, "contact-center-1").opt_out(BUSINESS, EVERYTHING, "page"))
    home.run(recording_of(home).opt_out(PHONE, EVERYTHING, "stop"))
    assert [event.subject_id.split("-")[0] for event in whole(home)] == ["phone"]
