"""Nothing leaves the schema that was not deprecated in the last release (docs/graphql-rules.md)."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest
from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLObjectType, GraphQLSchema, build_schema

from tests.api.served_api import ROOT
from tests.api.test_schema_file import COMMITTED

RELEASED = re.compile(r"^## \[(\d+\.\d+\.\d+)\]", re.MULTILINE)


def members(schema: GraphQLSchema) -> Iterator[tuple[str, bool]]:
    """Everything that a client may name, and whether it is deprecated."""
    for name, named in schema.type_map.items():
        if name.startswith("__"):
            continue
        yield name, False
        if isinstance(named, GraphQLEnumType):
            yield from (
                (f"{name}.{value}", found.deprecation_reason is not None) for value, found in named.values.items()
            )
        if isinstance(named, GraphQLInputObjectType):
            yield from (
                (f"{name}.{field}", found.deprecation_reason is not None) for field, found in named.fields.items()
            )
        if isinstance(named, GraphQLObjectType):
            for field, found in named.fields.items():
                yield f"{name}.{field}", found.deprecation_reason is not None
                for argument, given in found.args.items():
                    yield f"{name}.{field}({argument})", given.deprecation_reason is not None


def removed_unannounced(before: GraphQLSchema, now: GraphQLSchema) -> set[str]:
    """What is gone although the earlier schema did not say that it would go."""
    left = {name for name, _ in members(now)}
    announced = {name for name, is_deprecated in members(before) if is_deprecated}
    gone = {name for name, _ in members(before)} - left - announced
    return {name for name in gone if not any(name.startswith(f"{other}(") for other in announced)}


def last_released() -> GraphQLSchema | None:
    """The schema of the newest release that the changelog names; None before the first."""
    versions = RELEASED.findall((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    if not versions:
        return None
    shown = subprocess.run(
        ["git", "show", f"v{versions[0]}:graphql/schema.graphql"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return build_schema(shown.stdout)


def test_nothing_left_the_schema_that_the_last_release_did_not_deprecate() -> None:
    now = build_schema(COMMITTED.read_text(encoding="utf-8"))
    assert removed_unannounced(last_released() or now, now) == set()


@pytest.mark.parametrize(
    ("before", "gone"),
    [
        ("type Query { a: Int b: Int }", {"Query.b"}),
        ('type Query { a: Int b(x: Int): Int @deprecated(reason: "Use a.") }', set()),
        ("type Query { a(x: Int): Int }", {"Query.a(x)"}),
        ('type Query { a(x: Int @deprecated(reason: "No use.")): Int }', set()),
        ("type Query { a: E } enum E { one two }", {"E", "E.one", "E.two"}),
        ("type Query { a(i: I): Int } input I { x: Int }", {"Query.a(i)", "I", "I.x"}),
    ],
)
def test_what_left_without_notice_is_found(before: str, gone: set[str]) -> None:
    now = build_schema("type Query { a: Int }")
    assert removed_unannounced(build_schema(before), now) == gone
