"""The use cases of one controller, as one thing to hand around."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from prefcenter.domain.policy import Policy
from prefcenter.security.digests import Digester
from prefcenter.security.seals import Sealer
from prefcenter.services.decisions import Decisions
from prefcenter.services.ports import Clock, Store
from prefcenter.services.recording import Recording

if TYPE_CHECKING:
    from prefcenter.services.importing import Importing


@dataclass(frozen=True)
class ControllerServices:
    """Each use case is joined to the open store when it is first asked for."""

    policy: Policy
    sealer: Sealer
    digester: Digester
    store: Store
    clock: Clock

    @cached_property
    def decisions(self) -> Decisions:
        return Decisions(self.policy, self.digester, self.store)

    @cached_property
    def recording(self) -> Recording:
        return Recording(self.policy, self.digester, self.store, self.clock)

    @cached_property
    def importing(self) -> Importing:
        from prefcenter.services.importing import Importing

        return Importing(self.policy, self.digester, self.store, self.clock, self.recording)
