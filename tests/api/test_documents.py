"""Which documents are run: in production those that ship and those that the operator adds, by text or by id."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from graphql import OperationDefinitionNode, parse

from prefcenter.api.documents import TrustedDocuments, UntrustedDocument, document_id, graphql_directory
from prefcenter.api.schema import ApiSettings, PreferenceSchema
from prefcenter.domain.errors import InvalidInput
from prefcenter.settings import GraphQLSettings, read_serving_settings
from tests.api.served_api import ANY_DOCUMENT, CONTROLLER, OPERATIONS, ROOT, Served, open_api, operation, serve_api

PRODUCTION = ApiSettings()
POLICY = {"controller": CONTROLLER}


def code_of(answer: object) -> str:
    found = answer["errors"][0]["extensions"]["code"] if isinstance(answer, dict) else ""
    return str(found)


async def test_production_runs_a_document_that_ships_by_text_and_by_id(home: Path) -> None:
    document = operation("policy")
    async with serve_api(home, PRODUCTION) as served:
        answers = [
            await served.post({"query": document, "variables": POLICY}),
            await served.post({"query": f"\n{document}\n ", "variables": POLICY}),
            await served.post({"documentId": document_id(document), "variables": POLICY}),
            await served.post({"documentId": document_id(document).removeprefix("sha256:"), "variables": POLICY}),
        ]
    assert all(answer.body == answers[0].body for answer in answers)
    assert answers[0].body["data"]["policy"]["controller"] == CONTROLLER


@pytest.mark.parametrize(
    "document",
    [
        "{ __typename }",
        "{ __schema { types { name } } }",
        'query { policy(controller: "opencontact") { name } }',
        "not graphql at all {",
    ],
)
async def test_production_runs_nothing_else(home: Path, document: str) -> None:
    async with serve_api(home, PRODUCTION) as served:
        answer = await served.graphql(document)
    assert code_of(answer.body) == "untrusted_document"
    assert "data" not in answer.body


async def test_an_id_of_no_document_is_refused(home: Path) -> None:
    async with serve_api(home, PRODUCTION) as served:
        refused = [
            await served.post({"documentId": document_id("{ __typename }")}),
            await served.post({"documentId": ""}),
        ]
    assert [(answer.status, answer.body["error"]["code"]) for answer in refused] == [(400, "untrusted_document")] * 2


async def test_an_operator_adds_documents_of_a_directory(home: Path, tmp_path: Path) -> None:
    mine = "query Mine($controller: String!) { policy(controller: $controller) { version } }"
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "mine.graphql").write_text(mine, encoding="utf-8")
    async with serve_api(home, ApiSettings(documents=(tmp_path / "documents",))) as served:
        own = await served.post({"documentId": document_id(mine), "variables": POLICY})
        shipped = await served.post({"query": operation("policy"), "variables": POLICY})
        other = await served.graphql("{ __typename }")
    assert own.body["data"]["policy"]["version"] == shipped.body["data"]["policy"]["version"]
    assert code_of(other.body) == "untrusted_document"


async def test_any_document_is_run_where_that_is_configured_but_the_schema_is_not_told(home: Path) -> None:
    async with open_api(home, ANY_DOCUMENT) as api:
        assert await api.run("{ __typename }") == {"data": {"__typename": "Query"}}
        told = await api.run("{ __schema { types { name } } }")
        misspelt = await api.run('{ polcy(controller: "opencontact") { name } }')
    assert code_of(told) == "invalid_request"
    assert told["data"] is None
    assert misspelt["errors"][0]["message"] == "Cannot query field 'polcy' on type 'Query'."


async def test_the_schema_is_told_where_that_is_configured(home: Path) -> None:
    async with open_api(home, ApiSettings(any_document=True, introspection=True)) as api:
        told = await api.run("{ __schema { queryType { name } } }")
    assert told == {"data": {"__schema": {"queryType": {"name": "Query"}}}}


async def test_one_of_several_operations_is_named(home: Path) -> None:
    document = "query A { __typename } query B { b: __typename }"
    async with serve_api(home) as served:
        named = await served.post({"query": document, "operationName": "B"})
        unnamed = await served.post({"query": document})
        wrong = await served.post({"query": document, "operationName": "pat@acme.example"})
    assert named.body == {"data": {"b": "Query"}}
    assert code_of(unnamed.body) == code_of(wrong.body) == "invalid_request"
    assert "acme" not in str(wrong.body)


def test_an_id_is_the_hash_of_the_text_without_the_blanks_around_it() -> None:
    wanted = "sha256:" + hashlib.sha256(b"{ a }").hexdigest()
    assert document_id("{ a }") == document_id("\n{ a }  \n") == wanted


def test_documents_are_found_by_id_and_by_text_alone() -> None:
    trusted = TrustedDocuments({document_id("{ a }"): "{ a }"})
    assert trusted.text_of(document_id("{ a }")) == "{ a }"
    assert trusted.admits(parse(" # as another client lays it out\n {a} "))
    assert not trusted.admits(parse("{ a b }"))
    assert not trusted.admits(parse("query Named { a }"))
    with pytest.raises(UntrustedDocument):
        trusted.text_of(document_id("{ b }"))


@pytest.mark.parametrize("path", sorted(OPERATIONS.glob("*.graphql")), ids=lambda path: path.stem)
def test_a_document_that_ships_is_valid_and_has_one_operation_of_its_own_name(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert PreferenceSchema(PRODUCTION).prepared(text.strip()).faults == ()
    (operation_node,) = [node for node in parse(text).definitions if isinstance(node, OperationDefinitionNode)]
    assert operation_node.name is not None
    assert operation_node.name.value.casefold() == path.stem.replace("-", "")
    assert text.startswith("# ")


async def test_a_document_is_prepared_once(home: Path) -> None:
    async with open_api(home) as api:
        first = api.schema.prepared("{ __typename }")
        assert api.schema.prepared("{ __typename }") is first


async def test_what_is_remembered_of_documents_is_bounded(home: Path) -> None:
    async with open_api(home) as api:
        first = api.schema.prepared("{ __typename }")
        for number in range(300):
            api.schema.prepared(f"{{ a{number}: __typename }}")
        assert api.schema.prepared("{ __typename }") is not first


async def subscribes_over_http(served: Served) -> str:
    answer = await served.graphql(operation("follow-changes"), POLICY)
    return code_of(answer.body)


async def test_a_subscription_does_not_go_over_http(home: Path) -> None:
    async with serve_api(home) as served:
        assert await subscribes_over_http(served) == "invalid_request"


def test_a_checkout_has_one_copy_of_the_documents() -> None:
    assert graphql_directory() == ROOT / "graphql"
    assert not (ROOT / "prefcenter" / "api" / "graphql").exists()


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, GraphQLSettings()),
        ({"PREFCENTER_GRAPHQL_DOCUMENTS": "any"}, GraphQLSettings(any_document=True)),
        ({"PREFCENTER_GRAPHQL_DOCUMENTS": str(OPERATIONS)}, GraphQLSettings(documents=OPERATIONS)),
        ({"PREFCENTER_GRAPHQL_INTROSPECTION": "on"}, GraphQLSettings(introspection=True)),
        ({"PREFCENTER_GRAPHQL_LEAF_LISTS": "off"}, GraphQLSettings(leaf_lists=False)),
    ],
)
def test_an_operator_says_by_variables_what_is_run(environ: dict[str, str], wanted: GraphQLSettings) -> None:
    assert read_serving_settings(environ).graphql == wanted


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PREFCENTER_GRAPHQL_DOCUMENTS", "nowhere/at/all"),
        ("PREFCENTER_GRAPHQL_INTROSPECTION", "yes"),
        ("PREFCENTER_GRAPHQL_LEAF_LISTS", "1"),
    ],
)
def test_a_variable_that_says_something_else_is_named(variable: str, value: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{variable}: expected") as refused:
        read_serving_settings({variable: value})
    assert value not in str(refused.value)
