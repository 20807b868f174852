"""A second opinion on decisions: a model that keeps every act, and knows neither `fold` nor `decide`.

It is slow and plain on purpose. It forgets nothing but what the named acts end, so where the record of the domain drops
an act as redundant and thereby changes an answer, the two disagree. Its rules are those of DESIGN §2 and CONTRACTS.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prefcenter.domain.digest import Digest
from prefcenter.domain.events import (
    Annulled,
    Cell,
    Delisted,
    Delivered,
    Erased,
    Event,
    Granted,
    Lifted,
    Paused,
    Refused,
    Scope,
)
from prefcenter.domain.policy import Policy
from prefcenter.domain.terms import AddressClass, Basis, Channel

STRENGTH = "bounced on_registry manual opted_out complained erased minor restricted legal".split()
ADMINISTRATORS_BUSINESS = {"bounced", "manual", "minor", "restricted", "legal"}
THE_PERSONS_OWN = {"opted_out", "complained", "erased"}
STOP_THE_CONTRACT = {"bounced", "erased", "minor", "restricted", "legal"}
STOP_DATA_USES = {"erased", "minor", "restricted", "legal"}


@dataclass(frozen=True)
class Act:
    """One event as it came in: to which record, as which of its events, and what it was."""

    record: int
    number: int
    event: Event

    @property
    def is_live(self) -> bool:
        return isinstance(self.event, Erased) or getattr(self.event, "stated_ms", None) is None

    @property
    def happened_ms(self) -> int:
        stated = getattr(self.event, "stated_ms", None)
        return self.event.received_ms if stated is None else min(stated, self.event.received_ms)

    def comes_after(self, other: Act) -> bool:
        if self.is_live and other.is_live and self.record == other.record:
            return self.number > other.number
        return self.happened_ms - other.happened_ms > 60_000


@dataclass(frozen=True)
class Question:
    cell: Cell
    exacts: frozenset[Digest]
    address_class: AddressClass
    held_since_ms: int | None


def reason_of(acts: Iterable[Act], policy: Policy, question: Question, now_ms: int) -> str:
    """What has to be answered after these acts, in the order in which they reached us."""
    kept: list[Act] = []
    bounces: list[Act] = []
    for act in acts:
        kept = [old for old in kept if not _is_ended(old, act)] + [act]
        bounces = [old for old in bounces if not _is_erased(old, act)] + [act]
    grants = list(_counting_grants(kept, bounces, question))
    refusals = [act for act in kept if isinstance(act.event, Refused | Erased) and _covers(act, policy, question)]
    standing = {_word(act) for act in refusals if not _is_answered(act, grants, now_ms)}
    if standing:
        return max(standing, key=STRENGTH.index)
    return _without_refusal(kept, grants, policy, question, now_ms)


def _word(act: Act) -> str:
    return act.event.reason.value if isinstance(act.event, Refused) else "erased"


def _is_ended(old: Act, new: Act) -> bool:
    """Whether a named act ends an older one of the same record for good."""
    if old.record != new.record:
        return False
    refusal, event = old.event, new.event
    if isinstance(event, Erased):
        return not (isinstance(refusal, Refused) and refusal.reason.value in ADMINISTRATORS_BUSINESS)
    if not isinstance(refusal, Refused):
        return isinstance(refusal, Paused) and isinstance(event, Paused)
    if isinstance(event, Annulled):
        return _is_taken_back(old, refusal, event)
    reason, scope = refusal.reason.value, refusal.scope
    if isinstance(event, Lifted):
        is_narrowed_away = (event.purpose is not None and event.purpose != scope.purpose) or (
            event.channel is not None and event.channel != scope.channel
        )
        return reason == event.reason.value and reason in ADMINISTRATORS_BUSINESS and not is_narrowed_away
    if isinstance(event, Delivered):
        return reason == "bounced" and scope.channel == event.channel
    return isinstance(event, Delisted) and reason == "on_registry" and _is_named_no_more(old, refusal, event)


def _is_taken_back(old: Act, refusal: Refused, event: Annulled) -> bool:
    """Whether it is the person's own refusal from the page, of the version named, and ten minutes old at most."""
    is_own = refusal.reason.value == "opted_out" and refusal.source == "preference-page" and old.is_live
    return is_own and old.number == event.version and event.received_ms - old.happened_ms <= 600_000


def _is_named_no_more(old: Act, refusal: Refused, event: Delisted) -> bool:
    """Whether a whole list of this very registry, for this very scope or a wider one, came after the refusal."""
    is_too_narrow = any(
        wanted is not None and wanted != named
        for wanted, named in (
            (event.scope.purpose, refusal.scope.purpose),
            (event.scope.purpose_class, refusal.scope.purpose_class),
            (event.scope.channel, refusal.scope.channel),
            (event.scope.data_use, refusal.scope.data_use),
        )
    )
    is_newer = event.stated_ms is not None and old.happened_ms > event.stated_ms
    return refusal.source == event.registry and not is_too_narrow and not is_newer


def _is_erased(old: Act, new: Act) -> bool:
    """A lifted bounce still has ended the consents; only an erasure, which ends them itself, forgets that."""
    return isinstance(new.event, Erased) and old.record == new.record


def _counting_grants(kept: list[Act], bounces: list[Act], question: Question) -> Iterator[Act]:
    """Consents of this address for this cell that no permanent bounce has ended."""
    ends = [act for act in bounces if isinstance(act.event, Refused) and act.event.ends_grants_of in question.exacts]
    for act in kept:
        event = act.event
        is_ours = isinstance(event, Granted) and event.cell == question.cell and event.exact in question.exacts
        if is_ours and all(act.comes_after(end) for end in ends):
            yield act


def _is_running(grant: Act, now_ms: int) -> bool:
    assert isinstance(grant.event, Granted)
    expires_ms = grant.event.expires_ms
    return grant.happened_ms <= now_ms and (expires_ms is None or expires_ms > now_ms)


def _is_answered(refusal: Act, grants: list[Act], now_ms: int) -> bool:
    running = [grant for grant in grants if _is_running(grant, now_ms)]
    if _word(refusal) == "on_registry":
        return bool(running)
    return _word(refusal) in THE_PERSONS_OWN and any(grant.comes_after(refusal) for grant in running)


def _covers(act: Act, policy: Policy, question: Question) -> bool:
    scope = act.event.scope if isinstance(act.event, Refused) else Scope()
    cell, word = question.cell, _word(act)
    if cell.data_use is not None:
        return scope.data_use == cell.data_use or (scope == Scope() and word in STOP_DATA_USES)
    purpose = policy.purpose_by_id[cell.purpose or ""]
    if purpose.purpose_class.value == "administrative":
        if word not in STOP_THE_CONTRACT:
            return False
        if word == "erased" and question.held_since_ms is not None and question.held_since_ms > act.happened_ms:
            return False
    fits: list[tuple[str | Channel | None, set[str | Channel]]] = [
        (scope.purpose, {purpose.id, *purpose.succeeds}),
        (scope.purpose_class, {purpose.purpose_class}),
        (scope.channel, {cell.channel or ""}),
        (scope.data_use, set()),
    ]
    return all(wanted is None or wanted in offered for wanted, offered in fits)


def _without_refusal(kept: list[Act], grants: list[Act], policy: Policy, question: Question, now_ms: int) -> str:
    cell = question.cell
    if cell.data_use is not None:
        basis = policy.data_use_by_id[cell.data_use].basis
    else:
        basis = policy.purpose_by_id[cell.purpose or ""].basis[question.address_class]
        if basis is Basis.CONTRACT:
            return "permitted"
        pauses = [act.event.until_ms for act in kept if isinstance(act.event, Paused)]
        if any(until is not None and now_ms < until for until in pauses):
            return "paused"
    given = [grant for grant in grants if grant.happened_ms <= now_ms]
    if basis is Basis.CONSENT and not any(_is_running(grant, now_ms) for grant in given):
        return "consent_expired" if given else "no_consent"
    return "permitted"
