"""Messages that tools say they sent: what a purpose's frequency cap counts (TCC-2). Nothing else is kept of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from prefcenter.domain.errors import InvalidAddress, InvalidInput
from prefcenter.domain.policy import Policy, Purpose
from prefcenter.domain.terms import Channel
from prefcenter.domain.time import MS_PER_DAY, stated_time
from prefcenter.security.digests import Digester
from prefcenter.security.seals import Sealer
from prefcenter.services.acts import Acts, Once, until_first
from prefcenter.services.ports import Clock, Send, Store
from prefcenter.services.targets import Target, Targets

ADDRESSES_MAX = 10_000
_CAMPAIGN = re.compile(r"[\x21-\x7e]{1,100}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SendReport:
    """What came of a report of sends. `invalid` are the positions of addresses that do not parse.

    A purpose without a cap counts nothing, so nothing is kept for it.
    """

    recorded: int
    already: int
    is_capped: bool
    invalid: tuple[int, ...]


class Sending:
    """The sends of one controller."""

    def __init__(self, policy: Policy, sealer: Sealer, digester: Digester, store: Store, clock: Clock) -> None:
        self._policy = policy
        self._sealer = sealer
        self._store = store
        self._clock = clock
        self._acts = Acts(policy.controller, store, clock)
        self._targets = Targets(policy.country, digester)

    async def record(
        self,
        purpose_id: str,
        channel: Channel,
        campaign: str,
        addresses: Sequence[str],
        sent_ms: int | None = None,
        *,
        once: Once | None = None,
    ) -> SendReport:
        """Note that messages of a purpose went out; each address counts once a campaign, however often it is told.

        `campaign` is the tool's own name of it: 1 to 100 printable ASCII characters. `sent_ms` None: now.
        """
        purpose = self._purpose(purpose_id, channel)
        if not _CAMPAIGN.fullmatch(campaign):
            raise InvalidInput("campaign: expected 1 to 100 printable ASCII characters without spaces")
        if len(addresses) > ADDRESSES_MAX:
            raise InvalidInput(f"addresses: {ADDRESSES_MAX} at most")
        targets = [self._target(address, channel) for address in addresses]
        invalid = tuple(position for position, target in enumerate(targets) if target is None)
        now_ms = self._clock()
        at_ms = now_ms if sent_ms is None else stated_time(sent_ms, now_ms)
        subjects = dict.fromkeys(target.write_to for target in targets if target is not None)
        sends = [Send(subject, self._digest(campaign), at_ms) for subject in subjects]
        recorded = await until_first(lambda: self._note(purpose, sends, once))
        already = 0 if purpose.cap is None else len(targets) - len(invalid) - recorded
        return SendReport(recorded, already, purpose.cap is not None, invalid)

    async def _note(self, purpose: Purpose, sends: Sequence[Send], once: Once | None) -> int:
        """Keep what the cap counts, and say how much of it is new; without a cap, only that the key was used."""
        told = await self._acts.result_before(once)
        if told is not None:
            return int(told)
        if purpose.cap is None:
            await self._note_use(once)
            return 0
        receipt = None if once is None else self._acts.receipt(once, "")
        forget_before_ms = self._clock() - purpose.cap.days * MS_PER_DAY
        return await self._store.record_sends(
            self._policy.controller, purpose.id, sends, forget_before_ms=forget_before_ms, receipt=receipt
        )

    async def _note_use(self, once: Once | None) -> None:
        if once is not None:
            await self._store.append(self._policy.controller, (), receipt=self._acts.receipt(once, "0"))

    def _purpose(self, purpose_id: str, channel: Channel) -> Purpose:
        purpose = self._policy.purpose_by_id.get(purpose_id)
        if purpose is None:
            raise InvalidInput("purpose: not one of this policy")
        if channel not in purpose.channels:
            raise InvalidInput(f"channel: not offered for {purpose.id}")
        return purpose

    def _target(self, address: str, channel: Channel) -> Target | None:
        """None for what nothing can have been sent to: an address that does not parse, or a whole domain."""
        try:
            target = self._targets.of(address, channel)
        except InvalidAddress:
            return None
        return None if target.exact is None else target

    def _digest(self, campaign: str) -> bytes:
        """The same for the same campaign as long as the active key stays."""
        return self._sealer.seal(self._sealer.active_key_id, "campaign", campaign)
