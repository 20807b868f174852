"""Who holds an address, what a contact is, and consents that wait for the person: all of it beside the choices."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from prefcenter.domain.contact import Description, Holder, strictest_class
from prefcenter.domain.decision import decide, may_open_a_refusal
from prefcenter.domain.digest import DigestKind
from prefcenter.domain.events import (
    EVERYTHING,
    Cell,
    Described,
    Erased,
    Event,
    Granted,
    Held,
    Proposed,
    Refused,
    Released,
)
from prefcenter.domain.record import Record, erasure_survivors, fold, fold_all, written_by
from prefcenter.domain.terms import AddressClass, Channel, RefusalReason
from tests.factories import (
    CONTACT,
    DAY,
    EXACT,
    HOUR,
    NOW,
    OFFERS_BY_EMAIL,
    OTHER_EXACT,
    POLICY,
    SUBJECT,
    a_digest,
    a_request,
)

BUSINESS, PERSONAL = AddressClass.BUSINESS, AddressClass.PERSONAL
OTHER_CONTACT = a_digest("another contact", DigestKind.CONTACT)
OFFERS_BY_SMS = Cell("offers", Channel.SMS)


def proposed(given_ms: int | None = NOW - DAY, cell: Cell = OFFERS_BY_EMAIL) -> Proposed:
    return Proposed(NOW, given_ms, EXACT, cell, "wording-1", "form", "crm", None)


def granted(given_ms: int | None = NOW - DAY, cell: Cell = OFFERS_BY_EMAIL) -> Granted:
    return Granted(NOW, given_ms, EXACT, cell, "wording-1", "form", "person", None)


def opted_out(received_ms: int = NOW - HOUR) -> Refused:
    return Refused(received_ms, None, RefusalReason.OPTED_OUT, EVERYTHING, "form")


def folded(*events: Event) -> Record:
    return fold_all(SUBJECT, events)


def reason(record: Record, now_ms: int = NOW) -> str:
    return decide(POLICY, [record], a_request(), now_ms).reason.value


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ((), None),
        ((None,), None),
        ((BUSINESS,), BUSINESS),
        ((None, BUSINESS), BUSINESS),
        ((BUSINESS, PERSONAL), PERSONAL),
        ((PERSONAL, None), PERSONAL),
    ],
)
def test_the_class_of_an_address_is_personal_where_any_contact_says_so(
    said: Sequence[AddressClass | None], expected: AddressClass | None
) -> None:
    assert strictest_class(said) is expected


def test_an_address_is_held_since_the_first_time_whatever_class_is_said_later() -> None:
    record = folded(Held(NOW, CONTACT, None), Held(NOW, OTHER_CONTACT, None), Held(NOW + DAY, CONTACT, PERSONAL))
    assert record.holders == (Holder(CONTACT, PERSONAL, NOW), Holder(OTHER_CONTACT, None, NOW))


def test_a_contact_lets_go_of_an_address_and_leaves_its_refusals() -> None:
    record = folded(opted_out(), Held(NOW, CONTACT, BUSINESS), Held(NOW, OTHER_CONTACT, None), Released(NOW, CONTACT))
    assert [holder.contact for holder in record.holders] == [OTHER_CONTACT]
    assert reason(record) == "opted_out"


def test_the_same_holder_with_the_same_class_is_nothing_new() -> None:
    record = folded(Held(NOW, CONTACT, BUSINESS))
    assert written_by(record, Held(NOW + DAY, CONTACT, BUSINESS)) is None
    assert written_by(record, Released(NOW + DAY, OTHER_CONTACT)) is None


def test_a_description_replaces_the_last_one_and_carries_its_version() -> None:
    first, second = Described(NOW, ("client",), "crm", None, (SUBJECT,)), Described(NOW, (), "fair", "sales", ())
    assert folded(first, opted_out(), second).description == Description((), "fair", "sales", (), 3)


def test_a_proposed_consent_opens_nothing() -> None:
    record = folded(opted_out(), proposed(), proposed(NOW))
    assert reason(record) == "opted_out"
    assert [grant.at.time_ms for grant in record.pending] == [NOW]
    assert record.grants == ()


def test_a_consent_of_the_person_ends_the_wait_for_its_cell_only() -> None:
    record = folded(opted_out(), proposed(), proposed(cell=OFFERS_BY_SMS), granted(None))
    assert [grant.cell for grant in record.pending] == [OFFERS_BY_SMS]
    assert reason(record) == "permitted"


@pytest.mark.parametrize(
    ("ends_ms", "until_ms", "expected"),
    [
        (None, None, False),
        (None, NOW + DAY, False),
        (NOW + HOUR, None, True),
        (NOW + HOUR, NOW + HOUR + 1, True),
        (NOW + HOUR, NOW + HOUR, False),
        (NOW, None, True),
    ],
)
def test_a_refusal_will_stand_again_when_the_consent_that_sets_it_aside_ends(
    ends_ms: int | None, until_ms: int | None, expected: bool
) -> None:
    record = folded(opted_out(), Granted(NOW - 1, None, EXACT, OFFERS_BY_EMAIL, "wording-1", "form", "person", ends_ms))
    assert may_open_a_refusal(POLICY, [record], a_request(), NOW, until_ms) is expected


def test_no_refusal_stands_again_where_another_consent_goes_on() -> None:
    record = folded(
        opted_out(),
        Granted(NOW - 2, None, EXACT, OFFERS_BY_EMAIL, "wording-1", "form", "person", NOW + HOUR),
        Granted(NOW - 1, NOW - 1, EXACT, OFFERS_BY_EMAIL, "wording-2", "form", "person", None),
    )
    assert not may_open_a_refusal(POLICY, [record], a_request(), NOW, None)


def test_a_refusal_that_stands_may_be_opened_and_one_that_does_not_cover_the_cell_may_not() -> None:
    assert may_open_a_refusal(POLICY, [folded(opted_out())], a_request(), NOW, None)
    assert not may_open_a_refusal(POLICY, [folded(opted_out())], a_request("service"), NOW, None)
    assert not may_open_a_refusal(POLICY, [folded(opted_out())], a_request(address=None), NOW, None)


def test_a_proposal_of_another_address_of_the_mailbox_waits_beside_it() -> None:
    other = Proposed(NOW, NOW, OTHER_EXACT, OFFERS_BY_EMAIL, "wording-1", "form", "crm", None)
    assert [grant.exact for grant in folded(proposed(), other).pending] == [EXACT, OTHER_EXACT]


def test_the_same_proposal_again_is_a_no_op_while_it_waits_and_once_it_is_a_grant() -> None:
    assert written_by(folded(proposed()), proposed()) is None
    assert written_by(folded(granted()), proposed()) is None
    assert written_by(folded(proposed()), proposed(NOW - HOUR)) is not None
    assert written_by(folded(proposed()), granted()) is not None


def test_a_proposal_counts_for_the_latest_time_on_record() -> None:
    assert folded(proposed(NOW)).latest_ms == NOW


def test_an_erasure_leaves_no_holder_no_description_and_nothing_that_waits() -> None:
    record = folded(
        opted_out(), proposed(), Held(NOW, CONTACT, BUSINESS), Described(NOW, ("client",), "crm", None, (SUBJECT,))
    )
    erased = fold(record, Erased(NOW, "request", erasure_survivors(record)))
    assert (erased.pending, erased.holders, erased.description) == ((), (), None)
    assert reason(erased) == "erased"
