"""Record what people and operators do: opt-outs, consents, suppressions, and the few acts that lift them.

Each act reads the records it concerns, folds its event into them, and appends with retry: refusals commute, so another
writer in between is no reason to lose one. How far an act reaches is said in `prefcenter.services.reach`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from prefcenter.domain.decision import Request, decide, may_open_a_refusal, standing_refusal
from prefcenter.domain.digest import Digest, DigestKind
from prefcenter.domain.errors import ActRefused, InvalidInput, InvalidTime
from prefcenter.domain.events import (
    EVERYTHING,
    Cell,
    Delivered,
    Event,
    Granted,
    Lifted,
    Paused,
    Proposed,
    Refused,
    Scope,
)
from prefcenter.domain.policy import Policy
from prefcenter.domain.record import LIFTED_BY_ADMINISTRATOR, LIFTED_BY_LATER_CONSENT, Record, lasting
from prefcenter.domain.terms import KIND_OF_CHANNEL, AddressKind, Channel, RefusalReason
from prefcenter.domain.time import stated_time
from prefcenter.security.digests import Digester
from prefcenter.security.fields import FieldCipher
from prefcenter.services.acts import Acts, Drafts, Once, Outcome, Outcomes
from prefcenter.services.admission import Admission, Consent
from prefcenter.services.contact_files import ContactFiles
from prefcenter.services.decisions import address_kind
from prefcenter.services.erasure import Erasure
from prefcenter.services.ports import Change, Clock, Store
from prefcenter.services.reach import contact_of, fold_far, is_as_late, load_within_reach
from prefcenter.services.slugs import check_slug
from prefcenter.services.targets import Addressee, ContactId, Target, Targets

EventMaker = Callable[[int, Record], Event]
"""Makes the event of an act from its time of receipt and the record as it stands."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person wants of one cell: to get it, or not to."""

    cell: Cell
    is_wanted: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a person was shown and did, for those of their choices that are consents (OCC-15)."""

    wording: str
    method: str
    actor: str
    given_ms: int | None = None


class Recording:
    """The acts of one controller. Bad input raises InvalidInput or ActRefused, and nothing is changed.

    `once` is an act's idempotency key. An act on a contact, by the CRM's own id of it, is one on all its addresses.
    """

    def __init__(self, policy: Policy, digester: Digester, store: Store, clock: Clock, cipher: FieldCipher) -> None:
        self._policy = policy
        self._store = store
        self._clock = clock
        self._acts = Acts(policy.controller, store, clock)
        self._admission = Admission(policy, clock)
        self._targets = Targets(policy.country, digester)
        self._files = ContactFiles(policy.controller, store, self._targets, cipher)
        self._erasure = Erasure(policy.controller, store, self._files)

    async def opt_out(
        self,
        whom: Addressee,
        scope: Scope,
        source: str,
        at_ms: int | None = None,
        channel: Channel | None = None,
        *,
        once: Once | None = None,
    ) -> Outcome:
        """The person's own no. Everything: every non-administrative purpose on every channel (OCC-2, OC-1, TCC-1)."""
        return await self.suppress(whom, RefusalReason.OPTED_OUT, scope, source, at_ms, channel, once=once)

    async def suppress(
        self,
        whom: Addressee,
        reason: RefusalReason,
        scope: Scope,
        source: str,
        at_ms: int | None = None,
        channel: Channel | None = None,
        *,
        once: Once | None = None,
    ) -> Outcome:
        """Record a refusal. An `erased` one erases: consents, digests of exact addresses and event bodies go.

        `channel` says what the address is where the scope, such as that of a data use, names none.
        """
        check_slug(source, "source")
        channel = scope.channel or channel
        target = self._targets.of(whom, channel)
        if reason is RefusalReason.ERASED:
            return await self._erase(target, scope, source, at_ms, once)
        scope = self._admission.checked_scope(reason, scope, _kind(whom, channel))
        stated_ms = self._stated(at_ms)
        return await self._refuse(target, lambda received: Refused(received, stated_ms, reason, scope, source), once)

    async def bounce_permanently(
        self, text: str, channel: Channel | None, source: str, *, once: Once | None = None
    ) -> Outcome:
        """The mailbox is unknown at its host for good: refuse the channel, and end the consents of this address."""
        check_slug(source, "source")
        target = self._targets.of(text, channel)
        reason = RefusalReason.BOUNCED
        scope = self._admission.checked_scope(reason, Scope(channel=channel), address_kind(text, channel))
        ends = target.exact
        return await self._refuse(target, lambda received: Refused(received, None, reason, scope, source, ends), once)

    async def record_consent(
        self,
        text: str,
        consent: Consent,
        channel: Channel | None = None,
        *,
        once: Once | None = None,
        is_confirmed: bool = True,
    ) -> Outcome:
        """Record a consent; the very same one again changes nothing. `channel` is as in `suppress`.

        One that is not the person's own word, nor attested by an operator, is not confirmed: over a standing refusal it
        is kept as pending, and opens nothing until the person confirms it.
        """
        self._admission.check_consent(consent)
        target = self._targets.to_weigh(self._targets.of(text, consent.cell.channel or channel))
        stated_ms = self._stated(consent.given_ms)

        async def gather() -> tuple[Sequence[Change], Outcomes]:
            drafts = await self._load(target, and_elsewhere=not is_confirmed)
            event = granted(target, consent, self._received_ms(drafts), stated_ms)
            outcome = self._fold_consent(drafts, target, event, is_confirmed=is_confirmed)
            return drafts.changes, (outcome,)

        return _only(await self._acts.commit(gather, once))

    async def set_preferences(
        self,
        text: str,
        choices: Sequence[Choice],
        source: str,
        evidence: Evidence,
        channel: Channel | None = None,
        *,
        once: Once | None = None,
        is_confirmed: bool = True,
    ) -> Outcomes:
        """Record several choices of one person in one commit, and only those that differ from what stands already.

        `is_confirmed` is as in `record_consent`. Gives one outcome a choice, in their order.
        """
        check_slug(source, "source")
        given = (evidence.wording, evidence.method, evidence.actor, evidence.given_ms)
        consents = [Consent(choice.cell, *given) for choice in choices]
        for choice, consent in zip(choices, consents, strict=True):
            self._check_choice(choice, consent, address_kind(text, channel))
        target = self._targets.to_weigh(self._targets.of(text, channel))
        stated_ms = self._stated(evidence.given_ms)

        async def gather() -> tuple[Sequence[Change], Outcomes]:
            drafts = await self._load(target, and_elsewhere=True)
            received_ms = self._received_ms(drafts)
            outcomes = [
                self._fold_consent(drafts, target, event, is_confirmed=is_confirmed, unless_permitted=True)
                if choice.is_wanted
                else self._fold_refusal(drafts, target, choice.cell, source, received_ms, stated_ms)
                for choice, consent in zip(choices, consents, strict=True)
                for event in [granted(target, consent, received_ms, stated_ms)]
            ]
            return drafts.changes, tuple(outcomes)

        return await self._acts.commit(gather, once)

    async def pause(
        self, whom: Addressee, until_ms: int | None, channel: Channel | None = None, *, once: Once | None = None
    ) -> Outcome:
        """The person wants quiet until a time; None ends the pause. Administrative messages go on."""
        return await self.pause_target(self._targets.of(whom, channel), until_ms, once)

    async def pause_target(self, target: Target, until_ms: int | None, once: Once | None = None) -> Outcome:
        """The same of somebody who is known by digests only."""
        if until_ms is not None and until_ms <= self._clock():
            raise InvalidTime("a pause ends in the future")

        async def gather() -> tuple[Sequence[Change], Outcomes]:
            drafts = await self._load(target)
            event = Paused(self._received_ms(drafts), until_ms)
            fold_far(drafts, target, event)
            for record in drafts.existing(await self._person(drafts, target)):
                if record.paused_until_ms is not None:
                    drafts.fold(record.subject, event)
            return drafts.changes, (_outcome(drafts),)

        return _only(await self._acts.commit(gather, once))

    async def lift(
        self,
        whom: Addressee,
        reason: RefusalReason,
        cause: str,
        purpose: str | None = None,
        channel: Channel | None = None,
        *,
        once: Once | None = None,
    ) -> Outcome:
        """An administrator's named act. `absent` where no such refusal stands."""
        check_slug(cause, "cause")
        if reason not in LIFTED_BY_ADMINISTRATOR:
            raise ActRefused(f"{reason.value} is not lifted by an administrator: {_OTHER_WAYS[reason]}")
        target = self._targets.with_hashes(self._targets.of(whom, channel))
        return await self.record_on_all(
            target, lambda received, _: Lifted(received, reason, cause, purpose, channel), once
        )

    async def record_delivery(self, text: str, channel: Channel, source: str) -> Outcome:
        """A verified delivery: bounces on that channel are over. `absent` where none stands."""
        check_slug(source, "source")
        target = self._targets.with_hashes(self._targets.of(text, channel))
        return await self.record_on_all(target, lambda received, _: Delivered(received, channel, source))

    async def is_done(self, once: Once | None) -> bool:
        """Whether an idempotency key was used before, so that this act is a replay. Raises IdempotencyConflict."""
        return await self._acts.result_before(once) is not None

    async def record_on_all(self, target: Target, make: EventMaker, once: Once | None = None) -> Outcome:
        """Append to each record of a target that would change, under whatever key it was made; `absent` for none."""

        async def gather() -> tuple[Sequence[Change], Outcomes]:
            drafts = await self._load(target)
            received_ms = self._received_ms(drafts)
            is_contact = target.write_to.kind is DigestKind.CONTACT
            concerned = await self._person(drafts, target) if is_contact else target.records_of
            for record in drafts.existing(concerned):
                drafts.fold(record.subject, make(received_ms, record))
            return drafts.changes, (Outcome.RECORDED if drafts.changes else Outcome.ABSENT,)

        return _only(await self._acts.commit(gather, once))

    def _check_choice(self, choice: Choice, consent: Consent, kind: AddressKind) -> None:
        """A choice may name any cell of the policy that rests on the person's will."""
        self._admission.check_consent(consent)
        self._admission.checked_scope(RefusalReason.OPTED_OUT, scope_of(choice.cell), kind)
        channel = choice.cell.channel
        if channel is not None and KIND_OF_CHANNEL[channel] is not kind:
            raise InvalidInput(f"channel: {channel.value} is not one of this address")

    async def _refuse(self, target: Target, make: Callable[[int], Refused], once: Once | None) -> Outcome:
        async def gather() -> tuple[Sequence[Change], Outcomes]:
            drafts = await self._load(target)
            fold_far(drafts, target, make(self._received_ms(drafts)))
            return drafts.changes, (_outcome(drafts),)

        return _only(await self._acts.commit(gather, once))

    def _fold_refusal(
        self, drafts: Drafts, target: Target, cell: Cell, source: str, received_ms: int, stated_ms: int | None
    ) -> Outcome:
        if self._was_just_refused(drafts, target, cell, received_ms):
            return Outcome.UNCHANGED
        refused = Refused(received_ms, stated_ms, RefusalReason.OPTED_OUT, scope_of(cell), source)
        return Outcome.RECORDED if fold_far(drafts, target, refused) else Outcome.UNCHANGED

    def _fold_consent(
        self, drafts: Drafts, target: Target, event: Granted, *, is_confirmed: bool, unless_permitted: bool = False
    ) -> Outcome:
        if unless_permitted and self._is_permitted(drafts, target, event.cell):
            return Outcome.UNCHANGED
        dossier = drafts.existing(target.records_of)
        if not is_confirmed and self._may_open(drafts, target, event):
            drafts.fold(target.write_to, proposal_of(event), dossier, target.exacts)
            is_waiting = any(
                grant.cell == event.cell and grant.exact in target.exacts
                for record in drafts.existing(target.records_of)
                for grant in record.pending
            )
            return Outcome.PENDING if is_waiting else Outcome.UNCHANGED
        after = drafts.fold(target.write_to, event, dossier, target.exacts)
        return Outcome.UNCHANGED if after is None else Outcome.RECORDED

    def _may_open(self, drafts: Drafts, target: Target, event: Granted) -> bool:
        records = drafts.existing((*target.records_of, *target.elsewhere))
        request = _request(target, event.cell)
        return may_open_a_refusal(self._policy, records, request, self._clock(), event.expires_ms)

    def _was_just_refused(self, drafts: Drafts, target: Target, cell: Cell, received_ms: int) -> bool:
        """Whether the person's no to a cell stands for good, and is as late as one of now.

        What they may still take back on their page is no reason to leave out what they refuse here.
        """
        now_ms = self._clock()
        records = [
            replace(record, refusals=tuple(old for old in record.refusals if is_as_late(old, received_ms)))
            for record in drafts.existing((*target.records_of, *target.elsewhere))
        ]
        lasting_ones = [lasting(record, now_ms) for record in records]
        standing = standing_refusal(self._policy, lasting_ones, _request(target, cell), now_ms)
        return standing in LIFTED_BY_LATER_CONSENT

    def _is_permitted(self, drafts: Drafts, target: Target, cell: Cell) -> bool:
        records = drafts.existing((*target.records_of, *target.elsewhere))
        return decide(self._policy, records, _request(target, cell), self._clock()).is_allowed

    async def _erase(self, target: Target, scope: Scope, source: str, at_ms: int | None, once: Once | None) -> Outcome:
        if scope != EVERYTHING or at_ms is not None or target.write_to.kind is DigestKind.DOMAIN:
            raise InvalidInput("an erasure is of one person, covers everything and happens now")

        async def gather() -> tuple[Sequence[Change], Outcomes]:
            drafts = await self._load(target)
            await self._erasure.fold(drafts, target, source, self._clock())
            return drafts.changes, (_outcome(drafts),)

        return _only(await self._acts.commit(gather, once))

    async def _person(self, drafts: Drafts, target: Target) -> list[Digest]:
        """The records of a target, and of all that the contact holds that it reaches, whatever key they are under."""
        contact = contact_of(drafts, target)
        held = await self._files.load_held(drafts, contact) if contact is not None else []
        return [*target.records_of, *held]

    async def _load(self, target: Target, *, and_elsewhere: bool = False) -> Drafts:
        subjects = (*target.records_of, *target.elsewhere) if and_elsewhere else target.records_of
        return await load_within_reach(self._store, self._policy.controller, subjects)

    def _received_ms(self, drafts: Drafts) -> int:
        """Now, but never before what is on record: a clock may have been set back."""
        return max(self._clock(), drafts.latest_ms())

    def _stated(self, at_ms: int | None) -> int | None:
        return None if at_ms is None else stated_time(at_ms, self._clock())


def granted(target: Target, consent: Consent, received_ms: int, stated_ms: int | None) -> Granted:
    """The event of a consent. Raises InvalidInput for a whole domain: only an exact address consents."""
    if target.exact is None:
        raise InvalidInput("address: a whole domain cannot consent")
    evidence = (consent.wording, consent.method, consent.actor)
    return Granted(received_ms, stated_ms, target.exact, consent.cell, *evidence, consent.expires_ms)


def proposal_of(event: Granted) -> Proposed:
    """The same consent as somebody else's word, which waits for the person's."""
    evidence = (event.wording, event.method, event.actor)
    return Proposed(event.received_ms, event.stated_ms, event.exact, event.cell, *evidence, event.expires_ms)


def scope_of(cell: Cell) -> Scope:
    """What a refusal of one cell covers."""
    return Scope(cell.purpose, None, cell.channel, cell.data_use)


def _request(target: Target, cell: Cell) -> Request:
    return Request(target.address, target.exacts, cell.purpose, cell.channel, cell.data_use)


def _kind(whom: Addressee, channel: Channel | None) -> AddressKind | None:
    return None if isinstance(whom, ContactId) else address_kind(whom, channel)


def _outcome(drafts: Drafts) -> Outcome:
    return Outcome.RECORDED if drafts.changes else Outcome.UNCHANGED


def _only(outcomes: Outcomes) -> Outcome:
    (outcome,) = outcomes
    return outcome


_OTHER_WAYS = {
    RefusalReason.ON_REGISTRY: "import the registry's list in full with --replace-registry",
    RefusalReason.OPTED_OUT: "only the person's own later consent sets it aside",
    RefusalReason.COMPLAINED: "only the person's own later consent sets it aside",
    RefusalReason.ERASED: "only the person's own later consent sets it aside",
}
