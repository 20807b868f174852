"""Decisions on the wire: one, a thousand as objects, ten thousand as columns."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import strawberry

from prefcenter.api.authorisation import check_controller, may_see_true_reasons
from prefcenter.api.context import RequestContext
from prefcenter.api.errors import note_failure
from prefcenter.api.explanations import chosen_language, explained
from prefcenter.api.moments import DateTime
from prefcenter.api.terms import REASON_OF, Reason
from prefcenter.domain import decision as domain
from prefcenter.domain import terms
from prefcenter.domain.errors import InvalidInput
from prefcenter.domain.terms import AddressClass, Basis, Channel
from prefcenter.services.decisions import Question

DECISIONS_MAX = 1_000
DECISION_COLUMNS_MAX = 10_000
DECISION_SECONDS_MAX = 10.0
"""A store that hangs is a store that gives no answer."""

NOBODYS_BUSINESS = frozenset({terms.Reason.ERASED, terms.Reason.MINOR, terms.Reason.RESTRICTED, terms.Reason.LEGAL})
"""Reasons that callers without the scope `read` or `admin` see as `suppressed`."""

_CONTROLLER = "The controller that wants to send: the id of its policy."
_ADDRESS = "The address in plaintext, as it stands in your list. It is digested on arrival and never stored."
_ADDRESSES = "The addresses in plaintext, as they stand in your list. They are digested on arrival and never stored."
_PURPOSE = "What the message is for: the id of a purpose of the policy."
_CLASS = "Whose address it is, if you know. A free-mail address is personal all the same (OC-3)."
_AUDIENCE = "The audience that you send to; the decision is a refusal where the purpose does not cover it."


class TooManyAddresses(InvalidInput):
    """More addresses than a field takes; nothing was looked up."""

    code = "too_many_addresses"


@strawberry.input(description="One question: may this message be sent to this address?")
class DecisionInput:
    controller: str = strawberry.field(description=_CONTROLLER)
    purpose: str = strawberry.field(description=_PURPOSE)
    channel: Channel = strawberry.field(description="The channel that the message goes out on.")
    address: str = strawberry.field(description=_ADDRESS)
    address_class: AddressClass | None = strawberry.field(default=None, description=_CLASS)
    audience: str | None = strawberry.field(default=None, description=_AUDIENCE)


@strawberry.input(description="The same question about many addresses.")
class DecisionsInput:
    controller: str = strawberry.field(description=_CONTROLLER)
    purpose: str = strawberry.field(description=_PURPOSE)
    channel: Channel = strawberry.field(description="The channel that the messages go out on.")
    addresses: list[str] = strawberry.field(description=_ADDRESSES)
    address_class: AddressClass | None = strawberry.field(default=None, description=_CLASS)
    audience: str | None = strawberry.field(default=None, description=_AUDIENCE)


@strawberry.input(description="One question: may this person's data be used in this way?")
class DataUseInput:
    controller: str = strawberry.field(description="The controller that wants to use the data: the id of its policy.")
    data_use: str = strawberry.field(description="The id of a data use of the policy, such as `profiling`.")
    address: str = strawberry.field(description=_ADDRESS)
    channel: Channel | None = strawberry.field(
        default=None, description="What the address is: a channel that reaches it. Without it, its looks decide."
    )
    audience: str | None = strawberry.field(
        default=None, description="The audience that the person belongs to, where the data use is for some only."
    )


@strawberry.type(description="The answer: may it be sent, why, under which policy, and for how long that holds.")
class Decision:
    allowed: bool = strawberry.field(description="Whether it may be sent. Anything but `true` means: do not send.")
    reason: Reason = strawberry.field(description="`permitted`, or the one test that refused.")
    basis: Basis | None = strawberry.field(description="The legal basis of a permission (OCC-14); null for a refusal.")
    clause: str | None = strawberry.field(description="The clause of the policy that decided, where one did.")
    explanation: str = strawberry.field(
        description="The same in one plain sentence, in the language that `Accept-Language` asks for where we have it."
    )
    policy_version: str | None = strawberry.field(
        description="The policy that decided: 16 hex digits of a SHA-256; null where the check failed."
    )
    decided_at: DateTime = strawberry.field(description="When it was decided.")
    valid_until: DateTime = strawberry.field(
        description=(
            "The earliest moment at which the clock alone changes the answer, 24 hours at most. It is no promise"
            " against a refusal that arrives meanwhile: ask again before you send."
        )
    )


@strawberry.type(description="Many decisions as columns, in the order of the addresses: the fast form.")
class DecisionColumns:
    allowed: list[bool] = strawberry.field(description="Whether it may be sent, an item for each address.")
    reasons: list[Reason] = strawberry.field(description="The reason, an item for each address.")
    policy_version: str | None = strawberry.field(
        description="The policy that decided: 16 hex digits of a SHA-256; null where the check failed."
    )
    decided_at: DateTime = strawberry.field(description="When it was decided.")
    valid_until: DateTime = strawberry.field(
        description="The earliest `validUntil` of all the decisions; `decidedAt` where there is none."
    )


async def decide_message(context: RequestContext, wanted: DecisionInput) -> Decision:
    """One decision about a message."""
    question = Question(
        wanted.address, wanted.purpose, wanted.channel, address_class=wanted.address_class, audience=wanted.audience
    )
    (answer,) = await _answers(context, wanted.controller, [question])
    return Shown(context).decision(answer)


async def decide_data_use(context: RequestContext, wanted: DataUseInput) -> Decision:
    """One decision about a use of data."""
    question = Question(wanted.address, None, wanted.channel, wanted.data_use, audience=wanted.audience)
    (answer,) = await _answers(context, wanted.controller, [question])
    return Shown(context, of_data_use=True).decision(answer)


async def decide_messages(context: RequestContext, wanted: DecisionsInput) -> list[Decision]:
    """Decisions in the order of the addresses. Raises TooManyAddresses before anything is looked up."""
    answers = await _answers(context, wanted.controller, _questions(wanted, DECISIONS_MAX))
    shown = Shown(context)
    return [shown.decision(answer) for answer in answers]


async def decide_columns(context: RequestContext, wanted: DecisionsInput) -> DecisionColumns:
    """The same as columns. Raises TooManyAddresses before anything is looked up."""
    answers = await _answers(context, wanted.controller, _questions(wanted, DECISION_COLUMNS_MAX))
    shown = Shown(context)
    now_ms = answers[0].decided_at_ms if answers else context.home.clock()
    return DecisionColumns(
        allowed=[answer.is_allowed for answer in answers],
        reasons=[shown.reason(answer) for answer in answers],
        policy_version=answers[0].policy_version or None if answers else None,
        decided_at=DateTime(now_ms),
        valid_until=DateTime(min((answer.valid_until_ms for answer in answers), default=now_ms)),
    )


def _questions(wanted: DecisionsInput, addresses_max: int) -> list[Question]:
    if len(wanted.addresses) > addresses_max:
        raise TooManyAddresses(f"addresses: {addresses_max:,} at most; split the batch")
    purpose, channel, address_class, audience = wanted.purpose, wanted.channel, wanted.address_class, wanted.audience
    return [Question(text, purpose, channel, None, address_class, audience) for text in wanted.addresses]


async def _answers(
    context: RequestContext, controller: str, questions: Sequence[Question]
) -> Sequence[domain.Decision]:
    """What the service decides; where it fails in whatever way, a refusal for each question (promise 1)."""
    check_controller(context, controller)
    now_ms = context.home.clock()
    if not questions:
        return []
    try:
        async with asyncio.timeout(DECISION_SECONDS_MAX):
            services = await context.home.deciding(controller)
            return await services.decisions.decide_many(questions, now_ms)
    except Exception as error:
        note_failure("no_decision", error, context.request_id)
        return [domain.check_failed("", now_ms)] * len(questions)


@dataclass
class Shown:
    """Decisions as one caller may see them, in their language. Few differ, so the sentences are written once."""

    context: RequestContext
    of_data_use: bool = False
    _sentences: dict[tuple[terms.Reason, Basis | None], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._masked = frozenset() if may_see_true_reasons(self.context.caller) else NOBODYS_BUSINESS
        self._language = chosen_language(self.context.languages)

    def reason(self, answer: domain.Decision) -> Reason:
        return Reason.SUPPRESSED if answer.reason in self._masked else REASON_OF[answer.reason]

    def decision(self, answer: domain.Decision) -> Decision:
        reason = self.reason(answer)
        return Decision(
            allowed=answer.is_allowed,
            reason=reason,
            basis=answer.basis,
            clause=None if reason is Reason.SUPPRESSED else answer.clause,
            explanation=self._explanation(answer, reason),
            policy_version=answer.policy_version or None,
            decided_at=DateTime(answer.decided_at_ms),
            valid_until=DateTime(answer.valid_until_ms),
        )

    def _explanation(self, answer: domain.Decision, reason: Reason) -> str:
        key = answer.reason, answer.basis
        if key not in self._sentences:
            self._sentences[key] = explained(answer, reason, self._language, of_data_use=self.of_data_use)
        return self._sentences[key]
