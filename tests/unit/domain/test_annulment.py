"""A person takes back a refusal of their own, on the page and within minutes; nothing else is taken back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from prefcenter.domain.events import EVERYTHING, Annulled, Event, Granted, Refused, Scope
from prefcenter.domain.record import (
    ANNULLED_WITHIN_MS,
    PAGE_SOURCE,
    Record,
    alike_among,
    fold,
    fold_all,
    may_be_annulled,
    written_by,
)
from prefcenter.domain.terms import RefusalReason
from tests.factories import EXACT, HOUR, MINUTE, NOW, OFFERS_BY_EMAIL, SUBJECT

OFFERS = Scope("offers")


def refused(scope: Scope = EVERYTHING, received_ms: int = NOW, source: str = PAGE_SOURCE) -> Refused:
    return Refused(received_ms, None, RefusalReason.OPTED_OUT, scope, source)


def granted(received_ms: int = NOW) -> Granted:
    return Granted(received_ms, None, EXACT, OFFERS_BY_EMAIL, "page@1", "double-opt-in", "person", None)


def taken_back(record: Record, version: int, received_ms: int = NOW, before: Record | None = None) -> Record:
    annulled = next((old for old in record.refusals if old.at.version == version), None)
    restores = None if annulled is None or before is None else alike_among(before.refusals, annulled)
    return fold(record, Annulled(received_ms, version, restores))


def record_of(*events: Event) -> Record:
    return fold_all(SUBJECT, events)


def test_a_refusal_that_was_taken_back_stands_no_more() -> None:
    assert taken_back(record_of(refused()), 1).refusals == ()


def test_only_the_version_that_is_named_is_taken_back() -> None:
    record = record_of(refused(EVERYTHING), refused(OFFERS))
    assert [refusal.scope for refusal in taken_back(record, 1).refusals] == [OFFERS]
    assert [refusal.scope for refusal in taken_back(record, 2).refusals] == [EVERYTHING]
    assert taken_back(record, 3).refusals == record.refusals


@pytest.mark.parametrize(("age_ms", "is_in_time"), [(0, True), (10 * MINUTE, True), (10 * MINUTE + 1, False)])
def test_it_can_be_taken_back_for_ten_minutes(age_ms: int, is_in_time: bool) -> None:
    record = record_of(refused())
    assert ANNULLED_WITHIN_MS == 10 * MINUTE
    assert may_be_annulled(record.refusals[0], NOW + age_ms) is is_in_time
    assert (taken_back(record, 1, NOW + age_ms).refusals == ()) is is_in_time


@pytest.mark.parametrize("reason", [reason for reason in RefusalReason if reason is not RefusalReason.OPTED_OUT])
def test_no_refusal_for_another_reason_is_taken_back(reason: RefusalReason) -> None:
    record = record_of(replace(refused(), reason=reason))
    assert taken_back(record, 1).refusals == record.refusals


def test_no_refusal_from_anywhere_but_the_page_is_taken_back() -> None:
    record = record_of(refused(source="one-click"))
    assert taken_back(record, 1).refusals == record.refusals


def test_no_refusal_with_a_stated_time_is_taken_back() -> None:
    record = record_of(replace(refused(), stated_ms=NOW))
    assert taken_back(record, 1).refusals == record.refusals


def test_what_the_refusal_had_taken_the_place_of_stands_again() -> None:
    before = record_of(refused(received_ms=NOW - HOUR, source="form"), granted(NOW - MINUTE))
    after = taken_back(fold(before, refused()), 3, before=before)
    assert after.refusals == before.refusals
    assert after.grants == before.grants


def test_a_consent_that_the_refusal_set_aside_is_in_force_again() -> None:
    before = record_of(granted(NOW - HOUR))
    assert replace(taken_back(fold(before, refused()), 2, before=before), version=1) == before


def test_one_that_was_refused_again_since_is_not_taken_back() -> None:
    record = record_of(refused(), refused(source="one-click"))
    assert taken_back(record, 1).refusals == record.refusals


def test_what_cannot_be_taken_back_is_not_written() -> None:
    record = record_of(refused(source="form"))
    assert written_by(record, Annulled(NOW, 1)) is None
    assert written_by(record_of(refused()), Annulled(NOW, 1)) is not None
