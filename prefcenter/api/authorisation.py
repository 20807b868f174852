"""Who may ask which field. What the schema prints as `@requires` is what is checked; there is no second list."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import strawberry
from strawberry.extensions import FieldExtension
from strawberry.schema_directive import Location
from strawberry.types.field import StrawberryField

from prefcenter.api.context import Info, RequestContext
from prefcenter.api.terms import described
from prefcenter.domain.errors import InvalidInput, PrefcenterError
from prefcenter.services.callers import Caller, CallerScope
from prefcenter.services.controller import ControllerServices

described(
    CallerScope,
    "What an API key may do; none of them contains another.",
    {
        "decide": "Ask for decisions.",
        "record": "Record what people do: opt-outs, consents, contacts, sends.",
        "read": "Read what is on record, with true reasons.",
        "admin": "Erase, and lift what only an administrator lifts.",
    },
)


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="requires",
    description=(
        "Only a key with one of the `scopes` may ask for the field; where `orPerson` is true, so may a signed-in"
        " person, about their own address."
    ),
)
class Requires:
    """What a caller needs for a field."""

    scopes: list[CallerScope]
    or_person: bool = False


class Forbidden(PrefcenterError):
    """The caller holds none of the scopes that a field asks for."""

    code = "forbidden"

    def __init__(self) -> None:
        super().__init__("your key does not have the scope that this field requires")


class UnknownController(InvalidInput):
    """Said alike of a controller that does not exist and of one that the caller may not ask for."""

    code = "unknown_controller"

    def __init__(self) -> None:
        super().__init__("controller: not one that you may ask for")


class Guard(FieldExtension):
    """Lets only some callers at a field, and prints that in the schema."""

    def __init__(self, *scopes: CallerScope, or_person: bool = False) -> None:
        self._scopes = scopes
        self._or_person = or_person
        self._printed = Requires(scopes=list(scopes), or_person=or_person)

    def apply(self, field: StrawberryField) -> None:
        """Print it once, although every schema that is made applies it to the same field."""
        if self._printed not in field.directives:
            field.directives.append(self._printed)

    def resolve(self, next_: Callable[..., Any], source: Any, info: Info, **arguments: Any) -> Any:
        self._admit(info.context.caller)
        return next_(source, info, **arguments)

    async def resolve_async(self, next_: Callable[..., Any], source: Any, info: Info, **arguments: Any) -> Any:
        self._admit(info.context.caller)
        answer = next_(source, info, **arguments)
        return answer if inspect.isasyncgen(answer) else await answer

    def _admit(self, caller: Caller) -> None:
        if not (caller.may(*self._scopes) or (self._or_person and caller.person is not None)):
            raise Forbidden


def may_see_true_reasons(caller: Caller) -> bool:
    """Whether `minor`, `restricted`, `legal` and `erased` show as what they are."""
    return caller.may(CallerScope.READ, CallerScope.ADMIN)


def check_controller(context: RequestContext, controller: str) -> None:
    """Raises UnknownController, alike for one that is not there and for one that is none of the caller's business."""
    if not context.caller.may_ask_for(controller) or controller not in context.home.known_controllers():
        raise UnknownController


async def services_of(context: RequestContext, controller: str) -> ControllerServices:
    """The services of a controller that the caller may ask for."""
    check_controller(context, controller)
    return await context.home.controller(controller)
