"""Errors have codes, quote nothing of the request, and tell of a fault of ours by an id alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import structlog
from graphql import GraphQLError

from prefcenter.api.errors import as_shown
from prefcenter.domain.errors import InvalidInput, KeyringError, StoreBusy
from tests.api.served_api import CONTROLLER, REQUEST_ID, open_api

SECRET = "pat.secret@acme.example"
PREFERENCES = "query Q($input: PreferencesInput) { preferences(input: $input) { subjectId } }"
DECISION = "query Q($input: DecisionInput!) { decision(input: $input) { allowed } }"


def raised(cause: Exception) -> GraphQLError:
    try:
        raise cause
    except Exception as error:
        return GraphQLError(str(error), original_error=error)


@pytest.mark.parametrize(
    ("document", "variables"),
    [
        (DECISION, {"input": SECRET}),
        (DECISION, {"input": {SECRET: 1}}),
        (DECISION, {"input": {"controller": CONTROLLER, "channel": SECRET, "purpose": "x", "address": "y"}}),
        (DECISION, {"input": {"controller": [SECRET], "channel": "email", "purpose": "x", "address": 12345678}}),
        (f'{{ decision(input: "{SECRET}") {{ allowed }} }}', {}),
        (f'{{ decision(input: {{channel: "{SECRET}"}}) {{ allowed }} }}', {}),
        (f'{{ decision(input: {{address: 447700900123, x: "{SECRET}"}}) {{ allowed }} }}', {}),
        (f'{{ decision "{SECRET}" }}', {}),
        (f'{{ decision """{SECRET}""" }}', {}),
        (f'{{ policy(controller: "{SECRET}") {{ name }} }}', {}),
        (f'{{ suppressions(controller: "{CONTROLLER}", after: "{SECRET}") {{ edges {{ cursor }} }} }}', {}),
        (f'{{ changes(controller: "{CONTROLLER}", after: "{SECRET}") {{ edges {{ cursor }} }} }}', {}),
        (PREFERENCES, {"input": {"controller": CONTROLLER, "address": f"x {SECRET}", "channel": "email"}}),
        (f'mutation {{ optOut(input: {{source: "x", at: "{SECRET}"}}) {{ __typename }} }}', {}),
    ],
)
async def test_no_error_quotes_what_was_sent(home: Path, document: str, variables: dict[str, Any]) -> None:
    async with open_api(home) as api:
        answer = await api.run(document, variables)
    assert answer["errors"]
    for error in answer["errors"]:
        assert error["extensions"]["code"]
        assert not {"secret", "acme", "447700900123", "12345678"} & set(_words(error["message"])), error


def _words(message: str) -> list[str]:
    for separator in "@.,;:'\"()[]{}":
        message = message.replace(separator, " ")
    return message.split()


async def test_an_error_of_a_variable_says_where_and_what_was_expected(home: Path) -> None:
    async with open_api(home) as api:
        missing = await api.run(DECISION, {"input": {}})
        wrong = await api.run(
            DECISION, {"input": {"controller": 5, "channel": "email", "purpose": "x", "address": "y"}}
        )
    messages = [error["message"] for error in missing["errors"]]
    assert (
        "Variable '$input' has invalid value: Expected value of type 'DecisionInput' to include required field"
        " 'controller'." in messages
    )
    assert wrong["errors"][0]["message"] == "Variable '$input' has invalid value at .controller."


def test_an_expected_error_shows_its_code_and_message() -> None:
    shown = as_shown(raised(InvalidInput("first: between 1 and 500")), REQUEST_ID)
    assert (shown.message, shown.extensions) == ("first: between 1 and 500", {"code": "invalid_input"})


@pytest.mark.parametrize("cause", [StoreBusy(SECRET), KeyringError(SECRET), TimeoutError(SECRET)])
def test_a_store_that_does_not_answer_shows_no_reason(cause: Exception) -> None:
    with structlog.testing.capture_logs() as lines:
        shown = as_shown(raised(cause), REQUEST_ID)
    assert shown.extensions == {"code": "unavailable", "id": REQUEST_ID}
    assert SECRET not in f"{shown.message} {lines}"


def test_what_nobody_foresaw_shows_an_id_and_is_logged_by_its_place() -> None:
    with structlog.testing.capture_logs() as lines:
        shown = as_shown(raised(ZeroDivisionError(SECRET)), REQUEST_ID)
    assert shown.extensions == {"code": "internal", "id": REQUEST_ID}
    assert shown.original_error is None
    (line,) = lines
    assert (line["event"], line["failure"], line["request_id"]) == ("failed", "ZeroDivisionError", REQUEST_ID)
    assert line["place"].startswith("test_errors.py:")
    assert SECRET not in f"{shown.message} {lines}"


async def test_no_answer_tells_of_more_than_ten_errors(home: Path) -> None:
    variables = {"input": {"controller": CONTROLLER, "purpose": "x", "channel": "email", "addresses": [1] * 500}}
    async with open_api(home) as api:
        answer = await api.run("query Q($input: DecisionsInput!) { decisions(input: $input) { allowed } }", variables)
    assert len(answer["errors"]) == 10
