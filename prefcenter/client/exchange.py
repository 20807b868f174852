"""One call of the server without any input or output: what to send, when to try again, and what an answer means.

The two clients drive the same generators: they send what is yielded, wait as long as is yielded, and hand in the reply.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from prefcenter.client.errors import ClientError, RequestRejected, Unavailable

ACCEPT = "application/graphql-response+json"
RETRIED_STATUS = frozenset({429, 502, 503, 504})
WAIT_SECONDS_MAX = 30.0
_FIRST_WAIT_SECONDS = 0.2

Result = TypeVar("Result")
Variables = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Post:
    """A body to post to the GraphQL endpoint."""

    body: bytes


@dataclass(frozen=True, slots=True)
class Wait:
    """Seconds to let pass before the next try."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class NoReply:
    """Nothing came back: no connection, or none in time. `why` names the kind of failure and quotes nothing."""

    why: str


Step = Post | Wait
Exchange = Generator[Step, Reply | NoReply | None, Result]


def ask(operation: str, variables: Variables, tries: int) -> Exchange[dict[str, Any]]:
    """The data of an answer. Raises RequestRejected, and Unavailable after the last try."""
    body = msgspec.json.encode({"query": document(operation), "variables": variables})
    why = "not tried"
    for attempt in range(tries):
        reply = yield Post(body)
        if isinstance(reply, Reply) and reply.status not in RETRIED_STATUS:
            return _data(reply)
        why = reply.why if isinstance(reply, NoReply) else f"HTTP {reply.status}" if reply else "no reply"
        if attempt + 1 < tries:
            yield Wait(_pause(attempt, reply))
    raise Unavailable(why)


@cache
def document(operation: str) -> str:
    """The text of an operation that ships: a server in production mode runs these."""
    name = f"{operation}.graphql"
    packaged = Path(__file__).parents[1] / "api" / "graphql" / "operations" / name
    checkout = Path(__file__).parents[2] / "graphql" / "operations" / name
    return (packaged if packaged.is_file() else checkout).read_text(encoding="utf-8")


def _pause(attempt: int, reply: Reply | NoReply | None) -> float:
    """Twice as long each time, spread so that many clients do not come back at once; what the server asks for wins."""
    asked = reply.headers.get("retry-after", "") if isinstance(reply, Reply) else ""
    if asked.isdecimal():
        return min(float(asked), WAIT_SECONDS_MAX)
    return float(_FIRST_WAIT_SECONDS * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311 - spreads load, hides nothing


def _data(reply: Reply) -> dict[str, Any]:
    try:
        answer = msgspec.json.decode(reply.body)
    except msgspec.DecodeError:
        raise Unavailable(f"HTTP {reply.status} without a GraphQL answer") from None
    if not isinstance(answer, dict):
        raise Unavailable(f"HTTP {reply.status} without a GraphQL answer")
    data, fault = answer.get("data"), _fault(reply.status, answer)
    if fault is not None:
        raise fault
    if not isinstance(data, dict):
        raise Unavailable(f"HTTP {reply.status} without data")
    return data


def _fault(status: int, answer: Mapping[str, Any]) -> ClientError | None:
    """The error that an answer tells of, in the shape of GraphQL or of HTTP."""
    errors = answer.get("errors")
    told = errors[0] if isinstance(errors, list) and errors else answer.get("error")
    if not isinstance(told, dict):
        return None if status < 400 else Unavailable(f"HTTP {status}")
    extensions = told.get("extensions") if isinstance(told.get("extensions"), dict) else told
    code = str((extensions or {}).get("code", "unknown"))
    request_id = (extensions or {}).get("id")
    if status >= 500 or code in ("unavailable", "internal"):
        return Unavailable(code)
    return RequestRejected(status, code, str(told.get("message", "")), request_id and str(request_id))
