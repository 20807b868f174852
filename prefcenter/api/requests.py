"""What a request says: one operation with its variables, out of JSON that can be read in one way only."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prefcenter.api.documents import TrustedDocuments
from prefcenter.api.limits import LimitExceeded
from prefcenter.domain.errors import InvalidInput

VALUES_MAX = 25_000
"""Values in the variables of a request, each address one of them."""

LEVELS_MAX = 10
"""How deep the variables of a request may be nested."""

_MAPS = ("variables", "extensions")


class MalformedRequest(InvalidInput):
    """JSON, but no GraphQL request; nothing was executed."""

    code = "malformed_request"


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """One operation to run."""

    query: str
    variables: dict[str, Any] | None
    operation_name: str | None


def read_json(body: bytes | str) -> object:
    """The one value that the text can mean (RFC 8259). Raises ValueError, which quotes nothing of it.

    Names that occur twice in an object, NaN, infinities, halves of surrogate pairs and bytes that are not UTF-8 are
    refused: what a filter on the way reads one way and we another is how filters are passed.
    """
    try:
        text = body.decode("utf-8") if isinstance(body, bytes) else body
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refused, parse_float=_finite)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise ValueError("the body is not JSON in UTF-8 that can be read in one way only") from None
    return value


def read_request(value: object, documents: TrustedDocuments) -> GraphQLRequest:
    """The operation of a request, or of the `payload` of a message. Raises InvalidInput."""
    if isinstance(value, list):
        raise MalformedRequest("batches are not taken; `decisions` takes many addresses at once")
    if not isinstance(value, dict):
        raise MalformedRequest("expected an object with `query` or `documentId`")
    for name in _MAPS:
        if not isinstance(value.get(name), dict | None):
            raise MalformedRequest(f"{name}: expected an object")
    operation_name = value.get("operationName")
    if not isinstance(operation_name, str | None):
        raise MalformedRequest("operationName: expected a string")
    variables = value.get("variables")
    check_values(variables)
    return GraphQLRequest(_document(value, documents), variables, operation_name)


def check_values(value: object) -> None:
    """Raise LimitExceeded for values that are too many or nested too deeply; no more are looked at than it takes."""
    level, count = [value], 0
    for _ in range(LEVELS_MAX):
        count += len(level)
        if count > VALUES_MAX:
            raise LimitExceeded(f"variables: {VALUES_MAX:,} values at most")
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return
    raise LimitExceeded(f"variables: nested {LEVELS_MAX} levels deep at most")


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _document(value: Mapping[str, object], documents: TrustedDocuments) -> str:
    query, name = value.get("query"), value.get("documentId")
    if isinstance(query, str) and name is None and query.strip():
        return query
    if isinstance(name, str) and query is None:
        return documents.text_of(name)
    raise MalformedRequest("expected either `query` or `documentId`, as a string")


def _unique(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _refused(_: str) -> object:
    raise ValueError("not a number of JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise ValueError("too large a number")
    return number
