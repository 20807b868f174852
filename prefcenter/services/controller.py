"""The use cases of one controller, as one thing to hand around."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from prefcenter.domain.policy import Policy
from prefcenter.security.digests import Digester
from prefcenter.security.fields import FieldCipher
from prefcenter.security.seals import Sealer
from prefcenter.security.tokens import LinkCipher
from prefcenter.services.confirmations import Confirmations
from prefcenter.services.contacts import Contacts
from prefcenter.services.data_signals import DataSignals
from prefcenter.services.decisions import Decisions
from prefcenter.services.feed import Feed
from prefcenter.services.finding import Finding
from prefcenter.services.links import Links
from prefcenter.services.outbox import Outbox
from prefcenter.services.own_acts import OwnActs
from prefcenter.services.ports import Clock, Store
from prefcenter.services.preferences import Preferences
from prefcenter.services.recording import Recording
from prefcenter.services.sending import Sending
from prefcenter.services.site import Site
from prefcenter.services.suppressions import Suppressions
from prefcenter.services.targets import Targets
from prefcenter.services.visits import Visits

if TYPE_CHECKING:
    from prefcenter.services.importing import Importing


@dataclass(frozen=True)
class ControllerServices:
    """Each use case is joined to the open store when it is first asked for."""

    policy: Policy
    sealer: Sealer
    digester: Digester
    cipher: FieldCipher
    link_cipher: LinkCipher
    store: Store
    clock: Clock
    site: Site

    @cached_property
    def decisions(self) -> Decisions:
        return Decisions(self.policy, self.digester, self.store)

    @cached_property
    def recording(self) -> Recording:
        return Recording(self.policy, self.digester, self.store, self.clock, self.cipher)

    @cached_property
    def contacts(self) -> Contacts:
        return Contacts(self.policy, self.digester, self.store, self.clock, self.cipher)

    @cached_property
    def preferences(self) -> Preferences:
        return Preferences(self.policy, self.digester, self.store, self.decisions)

    @cached_property
    def sending(self) -> Sending:
        return Sending(self.policy, self.sealer, self.digester, self.store, self.clock)

    @cached_property
    def feed(self) -> Feed:
        return Feed(self.policy, self.sealer, self.digester, self.store, self.cipher)

    @cached_property
    def suppressions(self) -> Suppressions:
        return Suppressions(self.policy, self.digester, self.store)

    @cached_property
    def own_acts(self) -> OwnActs:
        return OwnActs(self.policy, self.store, self.clock)

    @cached_property
    def outbox(self) -> Outbox:
        return Outbox(self.policy, self.cipher, self.store, self.clock, self.site)

    @cached_property
    def confirmations(self) -> Confirmations:
        targets = Targets(self.policy.country, self.digester)
        return Confirmations(self.policy, targets, self.store, self.own_acts, self.links, self.outbox)

    @cached_property
    def visits(self) -> Visits:
        return Visits(self.policy, Targets(self.policy.country, self.digester), self)

    @cached_property
    def finding(self) -> Finding:
        return Finding(self.policy, self.digester, self.store, self.links, self.outbox)

    @cached_property
    def links(self) -> Links:
        return Links(self.policy, self.digester, self.link_cipher, self.clock, self.site)

    @cached_property
    def data_signals(self) -> DataSignals:
        return DataSignals(self.policy, Targets(self.policy.country, self.digester), self.own_acts)

    @cached_property
    def importing(self) -> Importing:
        from prefcenter.services.importing import Importing

        return Importing(self.policy, self.digester, self.store, self.clock, self.recording)
