"""Builders of domain data for tests: every argument has a default that stands in nobody's way.

Times are UTC milliseconds around `NOW`; digests are made up, because only their equality matters to the domain.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b

from prefcenter.domain.address import RULES_VERSIONS, Address, Forms
from prefcenter.domain.contact import Holder
from prefcenter.domain.decision import Request
from prefcenter.domain.digest import DIGEST_BYTES, Digest, DigestKind
from prefcenter.domain.events import EVERYTHING, Cell, Moment, Refusal, Scope
from prefcenter.domain.policy import Cap, DataUse, Policy, Purpose, RefusalClause
from prefcenter.domain.record import Grant, Record, Withdrawal
from prefcenter.domain.terms import AddressClass, AddressKind, Basis, Channel, PurposeClass, RefusalReason

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
NOW = 1_795_000_000_000

MESSAGE_CHANNELS = (Channel.EMAIL, Channel.SMS, Channel.VOICE, Channel.POST)
REFUSAL_CLAUSES = {reason: RefusalClause(f"ACME-{reason.value}") for reason in RefusalReason}


def a_digest(name: str = "mailbox", kind: DigestKind = DigestKind.MAILBOX, key: int = 1) -> Digest:
    """A digest that is the same for the same name, kind and key, and differs otherwise."""
    value = blake2b(f"{key}/{name}".encode(), digest_size=DIGEST_BYTES, person=bytes((kind,))).digest()
    return Digest(kind, key, RULES_VERSIONS[0], value)


SUBJECT = a_digest()
EXACT = a_digest("exact", DigestKind.EXACT)
CONTACT = a_digest("contact", DigestKind.CONTACT)
OTHER_EXACT = a_digest("another exact form of the mailbox", DigestKind.EXACT)
OFFERS_BY_EMAIL = Cell("offers", Channel.EMAIL)


def live(version: int, time_ms: int = NOW) -> Moment:
    """An act that happened as it reached us."""
    return Moment(time_ms, version, is_stated=False)


def stated(time_ms: int, version: int = 1) -> Moment:
    """An act that says itself when it happened."""
    return Moment(time_ms, version, is_stated=True)


def a_refusal(
    reason: RefusalReason = RefusalReason.OPTED_OUT,
    scope: Scope = EVERYTHING,
    at: Moment | None = None,
    source: str = "form",
) -> Refusal:
    return Refusal(reason, scope, source, at or stated(NOW - 30 * DAY))


def a_grant(
    cell: Cell = OFFERS_BY_EMAIL, at: Moment | None = None, expires_ms: int | None = None, exact: Digest = EXACT
) -> Grant:
    return Grant(exact, cell, "wording-1", "form", "person", at or stated(NOW - DAY), expires_ms)


def a_record(
    refusals: Iterable[Refusal] = (),
    grants: Iterable[Grant] = (),
    withdrawals: Iterable[Withdrawal] = (),
    paused_until_ms: int | None = None,
    subject: Digest = SUBJECT,
    holders: Iterable[Holder] = (),
) -> Record:
    kept = tuple(refusals), tuple(grants), tuple(withdrawals)
    return Record(subject, 100, *kept, paused_until_ms, holders=tuple(holders))


def a_holder(address_class: AddressClass | None = None, since_ms: int = NOW, contact: Digest = CONTACT) -> Holder:
    return Holder(contact, address_class, since_ms)


def a_purpose(
    its_id: str = "offers",
    purpose_class: PurposeClass = PurposeClass.PROMOTIONAL,
    business: Basis = Basis.LEGITIMATE_INTERESTS,
    personal: Basis = Basis.CONSENT,
    audiences: Iterable[str] = ("client",),
    channels: Iterable[Channel] = MESSAGE_CHANNELS,
    succeeds: Iterable[str] = (),
    cap: Cap | None = None,
) -> Purpose:
    """By default marketing that a business may refuse and a person has to ask for."""
    return Purpose(
        its_id,
        its_id.capitalize(),
        purpose_class,
        frozenset(audiences),
        frozenset(channels),
        {AddressClass.BUSINESS: business, AddressClass.PERSONAL: personal},
        {AddressClass.BUSINESS: f"{its_id}-business", AddressClass.PERSONAL: f"{its_id}-personal"},
        frozenset(succeeds),
        cap,
    )


def a_data_use(its_id: str, basis: Basis | None, audiences: Iterable[str] = ()) -> DataUse:
    return DataUse(its_id, its_id.capitalize(), basis, frozenset(audiences), f"{its_id}-clause")


CONSENT, INTERESTS, CONTRACT = Basis.CONSENT, Basis.LEGITIMATE_INTERESTS, Basis.CONTRACT
PURPOSES = (
    a_purpose("offers"),
    a_purpose("tips", succeeds=("old-tips", "older-tips")),
    a_purpose("news", business=CONSENT, channels=[Channel.EMAIL], cap=Cap(2, 30, "news-cap")),
    a_purpose("surveys", PurposeClass.INFORMATIONAL),
    a_purpose("jobs", PurposeClass.RECRUITMENT, personal=INTERESTS),
    a_purpose("service", PurposeClass.ADMINISTRATIVE, CONTRACT, CONTRACT, audiences=["all"]),
)
DATA_USES = (
    a_data_use("profiling", INTERESTS),
    a_data_use("tracking", CONSENT),
    a_data_use("directory", INTERESTS, audiences=["alumni"]),
    a_data_use("sale", None, audiences=["alumni"]),
)


def a_policy(
    purposes: Iterable[Purpose] = PURPOSES,
    data_uses: Iterable[DataUse] = DATA_USES,
    refusal_clauses: Mapping[RefusalReason, RefusalClause] = REFUSAL_CLAUSES,
    unknown_class: AddressClass = AddressClass.PERSONAL,
    decision_ttl_hours: int = 24,
    bare_opt_out: str = "everything",
) -> Policy:
    return Policy(
        "acme",
        "Acme",
        "GB",
        unknown_class,
        decision_ttl_hours,
        bare_opt_out,
        tuple(purposes),
        tuple(data_uses),
        refusal_clauses,
        "0123456789abcdef",
    )


POLICY = a_policy()


def an_address(
    exact: str = "pat@acme.example",
    mailbox: str | None = None,
    domains: Iterable[str] = (),
    kind: AddressKind = AddressKind.EMAIL,
    may_be_business: bool = True,
) -> Address:
    forms = tuple(Forms(rules, exact, mailbox or exact, tuple(domains)) for rules in RULES_VERSIONS)
    return Address(kind, forms, "***", may_be_business)


ADDRESS = an_address()


def a_request(
    purpose: str | None = "offers",
    channel: Channel | None = Channel.EMAIL,
    data_use: str | None = None,
    address: Address | None = ADDRESS,
    address_class: AddressClass | None = AddressClass.BUSINESS,
    audience: str | None = None,
    sends_ms: Iterable[int] = (),
    exacts: Iterable[Digest] = (EXACT,),
) -> Request:
    """By default: may `offers` go to a business address by email?"""
    return Request(address, frozenset(exacts), purpose, channel, data_use, address_class, audience, tuple(sends_ms))


def a_request_for(cell: Cell, address_class: AddressClass = AddressClass.BUSINESS) -> Request:
    """The question of a cell, be it of messages or of a data use."""
    return a_request(cell.purpose, cell.channel, cell.data_use, address_class=address_class)
