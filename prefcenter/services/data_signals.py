"""What a browser says for its person: `Sec-GPC: 1` refuses sale and targeted advertising (CC1-3, CC1-11)."""

from __future__ import annotations

from prefcenter.domain.events import Scope
from prefcenter.domain.policy import Policy
from prefcenter.domain.terms import Channel
from prefcenter.services.acts import Outcome
from prefcenter.services.own_acts import OwnActs
from prefcenter.services.targets import Target, Targets

SIGNALLED_USES = ("sale", "targeted-advertising")
SOURCE = "global-privacy-control"


class DataSignals:
    """The signals that one controller honours."""

    def __init__(self, policy: Policy, targets: Targets, own_acts: OwnActs) -> None:
        self._policy = policy
        self._targets = targets
        self._own_acts = own_acts

    @property
    def refused(self) -> tuple[str, ...]:
        """The data uses that a signal refuses: those of the policy that are not prohibited anyway."""
        uses = (self._policy.data_use_by_id.get(name) for name in SIGNALLED_USES)
        return tuple(use.id for use in uses if use is not None and use.basis is not None)

    async def honour_of(self, address: str, channel: Channel) -> Outcome:
        """The same for somebody whose address is known."""
        return await self.honour(self._targets.of(address, channel))

    async def honour(self, target: Target) -> Outcome:
        """Refuse what the signal is about; nothing is written where the same was refused before."""
        scopes = [Scope(data_use=name) for name in self.refused]
        if not scopes:
            return Outcome.UNCHANGED
        return await self._own_acts.opt_out(target, scopes, SOURCE)
