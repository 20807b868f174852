"""Facts about the record of one mailbox: what each event does to it, and what it need not keep."""

from __future__ import annotations

from dataclasses import replace

import pytest

from prefcenter.domain.digest import Digest
from prefcenter.domain.events import (
    EVERYTHING,
    Annulled,
    Cell,
    Delisted,
    Delivered,
    Erased,
    Event,
    Granted,
    Lifted,
    Moment,
    Paused,
    Refused,
    Scope,
)
from prefcenter.domain.record import Record, erasure_survivors, fold, fold_all, is_later, written_by
from prefcenter.domain.terms import Channel, PurposeClass, RefusalReason
from tests.factories import EXACT, HOUR, NOW, OFFERS_BY_EMAIL, OTHER_EXACT, SECOND, SUBJECT, live, stated

BY_EMAIL = Scope(channel=Channel.EMAIL)


def refused(
    reason: RefusalReason = RefusalReason.OPTED_OUT,
    stated_ms: int | None = None,
    scope: Scope = EVERYTHING,
    source: str = "form",
    ends: Digest | None = None,
    received_ms: int = NOW,
) -> Refused:
    return Refused(received_ms, stated_ms, reason, scope, source, ends)


def granted(
    stated_ms: int | None = None,
    expires_ms: int | None = None,
    exact: Digest = EXACT,
    cell: Cell = OFFERS_BY_EMAIL,
    wording: str = "wording-1",
    received_ms: int = NOW,
) -> Granted:
    return Granted(received_ms, stated_ms, exact, cell, wording, "form", "person", expires_ms)


def record_of(*events: Event) -> Record:
    return fold_all(SUBJECT, events)


def reasons_of(record: Record) -> list[str]:
    return [refusal.reason.value for refusal in record.refusals]


def refusal_times(record: Record) -> list[int]:
    return [refusal.at.time_ms for refusal in record.refusals]


def wordings_of(record: Record) -> set[str]:
    return {grant.wording for grant in record.grants}


LATER_CASES = [
    ("both live: the higher version is later", live(2, NOW), live(1, NOW), True, True),
    ("both live: even where a clock was set back", live(2, NOW - HOUR), live(1, NOW), True, True),
    ("both live: the lower version is not", live(1, NOW + HOUR), live(2, NOW), True, False),
    ("both live: the same version is not", live(1, NOW), live(1, NOW), True, False),
    ("a stated grant, 60.001 s after", stated(NOW + 60_001), live(9, NOW), True, True),
    ("a stated grant, 60 s after", stated(NOW + 60_000), live(1, NOW), True, False),
    ("a stated grant of a higher version, 59.999 s after", stated(NOW + 59_999, 9), live(1, NOW), True, False),
    ("a stated refusal, 60.001 s before", live(1, NOW), stated(NOW - 60_001, 9), True, True),
    ("a stated refusal, 60 s before", live(9, NOW), stated(NOW - 60_000, 1), True, False),
    ("both stated, 60.001 s apart", stated(NOW + 60_001, 1), stated(NOW, 9), True, True),
    ("both stated, 60 s apart", stated(NOW + 60_000, 9), stated(NOW, 1), True, False),
    ("both stated at once", stated(NOW, 9), stated(NOW, 1), True, False),
    ("two records share no versions: at once", live(9, NOW), live(1, NOW), False, False),
    ("two records: 60 s apart", live(9, NOW + 60_000), live(1, NOW), False, False),
    ("two records: 60.001 s apart, whatever the versions", live(1, NOW + 60_001), live(9, NOW), False, True),
    ("two records: earlier", live(9, NOW - HOUR), live(1, NOW), False, False),
]


@pytest.mark.parametrize(
    ("grant", "refusal", "same_record", "expected"),
    [case[1:] for case in LATER_CASES],
    ids=[case[0] for case in LATER_CASES],
)
def test_which_act_is_later(grant: Moment, refusal: Moment, same_record: bool, expected: bool) -> None:
    assert is_later(grant, refusal, same_record=same_record) is expected


def test_a_record_begins_empty() -> None:
    assert record_of() == Record(SUBJECT, 0, (), (), (), None)
    assert record_of().latest_ms == 0


EVENTS: list[Event] = [
    refused(),
    refused(ends=EXACT),
    granted(),
    Lifted(NOW, RefusalReason.MANUAL, "mistake"),
    Delivered(NOW, Channel.EMAIL, "link"),
    Delisted(NOW, "registry"),
    Delisted(NOW, "registry", Scope(channel=Channel.EMAIL), NOW - HOUR),
    Annulled(NOW, 1),
    Paused(NOW, NOW + HOUR),
    Erased(NOW, "request", ()),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_every_event_takes_one_version_and_keeps_the_subject(event: Event) -> None:
    for before in (record_of(), record_of(refused(), granted(), Paused(NOW, None))):
        after = fold(before, event)
        assert (after.subject, after.version) == (before.subject, before.version + 1)


def test_a_live_act_carries_its_receipt_and_a_stated_one_its_own_time() -> None:
    record = record_of(refused(), refused(stated_ms=NOW - HOUR), granted(), granted(stated_ms=NOW - HOUR))
    assert [refusal.at for refusal in record.refusals] == [live(1), stated(NOW - HOUR, 2)]
    assert [grant.at for grant in record.grants] == [live(3), stated(NOW - HOUR, 4)]


def test_a_stated_time_after_the_receipt_counts_as_the_receipt() -> None:
    record = record_of(refused(stated_ms=NOW + HOUR), granted(stated_ms=NOW + 1))
    assert record.refusals[0].at == stated(NOW, 1)
    assert record.grants[0].at == stated(NOW, 2)


def test_a_refusal_keeps_reason_scope_and_source() -> None:
    scope = Scope("offers", PurposeClass.PROMOTIONAL, Channel.SMS, None)
    (refusal,) = record_of(refused(RefusalReason.COMPLAINED, scope=scope, source="feedback-loop")).refusals
    assert (refusal.reason, refusal.scope, refusal.source) == (RefusalReason.COMPLAINED, scope, "feedback-loop")


def test_a_grant_keeps_its_evidence() -> None:
    (grant,) = record_of(granted(expires_ms=NOW + HOUR)).grants
    assert (grant.exact, grant.cell, grant.expires_ms) == (EXACT, OFFERS_BY_EMAIL, NOW + HOUR)
    assert (grant.wording, grant.method, grant.actor) == ("wording-1", "form", "person")


def test_refusals_of_other_reasons_scopes_and_kinds_of_time_stand_side_by_side() -> None:
    record = record_of(
        refused(),
        refused(stated_ms=NOW),
        refused(RefusalReason.MANUAL),
        refused(scope=BY_EMAIL),
        refused(source="link"),
    )
    assert reasons_of(record) == ["opted_out", "manual", "opted_out", "opted_out"]
    assert [refusal.at.version for refusal in record.refusals] == [2, 3, 4, 5]


def test_a_newer_live_refusal_replaces_the_one_alike() -> None:
    record = record_of(refused(), refused(received_ms=NOW + SECOND, source="link"))
    assert [(refusal.at, refusal.source) for refusal in record.refusals] == [(live(2, NOW + SECOND), "link")]


@pytest.mark.parametrize(("second", "kept"), [(NOW - 1, NOW), (NOW, NOW), (NOW + 1, NOW + 1)])
def test_of_stated_refusals_alike_the_newest_is_kept(second: int, kept: int) -> None:
    later = NOW + HOUR
    record = record_of(refused(stated_ms=NOW, received_ms=later), refused(stated_ms=second, received_ms=later))
    assert refusal_times(record) == [kept]


def test_the_same_stated_refusal_again_changes_nothing() -> None:
    once = record_of(refused(stated_ms=NOW - HOUR))
    again = fold(once, refused(stated_ms=NOW - HOUR, source="second-file"))
    assert again.has_same_choices(once)
    assert again != once
    assert not fold(once, refused(stated_ms=NOW)).has_same_choices(once)
    assert not fold(once, Paused(NOW, NOW + HOUR)).has_same_choices(once)


def test_each_registry_keeps_a_refusal_of_its_own() -> None:
    listed = [refused(RefusalReason.ON_REGISTRY, scope=BY_EMAIL, source=name) for name in ("tps", "ctps", "tps")]
    assert [refusal.source for refusal in record_of(*listed).refusals] == ["ctps", "tps"]
    assert [refusal.source for refusal in record_of(*listed, Delisted(NOW, "tps")).refusals] == ["ctps"]
    assert [refusal.source for refusal in record_of(*listed, Delisted(NOW, "other")).refusals] == ["ctps", "tps"]


VOICE, SMS = Channel.VOICE, Channel.SMS


@pytest.mark.parametrize(
    ("replaced", "named", "is_lifted"),
    [
        (EVERYTHING, Scope(channel=VOICE), True),
        (Scope(channel=VOICE), Scope(channel=VOICE), True),
        (Scope(channel=VOICE), Scope("offers", channel=VOICE), True),
        (Scope(channel=VOICE), Scope(channel=SMS), False),
        (Scope("offers", channel=VOICE), Scope("offers", channel=VOICE), True),
        (Scope("offers", channel=VOICE), Scope("tips", channel=VOICE), False),
        (Scope("offers", channel=VOICE), Scope(channel=VOICE), False),
        (Scope(None, PurposeClass.PROMOTIONAL, VOICE), Scope(channel=VOICE), False),
        (Scope(data_use="profiling", channel=VOICE), Scope(channel=VOICE), False),
    ],
)
def test_a_replaced_registry_lifts_only_what_its_list_speaks_of(replaced: Scope, named: Scope, is_lifted: bool) -> None:
    record = record_of(refused(RefusalReason.ON_REGISTRY, scope=named, source="tps"), Delisted(NOW, "tps", replaced))
    assert (record.refusals == ()) is is_lifted


@pytest.mark.parametrize(("list_ms", "is_lifted"), [(NOW - 1, False), (NOW, True), (NOW + 1, True)])
def test_a_replaced_registry_lifts_nothing_that_its_list_is_older_than(list_ms: int, is_lifted: bool) -> None:
    listed = refused(RefusalReason.ON_REGISTRY, scope=BY_EMAIL, source="tps", stated_ms=NOW, received_ms=NOW + HOUR)
    record = record_of(listed, Delisted(NOW + HOUR, "tps", BY_EMAIL, list_ms))
    assert (record.refusals == ()) is is_lifted


def test_a_replaced_registry_lifts_no_other_reason_of_the_same_source() -> None:
    record = record_of(refused(RefusalReason.MANUAL, source="tps"), Delisted(NOW, "tps"))
    assert reasons_of(record) == ["manual"]


LONG, SHORT = NOW + 9 * HOUR, NOW + HOUR
GRANT_CASES = [
    ("the same again", granted(NOW, LONG), granted(NOW, LONG, wording="new"), {"wording-1"}),
    ("newer and longer", granted(NOW, SHORT), granted(NOW + 1, LONG, wording="new"), {"new"}),
    ("newer, just as long", granted(NOW, LONG), granted(NOW + 1, LONG, wording="new"), {"new"}),
    ("newer without an end", granted(NOW, LONG), granted(NOW + 1, None, wording="new"), {"new"}),
    ("newer, 1 ms shorter", granted(NOW, LONG), granted(NOW + 1, LONG - 1, wording="new"), {"wording-1", "new"}),
    ("newer with an end", granted(NOW, None), granted(NOW + 1, LONG, wording="new"), {"wording-1", "new"}),
    ("older and shorter", granted(NOW, LONG), granted(NOW - 1, SHORT, wording="new"), {"wording-1"}),
    ("older, just as long", granted(NOW, LONG), granted(NOW - 1, LONG, wording="new"), {"wording-1"}),
    ("older and longer", granted(NOW, SHORT), granted(NOW - 1, LONG, wording="new"), {"wording-1", "new"}),
    ("older without an end", granted(NOW, SHORT), granted(NOW - 1, None, wording="new"), {"wording-1", "new"}),
    ("of another exact address", granted(NOW), granted(NOW, None, OTHER_EXACT, wording="new"), {"wording-1", "new"}),
    (
        "for another cell",
        granted(NOW),
        granted(NOW, cell=Cell("offers", Channel.SMS), wording="new"),
        {"wording-1", "new"},
    ),
    ("live after stated", granted(NOW), granted(None, wording="new"), {"wording-1", "new"}),
    ("live after live", granted(None), granted(None, wording="new"), {"new"}),
    ("live and shorter after live", granted(None), granted(None, LONG, wording="new"), {"wording-1", "new"}),
    (
        "live after live, the clock set back",
        granted(None),
        granted(None, wording="new", received_ms=NOW - 1),
        {"wording-1", "new"},
    ),
]


@pytest.mark.parametrize(
    ("first", "second", "kept"), [case[1:] for case in GRANT_CASES], ids=[case[0] for case in GRANT_CASES]
)
def test_a_grant_goes_only_where_another_opens_as_much_for_as_long(
    first: Granted, second: Granted, kept: set[str]
) -> None:
    received = NOW + HOUR
    events = [replace(event, received_ms=received) if event.stated_ms else event for event in (first, second)]
    assert wordings_of(record_of(*events)) == kept


def test_a_permanent_bounce_ends_the_grants_of_its_exact_address_only() -> None:
    record = record_of(refused(RefusalReason.BOUNCED, scope=BY_EMAIL, ends=EXACT))
    assert [(withdrawal.exact, withdrawal.at) for withdrawal in record.withdrawals] == [(EXACT, live(1))]
    assert record_of(refused(RefusalReason.BOUNCED, scope=BY_EMAIL)).withdrawals == ()


@pytest.mark.parametrize(
    ("second", "kept"),
    [
        (refused(ends=EXACT, stated_ms=NOW - 1), [stated(NOW, 1)]),
        (refused(ends=EXACT, stated_ms=NOW, scope=BY_EMAIL), [stated(NOW, 1)]),
        (refused(ends=EXACT, stated_ms=NOW + 1, received_ms=NOW + 1), [stated(NOW + 1, 2)]),
        (refused(ends=EXACT), [stated(NOW, 1), live(2)]),
        (refused(ends=OTHER_EXACT, stated_ms=NOW), [stated(NOW, 1), stated(NOW, 2)]),
    ],
)
def test_of_withdrawals_alike_the_newest_is_kept(second: Refused, kept: list[Moment]) -> None:
    record = record_of(refused(ends=EXACT, stated_ms=NOW), second)
    assert [withdrawal.at for withdrawal in record.withdrawals] == kept


def test_the_newest_of_several_withdrawals_replaces_only_its_like() -> None:
    record = record_of(
        refused(ends=OTHER_EXACT), refused(ends=EXACT), refused(ends=EXACT, stated_ms=NOW), refused(ends=EXACT)
    )
    assert [(w.exact, w.at.version) for w in record.withdrawals] == [(OTHER_EXACT, 1), (EXACT, 3), (EXACT, 4)]


EVERY_REASON = [refused(reason, scope=BY_EMAIL) for reason in RefusalReason]


@pytest.mark.parametrize("reason", list(RefusalReason))
def test_an_administrator_lifts_five_reasons_and_no_more(reason: RefusalReason) -> None:
    lifted = {"bounced", "manual", "minor", "restricted", "legal"} & {reason.value}
    left = record_of(*EVERY_REASON, Lifted(NOW, reason, "mistake"))
    assert set(reasons_of(left)) == {other.value for other in RefusalReason} - lifted


@pytest.mark.parametrize(
    ("scope", "lift", "left"),
    [
        (EVERYTHING, Lifted(NOW, RefusalReason.MANUAL, "c"), []),
        (EVERYTHING, Lifted(NOW, RefusalReason.MANUAL, "c", purpose="offers"), ["manual"]),
        (EVERYTHING, Lifted(NOW, RefusalReason.MANUAL, "c", channel=Channel.EMAIL), ["manual"]),
        (Scope("offers"), Lifted(NOW, RefusalReason.MANUAL, "c", purpose="offers"), []),
        (Scope("offers"), Lifted(NOW, RefusalReason.MANUAL, "c", purpose="news"), ["manual"]),
        (BY_EMAIL, Lifted(NOW, RefusalReason.MANUAL, "c", channel=Channel.EMAIL), []),
        (BY_EMAIL, Lifted(NOW, RefusalReason.MANUAL, "c", channel=Channel.SMS), ["manual"]),
        (BY_EMAIL, Lifted(NOW, RefusalReason.MANUAL, "c", "offers", Channel.EMAIL), ["manual"]),
        (Scope("offers", channel=Channel.SMS), Lifted(NOW, RefusalReason.MANUAL, "c", "offers", Channel.SMS), []),
        (BY_EMAIL, Lifted(NOW, RefusalReason.LEGAL, "c"), ["manual"]),
    ],
)
def test_a_purpose_or_a_channel_narrows_a_lift(scope: Scope, lift: Lifted, left: list[str]) -> None:
    assert reasons_of(record_of(refused(RefusalReason.MANUAL, scope=scope), lift)) == left


def test_a_verified_delivery_ends_bounces_on_its_channel_and_nothing_else() -> None:
    delivered = Delivered(NOW, Channel.EMAIL, "link")
    by_sms = refused(RefusalReason.BOUNCED, scope=Scope(channel=Channel.SMS))
    left = record_of(*EVERY_REASON, by_sms, refused(RefusalReason.BOUNCED), delivered)
    bounces = [refusal.scope for refusal in left.refusals if refusal.reason is RefusalReason.BOUNCED]
    assert bounces == [Scope(channel=Channel.SMS), EVERYTHING]
    assert set(reasons_of(left)) == {reason.value for reason in RefusalReason}


def test_a_verified_delivery_revives_no_grant() -> None:
    gone = refused(RefusalReason.BOUNCED, scope=BY_EMAIL, ends=EXACT)
    record = record_of(granted(), gone, Delivered(NOW, Channel.EMAIL, "link"))
    assert (record.refusals, len(record.withdrawals)) == ((), 1)


def test_a_pause_is_replaced_by_the_next_and_ended_by_none() -> None:
    assert record_of(Paused(NOW, NOW + HOUR)).paused_until_ms == NOW + HOUR
    assert record_of(Paused(NOW, NOW + HOUR), Paused(NOW, NOW + SECOND)).paused_until_ms == NOW + SECOND
    assert record_of(Paused(NOW, NOW + HOUR), Paused(NOW, None)).paused_until_ms is None


def test_an_erasure_leaves_its_own_refusal_and_what_only_an_administrator_lifts() -> None:
    before = record_of(*EVERY_REASON, refused(ends=EXACT), granted(), Paused(NOW, NOW + HOUR))
    survivors = erasure_survivors(before)
    after = fold(before, Erased(NOW + SECOND, "request", survivors))
    assert reasons_of(after) == ["bounced", "manual", "minor", "restricted", "legal", "erased"]
    erased = after.refusals[-1]
    assert (erased.scope, erased.source, erased.at) == (EVERYTHING, "request", live(after.version, NOW + SECOND))
    assert (after.grants, after.withdrawals, after.paused_until_ms) == ((), (), None)


def test_a_second_erasure_replaces_the_first() -> None:
    once = record_of(Erased(NOW, "request", ()))
    twice = fold(once, Erased(NOW + SECOND, "request", erasure_survivors(once)))
    assert [(refusal.reason, refusal.at.version) for refusal in twice.refusals] == [(RefusalReason.ERASED, 2)]


def test_the_latest_time_is_that_of_any_act_on_record() -> None:
    early, late = NOW - HOUR, NOW - SECOND
    assert record_of(refused(stated_ms=late), granted(early)).latest_ms == late
    assert record_of(refused(stated_ms=early), granted(late)).latest_ms == late
    record = record_of(refused(RefusalReason.BOUNCED, stated_ms=late, ends=EXACT))
    assert replace(record, refusals=()).latest_ms == late


def test_only_a_scope_that_names_nothing_is_everything() -> None:
    assert Scope().is_everything
    named = [Scope("offers"), Scope(None, PurposeClass.PROMOTIONAL), BY_EMAIL, Scope(data_use="profiling")]
    assert not any(scope.is_everything for scope in named)


def test_the_same_grant_again_writes_nothing_whatever_end_it_names() -> None:
    record = record_of(granted(stated_ms=NOW - HOUR, expires_ms=NOW + HOUR))
    assert written_by(record, granted(stated_ms=NOW - HOUR, expires_ms=NOW + 2 * HOUR)) is None


@pytest.mark.parametrize(
    "another",
    [
        granted(stated_ms=NOW - HOUR + 1),
        granted(stated_ms=NOW - HOUR, wording="wording-2"),
        granted(stated_ms=NOW - HOUR, exact=OTHER_EXACT),
        granted(stated_ms=NOW - HOUR, cell=Cell(None, None, "profiling")),
        granted(),
    ],
    ids=["time", "wording", "address", "cell", "live"],
)
def test_a_grant_that_differs_in_any_part_is_another_one(another: Granted) -> None:
    record = record_of(granted(stated_ms=NOW - HOUR, expires_ms=NOW + HOUR))
    assert written_by(record, another) == fold(record, another)


def test_a_live_grant_is_never_the_same_as_another() -> None:
    record = record_of(granted(expires_ms=NOW + HOUR))
    assert written_by(record, granted(stated_ms=NOW)) is not None


def test_an_event_that_changes_no_choice_writes_nothing() -> None:
    record = record_of(refused(stated_ms=NOW))
    assert written_by(record, refused(stated_ms=NOW - HOUR)) is None
