"""What a scrub is asked to do, and what can be refused before a single row is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from prefcenter.domain.errors import InvalidInput
from prefcenter.domain.policy import Policy
from prefcenter.domain.terms import Channel


@dataclass(frozen=True, slots=True)
class ScrubPlan:
    """One scrub. `at_ms` None: now. `out` may be left out of a dry run only, which writes nothing."""

    path: Path
    purpose: str
    channel: Channel
    address_column: str | None = None
    class_column: str | None = None
    audience: str | None = None
    at_ms: int | None = None
    out: Path | None = None
    dry_run: bool = False


def require_offered(plan: ScrubPlan, policy: Policy) -> None:
    """Raise InvalidInput where the policy refuses every row alike, for that is a mistake in the request (OCC-16)."""
    purpose = policy.purpose_by_id.get(plan.purpose)
    if purpose is None:
        known = ", ".join(sorted(policy.purpose_by_id))
        raise InvalidInput(f"--purpose: {policy.controller} has no purpose {plan.purpose!r}; it has {known}")
    if plan.channel not in purpose.channels:
        offered = ", ".join(sorted(purpose.channels))
        raise InvalidInput(f"--channel: {purpose.id} is not offered by {plan.channel}; it is by {offered}")
    if plan.audience is not None and not purpose.covers_audience(plan.audience):
        covered = ", ".join(sorted(purpose.audiences))
        raise InvalidInput(f"--audience: {purpose.id} does not cover {plan.audience!r}; it covers {covered}")
