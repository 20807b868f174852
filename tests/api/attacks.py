"""Requests that mean harm: each is refused before anything is executed. The benchmark times them, the tests refuse."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

LIMIT = "limit_exceeded"
SYNTAX = "syntax_error"
INVALID = "invalid_request"
MALFORMED = "malformed_request"
BAD_JSON = "bad_request"


@dataclass(frozen=True)
class Attack:
    """One request: how its body is made, and the code that it is refused with."""

    body: Callable[[], bytes]
    code: str


def _document(text: str) -> bytes:
    return json.dumps({"query": text}).encode()


def fragment_bomb(levels: int = 30) -> str:
    """Fragments that spread the next one twice: 2^levels fields, if they were put in place one by one."""
    bombs = (f"fragment F{level} on Query {{ ...F{level + 1} ...F{level + 1} }}" for level in range(levels))
    return "{ ...F0 } " + " ".join(bombs) + f" fragment F{levels} on Query {{ __typename }}"


def wide_fragment_bomb(levels: int = 18, width: int = 12) -> str:
    spreads = "".join
    bombs = (
        f"fragment F{level} on Query {{ {spreads(f'...F{level + 1} ' for _ in range(width))} }}"
        for level in range(levels)
    )
    return "{ ...F0 } " + " ".join(bombs) + f" fragment F{levels} on Query {{ __typename }}"


def circle(length: int = 40) -> str:
    """Fragments that spread each other in a circle."""
    return "{ ...F0 } " + " ".join(
        f"fragment F{place} on Query {{ __typename ...F{(place + 1) % length} }}" for place in range(length)
    )


def unspread_circle() -> str:
    """A circle that no operation reaches."""
    return "{ __typename } fragment A on Query { ...B } fragment B on Query { ...A }"


def aliases(count: int = 150) -> str:
    """One question under many names."""
    asked = '(input: {controller: "opencontact", purpose: "x", channel: email, address: "a@acme.example"}) { allowed }'
    return "{" + " ".join(f"a{number}: decision{asked}" for number in range(count // 15)) + _more_aliases(count) + "}"


def _more_aliases(count: int) -> str:
    return " ".join(f"b{number}: __typename" for number in range(count))


def many_columns(count: int = 15) -> str:
    asked = "(input: $input) { allowed reasons }"
    fields = " ".join(f"a{number}: decisionColumns{asked}" for number in range(count))
    return f"query Q($input: DecisionsInput!) {{ {fields} }}"


def repeated_fields(count: int = 900) -> str:
    """The same field over and over, which a rule of the library compares pair by pair."""
    return "{" + "__typename " * count + "}"


def unknown_fields(count: int = 250) -> str:
    """Fields that do not exist, for each of which a friendly server would look for one that is spelt alike."""
    return "{" + " ".join(f"decisionn{number}" for number in range(count)) + "}"


def nested(depth: int = 60) -> str:
    return "{" + "preferences{" * depth + "__typename" + "}" * depth + "}"


def nested_lists(depth: int = 800) -> str:
    return "{ decisions(input: " + "[" * depth + "]" * depth + ") { allowed } }"


def nested_objects(depth: int = 300) -> str:
    return "{ decisions(input: " + "{a:" * depth + "1" + "}" * depth + ") { allowed } }"


def directives(count: int = 400) -> str:
    return "{ __typename " + "@skip(if: false) " * count + "}"


def variables_defined(count: int = 200) -> str:
    return "query Q(" + " ".join(f"$v{number}: Int" for number in range(count)) + ") { __typename }"


def operations(count: int = 120) -> str:
    return " ".join(f"query Q{number} {{ __typename }}" for number in range(count))


def many_values() -> bytes:
    variables = {"input": {"addresses": [f"a{number}@acme.example" for number in range(40_000)]}}
    return json.dumps({"query": "query Q($input: DecisionsInput!) { __typename }", "variables": variables}).encode()


def _query_with(variables: str) -> bytes:
    return ('{"query": "{ __typename }", "variables": ' + variables + "}").encode()


ATTACKS: Mapping[str, Attack] = {
    "fragment bomb, 2^30 fields": Attack(lambda: _document(fragment_bomb()), LIMIT),
    "fragment bomb, 12^18 fields": Attack(lambda: _document(wide_fragment_bomb()), LIMIT),
    "circular fragments": Attack(lambda: _document(circle()), INVALID),
    "circular fragments out of reach": Attack(lambda: _document(unspread_circle()), INVALID),
    "aliases": Attack(lambda: _document(aliases()), LIMIT),
    "columns under many names": Attack(lambda: _document(many_columns()), LIMIT),
    "900 times the same field": Attack(lambda: _document(repeated_fields()), LIMIT),
    "250 unknown fields": Attack(lambda: _document(unknown_fields()), INVALID),
    "60 levels": Attack(lambda: _document(nested()), LIMIT),
    "100,000 levels": Attack(lambda: _document("{a" * 100_000), LIMIT),
    "lists in lists, 800 deep": Attack(lambda: _document(nested_lists()), SYNTAX),
    "objects in objects, 300 deep": Attack(lambda: _document(nested_objects()), SYNTAX),
    "400 directives": Attack(lambda: _document(directives()), SYNTAX),
    "200 variables": Attack(lambda: _document(variables_defined()), INVALID),
    "120 operations": Attack(lambda: _document(operations()), INVALID),
    "120 directives": Attack(lambda: _document(directives(120)), LIMIT),
    "1 MB of commas": Attack(lambda: _document("{ __typename " + "," * 1_000_000 + "}"), LIMIT),
    "1 MB of comments": Attack(lambda: _document("#\n" * 500_000 + "{ __typename }"), LIMIT),
    "a batch of 1,000": Attack(lambda: json.dumps([{"query": "{ __typename }"}] * 1_000).encode(), MALFORMED),
    "40,000 values": Attack(many_values, LIMIT),
    "JSON 100,000 deep": Attack(lambda: _query_with("[" * 100_000 + "]" * 100_000), BAD_JSON),
    "JSON 800 deep": Attack(lambda: _query_with('{"a":' * 800 + "1" + "}" * 800), LIMIT),
    "a name twice": Attack(lambda: b'{"query": "{ __typename }", "query": "{ decision }"}', BAD_JSON),
    "a name twice in variables": Attack(lambda: _query_with('{"a": 1, "a": 2}'), BAD_JSON),
    "NaN": Attack(lambda: _query_with('{"a": NaN}'), BAD_JSON),
    "infinity": Attack(lambda: _query_with('{"a": Infinity}'), BAD_JSON),
    "a number beyond all numbers": Attack(lambda: _query_with('{"a": 1e999}'), BAD_JSON),
    "100,000 digits": Attack(lambda: _query_with('{"a": ' + "9" * 100_000 + "}"), BAD_JSON),
    "half a surrogate pair": Attack(lambda: _query_with('{"a": "\\ud800"}'), BAD_JSON),
    "half a surrogate pair in a name": Attack(lambda: _query_with('{"\\udfff": 1}'), BAD_JSON),
    "bad UTF-8": Attack(lambda: b'{"query": "{ __typename \xff\xfe }"}', BAD_JSON),
    "UTF-16": Attack(lambda: '{"query": "{ __typename }"}'.encode("utf-16"), BAD_JSON),
    "a byte order mark": Attack(lambda: b'\xef\xbb\xbf{"query": "{ __typename }"}', BAD_JSON),
    "nothing": Attack(lambda: b"", BAD_JSON),
    "an endless string": Attack(lambda: _document('{ decision(input: "' + "a" * 15_000), SYNTAX),
}
