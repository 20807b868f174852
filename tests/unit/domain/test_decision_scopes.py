"""What a refusal covers: scopes against cells, administrative messages, data uses (DESIGN §2, Refusal and Reasons)."""

from __future__ import annotations

from itertools import product

import pytest

from prefcenter.domain.decision import Request, decide
from prefcenter.domain.events import EVERYTHING, Cell, Scope
from prefcenter.domain.record import Record
from prefcenter.domain.terms import AddressClass, Channel, PurposeClass, RefusalReason
from tests.factories import (
    DAY,
    HOUR,
    NOW,
    POLICY,
    a_grant,
    a_holder,
    a_record,
    a_refusal,
    a_request,
    a_request_for,
    live,
    stated,
)

BY_STRENGTH = "bounced on_registry manual opted_out complained erased minor restricted legal".split()
BUSINESS = AddressClass.BUSINESS
TRACKING = Cell(None, None, "tracking")


def reason(request: Request, *records: Record, now_ms: int = NOW) -> str:
    return decide(POLICY, records, request, now_ms).reason.value


SCOPES = {
    "everything": EVERYTHING,
    "the purpose": Scope("offers"),
    "the cell": Scope("offers", channel=Channel.EMAIL),
    "the class": Scope(purpose_class=PurposeClass.PROMOTIONAL),
    "the class on a channel": Scope(purpose_class=PurposeClass.PROMOTIONAL, channel=Channel.SMS),
    "the purpose in another class": Scope("offers", PurposeClass.INFORMATIONAL),
    "the channel": Scope(channel=Channel.SMS),
    "a succeeded purpose": Scope("old-tips"),
    "a cell of one": Scope("older-tips", channel=Channel.EMAIL),
    "a removed purpose": Scope("forgotten"),
    "the data use": Scope(data_use="profiling"),
}
CELLS = {
    "offers/email": Cell("offers", Channel.EMAIL),
    "offers/sms": Cell("offers", Channel.SMS),
    "tips/email": Cell("tips", Channel.EMAIL),
    "tips/sms": Cell("tips", Channel.SMS),
    "jobs/email": Cell("jobs", Channel.EMAIL),
    "jobs/sms": Cell("jobs", Channel.SMS),
    "service/sms": Cell("service", Channel.SMS),
    "profiling": Cell(None, None, "profiling"),
    "directory": Cell(None, None, "directory"),
}
# Which cells an opt-out of a scope closes.
CLOSED = {
    "everything": "offers/email offers/sms tips/email tips/sms jobs/email jobs/sms",
    "the purpose": "offers/email offers/sms",
    "the cell": "offers/email",
    "the class": "offers/email offers/sms tips/email tips/sms",
    "the class on a channel": "offers/sms tips/sms",
    "the purpose in another class": "",
    "the channel": "offers/sms tips/sms jobs/sms",
    "a succeeded purpose": "tips/email tips/sms",
    "a cell of one": "tips/email",
    "a removed purpose": "",
    "the data use": "profiling",
}


@pytest.mark.parametrize(("scope", "cell"), list(product(SCOPES, CELLS)))
def test_an_opt_out_closes_what_its_scope_covers(scope: str, cell: str) -> None:
    expected = "opted_out" if cell in CLOSED[scope].split() else "permitted"
    assert reason(a_request_for(CELLS[cell]), a_record([a_refusal(scope=SCOPES[scope])])) == expected


STOPPING_ADMINISTRATIVE = {"bounced", "erased", "minor", "restricted", "legal"}


@pytest.mark.parametrize("why", BY_STRENGTH)
@pytest.mark.parametrize("scope", [EVERYTHING, Scope("service"), Scope(channel=Channel.EMAIL)])
def test_five_reasons_stop_administrative_messages(why: str, scope: Scope) -> None:
    expected = why if why in STOPPING_ADMINISTRATIVE else "permitted"
    record = a_record([a_refusal(RefusalReason(why), scope)])
    assert reason(a_request("service"), record) == expected
    assert reason(a_request("service", Channel.SMS), record) == ("permitted" if scope.channel else expected)


def test_an_administrative_message_reports_the_strongest_of_the_reasons_that_stop_it() -> None:
    record = a_record([a_refusal(RefusalReason.BOUNCED), a_refusal(RefusalReason.COMPLAINED)])
    assert reason(a_request("service"), record) == "bounced"
    assert reason(a_request("offers"), record) == "complained"


@pytest.mark.parametrize(("held_since_ms", "expected"), [(NOW - 1, "erased"), (NOW, "erased"), (NOW + 1, "permitted")])
def test_an_erasure_stops_administrative_messages_until_a_later_contact(held_since_ms: int, expected: str) -> None:
    record = a_record([a_refusal(RefusalReason.ERASED, at=live(1))], holders=[a_holder(since_ms=held_since_ms)])
    assert reason(a_request("service"), record, now_ms=NOW + HOUR) == expected
    assert reason(a_request("offers"), record, now_ms=NOW + HOUR) == "erased"


@pytest.mark.parametrize("why", ["bounced", "minor", "restricted", "legal"])
def test_a_later_contact_opens_no_other_reason(why: str) -> None:
    record = a_record([a_refusal(RefusalReason(why), at=stated(NOW - DAY))], holders=[a_holder(BUSINESS)])
    assert reason(a_request("service"), record) == why


@pytest.mark.parametrize("why", BY_STRENGTH)
@pytest.mark.parametrize(
    "scope", [EVERYTHING, Scope(data_use="tracking"), Scope(channel=Channel.EMAIL), Scope("offers")]
)
def test_four_reasons_include_data_uses_in_everything(why: str, scope: Scope) -> None:
    stops_all = why in {"erased", "minor", "restricted", "legal"} and scope == EVERYTHING
    expected = why if stops_all or scope.data_use else "permitted"
    record = a_record([a_refusal(RefusalReason(why), scope)], [a_grant(TRACKING, stated(NOW - 60 * DAY))])
    if why == "on_registry":
        expected = "permitted"
    assert reason(a_request_for(TRACKING), record) == expected
