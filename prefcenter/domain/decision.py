"""The one answer: may this be sent, and why (DESIGN §2, Decision). Every path asks `decide`; nothing else decides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from prefcenter.domain.address import Address, classify
from prefcenter.domain.contact import Holder, strictest_class
from prefcenter.domain.digest import Digest
from prefcenter.domain.events import Cell, Refusal, Scope
from prefcenter.domain.policy import Cap, DataUse, Policy, Purpose
from prefcenter.domain.record import Grant, Record, is_later, sets_aside
from prefcenter.domain.terms import STRENGTH, AddressClass, Basis, Channel, Reason, RefusalReason
from prefcenter.domain.time import MS_PER_DAY, MS_PER_HOUR

STOPS_ADMINISTRATIVE = frozenset(
    {
        RefusalReason.BOUNCED,
        RefusalReason.ERASED,
        RefusalReason.MINOR,
        RefusalReason.RESTRICTED,
        RefusalReason.LEGAL,
    }
)
STOPS_DATA_USES = frozenset({RefusalReason.ERASED, RefusalReason.MINOR, RefusalReason.RESTRICTED, RefusalReason.LEGAL})
"""Reasons whose "everything" includes data uses; a bare opt-out leaves those alone."""


@dataclass(frozen=True, slots=True)
class Request:
    """One question. `address` is None where the text did not parse; `sends_ms` are recorded sends of this purpose."""

    address: Address | None
    exacts: frozenset[Digest]
    purpose: str | None
    channel: Channel | None
    data_use: str | None = None
    address_class: AddressClass | None = None
    audience: str | None = None
    sends_ms: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer. Permitted: reason `permitted` and a basis; refused: no basis. Times in UTC milliseconds."""

    reason: Reason
    basis: Basis | None
    clause: str | None
    policy_version: str
    decided_at_ms: int
    valid_until_ms: int

    @property
    def is_allowed(self) -> bool:
        return self.reason is Reason.PERMITTED


@dataclass(frozen=True, slots=True)
class _Answer:
    reason: Reason
    clause: str | None = None
    basis: Basis | None = None


@dataclass(frozen=True, slots=True)
class _Question:
    """A request whose cell the policy knows, with the records and the time that answer it.

    `holders` are the contacts that hold the address, as its records say.
    """

    policy: Policy
    records: Sequence[Record]
    request: Request
    address: Address
    cell: Cell
    purpose: Purpose | None
    now_ms: int

    @property
    def holders(self) -> Sequence[Holder]:
        return [holder for record in self.records for holder in record.holders]


def decide(policy: Policy, records: Sequence[Record], request: Request, now_ms: int) -> Decision:
    """Answer one request. Total and pure; `records` are all that any look-up of the address found."""
    answer = _answer(policy, records, request, now_ms)
    horizon = now_ms + policy.decision_ttl_hours * MS_PER_HOUR
    edges = sorted(edge for edge in _clock_edges(policy, records, request) if now_ms < edge < horizon)
    changes = (edge for edge in edges if _answer(policy, records, request, edge) != answer)
    return Decision(answer.reason, answer.basis, answer.clause, policy.version, now_ms, next(changes, horizon))


def standing_refusal(policy: Policy, records: Sequence[Record], request: Request, now_ms: int) -> RefusalReason | None:
    """The strongest refusal that stands for the cell of a request, whatever else would decide it; None for none."""
    if request.address is None:
        return None
    cell = Cell(request.purpose, request.channel, request.data_use)
    purpose = policy.purpose_by_id.get(request.purpose or "")
    answer = _refused_by_record(_Question(policy, records, request, request.address, cell, purpose, now_ms))
    return None if answer is None else RefusalReason(answer.reason.value)


def may_open_a_refusal(
    policy: Policy, records: Sequence[Record], request: Request, now_ms: int, until_ms: int | None
) -> bool:
    """Whether a refusal stands for the cell of a request, or will stand again before a time; None: at any time.

    One is back when the consent that sets it aside ends, unless another consent is in force by then.
    """
    ends = [grant.expires_ms for record in records for grant in record.grants if grant.expires_ms is not None]
    moments = [now_ms, *(end for end in ends if now_ms < end and (until_ms is None or end < until_ms))]
    return any(standing_refusal(policy, records, request, moment) is not None for moment in moments)


def check_failed(policy_version: str, now_ms: int) -> Decision:
    """The answer when there is none: an error on the way refuses, and holds for no time at all."""
    return Decision(Reason.CHECK_FAILED, None, None, policy_version, now_ms, now_ms)


def _answer(policy: Policy, records: Sequence[Record], request: Request, now_ms: int) -> _Answer:
    """The decision table of DESIGN §2, in its order."""
    address = request.address
    if address is None:
        return _Answer(Reason.INVALID_ADDRESS)
    if request.data_use is not None:
        data_use = policy.data_use_by_id.get(request.data_use)
        if data_use is None:
            return _Answer(Reason.UNKNOWN_PURPOSE)
        cell = Cell(None, None, data_use.id)
        return _answer_data_use(_Question(policy, records, request, address, cell, None, now_ms), data_use)
    purpose = policy.purpose_by_id.get(request.purpose or "")
    if purpose is None:
        return _Answer(Reason.UNKNOWN_PURPOSE)
    if request.channel not in purpose.channels:
        return _Answer(Reason.CHANNEL_NOT_OFFERED)
    if request.audience is not None and not purpose.covers_audience(request.audience):
        return _Answer(Reason.AUDIENCE_NOT_COVERED)
    cell = Cell(purpose.id, request.channel)
    return _answer_message(_Question(policy, records, request, address, cell, purpose, now_ms), purpose)


def _answer_data_use(question: _Question, data_use: DataUse) -> _Answer:
    audience = question.request.audience
    if audience is not None and not data_use.covers_audience(audience):
        return _Answer(Reason.AUDIENCE_NOT_COVERED)
    if data_use.basis is None:
        return _Answer(Reason.PROHIBITED, data_use.clause)
    refused = _refused_by_record(question)
    if refused is None and data_use.basis is Basis.CONSENT:
        refused = _lacks_consent(question, data_use.clause)
    return refused or _Answer(Reason.PERMITTED, data_use.clause, data_use.basis)


def _answer_message(question: _Question, purpose: Purpose) -> _Answer:
    refused = _refused_by_record(question)
    if refused is not None:
        return refused
    address_class = _class_of(question)
    basis, clause = purpose.basis[address_class], purpose.clause[address_class]
    if purpose.is_administrative:
        return _Answer(Reason.PERMITTED, clause, basis)
    if any(question.now_ms < (record.paused_until_ms or 0) for record in question.records):
        return _Answer(Reason.PAUSED)
    if basis is Basis.CONSENT:
        missing = _lacks_consent(question, clause)
        if missing is not None:
            return missing
    if purpose.cap is not None and _is_reached(purpose.cap, question):
        return _Answer(Reason.FREQUENCY_CAP, purpose.cap.clause)
    return _Answer(Reason.PERMITTED, clause, basis)


def _class_of(question: _Question) -> AddressClass:
    stated = question.request.address_class
    held_as = strictest_class(holder.address_class for holder in question.holders)
    if held_as is AddressClass.PERSONAL or stated is None:
        stated = held_as
    return classify(question.address, stated, unknown=question.policy.unknown_class)


def _refused_by_record(question: _Question) -> _Answer | None:
    """The strongest refusal in force for the cell, as an answer; None where none stands."""
    standing = [
        refusal.reason
        for record in question.records
        for refusal in record.refusals
        if _applies(refusal, question) and not _is_set_aside(refusal, record, question)
    ]
    if not standing:
        return None
    strongest = max(standing, key=STRENGTH.__getitem__)
    return _Answer(Reason(strongest.value), question.policy.refusal_clause(strongest, question.purpose))


def _applies(refusal: Refusal, question: _Question) -> bool:
    if question.purpose is None:
        if refusal.scope.is_everything:
            return refusal.reason in STOPS_DATA_USES
        return refusal.scope.data_use is not None and refusal.scope.data_use == question.cell.data_use
    if question.purpose.is_administrative and not _stops_administrative(refusal, question.holders):
        return False
    return covers(refusal.scope, question.purpose, question.cell.channel)


def _stops_administrative(refusal: Refusal, holders: Sequence[Holder]) -> bool:
    """An erasure does so only until a later contact holds the address."""
    if refusal.reason is RefusalReason.ERASED:
        return all(holder.since_ms <= refusal.at.time_ms for holder in holders)
    return refusal.reason in STOPS_ADMINISTRATIVE


def covers(scope: Scope, purpose: Purpose, channel: Channel | None) -> bool:
    """Whether a scope covers messages of a purpose on a channel; a successor inherits what it succeeds."""
    return (
        scope.data_use is None
        and (scope.purpose is None or scope.purpose == purpose.id or scope.purpose in purpose.succeeds)
        and scope.purpose_class in (None, purpose.purpose_class)
        and scope.channel in (None, channel)
    )


def _is_set_aside(refusal: Refusal, record: Record, question: _Question) -> bool:
    return any(
        _is_in_force(grant, question.now_ms) and sets_aside(grant, refusal, same_record=holder is record)
        for grant, holder in _grants(question)
    )


def _grants(question: _Question) -> Iterator[tuple[Grant, Record]]:
    """Grants of this exact address for this cell that nothing has withdrawn, with the record of each."""
    withdrawals = [(withdrawal, record) for record in question.records for withdrawal in record.withdrawals]
    for record in question.records:
        for grant in record.grants:
            if grant.cell == question.cell and grant.exact in question.request.exacts:
                ends = (
                    not is_later(grant.at, withdrawal.at, same_record=holder is record)
                    for withdrawal, holder in withdrawals
                    if withdrawal.exact in question.request.exacts
                )
                if not any(ends):
                    yield grant, record


def _is_in_force(grant: Grant, now_ms: int) -> bool:
    return grant.at.time_ms <= now_ms and (grant.expires_ms is None or now_ms < grant.expires_ms)


def _lacks_consent(question: _Question, clause: str) -> _Answer | None:
    """None where a consent is in force; otherwise the answer that says which is missing."""
    given = [grant for grant, _ in _grants(question) if grant.at.time_ms <= question.now_ms]
    if any(_is_in_force(grant, question.now_ms) for grant in given):
        return None
    return _Answer(Reason.CONSENT_EXPIRED if given else Reason.NO_CONSENT, clause)


def _is_reached(cap: Cap, question: _Question) -> bool:
    window_start = question.now_ms - cap.days * MS_PER_DAY
    recent = [sent for sent in question.request.sends_ms if window_start < sent <= question.now_ms]
    return len(recent) >= cap.count


def _clock_edges(policy: Policy, records: Sequence[Record], request: Request) -> Iterator[int]:
    """Every moment at which the clock alone could change an answer."""
    for record in records:
        yield record.paused_until_ms or 0
        for grant in record.grants:
            yield grant.at.time_ms
            yield grant.expires_ms or 0
    purpose = policy.purpose_by_id.get(request.purpose or "")
    if purpose is not None and purpose.cap is not None:
        for sent in request.sends_ms:
            yield sent
            yield sent + purpose.cap.days * MS_PER_DAY
