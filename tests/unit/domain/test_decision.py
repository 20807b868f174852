"""The decision table of DESIGN §2, a case for every row, and the order of its rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations, product

import pytest

from prefcenter.domain.decision import Decision, Request, check_failed, decide, standing_refusal
from prefcenter.domain.events import Cell, Moment, Refusal, Scope
from prefcenter.domain.policy import Cap, RefusalClause
from prefcenter.domain.record import Grant, Record
from prefcenter.domain.terms import AddressClass, Basis, Channel, PurposeClass, Reason, RefusalReason
from tests.factories import (
    CONSENT,
    CONTRACT,
    DAY,
    EXACT,
    HOUR,
    INTERESTS,
    NOW,
    OFFERS_BY_EMAIL,
    POLICY,
    PURPOSES,
    REFUSAL_CLAUSES,
    a_digest,
    a_grant,
    a_holder,
    a_policy,
    a_purpose,
    a_record,
    a_refusal,
    a_request,
    a_request_for,
    an_address,
    live,
    stated,
)

BUSINESS, PERSONAL = AddressClass.BUSINESS, AddressClass.PERSONAL
NEWS_BY_EMAIL = Cell("news", Channel.EMAIL)
TRACKING = Cell(None, None, "tracking")
CAP_WINDOW = 30 * DAY


def answer(request: Request, *records: Record, now_ms: int = NOW) -> tuple[str, Basis | None, str | None]:
    decision = decide(POLICY, records, request, now_ms)
    return decision.reason.value, decision.basis, decision.clause


def reason(request: Request, *records: Record, now_ms: int = NOW) -> str:
    return decide(POLICY, records, request, now_ms).reason.value


STEP_CASES = [
    ("1: text that is no address", a_request(address=None), [], ("invalid_address", None, None)),
    ("2: a purpose nobody knows", a_request("unheard-of"), [], ("unknown_purpose", None, None)),
    ("2: no purpose at all", a_request(None), [], ("unknown_purpose", None, None)),
    ("2: an empty purpose", a_request(""), [], ("unknown_purpose", None, None)),
    ("2: a removed purpose", a_request("old-tips"), [], ("unknown_purpose", None, None)),
    ("2: a data use nobody knows", a_request(data_use="unheard-of"), [], ("unknown_purpose", None, None)),
    ("2: a purpose is no data use", a_request(data_use="offers"), [], ("unknown_purpose", None, None)),
    ("2: a channel not offered", a_request("news", Channel.SMS), [], ("channel_not_offered", None, None)),
    ("2: no channel", a_request(channel=None), [], ("channel_not_offered", None, None)),
    ("2: an audience not covered", a_request(audience="alumni"), [], ("audience_not_covered", None, None)),
    (
        "2: an audience that a data use does not cover",
        a_request(data_use="directory", audience="client"),
        [],
        ("audience_not_covered", None, None),
    ),
    ("2: a prohibited use", a_request(data_use="sale"), [], ("prohibited", None, "sale-clause")),
    ("3: a refusal", a_request(), [a_refusal(RefusalReason.MANUAL)], ("manual", None, "ACME-manual")),
    (
        "3: a refusal of a data use",
        a_request(data_use="profiling"),
        [a_refusal(scope=Scope(data_use="profiling"))],
        ("opted_out", None, "ACME-opted_out"),
    ),
    ("4: administrative", a_request("service"), [], ("permitted", CONTRACT, "service-business")),
    (
        "4: administrative, to a person",
        a_request("service", address_class=None),
        [],
        ("permitted", CONTRACT, "service-personal"),
    ),
    ("6: no consent", a_request(address_class=PERSONAL), [], ("no_consent", None, "offers-personal")),
    ("6: no consent for a data use", a_request(data_use="tracking"), [], ("no_consent", None, "tracking-clause")),
    ("8: a business", a_request(), [], ("permitted", INTERESTS, "offers-business")),
    (
        "8: recruitment of a person",
        a_request("jobs", address_class=None),
        [],
        ("permitted", INTERESTS, "jobs-personal"),
    ),
    ("8: a covered audience", a_request(audience="client"), [], ("permitted", INTERESTS, "offers-business")),
    (
        "8: the audience of a purpose for all",
        a_request("service", audience="stranger"),
        [],
        ("permitted", CONTRACT, "service-business"),
    ),
    ("8: a data use that is on", a_request(data_use="profiling"), [], ("permitted", INTERESTS, "profiling-clause")),
    (
        "8: the audience of a data use",
        a_request(data_use="directory", audience="alumni"),
        [],
        ("permitted", INTERESTS, "directory-clause"),
    ),
]


@pytest.mark.parametrize(
    ("request_", "refusals", "expected"), [case[1:] for case in STEP_CASES], ids=[case[0] for case in STEP_CASES]
)
def test_each_step_of_the_table(
    request_: Request, refusals: list[Refusal], expected: tuple[str, Basis | None, str | None]
) -> None:
    assert answer(request_, a_record(refusals)) == expected


def test_a_decision_says_policy_version_time_and_validity() -> None:
    assert decide(POLICY, [], a_request(), NOW) == Decision(
        Reason.PERMITTED, INTERESTS, "offers-business", "0123456789abcdef", NOW, NOW + 24 * HOUR
    )
    assert decide(POLICY, [], a_request(), NOW).is_allowed
    assert not decide(POLICY, [], a_request(address=None), NOW).is_allowed


def test_an_error_on_the_way_refuses_and_holds_for_no_time() -> None:
    decision = check_failed("0123456789abcdef", NOW)
    assert decision == Decision(Reason.CHECK_FAILED, None, None, "0123456789abcdef", NOW, NOW)
    assert not decision.is_allowed


# Every way in which a request for `news` by email can fail, in the order of the steps.
FAULTS = (
    "invalid_address",
    "unknown_purpose",
    "channel_not_offered",
    "audience_not_covered",
    "manual",
    "paused",
    "no_consent",
    "frequency_cap",
)


def faulty(faults: Iterable[str]) -> tuple[Request, Record]:
    faults = set(faults)
    request = a_request(
        "unheard-of" if "unknown_purpose" in faults else "news",
        Channel.SMS if "channel_not_offered" in faults else Channel.EMAIL,
        address=None if "invalid_address" in faults else an_address(),
        audience="stranger" if "audience_not_covered" in faults else "client",
        sends_ms=[NOW - 1, NOW - 2] if "frequency_cap" in faults else [],
    )
    record = a_record(
        [a_refusal(RefusalReason.MANUAL)] if "manual" in faults else [],
        [] if "no_consent" in faults else [a_grant(NEWS_BY_EMAIL)],
        paused_until_ms=NOW + HOUR if "paused" in faults else None,
    )
    return request, record


def test_without_any_fault_it_is_permitted() -> None:
    assert answer(*faulty([])) == ("permitted", CONSENT, "news-business")


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_alone_refuses(fault: str) -> None:
    assert reason(*faulty([fault])) == fault


@pytest.mark.parametrize(("earlier", "later"), list(combinations(FAULTS, 2)))
def test_of_two_faults_the_earlier_step_answers(earlier: str, later: str) -> None:
    assert reason(*faulty([earlier, later])) == earlier


@pytest.mark.parametrize("first", range(len(FAULTS)))
def test_of_all_faults_from_a_step_on_that_step_answers(first: int) -> None:
    assert reason(*faulty(FAULTS[first:])) == FAULTS[first]


def test_the_steps_of_a_data_use_keep_their_order() -> None:
    stranger = a_request(data_use="sale", audience="client")
    everything = a_record([a_refusal(RefusalReason.LEGAL)], paused_until_ms=NOW + HOUR)
    assert reason(replace(stranger, address=None), everything) == "invalid_address"
    assert reason(stranger, everything) == "audience_not_covered"
    assert reason(replace(stranger, audience="alumni"), everything) == "prohibited"
    assert reason(replace(stranger, audience=None), everything) == "prohibited"
    assert reason(a_request(data_use="tracking"), everything) == "legal"


def test_a_refusal_answers_before_an_expired_consent_and_a_pause_before_both() -> None:
    expired = a_grant(expires_ms=NOW)
    request = a_request(address_class=PERSONAL)
    opted_out = a_refusal(RefusalReason.OPTED_OUT)
    assert reason(request, a_record([opted_out], [expired], paused_until_ms=NOW + 1)) == "opted_out"
    assert reason(request, a_record([], [expired], paused_until_ms=NOW + 1)) == "paused"
    assert reason(request, a_record([], [expired])) == "consent_expired"


@pytest.mark.parametrize("step", ["paused", "no_consent", "frequency_cap"])
def test_an_administrative_message_is_permitted_before_the_later_steps(step: str) -> None:
    cap = Cap(1, 30, "service-cap")
    basis = CONSENT if step == "no_consent" else CONTRACT
    policy = a_policy([a_purpose("service", PurposeClass.ADMINISTRATIVE, basis, basis, cap=cap)])
    record = a_record(paused_until_ms=NOW + HOUR if step == "paused" else None)
    request = a_request("service", sends_ms=[NOW] if step == "frequency_cap" else [])
    assert decide(policy, [record], request, NOW).is_allowed


# The table of reasons of DESIGN §2, weakest first.
BY_STRENGTH = "bounced on_registry manual opted_out complained erased minor restricted legal".split()


@pytest.mark.parametrize(("one", "other"), list(product(BY_STRENGTH, repeat=2)))
def test_the_strongest_of_two_reasons_is_reported(one: str, other: str) -> None:
    refusals = [a_refusal(RefusalReason(one)), a_refusal(RefusalReason(other), Scope("offers"))]
    strongest = max(one, other, key=BY_STRENGTH.index)
    expected = (strongest, None, f"ACME-{strongest}")
    assert answer(a_request(), a_record(refusals)) == expected
    assert answer(a_request(), a_record(reversed(refusals))) == expected
    assert answer(a_request(), a_record(refusals[:1]), a_record(refusals[1:])) == expected


def test_a_reason_may_cite_another_clause_for_a_class_or_none() -> None:
    by_class = RefusalClause("ACME-1", {PurposeClass.RECRUITMENT: "ACME-2"})
    policy = a_policy(refusal_clauses={**REFUSAL_CLAUSES, RefusalReason.OPTED_OUT: by_class})
    record = a_record([a_refusal(), a_refusal(scope=Scope(data_use="profiling"))])
    requests = [a_request("jobs"), a_request("offers"), a_request(data_use="profiling")]
    assert [decide(policy, [record], each, NOW).clause for each in requests] == ["ACME-2", "ACME-1", "ACME-1"]
    assert decide(a_policy(refusal_clauses={}), [record], a_request(), NOW).clause is None


def test_a_pause_leaves_data_uses_and_administrative_messages_alone() -> None:
    record = a_record(paused_until_ms=NOW + HOUR)
    assert reason(a_request(), record) == "paused"
    assert reason(a_request(data_use="profiling"), record) == "permitted"
    assert reason(a_request("service"), record) == "permitted"


@pytest.mark.parametrize(("until_ms", "expected"), [(NOW - 1, "permitted"), (NOW, "permitted"), (NOW + 1, "paused")])
def test_a_pause_ends_at_its_time(until_ms: int, expected: str) -> None:
    assert reason(a_request(), a_record(paused_until_ms=until_ms)) == expected
    assert reason(a_request(), a_record(), a_record(paused_until_ms=until_ms), a_record()) == expected


CONSENT_CASES = [
    ("given now", a_grant(at=live(1)), "permitted"),
    ("given a millisecond from now", a_grant(at=live(1, NOW + 1)), "no_consent"),
    ("expiring a millisecond from now", a_grant(expires_ms=NOW + 1), "permitted"),
    ("expiring now", a_grant(expires_ms=NOW), "consent_expired"),
    ("expired a millisecond ago", a_grant(expires_ms=NOW - 1), "consent_expired"),
    ("for another channel", a_grant(Cell("offers", Channel.SMS)), "no_consent"),
    ("for another purpose", a_grant(Cell("tips", Channel.EMAIL)), "no_consent"),
    ("for a data use", a_grant(TRACKING), "no_consent"),
    ("of another exact address", a_grant(exact=replace(EXACT, value=b"another")), "no_consent"),
    ("under another key", a_grant(exact=replace(EXACT, key=2)), "no_consent"),
]


@pytest.mark.parametrize(
    ("grant", "expected"), [case[1:] for case in CONSENT_CASES], ids=[case[0] for case in CONSENT_CASES]
)
def test_a_person_is_written_to_only_with_a_consent_in_force(grant: Grant, expected: str) -> None:
    assert reason(a_request(address_class=PERSONAL), a_record((), [grant])) == expected


def test_an_expired_consent_does_not_hide_one_in_force() -> None:
    grants = [a_grant(expires_ms=NOW), a_grant(expires_ms=NOW + 1)]
    request = a_request(address_class=PERSONAL)
    assert answer(request, a_record((), grants)) == ("permitted", CONSENT, "offers-personal")
    assert reason(request, a_record((), grants[:1]), a_record((), grants[1:])) == "permitted"
    assert reason(request, a_record((), reversed(grants))) == "permitted"


def test_a_consent_for_a_succeeded_purpose_is_none_for_its_successor() -> None:
    request = a_request("tips", address_class=PERSONAL)
    assert reason(request, a_record((), [a_grant(Cell("old-tips", Channel.EMAIL))])) == "no_consent"
    assert reason(request, a_record((), [a_grant(Cell("tips", Channel.EMAIL))])) == "permitted"


def test_a_data_use_by_consent_is_off_until_asked_for() -> None:
    request = a_request_for(TRACKING)
    assert answer(request, a_record((), [a_grant(TRACKING)])) == ("permitted", CONSENT, "tracking-clause")
    assert reason(request, a_record((), [a_grant(TRACKING, expires_ms=NOW)])) == "consent_expired"
    assert reason(request, a_record((), [a_grant(OFFERS_BY_EMAIL)])) == "no_consent"


CAP_CASES = [
    ("one of two in the window", [NOW - 1], "permitted"),
    ("two in the window", [NOW - CAP_WINDOW + 1, NOW], "frequency_cap"),
    ("the older one leaves the window", [NOW - CAP_WINDOW, NOW], "permitted"),
    ("one is yet to come", [NOW - 1, NOW + 1], "permitted"),
    ("more than two", [NOW - 1, NOW - 1, NOW - 1], "frequency_cap"),
]


@pytest.mark.parametrize(("sends", "expected"), [case[1:] for case in CAP_CASES], ids=[case[0] for case in CAP_CASES])
def test_a_cap_counts_the_sends_of_its_window(sends: list[int], expected: str) -> None:
    clause = "news-cap" if expected == "frequency_cap" else "news-business"
    record = a_record((), [a_grant(NEWS_BY_EMAIL)])
    result = answer(a_request("news", sends_ms=sends), record)
    assert (result[0], result[2]) == (expected, clause)


def test_a_purpose_without_a_cap_counts_nothing() -> None:
    assert reason(a_request(sends_ms=[NOW] * 50)) == "permitted"


CLASS_CASES = [
    # stated, the contact's, may be business, policy's unknown, expected
    (BUSINESS, None, True, PERSONAL, BUSINESS),
    (PERSONAL, None, True, BUSINESS, PERSONAL),
    (None, None, True, PERSONAL, PERSONAL),
    (None, None, True, BUSINESS, BUSINESS),
    (None, BUSINESS, True, PERSONAL, BUSINESS),
    (None, PERSONAL, True, BUSINESS, PERSONAL),
    (BUSINESS, PERSONAL, True, BUSINESS, PERSONAL),
    (BUSINESS, BUSINESS, True, PERSONAL, BUSINESS),
    (PERSONAL, BUSINESS, True, BUSINESS, PERSONAL),
    (PERSONAL, PERSONAL, True, BUSINESS, PERSONAL),
    (BUSINESS, None, False, BUSINESS, PERSONAL),
    (BUSINESS, BUSINESS, False, BUSINESS, PERSONAL),
    (None, BUSINESS, False, BUSINESS, PERSONAL),
    (None, None, False, BUSINESS, PERSONAL),
]


@pytest.mark.parametrize(("claimed", "on_contact", "may_be", "unknown", "expected"), CLASS_CASES)
def test_an_address_is_business_only_where_somebody_says_so_and_nobody_denies_it(
    claimed: AddressClass | None,
    on_contact: AddressClass | None,
    may_be: bool,
    unknown: AddressClass,
    expected: AddressClass,
) -> None:
    request = a_request(
        address=an_address(may_be_business=may_be),
        address_class=claimed,
    )
    record = a_record(holders=[a_holder(on_contact)])
    decision = decide(a_policy(unknown_class=unknown), [record], request, NOW)
    assert decision.clause == f"offers-{expected.value}"
    assert decision.is_allowed is (expected is BUSINESS)


def test_a_contact_without_a_class_leaves_the_request_its_own() -> None:
    for claimed in (BUSINESS, PERSONAL, None):
        bare = a_request(address_class=claimed)
        assert answer(bare) == answer(bare, a_record(holders=[a_holder(None)]))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ((BUSINESS, PERSONAL), PERSONAL),
        ((PERSONAL, None, BUSINESS), PERSONAL),
        ((None, BUSINESS), BUSINESS),
        ((None, None), PERSONAL),
    ],
)
def test_of_several_contacts_one_that_says_personal_is_enough(
    said: Sequence[AddressClass | None], expected: AddressClass
) -> None:
    holders = [a_holder(each, contact=a_digest(str(number))) for number, each in enumerate(said)]
    records = [a_record(holders=holders[:1]), a_record(holders=holders[1:], subject=a_digest(key=2))]
    assert decide(POLICY, records, a_request(address_class=None), NOW).clause == f"offers-{expected.value}"


def test_a_refusal_stands_whatever_else_would_decide() -> None:
    paused = a_record([a_refusal()], paused_until_ms=NOW + DAY)
    assert standing_refusal(POLICY, [paused], a_request(), NOW) is RefusalReason.OPTED_OUT
    assert standing_refusal(POLICY, [], a_request(), NOW) is None
    assert standing_refusal(POLICY, [paused], a_request(address=None), NOW) is None
    erased = a_record([a_refusal(RefusalReason.ERASED)])
    assert standing_refusal(POLICY, [erased], a_request(None, None, "tracking"), NOW) is RefusalReason.ERASED


def test_a_refusal_that_a_later_consent_set_aside_stands_no_more() -> None:
    record = a_record([a_refusal()], [a_grant()])
    assert standing_refusal(POLICY, [record], a_request(), NOW) is None
    assert standing_refusal(POLICY, [record], a_request(channel=Channel.SMS), NOW) is RefusalReason.OPTED_OUT


@pytest.mark.parametrize("at", [stated(NOW + DAY), live(9, NOW + DAY)])
def test_a_question_about_the_past_still_meets_every_refusal(at: Moment) -> None:
    assert reason(a_request(), a_record([a_refusal(at=at)])) == "opted_out"


def test_every_purpose_of_the_policy_is_answered_on_every_channel() -> None:
    for purpose, channel, claimed in product(PURPOSES, Channel, [BUSINESS, PERSONAL, None]):
        request = a_request(purpose.id, channel, address_class=claimed)
        assert (reason(request) == "channel_not_offered") is (channel not in purpose.channels)
