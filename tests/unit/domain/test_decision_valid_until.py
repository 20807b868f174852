"""Facts about `validUntil`: the first moment at which the clock alone changes the answer, at most the horizon."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefcenter.domain.decision import Decision, Request, decide
from prefcenter.domain.events import Cell, Granted, Paused
from prefcenter.domain.record import Record
from prefcenter.domain.terms import AddressClass, Channel, Reason, RefusalReason
from tests.factories import (
    DAY,
    HOUR,
    NOW,
    POLICY,
    a_grant,
    a_policy,
    a_record,
    a_refusal,
    a_request,
    a_request_for,
    live,
    stated,
)
from tests.unit.domain.random_logs import CELLS, OURS, Log, logs

HORIZON = NOW + 24 * HOUR
EDGE = NOW + HOUR
CAP_WINDOW = 30 * DAY
NEWS = Cell("news", Channel.EMAIL)
PERSONAL = a_request(address_class=AddressClass.PERSONAL)
BUSINESS = a_request()
OPTED_OUT = a_refusal(at=stated(NOW - 2 * DAY))
LISTED = a_refusal(RefusalReason.ON_REGISTRY)


def capped(*sends_ms: int) -> Request:
    return a_request("news", sends_ms=sends_ms)


EDGE_CASES = [
    ("a pause ends", BUSINESS, a_record(paused_until_ms=EDGE), "paused", "permitted"),
    ("a consent expires", PERSONAL, a_record((), [a_grant(expires_ms=EDGE)]), "permitted", "consent_expired"),
    ("a consent begins", PERSONAL, a_record((), [a_grant(at=live(1, EDGE))]), "no_consent", "permitted"),
    ("a refusal is back", BUSINESS, a_record([OPTED_OUT], [a_grant(expires_ms=EDGE)]), "permitted", "opted_out"),
    ("a registry is back", BUSINESS, a_record([LISTED], [a_grant(expires_ms=EDGE)]), "permitted", "on_registry"),
    (
        "a stronger refusal hides the edge of a weaker one",
        BUSINESS,
        a_record([LISTED, OPTED_OUT], [a_grant(expires_ms=EDGE, at=stated(NOW - 9 * DAY))]),
        "opted_out",
        "opted_out",
    ),
    (
        "a send leaves the window",
        capped(EDGE - CAP_WINDOW, NOW),
        a_record((), [a_grant(NEWS)]),
        "frequency_cap",
        "permitted",
    ),
    ("a send enters the window", capped(NOW, EDGE), a_record((), [a_grant(NEWS)]), "permitted", "frequency_cap"),
    (
        "the first of two changes",
        PERSONAL,
        a_record((), [a_grant(expires_ms=EDGE + 1)], paused_until_ms=EDGE),
        "paused",
        "permitted",
    ),
    (
        "an edge that changes nothing is passed over",
        PERSONAL,
        a_record((), [a_grant(expires_ms=EDGE), a_grant(expires_ms=NOW + 1, at=stated(NOW - HOUR))]),
        "permitted",
        "consent_expired",
    ),
    (
        "a data use by consent",
        a_request(data_use="tracking"),
        a_record((), [a_grant(Cell(None, None, "tracking"), expires_ms=EDGE)]),
        "permitted",
        "consent_expired",
    ),
]


@pytest.mark.parametrize(
    ("request_", "record", "first", "then"), [case[1:] for case in EDGE_CASES], ids=[case[0] for case in EDGE_CASES]
)
def test_each_edge_is_where_the_answer_changes(request_: Request, record: Record, first: str, then: str) -> None:
    decision = decide(POLICY, [record], request_, NOW)
    assert decision.reason.value == first
    assert decision.valid_until_ms == (EDGE if first != then else HORIZON)
    assert decide(POLICY, [record], request_, EDGE - 1).reason.value == first
    assert decide(POLICY, [record], request_, EDGE).reason.value == then


QUIET_CASES = [
    ("nothing on record", BUSINESS, a_record()),
    ("a pause that is over", BUSINESS, a_record(paused_until_ms=NOW)),
    ("a pause of messages it does not stop", a_request("service"), a_record(paused_until_ms=EDGE)),
    ("a pause under a refusal", BUSINESS, a_record([OPTED_OUT], paused_until_ms=EDGE)),
    ("a consent that is not needed", BUSINESS, a_record((), [a_grant(expires_ms=EDGE)])),
    ("a consent for another cell", PERSONAL, a_record((), [a_grant(Cell("tips", Channel.EMAIL), expires_ms=EDGE)])),
    ("a consent that expired", PERSONAL, a_record((), [a_grant(expires_ms=NOW)])),
    ("an address that does not parse", a_request(address=None), a_record(paused_until_ms=EDGE)),
    ("an unknown purpose", a_request("unheard-of"), a_record(paused_until_ms=EDGE)),
    ("a consent that ends at the horizon", PERSONAL, a_record((), [a_grant(expires_ms=HORIZON)])),
    ("a consent that ends after it", PERSONAL, a_record((), [a_grant(expires_ms=HORIZON + 1)])),
]


@pytest.mark.parametrize(
    ("request_", "record"), [case[1:] for case in QUIET_CASES], ids=[case[0] for case in QUIET_CASES]
)
def test_without_an_edge_an_answer_holds_to_the_horizon(request_: Request, record: Record) -> None:
    assert decide(POLICY, [record], request_, NOW).valid_until_ms == HORIZON


@pytest.mark.parametrize("hours", [1, 6, 24])
def test_the_policy_sets_the_horizon(hours: int) -> None:
    policy = a_policy(decision_ttl_hours=hours)
    assert decide(policy, [], BUSINESS, NOW).valid_until_ms == NOW + hours * HOUR


@st.composite
def requests(draw: st.DrawFn, log: Log) -> Request:
    """A question of any cell; a capped one with sends around the edges of its window."""
    received = log.received_ms
    around = (received - CAP_WINDOW, received - CAP_WINDOW + HOUR, received - 1, received, received + HOUR)
    sends = draw(st.lists(st.sampled_from(around).flatmap(lambda time: st.integers(time - 1, time + 1)), max_size=4))
    cell = draw(st.sampled_from((*CELLS, NEWS)))
    request = a_request_for(cell, draw(st.sampled_from(tuple(AddressClass))))
    return replace(request, exacts=frozenset(OURS), sends_ms=tuple(sends))


def moments(log: Log, request: Request) -> Iterator[int]:
    """Every time that stands anywhere in the log or the request."""
    for act in log.acts:
        yield from (act.event.received_ms, act.happened_ms)
        if isinstance(act.event, Granted):
            yield act.event.expires_ms or 0
        if isinstance(act.event, Paused):
            yield act.event.until_ms or 0
    for sent in request.sends_ms:
        yield from (sent, sent + CAP_WINDOW)


def said(decision: Decision) -> tuple[Reason, object, object]:
    return decision.reason, decision.basis, decision.clause


@given(logs(), st.data())
def test_an_answer_holds_exactly_until_it_says(log: Log, data: st.DataObject) -> None:
    request = data.draw(requests(log))
    times = {time + near for time in moments(log, request) for near in (-1, 0, 1)}
    now_ms = data.draw(st.sampled_from(sorted(time for time in times if time >= log.received_ms - HOUR)))
    decision = decide(POLICY, log.records, request, now_ms)
    end = decision.valid_until_ms
    assert now_ms < end <= now_ms + 24 * HOUR
    for time in [now_ms, end - 1, *(time for time in times if now_ms <= time < end)]:
        assert said(decide(POLICY, log.records, request, time)) == said(decision)
    if end < now_ms + 24 * HOUR:
        assert said(decide(POLICY, log.records, request, end)) != said(decision)
