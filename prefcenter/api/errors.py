"""Errors as callers see them: a code, a message without anybody's data, and an id where the fault is ours."""

from __future__ import annotations

import re

import structlog
from graphql import GraphQLError, GraphQLSyntaxError

from prefcenter.api.authorisation import Forbidden
from prefcenter.domain.errors import ActRefused, InvalidInput, KeyringError, StoreError
from prefcenter.logs import kind_of, place_of

SHOWN_ERRORS_MAX = 10
EXPECTED = (InvalidInput, ActRefused, Forbidden)
"""Errors whose messages are written for the caller."""

NO_ANSWER = (StoreError, KeyringError, TimeoutError)
"""Errors that say that there is no answer, whatever their messages tell an operator."""

INVALID_REQUEST = "invalid_request"
SYNTAX_ERROR = "syntax_error"
UNAVAILABLE = "unavailable"
INTERNAL = "internal"

_EXPECTATION = re.compile(
    r"Expected (?:a )?value of (?:non-null )?type '[\w!\[\]]+'"
    r"(?: to include required field '\w+'| to be provided| not to be None)?"
)
_LEFT_OUT = (
    (re.compile(r" Did you mean .*", re.DOTALL), ""),
    (re.compile(r"((?:Block)?String) ['\"].*", re.DOTALL), r"\1."),
    (re.compile(r'".*"', re.DOTALL), '"…"'),
    (re.compile(r",? [Ff]ound: .*", re.DOTALL), "."),
    (re.compile(r"value: .*", re.DOTALL), "value."),
    (re.compile(r"\d{5,}"), "…"),
)
"""What a message may say of a request, and what stands instead of it."""


def as_shown(error: GraphQLError, request_id: str) -> GraphQLError:
    """The error as it goes on the wire. One that nobody foresaw is logged by its place and shows only an id."""
    cause = error.original_error
    if isinstance(cause, EXPECTED):
        return _reworded(error, str(cause), cause.code)
    if isinstance(cause, NO_ANSWER):
        note_failure("failed", cause, request_id)
        return _reworded(error, "the service cannot answer now; nothing was acknowledged", UNAVAILABLE, request_id)
    if cause is not None and not isinstance(cause, GraphQLError):
        note_failure("failed", cause, request_id)
        return _reworded(error, "something unforeseen happened; the id finds it in the log", INTERNAL, request_id)
    code = (error.extensions or {}).get("code", _code_of(error))
    return _reworded(error, without_values(error.message), str(code))


def without_values(message: str) -> str:
    """A message of the library without what it quotes of the request, for that may be somebody's address."""
    head, found, _ = message.partition(" has invalid value")
    if found:
        place = re.match(r"(?: at '?[\w.\[\]]+'?)?", message[len(head) + len(found) :])
        where = place[0] if place else ""
        wanted = _EXPECTATION.search(message)
        return f"{head}{found}{where}" + (f": {wanted[0]}." if wanted else ".")
    for pattern, instead in _LEFT_OUT:
        message = pattern.sub(instead, message)
    return message


def note_failure(event: str, failure: BaseException, request_id: str) -> None:
    """Log what failed by its kind and place, for its message may quote anything."""
    structlog.get_logger().error(event, failure=kind_of(failure), place=place_of(failure), request_id=request_id)


def _code_of(error: GraphQLError) -> str:
    return SYNTAX_ERROR if isinstance(error, GraphQLSyntaxError) else INVALID_REQUEST


def _reworded(error: GraphQLError, message: str, code: str, request_id: str | None = None) -> GraphQLError:
    extensions = {"code": code} if request_id is None else {"code": code, "id": request_id}
    return GraphQLError(
        message,
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions=extensions,
    )
