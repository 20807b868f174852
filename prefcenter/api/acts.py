"""The acts on the wire: what people and operators do, and how it is handed to the service that records it."""

from __future__ import annotations

from collections.abc import Sequence

import strawberry

from prefcenter.api.authorisation import Forbidden, services_of
from prefcenter.api.callers import NOT_THEIRS, address_of, channel_of, controller_of
from prefcenter.api.cells import CellInput, ScopeInput, cell_of, scope_of
from prefcenter.api.context import RequestContext
from prefcenter.api.moments import DateTime
from prefcenter.api.results import (
    IDEMPOTENCY_KEY,
    RecordedAct,
    RecordedChoices,
    RecordedSends,
    once_for,
    recorded,
    recorded_choices,
)
from prefcenter.domain.errors import ActRefused, InvalidInput
from prefcenter.domain.events import Cell
from prefcenter.domain.terms import Channel, RefusalReason
from prefcenter.services.acts import Outcome
from prefcenter.services.admission import Consent
from prefcenter.services.callers import CallerScope
from prefcenter.services.controller import ControllerServices
from prefcenter.services.links import Link
from prefcenter.services.recording import Choice, Evidence
from prefcenter.services.targets import Addressee, ContactId, Target

CHOICES_MAX = 200
SENDS_MAX = 1_000

_CONTROLLER = "The controller: the id of its policy. A person may leave it out."
_NAMED_CONTROLLER = "The controller: the id of its policy."
_WHOM = "Whom it is about. A person leaves it out, and acts for their own address."
_OWN_ADDRESS = (
    "The address in plaintext. A signed-in person leaves it out; who came by a link names it where no contact is known."
)
_CHANNEL = "What the address is, where nothing else says so: a channel that reaches it."
_SOURCE = "Where it came from: a short slug such as `crm-form`, never free text."
_WORDING = "The wording that the person saw: a slug with its version, such as `newsletter-form@3` (OCC-15)."
_METHOD = "How they said it: a short slug such as `checkbox` or `phone-call`."
_ACTOR = "Who took it down: a short slug such as `person` or `agent`."


@strawberry.input(one_of=True, description="Whom an act is about. Name exactly one.")
class AddresseeInput:
    address: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="An address in plaintext; a whole domain as `@acme.example`. It is digested and never stored.",
    )
    contact: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="Your own id of a contact; the act is copied to all of its addresses."
    )


@strawberry.input(description="The person's own no.")
class OptOutInput:
    controller: str | None = strawberry.field(default=None, description=_CONTROLLER)
    whom: AddresseeInput | None = strawberry.field(default=None, description=_WHOM)
    scope: ScopeInput | None = strawberry.field(
        default=None,
        description="What they opted out of. Without it: every non-administrative purpose on every channel (OCC-2).",
    )
    channel: Channel | None = strawberry.field(default=None, description=_CHANNEL)
    source: str = strawberry.field(description=_SOURCE)
    at: DateTime | None = strawberry.field(
        default=None, description="When it happened, if not just now. Never in the future."
    )
    idempotency_key: str | None = strawberry.field(default=None, description=IDEMPOTENCY_KEY)


@strawberry.input(description="A suppression for whatever reason.")
class SuppressInput:
    controller: str = strawberry.field(description=_NAMED_CONTROLLER)
    whom: AddresseeInput = strawberry.field(description="Whom it is about.")
    reason: RefusalReason = strawberry.field(description="Why. `erased` needs the scope `admin`: it is for good.")
    scope: ScopeInput | None = strawberry.field(
        default=None, description="What it covers. Without it: what the reason covers by itself."
    )
    channel: Channel | None = strawberry.field(default=None, description=_CHANNEL)
    source: str = strawberry.field(description=_SOURCE)
    at: DateTime | None = strawberry.field(
        default=None, description="When it happened, if not just now. Never in the future."
    )
    idempotency_key: str | None = strawberry.field(default=None, description=IDEMPOTENCY_KEY)


@strawberry.input(description="Consent for one cell by one exact address, with its evidence (OCC-15).")
class RecordConsentInput:
    controller: str | None = strawberry.field(default=None, description=_CONTROLLER)
    whom: AddresseeInput | None = strawberry.field(default=None, description=_WHOM)
    cell: CellInput = strawberry.field(description="What they consent to.")
    channel: Channel | None = strawberry.field(default=None, description=_CHANNEL)
    wording: str = strawberry.field(description=_WORDING)
    method: str = strawberry.field(description=_METHOD)
    actor: str = strawberry.field(description=_ACTOR)
    given_at: DateTime = strawberry.field(description="When they said so. Never in the future.")
    expires_at: DateTime | None = strawberry.field(default=None, description="When it ends, if it does.")
    idempotency_key: str | None = strawberry.field(default=None, description=IDEMPOTENCY_KEY)


@strawberry.input(description="One choice of a person.")
class ChoiceInput:
    cell: CellInput = strawberry.field(description="What the choice is about.")
    wanted: bool = strawberry.field(description="true: they consent to it; false: they refuse it.")


@strawberry.input(description="Several choices of one address, recorded all at once or not at all.")
class SetPreferencesInput:
    controller: str | None = strawberry.field(default=None, description=_CONTROLLER)
    address: str | None = strawberry.field(default=None, description=_OWN_ADDRESS)
    channel: Channel | None = strawberry.field(default=None, description=_CHANNEL)
    choices: list[ChoiceInput] = strawberry.field(description="The choices, 1 to 200.")
    wording: str = strawberry.field(description=_WORDING)
    method: str = strawberry.field(description=_METHOD)
    actor: str = strawberry.field(description=_ACTOR)
    source: str = strawberry.field(description=_SOURCE)
    idempotency_key: str | None = strawberry.field(default=None, description=IDEMPOTENCY_KEY)


@strawberry.input(description="Quiet until a time, or the end of it. Administrative messages go on.")
class PauseInput:
    controller: str | None = strawberry.field(default=None, description=_CONTROLLER)
    whom: AddresseeInput | None = strawberry.field(default=None, description=_WHOM)
    until: DateTime | None = strawberry.field(default=None, description="Until when; null ends the pause.")
    channel: Channel | None = strawberry.field(default=None, description=_CHANNEL)
    idempotency_key: str | None = strawberry.field(default=None, description=IDEMPOTENCY_KEY)


@strawberry.input(description="An administrator's named act: refusals of one reason end.")
class LiftInput:
    controller: str = strawberry.field(description=_NAMED_CONTROLLER)
    whom: AddresseeInput = strawberry.field(description="Whom it is about.")
    reason: RefusalReason = strawberry.field(
        description="`bounced`, `manual`, `minor`, `restricted` or `legal`; no administrator lifts the others."
    )
    cause: str = strawberry.field(description="Why it is lifted: a short slug such as `identity-verified`.")
    purpose: str | None = strawberry.field(default=None, description="Only refusals of this purpose.")
    channel: Channel | None = strawberry.field(default=None, description="Only refusals on this channel.")
    idempotency_key: str | None = strawberry.field(default=None, description=IDEMPOTENCY_KEY)


@strawberry.input(description="Messages that went out, for the frequency cap (TCC-2).")
class RecordSendsInput:
    controller: str = strawberry.field(description=_NAMED_CONTROLLER)
    purpose: str = strawberry.field(description="The purpose of the messages: its id.")
    channel: Channel = strawberry.field(description="The channel that they went out on.")
    campaign: str = strawberry.field(
        description="Your own id of the campaign; an address counts once for each. It is kept as a digest."
    )
    addresses: list[str] = strawberry.field(description="The addresses that they went to, 1,000 at most.")
    sent_at: DateTime | None = strawberry.field(default=None, description="When, if not just now. Never in the future.")
    idempotency_key: str | None = strawberry.field(default=None, description=IDEMPOTENCY_KEY)


async def opt_out(context: RequestContext, wanted: OptOutInput) -> RecordedAct:
    services = await services_of(context, controller_of(context, wanted.controller))
    once = once_for(context, services, wanted.idempotency_key, "optOut", wanted)
    channel = channel_of(context.caller, wanted.channel)
    scope = scope_of(wanted.scope)
    if context.caller.link is not None:
        if wanted.at is not None:
            raise ActRefused("at: what is said by a link is said now")
        target = await _target_by_link(services, context.caller.link, wanted.whom)
        return recorded(await services.own_acts.opt_out(target, [scope], wanted.source, once=once))
    whom = _addressee(context, services, wanted.whom)
    outcome = await services.recording.opt_out(whom, scope, wanted.source, wanted.at, channel, once=once)
    return recorded(outcome)


async def suppress(context: RequestContext, wanted: SuppressInput) -> RecordedAct:
    if wanted.reason is RefusalReason.ERASED and not context.caller.may(CallerScope.ADMIN):
        raise Forbidden
    services = await services_of(context, wanted.controller)
    whom = _addressee(context, services, wanted.whom)
    once = once_for(context, services, wanted.idempotency_key, "suppress", wanted)
    scope = scope_of(wanted.scope)
    outcome = await services.recording.suppress(
        whom, wanted.reason, scope, wanted.source, wanted.at, wanted.channel, once=once
    )
    return recorded(outcome)


async def record_consent(context: RequestContext, wanted: RecordConsentInput) -> RecordedAct:
    services = await services_of(context, controller_of(context, wanted.controller))
    whom = _address(context, services, wanted.whom)
    once = once_for(context, services, wanted.idempotency_key, "recordConsent", wanted)
    evidence = wanted.wording, wanted.method, wanted.actor
    consent = Consent(cell_of(wanted.cell), *evidence, wanted.given_at, wanted.expires_at)
    channel = channel_of(context.caller, wanted.channel)
    is_confirmed = context.caller.consents_at_once
    is_replay = await services.recording.is_done(once)
    outcome = await services.recording.record_consent(whom, consent, channel, once=once, is_confirmed=is_confirmed)
    if outcome is Outcome.PENDING and not is_replay:
        await _ask_person(context, services, whom, channel, [consent.cell])
    return recorded(outcome)


async def set_preferences(context: RequestContext, wanted: SetPreferencesInput) -> RecordedChoices:
    services = await services_of(context, controller_of(context, wanted.controller))
    if not 1 <= len(wanted.choices) <= CHOICES_MAX:
        raise InvalidInput(f"choices: between 1 and {CHOICES_MAX}")
    once = once_for(context, services, wanted.idempotency_key, "setPreferences", wanted)
    choices = [Choice(cell_of(choice.cell), choice.wanted) for choice in wanted.choices]
    if context.caller.link is not None:
        visit = await services.visits.of_link(context.caller.link, wanted.address)
        saved = await services.visits.save(visit, choices, wanted.wording, _language(context), once=once)
        return recorded_choices(saved.outcomes)
    address = address_of(context.caller, services, wanted.address)
    channel = channel_of(context.caller, wanted.channel)
    is_replay = await services.recording.is_done(once)
    outcomes = await services.recording.set_preferences(
        address,
        choices,
        wanted.source,
        Evidence(wanted.wording, wanted.method, wanted.actor),
        channel,
        once=once,
        is_confirmed=context.caller.consents_at_once,
    )
    waiting = [choice.cell for choice, outcome in zip(choices, outcomes, strict=True) if outcome is Outcome.PENDING]
    if waiting and not is_replay:
        await _ask_person(context, services, address, channel, waiting)
    return recorded_choices(outcomes)


async def _ask_person(
    context: RequestContext, services: ControllerServices, address: str, channel: Channel | None, cells: Sequence[Cell]
) -> None:
    """What a tool reports over a standing refusal waits for the person, who is asked by mail (OCC-15)."""
    await services.confirmations.ask_for_reported(address, channel, cells, _language(context))


def _language(context: RequestContext) -> str:
    return next(iter(context.languages), "en")


async def pause(context: RequestContext, wanted: PauseInput) -> RecordedAct:
    services = await services_of(context, controller_of(context, wanted.controller))
    once = once_for(context, services, wanted.idempotency_key, "pause", wanted)
    channel = channel_of(context.caller, wanted.channel)
    if context.caller.link is not None:
        target = await _target_by_link(services, context.caller.link, wanted.whom)
        return recorded(await services.recording.pause_target(target, wanted.until, once))
    whom = _addressee(context, services, wanted.whom)
    return recorded(await services.recording.pause(whom, wanted.until, channel, once=once))


async def lift(context: RequestContext, wanted: LiftInput) -> RecordedAct:
    services = await services_of(context, wanted.controller)
    whom = _addressee(context, services, wanted.whom)
    once = once_for(context, services, wanted.idempotency_key, "lift", wanted)
    outcome = await services.recording.lift(
        whom, wanted.reason, wanted.cause, wanted.purpose, wanted.channel, once=once
    )
    return recorded(outcome)


async def record_sends(context: RequestContext, wanted: RecordSendsInput) -> RecordedSends:
    services = await services_of(context, wanted.controller)
    if len(wanted.addresses) > SENDS_MAX:
        raise InvalidInput(f"addresses: {SENDS_MAX:,} at most; split the report")
    once = once_for(context, services, wanted.idempotency_key, "recordSends", wanted)
    report = await services.sending.record(
        wanted.purpose, wanted.channel, wanted.campaign, wanted.addresses, wanted.sent_at, once=once
    )
    return RecordedSends(
        recorded=report.recorded, already=report.already, is_capped=report.is_capped, invalid=list(report.invalid)
    )


def _addressee(context: RequestContext, services: ControllerServices, wanted: AddresseeInput | None) -> Addressee:
    """The contact that is named, or the address as `_address` has it. A person has no contact to act for."""
    if wanted is not None and wanted.contact:
        if context.caller.person is not None:
            raise ActRefused(NOT_THEIRS)
        return ContactId(wanted.contact)
    return _address(context, services, wanted)


async def _target_by_link(services: ControllerServices, link: Link, wanted: AddresseeInput | None) -> Target:
    """Whom a link is for; whoever is named besides has to be the same."""
    if wanted is not None and wanted.contact:
        raise ActRefused(NOT_THEIRS)
    named = wanted.address if wanted is not None else None
    return (await services.visits.of_link(link, named or None)).target


def _address(context: RequestContext, services: ControllerServices, wanted: AddresseeInput | None) -> str:
    named = wanted.address if wanted is not None else None
    return address_of(context.caller, services, named or None)
