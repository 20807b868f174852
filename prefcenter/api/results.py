"""What a mutation answers: that it was done, or why it was refused. Refused acts changed nothing."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Sequence
from typing import Annotated, TypeVar

import msgspec
import strawberry

from prefcenter.api.context import RequestContext
from prefcenter.domain.errors import ActRefused, InvalidAddress, InvalidInput, PrefcenterError
from prefcenter.services.acts import Once, Outcome, once_of
from prefcenter.services.controller import ControllerServices

IDEMPOTENCY_KEY_CHARACTERS_MAX = 128
IDEMPOTENCY_KEY = (
    "A key of your choice, 1 to 128 characters: the same key with the same input gives the first answer again for at"
    " least 24 hours, and with another input is refused. Send one wherever you retry."
)
_FIELD = re.compile(r"([a-z][a-z ]*?)(?:\[\d+\] |: )")

Done = TypeVar("Done")


@strawberry.type(description="An act that was refused. Nothing was changed.")
class RefusedAct:
    code: str = strawberry.field(
        description=(
            "What was wrong: `invalid_input`, `invalid_address`, `invalid_time`, `act_refused`, `unknown_controller`,"
            " `unknown_contact` or `idempotency_conflict`; there may be more in time."
        )
    )
    message: str = strawberry.field(description="The same in a sentence, for people. It never quotes an address.")
    field: str | None = strawberry.field(description="The part of the input that it is about, where it is one.")


@strawberry.type(description="An act that was taken.")
class RecordedAct:
    outcome: Outcome = strawberry.field(description="What it came to.")


@strawberry.type(description="Choices that were taken, all at once.")
class RecordedChoices:
    outcomes: list[Outcome] = strawberry.field(description="What each came to, in the order of the choices.")


@strawberry.type(description="Sends that were noted.")
class RecordedSends:
    recorded: int = strawberry.field(description="How many are new.")
    already: int = strawberry.field(description="How many were on record, for the same address and campaign.")
    is_capped: bool = strawberry.field(description="Whether the purpose has a frequency cap; without one none is kept.")
    invalid: list[int] = strawberry.field(description="Positions of addresses that do not parse; the first is 0.")


ActResult = Annotated[RecordedAct | RefusedAct, strawberry.union("ActResult", description="What came of an act.")]
ChoicesResult = Annotated[
    RecordedChoices | RefusedAct, strawberry.union("ChoicesResult", description="What came of a set of choices.")
]
SendsResult = Annotated[
    RecordedSends | RefusedAct, strawberry.union("SendsResult", description="What came of a report of sends.")
]


async def unless_refused(act: Awaitable[Done]) -> Done | RefusedAct:
    """The result of an act, or a refusal as a value: both are expected, so neither is an error."""
    try:
        return await act
    except (InvalidInput, ActRefused) as error:
        message = _sentence(error)
        named = _FIELD.match(message)
        return RefusedAct(code=error.code, message=message, field=_camel_case(named[1]) if named else None)


def once_for(
    context: RequestContext, services: ControllerServices, key: str | None, name: str, wanted: object
) -> Once | None:
    """What makes a mutation happen once: the key of this caller, and all of its input. Raises InvalidInput."""
    if key is None:
        return None
    if not 1 <= len(key) <= IDEMPOTENCY_KEY_CHARACTERS_MAX:
        raise InvalidInput(f"idempotency key: between 1 and {IDEMPOTENCY_KEY_CHARACTERS_MAX} characters")
    content = msgspec.json.encode((name, wanted), enc_hook=_left_out)
    return once_of(services.sealer, context.caller.id, key, content)


def recorded(outcome: Outcome) -> RecordedAct:
    return RecordedAct(outcome=outcome)


def recorded_choices(outcomes: Sequence[Outcome]) -> RecordedChoices:
    return RecordedChoices(outcomes=list(outcomes))


def _sentence(error: PrefcenterError) -> str:
    """The message, led by the field that it is about; what is wrong with an address says nothing but that."""
    message = str(error)
    is_led = not isinstance(error, InvalidAddress) or _FIELD.match(message)
    return message if is_led else f"address: {message}"


def _left_out(value: object) -> None:
    """A part of a `@oneOf` input that was not given."""
    if value is not strawberry.UNSET:
        raise TypeError(f"{type(value).__name__} is no part of an input")


def _camel_case(words: str) -> str:
    first, *others = words.split()
    return first + "".join(word.capitalize() for word in others)
