"""Who is refused anything, page by page: every record with a refusal once, and nobody who is refused nothing."""

from __future__ import annotations

import pytest

from prefcenter.domain.digest import DigestKind
from prefcenter.domain.errors import InvalidInput
from prefcenter.domain.events import EVERYTHING
from prefcenter.domain.terms import AddressKind, RefusalReason
from prefcenter.services import suppressions
from prefcenter.services.importing import RefusalRow
from prefcenter.services.suppressions import Suppression, SuppressionPage
from tests.factories import DAY, NOW
from tests.running_home import RunningHome
from tests.unit.services.asking import (
    BUSINESS,
    CONTROLLER,
    HOME,
    OFFICE,
    PHONE,
    a_consent,
    importing_of,
    recording_of,
    upsert,
)


def page(home: RunningHome, after: str | None = None, first: int = 100) -> SuppressionPage:
    return home.run(home.of(CONTROLLER).suppressions.page(after, first))


def all_of(home: RunningHome, first: int) -> list[Suppression]:
    found: list[Suppression] = []
    after: str | None = None
    while True:
        part = page(home, after, first)
        found += part.entries
        after = part.end_cursor
        if not part.has_more:
            return found


def refuse(home: RunningHome, *addresses: str) -> None:
    rows = [RefusalRow(address, NOW) for address in addresses]
    importing = importing_of(home)
    home.run(importing.refuse(rows, RefusalReason.OPTED_OUT, EVERYTHING, "list", AddressKind.EMAIL))


def test_nobody_is_suppressed_at_first(home: RunningHome) -> None:
    assert page(home) == SuppressionPage((), None, has_more=False)


def test_only_records_with_a_refusal_are_listed(home: RunningHome) -> None:
    recording = recording_of(home)
    home.run(recording.record_consent(HOME, a_consent()))
    home.run(recording.pause(OFFICE, NOW + DAY))
    home.run(recording.opt_out(PHONE, EVERYTHING, "stop"))
    home.run(recording.suppress("@acme.example", RefusalReason.MANUAL, EVERYTHING, "desk"))
    home.run(recording.suppress(BUSINESS, RefusalReason.MANUAL, EVERYTHING, "desk"))
    home.run(recording.lift(BUSINESS, RefusalReason.MANUAL, "by-mistake"))
    assert [entry.kind for entry in page(home).entries] == [DigestKind.PHONE, DigestKind.DOMAIN]


def test_an_entry_names_the_refusals_the_pause_and_what_the_feed_calls_it(home: RunningHome) -> None:
    home.run(recording_of(home).opt_out(HOME, EVERYTHING, "page"))
    home.run(recording_of(home).pause(HOME, NOW + DAY))
    (entry,) = page(home).entries
    assert [(item.reason, item.source) for item in entry.refusals] == [(RefusalReason.OPTED_OUT, "page")]
    assert entry.paused_until_ms == NOW + DAY
    assert entry.subject_id == home.run(home.of(CONTROLLER).feed.page(None, 1)).events[0].subject_id


def test_contacts_are_nobody_that_is_written_to(home: RunningHome) -> None:
    upsert(home, HOME)
    home.run(recording_of(home).opt_out(HOME, EVERYTHING, "page"))
    assert [entry.kind for entry in page(home).entries] == [DigestKind.MAILBOX]


def test_the_mark_of_vendors_hashes_is_nobody(home: RunningHome) -> None:
    rows = [RefusalRow("0" * 32, NOW)]
    importing, kind = importing_of(home), AddressKind.EMAIL
    outcomes = importing.refuse(rows, RefusalReason.MANUAL, EVERYTHING, "list", kind, DigestKind.MD5)
    assert len(home.run(outcomes)) == 1
    assert [entry.kind for entry in page(home).entries] == [DigestKind.MD5]


@pytest.mark.parametrize("first", [1, 2, 3, 7, 100])
def test_each_is_listed_once_with_any_size_of_page(home: RunningHome, first: int) -> None:
    refuse(home, *(f"person{number}@example.com" for number in range(9)))
    home.run(recording_of(home).record_consent(HOME, a_consent()))
    found = all_of(home, first)
    assert len({entry.subject_id for entry in found}) == len(found) == 9


def test_there_is_more_exactly_where_there_is(home: RunningHome) -> None:
    refuse(home, "person1@example.com", "person2@example.com")
    home.run(recording_of(home).record_consent(HOME, a_consent()))
    assert page(home, first=1).has_more
    assert not page(home, first=2).has_more


def test_whoever_is_refused_later_comes_after_the_cursor(home: RunningHome) -> None:
    refuse(home, "person1@example.com")
    first = page(home)
    refuse(home, "person2@example.com")
    (entry,) = page(home, first.end_cursor).entries
    assert page(home, first.entries[0].cursor).entries == (entry,)
    assert page(home, entry.cursor) == SuppressionPage((), entry.cursor, has_more=False)


def test_pages_of_the_store_are_no_borders(home: RunningHome) -> None:
    count = suppressions.STORE_PAGE_RECORDS + 3
    refuse(home, *(f"person{number}@example.com" for number in range(count)))
    assert len(all_of(home, suppressions.PAGE_ENTRIES_MAX)) == count
    assert len(page(home, first=10**9).entries) == suppressions.PAGE_ENTRIES_MAX


@pytest.mark.parametrize("cursor", ["", "x", "1", ".", ".-1", "1.x", "x.1", ".1234567", "1.²", "1.1.1"])
def test_a_cursor_that_no_page_gave_is_an_error(home: RunningHome, cursor: str) -> None:
    with pytest.raises(InvalidInput):
        page(home, cursor)
