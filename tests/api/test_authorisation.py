"""Who may ask which field: every field of the schema for every kind of caller."""

from __future__ import annotations

from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLObjectType, GraphQLSchema, build_schema, get_named_type

from prefcenter.services.callers import Caller, CallerScope
from tests.api.served_api import CONTROLLER, Api, caller_with, open_api, operation, person_at
from tests.api.test_acts import ACTS
from tests.api.test_schema_file import COMMITTED

BUSINESS = {"controller": CONTROLLER, "purpose": "client-marketing", "channel": "email"}
CALLERS: Mapping[str, Caller] = {
    **{scope.value: caller_with(scope) for scope in CallerScope},
    "person": person_at("pat@acme.example"),
    "nobody": Caller("nobody", frozenset()),
}
MAY_ASK: Mapping[str, Set[str]] = {
    "decision": {"decide"},
    "decisions": {"decide"},
    "decisionColumns": {"decide"},
    "dataUse": {"decide"},
    "policy": {"decide", "record", "read", "admin", "person"},
    "preferences": {"read", "person"},
    "suppressions": {"read"},
    "changes": {"read"},
    "links": {"record"},
    "subjectIds": {"read"},
    "contact": {"read"},
    "optOut": {"record", "person"},
    "recordConsent": {"record", "person"},
    "setPreferences": {"record", "person"},
    "pause": {"record", "person"},
    "suppress": {"record"},
    "lift": {"admin"},
    "recordSends": {"record"},
    "upsertContact": {"record"},
    "addAddress": {"record"},
    "removeAddress": {"record"},
}
"""Whom each root field answers; everybody else is forbidden."""

QUESTIONS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "decision": ("decision", {"input": {**BUSINESS, "address": "pat@acme.example"}}),
    "decisions": ("decisions", {"input": {**BUSINESS, "addresses": ["pat@acme.example"]}}),
    "decisionColumns": ("decision-columns", {"input": {**BUSINESS, "addresses": ["pat@acme.example"]}}),
    "dataUse": ("data-use", {"input": {"controller": CONTROLLER, "dataUse": "x", "address": "pat@acme.example"}}),
    "policy": ("policy", {"controller": CONTROLLER}),
    "preferences": (
        "preferences",
        {"input": {"controller": CONTROLLER, "address": "pat@acme.example", "channel": "email"}},
    ),
    "links": ("links", {"input": {**BUSINESS, "addresses": ["pat@acme.example"]}}),
    "suppressions": ("suppressions", {"controller": CONTROLLER}),
    "changes": ("changes", {"controller": CONTROLLER}),
    "subjectIds": ("subject-ids", {"controller": CONTROLLER, "channel": "email", "addresses": ["pat@acme.example"]}),
    "contact": ("contact", {"controller": CONTROLLER, "id": "crm-1"}),
}


def camel_case(name: str) -> str:
    first, *others = name.split("-")
    return first + "".join(word.capitalize() for word in others)


ALL_QUESTIONS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    **QUESTIONS,
    **{camel_case(name): (name, {"input": {"controller": CONTROLLER, **given}}) for name, (given, _) in ACTS.items()},
}


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema(COMMITTED.read_text(encoding="utf-8"))


def root_fields(schema: GraphQLSchema) -> set[str]:
    roots = (schema.query_type, schema.mutation_type)
    return {name for root in roots if root is not None for name in root.fields}


def required(schema: GraphQLSchema, type_name: str, field: str) -> tuple[set[str], bool] | None:
    """What the printed schema says about a field: scopes, and whether a person will do."""
    found = schema.type_map[type_name]
    assert isinstance(found, GraphQLObjectType)
    node = found.fields[field].ast_node
    assert node is not None
    for directive in node.directives or ():
        if directive.name.value == "requires":
            given = {argument.name.value: argument.value for argument in directive.arguments or ()}
            scopes: Any = given["scopes"]
            person: Any = given["orPerson"]
            return {value.value for value in scopes.values}, person.value
    return None


def test_the_table_has_every_root_field(schema: GraphQLSchema) -> None:
    assert root_fields(schema) == set(MAY_ASK) == set(ALL_QUESTIONS)


def test_the_printed_schema_says_what_the_table_says(schema: GraphQLSchema) -> None:
    for name, callers in MAY_ASK.items():
        root = "Query" if name in QUESTIONS else "Mutation"
        assert required(schema, root, name) == (set(callers) - {"person"}, "person" in callers), name
    assert required(schema, "Subscription", "changes") == ({"read"}, False)


@pytest.mark.parametrize("edge", ["SuppressionConnection.edges", "SuppressionEdge.node", "ChangeConnection.edges"])
def test_edges_and_nodes_are_guarded_themselves(schema: GraphQLSchema, edge: str) -> None:
    assert required(schema, *edge.split(".")) == ({"read"}, False)


def test_no_way_leads_to_a_node_past_its_guard(schema: GraphQLSchema) -> None:
    guarded = {"Suppression", "Change"}
    for name, found in schema.type_map.items():
        if isinstance(found, GraphQLObjectType) and not name.startswith("__"):
            for field, defined in found.fields.items():
                if get_named_type(defined.type).name in guarded:
                    assert required(schema, name, field) is not None, f"{name}.{field}"


@pytest.mark.parametrize("caller", CALLERS)
async def test_each_caller_is_answered_what_the_table_says_and_nothing_else(home: Path, caller: str) -> None:
    async with open_api(home) as api:
        answered = {name for name in ALL_QUESTIONS if not await is_forbidden(api, name, CALLERS[caller])}
    assert answered == {name for name, callers in MAY_ASK.items() if caller in callers}


async def is_forbidden(api: Api, name: str, caller: Caller) -> bool:
    document, variables = ALL_QUESTIONS[name]
    answer = await api.run(operation(document), variables, caller)
    codes = {error["extensions"]["code"] for error in answer.get("errors", ())}
    assert codes <= {"forbidden"}
    if codes:
        assert answer["data"] is None or answer["data"] == {name: None}
    return bool(codes)


@pytest.mark.parametrize("name", [name for name in ALL_QUESTIONS if "decide" not in MAY_ASK[name]])
async def test_another_controller_is_as_unknown_as_none(home: Path, name: str) -> None:
    """The same answer for one that there is, and that the caller may not ask for, as for one that nobody has."""
    document, given = ALL_QUESTIONS[name]
    answers = []
    async with open_api(home) as api:
        for controller in ("contact-center-1", "nobody"):
            variables = {
                **given,
                "controller": controller,
                "input": {**given.get("input", {}), "controller": controller},
            }
            answers.append(await api.run(operation(document), variables))
    assert answers[0] == answers[1]
    assert "unknown_controller" in str(answers[0])


async def test_a_guard_stands_before_the_home_is_asked_anything(home: Path) -> None:
    """A caller without the scope learns nothing, not even whether the controller exists."""
    async with open_api(home) as api:
        document, _ = ALL_QUESTIONS["suppressions"]
        answers = [
            await api.run(operation(document), {"controller": name}, caller_with(CallerScope.DECIDE))
            for name in (CONTROLLER, "nobody")
        ]
    assert answers[0] == answers[1]
