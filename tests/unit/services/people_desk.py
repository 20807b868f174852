"""The services of one controller on a store in memory, with a clock that the test turns and a mailbox that it opens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from prefcenter.domain.events import Cell, Event
from prefcenter.domain.policy import Policy
from prefcenter.domain.terms import AddressClass, Channel
from prefcenter.security.digests import Digester
from prefcenter.security.fields import FieldCipher
from prefcenter.security.keyring import Keyring, new_keyring
from prefcenter.security.seals import Sealer
from prefcenter.security.tokens import LinkCipher
from prefcenter.services.controller import ControllerServices
from prefcenter.services.decisions import Question
from prefcenter.services.links import Link
from prefcenter.services.outbox import Letter
from prefcenter.services.site import Site
from tests.factories import NOW, POLICY
from tests.fakes import Cabinet, MemoryStore

PAT = "pat@acme.example"
EMAIL = Channel.EMAIL


@dataclass
class PeopleDesk:
    """What people do at one controller, and what comes of it."""

    policy: Policy = POLICY
    site: Site = Site("https://preferences.example", sends_mail=True)  # noqa: RUF009 - it is frozen
    keyring: Keyring = field(default_factory=lambda: new_keyring("2026-11-24T00:00:00.000Z"))
    cabinet: Cabinet = field(default_factory=Cabinet)
    now_ms: int = NOW

    def __post_init__(self) -> None:
        controller, keyring = self.policy.controller, self.keyring
        self.store = MemoryStore(keyring, self.cabinet)
        self.services = ControllerServices(
            self.policy,
            Sealer(keyring, controller),
            Digester(keyring, controller),
            FieldCipher(keyring, controller),
            LinkCipher(keyring, controller),
            self.store,
            lambda: self.now_ms,
            self.site,
        )

    def with_rotated_keys(self) -> PeopleDesk:
        """The same home after its keys were rotated."""
        rotated = self.keyring.rotated("2026-11-25T00:00:00.000Z")
        return PeopleDesk(self.policy, self.site, rotated, self.cabinet, self.now_ms)

    def link(self, address: str = PAT, purpose: str = "offers") -> Link:
        """The manage link of a bulk mail, opened."""
        return self.opened(self.services.links.of_message(address, purpose, EMAIL).manage_url)

    def opened(self, url: str) -> Link:
        link = self.services.links.open(url.rpartition("/")[2])
        assert link is not None
        return link

    async def reasons(self, *cells: Cell, address: str = PAT) -> list[str]:
        """What is decided about an address, which every caller says to be a business one."""
        business = AddressClass.BUSINESS
        asked = [Question(address, cell.purpose, cell.channel or EMAIL, cell.data_use, business) for cell in cells]
        return [one.reason.value for one in await self.services.decisions.decide_many(asked, self.now_ms)]

    async def letters(self) -> Sequence[Letter]:
        """The letters that wait, which nobody gets again after this."""
        waiting = await self.store.claim_letters(self.now_ms, until_ms=self.now_ms + 10**12, limit=100)
        return [self.services.outbox.open(letter) for letter in waiting]

    async def events(self) -> Sequence[Event | None]:
        return [item.event for item in await self.store.since(self.policy.controller, (0,) * 8, 10_000)]
