"""GraphQL over HTTP: media types, statuses, methods, and the shape of what is no GraphQL at all."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from prefcenter.api.schema import ApiSettings
from prefcenter.services.callers import CallerScope
from prefcenter.web.graphql import GraphQLLimits
from prefcenter.web.languages import read_languages
from tests.api.served_api import CONTROLLER, Served, operation, serve_api

JSON, RESPONSE = "application/json", "application/graphql-response+json"
TYPE_NAME = {"query": "{ __typename }"}
UNKNOWN = '{ policy(controller: "nobody") { name } }'
PARTIAL = f'{{ contact(controller: "{CONTROLLER}", id: "not an id!") {{ id }} __typename }}'
VARIABLE = "query Q($id: ID!) { __typename }"


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (JSON, JSON),
        (RESPONSE, RESPONSE),
        ("*/*", JSON),
        ("application/*", JSON),
        (f"{RESPONSE}, {JSON};q=0.9", RESPONSE),
        (f"{JSON}, {RESPONSE};q=0.9", JSON),
        (f"{JSON}, {RESPONSE}", RESPONSE),
        (f"{RESPONSE.upper()}; charset=utf-8", RESPONSE),
        (f"{JSON};q=0, */*", RESPONSE),
        (f"text/html, {JSON};q=0.1", JSON),
    ],
)
async def test_the_answer_has_the_type_that_is_liked_best(home: Path, accept: str, media_type: str) -> None:
    if accept.startswith(f"{JSON};q=0,"):
        accept = f"{JSON};q=0, {RESPONSE}"
    async with serve_api(home) as served:
        answer = await served.post(TYPE_NAME, Accept=accept)
    assert (answer.status, answer.media_type) == (200, media_type)
    assert answer.headers["Content-Type"].endswith("charset=utf-8")


@pytest.mark.parametrize("accept", ["text/html", f"{JSON};q=0", "image/*", f"{RESPONSE};q=nan0"])
async def test_a_request_that_wants_neither_of_our_types_is_not_acceptable(home: Path, accept: str) -> None:
    async with serve_api(home) as served:
        answer = await served.post(TYPE_NAME, Accept=accept)
    assert (answer.status, answer.body["error"]["code"]) == (406, "not_acceptable")


@pytest.mark.parametrize(
    ("body", "status", "status_of_json"),
    [
        (TYPE_NAME, 200, 200),
        ({"query": "{"}, 400, 200),
        ({"query": "{ nothing }"}, 400, 200),
        ({"query": VARIABLE}, 400, 200),
        ({"query": VARIABLE, "variables": {"id": None}}, 400, 200),
        ({"query": UNKNOWN}, 294, 200),
        ({"query": PARTIAL}, 294, 200),
        ({"query": "query A { __typename }", "operationName": "B"}, 400, 200),
        ({"query": ""}, 400, 400),
        ({"query": "{ __typename }", "documentId": "x"}, 400, 400),
        ({}, 400, 400),
        ([], 400, 400),
        ("text", 400, 400),
        (None, 400, 400),
        ({"query": "{ __typename }", "variables": []}, 400, 400),
        ({"query": "{ __typename }", "operationName": 5}, 400, 400),
        ({"query": "{ __typename }", "extensions": "x"}, 400, 400),
    ],
)
async def test_the_status_says_how_far_a_request_came(
    home: Path, body: object, status: int, status_of_json: int
) -> None:
    async with serve_api(home) as served:
        new, old = await served.post(body, Accept=RESPONSE), await served.post(body, Accept=JSON)
    assert (new.status, old.status) == (status, status_of_json)
    assert new.body.get("data") == old.body.get("data")
    assert ("data" in new.body) == (status in (200, 294))
    assert ("errors" in new.body) == (status != 200 and old.status == 200)


async def test_data_that_was_had_stands_beside_the_errors(home: Path) -> None:
    async with serve_api(home) as served:
        answer = await served.graphql(PARTIAL, Accept=RESPONSE)
    assert answer.body["data"] == {"contact": None, "__typename": "Query"}
    assert answer.body["errors"][0]["path"] == ["contact"]
    assert answer.body["errors"][0]["extensions"] == {"code": "invalid_input"}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
async def test_only_a_post_is_answered(home: Path, method: str) -> None:
    fields: dict[str, Any] = {"params": {"query": "{ __typename }"}}
    async with serve_api(home) as served:
        headers = {"Authorization": f"Bearer {served.key}"}
        async with served.client.request(method, "/graphql", headers=headers, **fields) as response:
            assert (response.status, response.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/json; charset=utf-16",
        "json",
    ],
)
async def test_a_body_of_another_type_is_not_read(home: Path, content_type: str) -> None:
    """What a browser's form can send without asking first is never taken (cross-site request forgery)."""
    async with serve_api(home) as served:
        answer = await served.post(b'{"query": "{ __typename }"}', **{"Content-Type": content_type})
    assert (answer.status, answer.body["error"]["code"]) == (415, "unsupported_media_type")


async def test_a_request_without_credentials_is_refused_before_it_is_read(home: Path) -> None:
    async with serve_api(home) as served:
        answer = await served.post(b"{", Authorization="Bearer nothing")
    assert (answer.status, answer.body["error"]["code"]) == (401, "unauthenticated")


async def test_who_claims_to_open_a_socket_needs_credentials_all_the_same(home: Path) -> None:
    async with serve_api(home) as served:
        headers = {"Content-Type": "application/json", "Upgrade": "websocket", "Connection": "Upgrade"}
        async with served.client.post("/graphql", json=TYPE_NAME, headers=headers) as response:
            assert response.status == 401
            assert (await response.json())["error"]["code"] == "unauthenticated"


async def test_a_revoked_key_is_refused_at_once(home: Path) -> None:
    async with serve_api(home) as served:
        keys = await served.api.home.api_keys()
        key, text = await keys.create("other", [CallerScope.DECIDE])
        before = await served.post(TYPE_NAME, Authorization=f"Bearer {text}")
        await keys.revoke(key.id)
        after = await served.post(TYPE_NAME, Authorization=f"Bearer {text}")
    assert (before.status, after.status) == (200, 401)


async def test_an_error_carries_the_id_of_its_request(home: Path) -> None:
    async with serve_api(home) as served:
        answer = await served.post([])
    assert answer.body["error"]["id"] == answer.headers["X-Request-Id"]


async def test_an_act_that_takes_too_long_is_answered_as_unavailable(home: Path) -> None:
    """Somebody else holds the store's write lock meanwhile; once it is free, the key does the act once."""
    wanted = {"controller": CONTROLLER, "whom": {"address": "pat@acme.example"}, "idempotencyKey": "1"}
    variables: dict[str, Any] = {"input": {**wanted, "until": "2026-12-01T00:00:00Z"}}
    async with serve_api(home, limits=GraphQLLimits(request_seconds_max=0.3)) as served:
        with closing(sqlite3.connect(home / "store.sqlite3", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            act = await served.graphql(operation("pause"), variables)
            other.execute("ROLLBACK")
        again = await served.api.ask("pause", **variables)
    assert (act.status, act.body["error"]["code"]) == (503, "unavailable")
    assert again["outcome"] in {"recorded", "unchanged"}


async def test_lists_can_be_completed_the_librarys_way(home: Path) -> None:
    asked = {"controller": CONTROLLER, "purpose": "client-marketing", "channel": "email"}
    variables = {"input": {**asked, "addresses": ["pat@acme.example", "?", "sam@acme.example"]}}
    bodies = []
    for leaf_lists in (True, False):
        async with serve_api(home, ApiSettings(leaf_lists=leaf_lists)) as served:
            rows = await served.graphql(operation("decisions"), variables)
            columns = await served.graphql(operation("decision-columns"), variables)
            bodies.append((rows.body, columns.body))
    assert bodies[0] == bodies[1]
    assert len(bodies[0][0]["data"]["decisions"]) == 3


async def test_decisions_fail_closed_over_http_too(home: Path) -> None:
    asked = {"controller": CONTROLLER, "purpose": "client-marketing", "channel": "email", "address": "pat@acme.example"}
    async with serve_api(home) as served:
        await answered(served, asked)
        (home / "store.sqlite3").unlink()
        answer = await answered(served, asked)
    assert (answer["allowed"], answer["reason"]) == (False, "check_failed")


async def answered(served: Served, asked: dict[str, str]) -> dict[str, Any]:
    answer = await served.graphql(operation("decision"), {"input": asked})
    assert answer.status == 200
    decision: dict[str, Any] = answer.body["data"]["decision"]
    return decision


@pytest.mark.parametrize(
    ("field", "languages"),
    [
        (None, []),
        ("de", ["de"]),
        ("de-AT, en;q=0.5, fr;q=0.7", ["de-at", "fr", "en"]),
        ("en;q=0, *", []),
        ("x" * 500, []),
        (",".join(["de"] * 50), ["de"] * 10),
    ],
)
def test_languages_are_read_best_first(field: str | None, languages: list[str]) -> None:
    assert read_languages(field) == languages
