"""graphql/schema.graphql is the contract: exactly what is served, and nothing leaves it unannounced."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    specified_directives,
)

from prefcenter.api.schema import SCHEMA_FILE, schema_text
from tests.api.served_api import ROOT

COMMITTED = ROOT / "graphql" / SCHEMA_FILE
REWRITE_VARIABLE = "PREFCENTER_REWRITE_SCHEMA"


def test_the_committed_schema_is_the_one_that_is_served() -> None:
    """`PREFCENTER_REWRITE_SCHEMA=1` with this test writes the file anew, after a change that is meant."""
    if os.environ.get(REWRITE_VARIABLE) == "1":
        COMMITTED.write_text(schema_text(), encoding="utf-8")
    assert COMMITTED.read_text(encoding="utf-8") == schema_text()


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema(COMMITTED.read_text(encoding="utf-8"))


def undescribed(schema: GraphQLSchema) -> Iterator[str]:
    """Every type, field, argument and enumeration value that has no description."""
    for name, named in schema.type_map.items():
        if name.startswith("__") or name in {"String", "Boolean", "Int", "ID", "Float"}:
            continue
        if not named.description:
            yield name
        if isinstance(named, GraphQLObjectType | GraphQLInputObjectType):
            yield from (f"{name}.{field}" for field, found in named.fields.items() if not found.description)
        if isinstance(named, GraphQLObjectType):
            yield from (
                f"{name}.{field}({argument})"
                for field, found in named.fields.items()
                for argument, given in found.args.items()
                if not given.description
            )
        if isinstance(named, GraphQLEnumType):
            yield from (f"{name}.{value}" for value, found in named.values.items() if not found.description)
    known = {directive.name for directive in specified_directives}
    yield from (f"@{found.name}" for found in schema.directives if found.name not in known and not found.description)


def test_everything_is_described(schema: GraphQLSchema) -> None:
    assert list(undescribed(schema)) == []


def test_a_missing_description_is_noticed() -> None:
    bare = build_schema('"What can be asked." type Query { "Known." known(id: ID): E } "One." enum E { one }')
    assert list(undescribed(bare)) == ["Query.known(id)", "E.one"]


def test_every_enumeration_speaks_in_lower_case_words(schema: GraphQLSchema) -> None:
    enumerations = [named for named in schema.type_map.values() if isinstance(named, GraphQLEnumType)]
    values = {value for named in enumerations if not named.name.startswith("__") for value in named.values}
    assert values
    assert {value for value in values if value != value.lower()} == set()
