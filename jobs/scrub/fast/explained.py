"""The plan of a scrub in words: what each state that records have comes to, for each class of addresses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from jobs.scrub.fast.answers import Answers, Asked
from jobs.scrub.plan import ScrubPlan, require_offered
from jobs.scrub.snapshot.export import SnapshotKeeper
from jobs.scrub.snapshot.state import State
from prefcenter.domain.events import Scope
from prefcenter.domain.policy import Policy
from prefcenter.security.seals import Sealer
from prefcenter.services.ports import Store

NO_RECORD = "no record"


async def explained(
    plan: ScrubPlan, policy: Policy, store: Store, sealer: Sealer, cache: Path | None, now_ms: int
) -> str:
    """A line for each channel, state of the store's snapshot and stated class. Raises InvalidInput as a scrub does."""
    require_offered(plan, policy)
    snapshot = await SnapshotKeeper(policy.controller, store, sealer, cache).current()
    at_ms = now_ms if plan.at_ms is None else plan.at_ms
    counted = f"{len(snapshot.base):,} records, {len(snapshot.changes):,} of them or more changed since"
    lines: list[str] = []
    for channel in dict.fromkeys(choice.channel for choice in plan.choices):
        head = f"{policy.controller}, policy {policy.version}: {plan.purpose} by {channel}"
        answers = Answers(policy, Asked(plan.purpose, channel, plan.audience, at_ms), snapshot)
        lines += [head, counted, *dict.fromkeys(_lines(answers))]
    return "\n".join(lines)


def _lines(answers: Answers) -> Iterator[str]:
    for states, stated, outcome in answers.explained():
        record = " and ".join(map(_in_words, states)) or NO_RECORD
        yield f"  {record}; stated {stated or 'nothing'}: {outcome}"


def _in_words(state: State) -> str:
    kind, key, rules = state.family
    parts = [f"{reason} of {_scope_in_words(scope)}" for reason, scope in state.refusals]
    parts += ["consents"] if state.has_grants else []
    parts += [f"held as {held_as or 'unknown'}" for held_as in state.held_as]
    told = ", ".join(parts) or "nothing"
    shown = told if state.is_plain else "more than a snapshot tells"
    return f"{kind.name.lower()} (key {key}, rules {rules}): {shown}"


def _scope_in_words(scope: Scope) -> str:
    parts: Sequence[str | None] = (scope.purpose, scope.purpose_class, scope.channel, scope.data_use)
    return " ".join(part for part in parts if part) or "everything"
