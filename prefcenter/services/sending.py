"""Messages that tools say they sent: what a purpose's frequency cap counts (TCC-2). Nothing else is kept of them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass

from prefcenter.domain.errors import InvalidAddress, InvalidInput, StoreBusy, VersionConflict
from prefcenter.domain.policy import Policy, Purpose
from prefcenter.domain.terms import Channel
from prefcenter.domain.time import MS_PER_DAY, stated_time
from prefcenter.security.digests import Digester
from prefcenter.security.seals import Sealer
from prefcenter.services.acts import ATTEMPTS_MAX, RETRY_PAUSE_S, Acts, Once
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
        recorded = await self._note(purpose, campaign, targets, sent_ms, once)
        return SendReport(recorded, len(targets) - len(invalid) - recorded, purpose.cap is not None, invalid)

    async def _note(
        self,
        purpose: Purpose,
        campaign: str,
        targets: Sequence[Target | None],
        sent_ms: int | None,
        once: Once | None,
    ) -> int:
        """Keep what the cap counts, and say how much of it is new."""
        if purpose.cap is None:
            return 0
        now_ms = self._clock()
        at_ms = now_ms if sent_ms is None else stated_time(sent_ms, now_ms)
        subjects = dict.fromkeys(target.write_to for target in targets if target is not None)
        sends = [Send(subject, self._digest(campaign), at_ms) for subject in subjects]
        forget_before_ms = now_ms - purpose.cap.days * MS_PER_DAY
        for attempt in range(ATTEMPTS_MAX):
            told = await self._acts.result_before(once)
            if told is not None:
                return int(told)
            receipt = None if once is None else self._acts.receipt(once, "")
            try:
                return await self._store.record_sends(
                    self._policy.controller, purpose.id, sends, forget_before_ms=forget_before_ms, receipt=receipt
                )
            except VersionConflict:
                await asyncio.sleep(RETRY_PAUSE_S * attempt)
        raise StoreBusy("other writers kept using this idempotency key; nothing was acknowledged")

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
