"""The history of one person's own choices, in lines; what others noted about the address is not among them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from prefcenter.domain.events import Annulled, Event, Granted, Paused, Refused, Scope
from prefcenter.domain.policy import DataUse, Policy, Purpose
from prefcenter.domain.terms import RefusalReason
from prefcenter.services.ports import LedgerEvent
from prefcenter.services.recording import scope_of
from prefcenter.web.page_words import word

PERSONS_OWN = frozenset({RefusalReason.OPTED_OUT, RefusalReason.COMPLAINED})


@dataclass(frozen=True, slots=True)
class PastChoice:
    """One act: when, what it was in words, and what it was about (None: nothing that has one label)."""

    at_ms: int
    said: str
    scope: Scope | None = None
    about: Purpose | DataUse | None = None


def past_choices(policy: Policy, events: Sequence[LedgerEvent]) -> Iterator[PastChoice]:
    """The acts among the events, in their order."""
    for item in events:
        said = None if item.event is None else _said(item.event)
        if item.event is not None and said is not None:
            words, scope = said
            yield PastChoice(item.event.received_ms, words, scope, None if scope is None else _about(policy, scope))


def _said(event: Event) -> tuple[str, Scope | None] | None:
    match event:
        case Refused() if event.reason in PERSONS_OWN:
            return word("You said no"), event.scope
        case Granted():
            return word("You said yes"), scope_of(event.cell)
        case Annulled():
            return word("You took a no back"), None
        case Paused(until_ms=None):
            return word("You ended the break"), None
        case Paused():
            return word("You took a break"), None
    return None


def _about(policy: Policy, scope: Scope) -> Purpose | DataUse | None:
    return policy.purpose_by_id.get(scope.purpose or "") or policy.data_use_by_id.get(scope.data_use or "")
