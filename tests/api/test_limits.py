"""What a document may ask for, and that whatever asks for more is refused before anything is executed."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from graphql import GraphQLError, parse
from hypothesis import given
from hypothesis import strategies as st

from prefcenter.api.limits import DocumentLimits, check_document
from tests.api.attacks import ATTACKS, fragment_bomb, wide_fragment_bomb
from tests.api.served_api import CONTROLLER, ROOT, Served, serve_api

LIMITS = DocumentLimits(depth_max=3, aliases_max=2, fields_max=5, directives_max=2, cost_max=2_000)


def refusal(document: str, limits: DocumentLimits = LIMITS) -> str | None:
    """What a document is refused for; None: it is not."""
    try:
        check_document(parse(document), limits)
    except GraphQLError as error:
        return error.message
    return None


@pytest.mark.parametrize(
    ("document", "wanted"),
    [
        ("{ a { b { c } } }", None),
        ("{ a { b { c { d } } } }", "depth: 3 at most"),
        ("{ a { ... { b { ...F } } } } fragment F on T { c { d } }", "depth: 3 at most"),
        ("{ x: a y: b }", None),
        ("{ x: a y: b z: c }", "aliases: 2 at most"),
        ("{ ...F ...F } fragment F on T { x: a y: b }", "aliases: 2 at most"),
        ("{ a b c d e }", None),
        ("{ a b c d e f }", "fields: 5 at most"),
        ("{ ...F ...F } fragment F on T { a b c }", "fields: 5 at most"),
        ("{ a @skip(if: true) @include(if: true) }", None),
        (
            "{ a @skip(if: true) ...F @skip(if: true) ... @skip(if: true) { b } } fragment F on T { c }",
            "directives: 2 at most",
        ),
        ("{ decisions { a } }", None),
        ("{ decisions { a b } }", "cost: 2,000 at most"),
        ("{ edges { edges { a } } }", "cost: 2,000 at most"),
        ("{ a } query Q { a b c d e f }", "fields: 5 at most"),
        ("{ a } fragment F on T { a b c d e f }", "fields: 5 at most"),
    ],
)
def test_a_document_is_measured_with_its_fragments_in_place(document: str, wanted: str | None) -> None:
    assert refusal(document) == wanted


@pytest.mark.parametrize("document", [fragment_bomb(200), wide_fragment_bomb(100, 40)])
def test_each_fragment_is_measured_once(document: str) -> None:
    """Put in place one by one, these would take longer than there is time."""
    assert refusal(document) in {"fields: 5 at most", "directives: 2 at most"}


NAMES = st.sampled_from("abc")
SELECTIONS = st.recursive(
    st.lists(NAMES, min_size=1, max_size=3).map(" ".join),
    lambda inner: st.lists(
        st.one_of(
            st.builds("{} {{ {} }}".format, NAMES, inner),
            st.builds("x: {} {{ {} }}".format, NAMES, inner),
            st.builds("... {{ {} }}".format, inner),
        ),
        min_size=1,
        max_size=3,
    ).map(" ".join),
    max_leaves=8,
)


@given(SELECTIONS)
def test_a_fragment_counts_like_what_stands_in_it(selections: str) -> None:
    inline = refusal(f"{{ {selections} }}")
    spread = refusal(f"{{ ...F }} fragment F on T {{ {selections} }}")
    assert inline == spread


@pytest.fixture(scope="module")
def documents() -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "graphql" / "operations").iterdir()}


def test_the_documents_that_ship_are_within_the_limits(documents: dict[str, str]) -> None:
    assert {name: refusal(text, DocumentLimits()) for name, text in documents.items()} == dict.fromkeys(documents)


def code_of(body: Any) -> str:
    code: str = body["error"]["code"] if "error" in body else body["errors"][0]["extensions"]["code"]
    return code


async def test_every_attack_is_refused_and_nothing_is_executed(home: Path) -> None:
    async with serve_api(home) as served:
        await served.api.home.marker()
        for name, attack in ATTACKS.items():
            answer = await served.post(attack.body())
            assert code_of(answer.body) == attack.code, name
            assert answer.body.get("data") is None, name
            assert "acme.example" not in str(answer.body), name
        assert await still_answers(served)


async def still_answers(served: Served) -> bool:
    answer = await served.graphql("{ __typename }")
    return bool(answer.body == {"data": {"__typename": "Query"}})


async def test_a_body_that_is_larger_than_the_server_reads_is_refused(home: Path) -> None:
    async with serve_api(home) as served:
        answer = await served.post(b'{"query": "' + b"a" * 3_000_000 + b'"}')
    assert (answer.status, code_of(answer.body)) == (413, "too_large")


SPOILT_MAX = 400
PIECES = (
    b"{",
    b"}",
    b'"',
    b"\\",
    b"$",
    b"...",
    b"null",
    b"-1",
    b"\xff",
    b"\x00",
    b"[",
    b"]",
    b":",
    b"#",
    b"@skip(if: true)",
)


def spoilt(body: bytes, chance: Random) -> bytes:
    """A request with a few places overwritten, cut out or doubled."""
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(body))
        end = min(len(body), start + chance.randint(0, 12))
        body = body[:start] + chance.choice((*PIECES, body[start:end] * 2, b"")) + body[end:]
    return body


async def test_a_spoilt_request_is_answered_or_refused_and_is_never_a_fault(
    home: Path, documents: dict[str, str]
) -> None:
    chance = Random(20261124)
    variables = {"input": {"controller": CONTROLLER, "purpose": "client-marketing"}, "controller": CONTROLLER}
    async with serve_api(home) as served:
        for _ in range(SPOILT_MAX):
            query = documents[chance.choice(sorted(documents))]
            body = json.dumps({"query": query, "variables": variables}, ensure_ascii=False).encode()
            answer = await served.post(spoilt(body, chance))
            assert answer.status in {200, 400}
            codes = {error["extensions"]["code"] for error in answer.body.get("errors", ())}
            assert not codes & {"internal", "unavailable"}
        assert await still_answers(served)
