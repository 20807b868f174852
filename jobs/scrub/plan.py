"""What a scrub is asked to do, and what can be refused before a single row is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jobs.lists import Sought, SoughtColumn
from prefcenter.domain.errors import InvalidInput
from prefcenter.domain.policy import Policy
from prefcenter.domain.terms import AddressClass, Channel


@dataclass(frozen=True, slots=True)
class AddressChoice:
    """A column of addresses and the channel that it is for.

    `address_class` is what all of its addresses are, whatever a class column says.
    """

    channel: Channel
    column: str | None = None
    address_class: AddressClass | None = None


@dataclass(frozen=True, slots=True)
class ScrubPlan:
    """One scrub. `at_ms` None: now. `out` may be left out of a dry run only, which writes nothing.

    `further` lists are read after the one at `path`, as if they were part of it. `addresses` names several columns of
    addresses, each with a channel of its own; without it there is one, `address_column`, for `channel`. `links` asks
    for those of a message in each kept row, and `campaign` is the tool's own name of that message.
    """

    path: Path
    purpose: str
    channel: Channel
    address_column: str | None = None
    class_column: str | None = None
    audience: str | None = None
    at_ms: int | None = None
    out: Path | None = None
    dry_run: bool = False
    further: tuple[Path, ...] = ()
    addresses: tuple[AddressChoice, ...] = ()
    audience_column: str | None = None
    business_domains: Path | None = None
    dedupe: bool = False
    sheet: str | None = None
    links: bool = False
    campaign: str | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        return (self.path, *self.further)

    @property
    def choices(self) -> tuple[AddressChoice, ...]:
        """The columns of addresses, whether one or several were named."""
        return self.addresses or (AddressChoice(self.channel, self.address_column),)

    @property
    def has_several_columns(self) -> bool:
        return len(self.choices) > 1

    def sought(self, country: str) -> Sought:
        """What to look for in the list."""
        if self.addresses:
            columns = tuple(
                SoughtColumn(choice.channel, choice.column, option=f"--address {choice.channel}=COLUMN")
                for choice in self.addresses
            )
        else:
            columns = (SoughtColumn(self.channel, self.address_column),)
        return Sought(columns, country, self.class_column, self.audience_column, self.sheet)


def require_offered(plan: ScrubPlan, policy: Policy) -> None:
    """Raise InvalidInput where the policy refuses every row alike, for that is a mistake in the request (OCC-16)."""
    purpose = policy.purpose_by_id.get(plan.purpose)
    if purpose is None:
        known = ", ".join(sorted(policy.purpose_by_id))
        raise InvalidInput(f"--purpose: {policy.controller} has no purpose {plan.purpose!r}; it has {known}")
    for channel in dict.fromkeys(choice.channel for choice in plan.choices):
        if channel not in purpose.channels:
            offered = ", ".join(sorted(purpose.channels))
            raise InvalidInput(f"--channel: {purpose.id} is not offered by {channel}; it is by {offered}")
    if plan.audience is not None and not purpose.covers_audience(plan.audience):
        covered = ", ".join(sorted(purpose.audiences))
        raise InvalidInput(f"--audience: {purpose.id} does not cover {plan.audience!r}; it covers {covered}")
