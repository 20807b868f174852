"""Record what people and operators do: opt-outs, consents, suppressions, and the few acts that lift them.

Each act reads the records of an address, folds its event, and appends with retry: refusals commute, so another writer
in between is no reason to lose one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from prefcenter.domain.address import RULES_VERSIONS, parse, parse_domain
from prefcenter.domain.decision import STOPS_ADMINISTRATIVE
from prefcenter.domain.digest import Digest
from prefcenter.domain.errors import ActRefused, InvalidInput, StoreBusy, VersionConflict
from prefcenter.domain.events import EVERYTHING, Cell, Delivered, Erased, Event, Granted, Lifted, Refused, Scope
from prefcenter.domain.policy import Policy
from prefcenter.domain.record import LIFTED_BY_ADMINISTRATOR, Record, erasure_survivors, written_by
from prefcenter.domain.terms import AddressKind, Channel, PurposeClass, RefusalReason
from prefcenter.domain.time import stated_time
from prefcenter.security.digests import AddressDigests, Digester
from prefcenter.services.decisions import address_kind
from prefcenter.services.ports import Change, Clock, Store
from prefcenter.services.slugs import check_slug

ATTEMPTS_MAX = 50
RETRY_PAUSE_S = 0.002
CHANNEL_REASONS = frozenset({RefusalReason.BOUNCED, RefusalReason.ON_REGISTRY})
"""Reasons that speak of one channel, whoever brings them."""


@dataclass(frozen=True, slots=True)
class Consent:
    """A consent as it comes in: for one cell of one exact address, with its evidence. Times in UTC milliseconds."""

    cell: Cell
    wording: str
    method: str
    actor: str
    given_ms: int | None = None
    expires_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """Whom an act is about: the digests to write under, and all records that may already be there.

    `exacts` are the digests of the exact address under every live key; `exact`, the one that writes, is among them.
    """

    write_to: Digest
    records_of: Sequence[Digest]
    exact: Digest | None
    exacts: frozenset[Digest] = frozenset()


EventMaker = Callable[[int, Record], Event]
"""Makes the event of an act from its time of receipt and the record as it stands."""


class Recording:
    """The acts of one controller. Bad input raises InvalidInput or ActRefused, and nothing is changed."""

    def __init__(self, policy: Policy, digester: Digester, store: Store, clock: Clock) -> None:
        self._policy = policy
        self._digester = digester
        self._store = store
        self._clock = clock

    def target(self, text: str, channel: Channel | None = None) -> Target:
        """Digests of an address, or of a whole domain given as `@acme.example`. Raises InvalidAddress."""
        if text.strip().startswith("@") and channel in (None, Channel.EMAIL):
            domains = self._digester.of_domain(parse_domain(text), RULES_VERSIONS)
            return Target(domains[0], domains, None)
        address = parse(text, address_kind(text, channel), country=self._policy.country)
        return target_of(self._digester.of_address(address))

    async def opt_out(
        self, text: str, scope: Scope, source: str, at_ms: int | None = None, channel: Channel | None = None
    ) -> bool:
        """The person's own no. Everything: every non-administrative purpose on every channel (OCC-2, OC-1, TCC-1)."""
        return await self.suppress(text, RefusalReason.OPTED_OUT, scope, source, at_ms, channel)

    async def suppress(
        self,
        text: str,
        reason: RefusalReason,
        scope: Scope,
        source: str,
        at_ms: int | None = None,
        channel: Channel | None = None,
    ) -> bool:
        """Record a refusal. An `erased` one erases: consents, digests of exact addresses and event bodies go.

        `channel` says what the address is where the scope, such as that of a data use, names none.
        """
        check_slug(source, "source")
        channel = scope.channel or channel
        target = self.target(text, channel)
        if reason is RefusalReason.ERASED:
            return await self._erase(target, scope, source, at_ms)
        scope = self.checked_scope(reason, scope, address_kind(text, channel))
        stated_ms = self._stated(at_ms)
        return await self._record(target, lambda received, _: Refused(received, stated_ms, reason, scope, source))

    async def bounce_permanently(self, text: str, channel: Channel | None, source: str) -> bool:
        """The mailbox is unknown at its host for good: refuse the channel, and end the consents of this address."""
        check_slug(source, "source")
        target = self.target(text, channel)
        reason = RefusalReason.BOUNCED
        scope = self.checked_scope(reason, Scope(channel=channel), address_kind(text, channel))
        return await self._record(
            target, lambda received, _: Refused(received, None, reason, scope, source, target.exact)
        )

    async def record_consent(self, text: str, consent: Consent, channel: Channel | None = None) -> bool:
        """Record a consent; the very same one again changes nothing. `channel` is as in `suppress`."""
        self.check_consent(consent)
        target = self.target(text, consent.cell.channel or channel)
        stated_ms = self._stated(consent.given_ms)
        return await self._record(target, lambda received, _: granted(target, consent, received, stated_ms))

    async def lift(
        self, text: str, reason: RefusalReason, cause: str, purpose: str | None = None, channel: Channel | None = None
    ) -> bool:
        """An administrator's named act. False where no such refusal stands."""
        check_slug(cause, "cause")
        if reason not in LIFTED_BY_ADMINISTRATOR:
            raise ActRefused(f"{reason.value} is not lifted by an administrator: {_OTHER_WAYS[reason]}")
        target = self.target(text, channel)
        return await self.record_on_all(target, lambda received, _: Lifted(received, reason, cause, purpose, channel))

    async def record_delivery(self, text: str, channel: Channel, source: str) -> bool:
        """A verified delivery: bounces on that channel are over. False where none stands."""
        check_slug(source, "source")
        return await self.record_on_all(
            self.target(text, channel), lambda received, _: Delivered(received, channel, source)
        )

    def checked_scope(self, reason: RefusalReason, scope: Scope, kind: AddressKind) -> Scope:
        """The scope with the channel that a reason implies, for messages. Raises where it could not take effect."""
        if reason in CHANNEL_REASONS and scope.channel is None and scope.data_use is None:
            if kind is AddressKind.PHONE:
                raise InvalidInput(f"channel: {reason.value} speaks of one channel; name sms or voice")
            scope = replace(scope, channel=Channel(kind.value))
        self._check_names(scope)
        if reason not in STOPS_ADMINISTRATIVE and self._is_administrative(scope):
            raise ActRefused(f"administrative messages are not stopped by {reason.value}; they rest on the contract")
        return scope

    def check_consent(self, consent: Consent) -> None:
        """Raises where a consent is for no cell of the policy, or has no proper evidence (OCC-15)."""
        check_slug(consent.wording, "wording", may_have_version=True)
        check_slug(consent.method, "method")
        check_slug(consent.actor, "actor")
        given_ms = self._clock() if consent.given_ms is None else consent.given_ms
        if consent.expires_ms is not None and consent.expires_ms <= given_ms:
            raise InvalidInput("expires: a consent must end after it was given")
        if consent.cell.data_use is not None:
            if consent.cell != Cell(None, None, consent.cell.data_use):
                raise InvalidInput("data use: a consent is for a data use, or for a purpose on a channel")
            self._check_data_use(consent.cell.data_use)
            return
        purpose = self._policy.purpose_by_id.get(consent.cell.purpose or "")
        if purpose is None:
            raise InvalidInput("purpose: not one of this policy")
        if consent.cell.channel not in purpose.channels:
            raise InvalidInput(f"channel: not offered for {purpose.id}")
        if purpose.is_administrative:
            raise ActRefused(f"{purpose.id} is administrative and rests on the contract; consent is not asked for")

    def _check_data_use(self, data_use_id: str) -> None:
        data_use = self._policy.data_use_by_id.get(data_use_id)
        if data_use is None:
            raise InvalidInput("data use: not one of this policy")
        if data_use.basis is None:
            raise ActRefused(f"{data_use_id} is prohibited; no consent allows it")

    def _check_names(self, scope: Scope) -> None:
        """A refusal of a purpose that nobody knows would bind nothing, so a misspelt one is an error."""
        if sum(part is not None for part in (scope.purpose, scope.purpose_class, scope.data_use)) > 1:
            raise InvalidInput("scope: name a purpose, a class or a data use; what is all of them at once is nothing")
        succeeded = {name for purpose in self._policy.purposes for name in purpose.succeeds}
        if scope.purpose is not None and scope.purpose not in self._policy.purpose_by_id.keys() | succeeded:
            raise InvalidInput("purpose: not one of this policy")
        if scope.data_use is not None and scope.data_use not in self._policy.data_use_by_id:
            raise InvalidInput("data use: not one of this policy")

    def _is_administrative(self, scope: Scope) -> bool:
        purpose = self._policy.purpose_by_id.get(scope.purpose or "")
        named = purpose is not None and purpose.is_administrative
        return named or scope.purpose_class is PurposeClass.ADMINISTRATIVE

    def _stated(self, at_ms: int | None) -> int | None:
        return None if at_ms is None else stated_time(at_ms, self._clock())

    async def _erase(self, target: Target, scope: Scope, source: str, at_ms: int | None) -> bool:
        if scope != EVERYTHING or at_ms is not None or target.exact is None:
            raise InvalidInput("an erasure is of one person, covers everything and happens now")
        return await self._with_retry(
            target,
            lambda received, record: Erased(received, source, erasure_survivors(record)),
            lambda record: record.version > 0 or record.subject == target.write_to,
        )

    async def _record(self, target: Target, make: EventMaker) -> bool:
        """Append to the record that new events go to; False where that would change nothing."""
        return await self._with_retry(target, make, lambda record: record.subject == target.write_to)

    async def record_on_all(self, target: Target, make: EventMaker) -> bool:
        """Append to each record that exists and would change, under whatever key it was made."""
        return await self._with_retry(target, make, lambda record: record.version > 0)

    async def _with_retry(self, target: Target, make: EventMaker, concerns: Callable[[Record], bool]) -> bool:
        for attempt in range(ATTEMPTS_MAX):
            records = await self._dossier(target)
            received_ms = max([self._clock(), *(record.latest_ms for record in records)])
            events = [(record, make(received_ms, record)) for record in records if concerns(record)]
            changes = _changes(events, records, target)
            try:
                if changes:
                    await self._store.append(self._policy.controller, changes)
                return bool(changes)
            except VersionConflict:
                await asyncio.sleep(RETRY_PAUSE_S * attempt)
        raise StoreBusy("other writers kept changing this record; nothing was acknowledged")

    async def _dossier(self, target: Target) -> list[Record]:
        """All records of a target; an empty one stands in for the one that is not there yet."""
        stored = await self._store.load(self._policy.controller, target.records_of)
        if any(record.subject == target.write_to for record in stored):
            return list(stored)
        return [*stored, Record(target.write_to)]


def target_of(digests: AddressDigests) -> Target:
    """An address as the target of an act: whole-domain records are no part of it."""
    return Target(digests.subject, digests.subjects, digests.exact, digests.exacts)


def granted(target: Target, consent: Consent, received_ms: int, stated_ms: int | None) -> Granted:
    """The event of a consent. Raises InvalidInput for a whole domain: only an exact address consents."""
    if target.exact is None:
        raise InvalidInput("address: a whole domain cannot consent")
    evidence = (consent.wording, consent.method, consent.actor)
    return Granted(received_ms, stated_ms, target.exact, consent.cell, *evidence, consent.expires_ms)


def _changes(events: Sequence[tuple[Record, Event]], dossier: Sequence[Record], target: Target) -> list[Change]:
    """What an act has to append: nothing where a record says it already."""
    written = [(record, event, written_by(record, event, dossier, target.exacts)) for record, event in events]
    return [Change(record, (event,), after) for record, event, after in written if after is not None]


_OTHER_WAYS = {
    RefusalReason.ON_REGISTRY: "import the registry's list in full with --replace-registry",
    RefusalReason.OPTED_OUT: "only the person's own later consent sets it aside",
    RefusalReason.COMPLAINED: "only the person's own later consent sets it aside",
    RefusalReason.ERASED: "only the person's own later consent sets it aside",
}
