"""Every reason against every way in which a refusal might be lifted, and the two rules of *later* (DESIGN §2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from prefcenter.domain.decision import decide
from prefcenter.domain.digest import Digest, DigestKind
from prefcenter.domain.events import (
    EVERYTHING,
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
from prefcenter.domain.record import Record, Withdrawal, erasure_survivors, fold, fold_all
from prefcenter.domain.terms import AddressClass, Channel, RefusalReason
from tests.factories import (
    EXACT,
    HOUR,
    NOW,
    OFFERS_BY_EMAIL,
    OTHER_EXACT,
    POLICY,
    SUBJECT,
    a_digest,
    a_grant,
    a_record,
    a_refusal,
    a_request,
    a_request_for,
    live,
    stated,
)

REASONS = "bounced on_registry manual opted_out complained erased minor restricted legal".split()
REFUSED_MS = NOW
RECEIVED_MS = NOW + HOUR
ASKED_MS = NOW + 2 * HOUR
BY_EMAIL = Scope(channel=Channel.EMAIL)
DEFAULT_SCOPE = {"bounced": BY_EMAIL, "on_registry": BY_EMAIL, "manual": Scope("offers")}


def refusal(reason: str, stated_ms: int | None = None, received_ms: int = REFUSED_MS) -> Event:
    """A refusal of its default scope; an erasure is an event of its own."""
    if reason == "erased":
        return Erased(received_ms, "request", ())
    scope = DEFAULT_SCOPE.get(reason, EVERYTHING)
    return Refused(received_ms, stated_ms, RefusalReason(reason), scope, "source")


def grant(
    stated_ms: int | None = None,
    expires_ms: int | None = None,
    exact: Digest = EXACT,
    cell: Cell = OFFERS_BY_EMAIL,
    received_ms: int = RECEIVED_MS,
) -> Granted:
    return Granted(received_ms, stated_ms, exact, cell, "wording", "form", "person", expires_ms)


def after(*events: Event) -> Callable[[str], Record]:
    """The record of a refusal and of what follows it."""
    return lambda reason: fold_all(SUBJECT, [refusal(reason), *events])


def before(event: Event) -> Callable[[str], Record]:
    return lambda reason: fold_all(SUBJECT, [event, refusal(reason)])


def refused_once_more(reason: str) -> Record:
    return fold_all(SUBJECT, [refusal(reason), grant(), refusal(reason, received_ms=RECEIVED_MS + 1)])


def erased_afterwards(reason: str) -> Record:
    record = after(grant())(reason)
    return fold(record, Erased(RECEIVED_MS + 1, "request", erasure_survivors(record)))


def lifted(reason: str, purpose: str | None = None, channel: Channel | None = None) -> Record:
    return fold(after()(reason), Lifted(RECEIVED_MS, RefusalReason(reason), "mistake", purpose, channel))


GONE_FOR_GOOD = Refused(RECEIVED_MS + 1, None, RefusalReason.BOUNCED, BY_EMAIL, "dsn", EXACT)
BOUNCE_LIFTED = Lifted(RECEIVED_MS + 2, RefusalReason.BOUNCED, "mistake")
OTHER_BOUNCE = replace(GONE_FOR_GOOD, ends_grants_of=OTHER_EXACT)

WAYS: dict[str, Callable[[str], Record]] = {
    "nothing": after(),
    "live grant, before": before(grant(received_ms=REFUSED_MS - HOUR)),
    "live grant, after, same ms": after(grant(received_ms=REFUSED_MS)),
    "live grant, after": after(grant()),
    "stated grant, 1 h before": after(grant(REFUSED_MS - HOUR)),
    "stated grant, same ms": after(grant(REFUSED_MS)),
    "stated grant, 60 s after": after(grant(REFUSED_MS + 60_000)),
    "stated grant, 60.001 s after": after(grant(REFUSED_MS + 60_001)),
    "later grant, expires 1 ms hence": after(grant(expires_ms=ASKED_MS + 1)),
    "later grant, expires now": after(grant(expires_ms=ASKED_MS)),
    "later grant, other channel": after(grant(cell=Cell("offers", Channel.SMS))),
    "later grant, other purpose": after(grant(cell=Cell("tips", Channel.EMAIL))),
    "later grant, data use": after(grant(cell=Cell(None, None, "profiling"))),
    "later grant, other exact": after(grant(exact=OTHER_EXACT)),
    "later grant, refused again": refused_once_more,
    "later grant, then erasure": erased_afterwards,
    "later grant, gone for good": after(grant(), GONE_FOR_GOOD, BOUNCE_LIFTED),
    "later grant, other exact gone": after(grant(), OTHER_BOUNCE, BOUNCE_LIFTED),
    "gone for good, grant after": after(GONE_FOR_GOOD, BOUNCE_LIFTED, grant(received_ms=RECEIVED_MS + 3)),
    "administrator's lift": lifted,
    "lift of the purpose": lambda reason: lifted(reason, purpose="offers"),
    "lift of another purpose": lambda reason: lifted(reason, purpose="tips"),
    "lift of the channel": lambda reason: lifted(reason, channel=Channel.EMAIL),
    "lift of another channel": lambda reason: lifted(reason, channel=Channel.SMS),
    "verified delivery": after(Delivered(RECEIVED_MS, Channel.EMAIL, "link")),
    "delivery, other channel": after(Delivered(RECEIVED_MS, Channel.SMS, "link")),
    "registry replaced": after(Delisted(RECEIVED_MS, "source")),
    "other registry replaced": after(Delisted(RECEIVED_MS, "another")),
    "pause ended": after(Paused(RECEIVED_MS, None)),
}

# A dot: the refusal stands. `open`: it is lifted or set aside. Any other word: that reason is reported instead.
TABLE = """
                                 bounced on_registry manual opted_out complained erased minor restricted legal
nothing                          .       .           .      .         .          .      .     .          .
live grant, before               .       open        .      .         .          .      .     .          .
live grant, after, same ms       .       open        .      open      open       open   .     .          .
live grant, after                .       open        .      open      open       open   .     .          .
stated grant, 1 h before         .       open        .      .         .          .      .     .          .
stated grant, same ms            .       open        .      .         .          .      .     .          .
stated grant, 60 s after         .       open        .      .         .          .      .     .          .
stated grant, 60.001 s after     .       open        .      open      open       open   .     .          .
later grant, expires 1 ms hence  .       open        .      open      open       open   .     .          .
later grant, expires now         .       .           .      .         .          .      .     .          .
later grant, other channel       .       .           .      .         .          .      .     .          .
later grant, other purpose       .       .           .      .         .          .      .     .          .
later grant, data use            .       .           .      .         .          .      .     .          .
later grant, other exact         .       .           .      .         .          .      .     .          .
later grant, refused again       .       open        .      .         .          .      .     .          .
later grant, then erasure        erased  erased      erased erased    erased     .      .     .          .
later grant, gone for good       open    .           .      .         .          .      .     .          .
later grant, other exact gone    open    open        .      open      open       open   .     .          .
gone for good, grant after       open    open        .      open      open       open   .     .          .
administrator's lift             open    .           open   .         .          .      open  open       open
lift of the purpose              .       .           open   .         .          .      .     .          .
lift of another purpose          .       .           .      .         .          .      .     .          .
lift of the channel              open    .           .      .         .          .      .     .          .
lift of another channel          .       .           .      .         .          .      .     .          .
verified delivery                open    .           .      .         .          .      .     .          .
delivery, other channel          .       .           .      .         .          .      .     .          .
registry replaced                .       open        .      .         .          .      .     .          .
other registry replaced          .       .           .      .         .          .      .     .          .
pause ended                      .       .           .      .         .          .      .     .          .
"""
WIDTH = 33


def cases() -> list[tuple[str, str, str]]:
    """One case for each cell of the table: way, reason, and what is reported."""
    heading, *rows = TABLE.strip("\n").splitlines()
    reported = {".": None, "open": "permitted"}
    return [
        (row[:WIDTH].strip(), reason, reported.get(word, word) or reason)
        for row in rows
        for reason, word in zip(heading.split(), row[WIDTH:].split(), strict=True)
    ]


def test_the_table_has_every_way_and_every_reason() -> None:
    assert {(way, reason) for way, reason, _ in cases()} == {(way, reason) for way in WAYS for reason in REASONS}
    assert [reason.value for reason in RefusalReason] == REASONS


@pytest.mark.parametrize(("way", "reason", "expected"), cases())
def test_each_reason_is_lifted_only_in_its_own_way(way: str, reason: str, expected: str) -> None:
    record = WAYS[way](reason)
    assert decide(POLICY, [record], a_request(), ASKED_MS).reason.value == expected


@pytest.mark.parametrize(("way", "reason", "expected"), cases())
def test_an_empty_record_beside_it_lifts_nothing(way: str, reason: str, expected: str) -> None:
    """The record of a domain, or one under a newer key, changes nothing by being there."""
    record, beside = WAYS[way](reason), a_record(subject=a_digest(key=2))
    for records in ([record, beside], [beside, record]):
        assert decide(POLICY, records, a_request(), ASKED_MS).reason.value == expected


def answers(*records: Record, address_class: AddressClass = AddressClass.PERSONAL, now_ms: int = ASKED_MS) -> list[str]:
    """The reasons for offers by email, offers by text message, and tips by email."""
    cells = (OFFERS_BY_EMAIL, Cell("offers", Channel.SMS), Cell("tips", Channel.EMAIL))
    requests = [a_request_for(cell, address_class) for cell in cells]
    return [decide(POLICY, records, request, now_ms).reason.value for request in requests]


def test_a_later_consent_reopens_only_its_cell_and_its_end_brings_the_refusal_back() -> None:
    record = after(grant(expires_ms=ASKED_MS))("opted_out")
    assert answers(record, now_ms=ASKED_MS - 1) == ["permitted", "opted_out", "opted_out"]
    assert answers(record, now_ms=ASKED_MS) == ["opted_out", "opted_out", "opted_out"]


def test_a_refusal_after_a_consent_closes_the_cell_again_and_a_third_consent_reopens_it() -> None:
    record = refused_once_more("opted_out")
    assert answers(record)[0] == "opted_out"
    assert answers(fold(record, grant(received_ms=RECEIVED_MS + 1)))[0] == "permitted"


def test_what_a_consent_sets_aside_leaves_the_other_reasons_standing() -> None:
    bounced_too = fold(after(grant())("opted_out"), refusal("bounced", received_ms=RECEIVED_MS + 1))
    assert answers(bounced_too)[0] == "bounced"
    assert answers(fold(bounced_too, BOUNCE_LIFTED))[0] == "permitted"


def test_a_stated_and_a_live_refusal_are_each_compared_by_their_own_rule() -> None:
    live_one = refusal("opted_out", received_ms=RECEIVED_MS)
    stated_one = refusal("opted_out", stated_ms=RECEIVED_MS - 60_000, received_ms=RECEIVED_MS)
    assert answers(fold_all(SUBJECT, [live_one, grant()]))[0] == "permitted"
    assert answers(fold_all(SUBJECT, [live_one, stated_one, grant()]))[0] == "opted_out"
    assert answers(fold_all(SUBJECT, [live_one, stated_one, grant(received_ms=RECEIVED_MS + 1)]))[0] == "permitted"


DATA_USE = Cell(None, None, "profiling")
DATA_USE_TABLE = {
    "bounced": ("permitted", "bounced"),
    "on_registry": ("permitted", "permitted"),
    "manual": ("permitted", "manual"),
    "opted_out": ("permitted", "permitted"),
    "complained": ("permitted", "permitted"),
    "erased": ("permitted", "permitted"),
    "minor": ("minor", "minor"),
    "restricted": ("restricted", "restricted"),
    "legal": ("legal", "legal"),
}


@pytest.mark.parametrize("reason", REASONS)
def test_a_later_consent_for_a_data_use_sets_aside_what_it_may(reason: str) -> None:
    consent = a_grant(DATA_USE, live(9))
    scopes = (EVERYTHING, Scope(data_use="profiling"))
    records = [a_record([a_refusal(RefusalReason(reason), scope, live(1))], [consent]) for scope in scopes]
    found = tuple(decide(POLICY, [each], a_request_for(DATA_USE), NOW).reason.value for each in records)
    assert found == DATA_USE_TABLE[reason]


# Two records of one address: the refusal is under the old key, the consent under the new one, or the other way round.
OLD, NEW = a_digest(key=1), a_digest(key=2)
EXACT_NEW = a_digest("exact", DigestKind.EXACT, key=2)
CROSS_RECORD_CASES = [
    ("live, a higher version at once", live(9), live(1), "opted_out"),
    ("live, 60 s later", live(9, NOW + 60_000), live(1), "opted_out"),
    ("live, 60.001 s later", live(1, NOW + 60_001), live(9), "permitted"),
    ("live, a higher version 1 h earlier", live(9, NOW - HOUR), live(1), "opted_out"),
    ("stated, 60 s later", stated(NOW + 60_000), stated(NOW), "opted_out"),
    ("stated, 60.001 s later", stated(NOW + 60_001), stated(NOW), "permitted"),
]


@pytest.mark.parametrize(
    ("given", "refused", "expected"),
    [case[1:] for case in CROSS_RECORD_CASES],
    ids=[case[0] for case in CROSS_RECORD_CASES],
)
@pytest.mark.parametrize(("holder", "exact"), [(OLD, EXACT), (NEW, EXACT_NEW)])
def test_between_records_of_two_keys_only_times_decide(
    given: Moment, refused: Moment, expected: str, holder: Digest, exact: Digest
) -> None:
    consenting = a_record(grants=[a_grant(at=given, exact=exact)], subject=holder)
    refusing = a_record([a_refusal(at=refused)], subject=NEW if holder == OLD else OLD)
    request = a_request(address_class=AddressClass.PERSONAL, exacts=[EXACT, EXACT_NEW])
    for records in ([consenting, refusing], [refusing, consenting]):
        assert decide(POLICY, records, request, ASKED_MS).reason.value == expected


@pytest.mark.parametrize(("given", "ended", "expected"), [case[1:] for case in CROSS_RECORD_CASES])
def test_between_records_of_two_keys_a_withdrawal_is_compared_likewise(
    given: Moment, ended: Moment, expected: str
) -> None:
    consenting = a_record(grants=[a_grant(at=given)], subject=OLD)
    ending = a_record(withdrawals=[Withdrawal(EXACT_NEW, ended)], subject=NEW)
    request = a_request(address_class=AddressClass.PERSONAL, exacts=[EXACT, EXACT_NEW])
    found = decide(POLICY, [consenting, ending], request, ASKED_MS).reason.value
    assert found == ("permitted" if expected == "permitted" else "no_consent")


def test_a_consent_under_the_old_key_opens_a_registry_entry_under_the_new_one() -> None:
    listed = a_record([a_refusal(RefusalReason.ON_REGISTRY, BY_EMAIL, live(5))], subject=NEW)
    consenting = a_record(grants=[a_grant(at=live(1, NOW - HOUR))], subject=OLD)
    sequences: Sequence[list[Record]] = ([listed, consenting], [consenting, listed])
    assert [answers(*records)[0] for records in sequences] == ["permitted", "permitted"]
    assert answers(listed)[0] == "on_registry"


def test_a_refusal_of_the_whole_domain_is_set_aside_by_a_consent_a_minute_later() -> None:
    whole_domain = a_record([a_refusal(at=live(7))], subject=a_digest("acme.example", DigestKind.DOMAIN))
    consents = [a_record(grants=[a_grant(at=live(8, NOW + gap))]) for gap in (0, 60_000, 60_001)]
    assert [answers(whole_domain, each)[0] for each in consents] == ["opted_out", "opted_out", "permitted"]
    assert answers(whole_domain, address_class=AddressClass.BUSINESS) == ["opted_out"] * 3
