"""Without a clear yes the answer is no: whatever the network or the server does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import httpx
import pytest

from prefcenter.client import Client, OptOut, RequestRejected, Unavailable
from prefcenter.client.exchange import NoReply, Post, Reply, Wait, ask

CONTROLLER = "opencontact"
YES = {"allowed": True, "reason": "permitted", "basis": "consent"}
Answer = httpx.Response | Exception


def a_client(answers: Iterable[Answer], seen: list[httpx.Request] | None = None) -> Client:
    """A client whose network gives these answers in turn."""
    left = iter(answers)

    def handle(request: httpx.Request) -> httpx.Response:
        if seen is not None:
            seen.append(request)
        answer = next(left)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return Client("http://127.0.0.1:1", "pck_a_b", CONTROLLER, transport=httpx.MockTransport(handle))


def answered(data: Any, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json={"data": data}, headers={"retry-after": "0"})


def failed(status: int, code: str = "unavailable") -> httpx.Response:
    body = {"error": {"code": code, "message": "nothing", "id": "7"}}
    return httpx.Response(status, json=body, headers={"retry-after": "0"})


FAULTS: list[Callable[[], Answer]] = [
    lambda: httpx.ConnectError("refused"),
    lambda: httpx.ReadTimeout("late"),
    lambda: failed(503),
    lambda: failed(502),
    lambda: failed(429, "rate_limited"),
    lambda: failed(500, "internal"),
    lambda: httpx.Response(200, content=b"<html>a proxy's page</html>"),
    lambda: httpx.Response(302, headers={"location": "http://127.0.0.1:1/"}),
    lambda: httpx.Response(200, json=[1]),
    lambda: httpx.Response(200, json={"data": None}),
    lambda: httpx.Response(200, json={"data": None, "errors": [{"extensions": {"code": "unavailable"}}]}),
    lambda: answered({}),
    lambda: answered({"decision": None}),
    lambda: answered({"decision": {"allowed": "yes", "reason": "permitted"}}),
    lambda: answered({"decision": {"allowed": True, "reason": "opted_out"}}),
    lambda: answered({"decision": {"allowed": True}}),
]


def repeatedly(fault: Callable[[], Answer]) -> Iterator[Answer]:
    while True:
        yield fault()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_decision_without_a_clear_yes_is_a_no(fault: Callable[[], Answer]) -> None:
    with a_client(repeatedly(fault)) as client:
        decision = client.decide("client-marketing", "email", "pat@acme.example")
    assert (decision.allowed, decision.reason) == (False, "check_failed")


@pytest.mark.parametrize("fault", FAULTS[:11])
def test_a_failed_batch_is_a_no_to_everybody_in_it(fault: Callable[[], Answer]) -> None:
    with a_client(repeatedly(fault)) as client:
        assert client.permissions("client-marketing", "email", ["a@example.com", "b@example.com"]) == [False, False]
        decisions = client.decide_many("client-marketing", "email", ["a@example.com", "b@example.com"])
    assert [decision.reason for decision in decisions] == ["check_failed", "check_failed"]


def test_the_batches_around_a_failed_one_are_answered() -> None:
    addresses = [f"{number}@example.com" for number in range(2_500)]
    yes = {"decisions": [YES] * 1_000}
    with a_client([answered(yes), failed(503), failed(503), answered({"decisions": [YES] * 500})]) as client:
        decisions = client.decide_many("client-marketing", "email", addresses)
    assert [decision.allowed for decision in decisions] == [True] * 1_000 + [False] * 1_000 + [True] * 500


@pytest.mark.parametrize(
    "columns",
    [
        None,
        {},
        {"allowed": [True], "reasons": ["permitted", "permitted"]},
        {"allowed": [True, True, True], "reasons": ["permitted"] * 3},
        {"allowed": [1, "true"], "reasons": ["permitted"] * 2},
        {"allowed": [True, True], "reasons": ["opted_out", None]},
    ],
)
def test_columns_that_do_not_agree_are_a_no(columns: Any) -> None:
    with a_client([answered({"decisionColumns": columns})]) as client:
        assert client.permissions("client-marketing", "email", ["a@example.com", "b@example.com"]) == [False, False]


def test_another_number_of_decisions_than_addresses_is_no_answer() -> None:
    with a_client([answered({"decisions": [YES]})]) as client:
        decisions = client.decide_many("client-marketing", "email", ["a@example.com", "b@example.com"])
    assert [decision.allowed for decision in decisions] == [False, False]


def test_a_decision_is_tried_again_once() -> None:
    with a_client([httpx.ConnectError("refused"), answered({"decision": YES})]) as client:
        assert client.decide("client-marketing", "email", "pat@acme.example").allowed


def test_an_act_is_sent_again_with_the_same_key_until_it_is_acknowledged() -> None:
    seen: list[httpx.Request] = []
    done = answered({"optOut": {"__typename": "RecordedAct", "outcome": "recorded"}})
    with a_client([failed(503), httpx.ReadTimeout("late"), done], seen) as client:
        assert client.record(OptOut(address="pat@acme.example", source="form")) == "recorded"
    keys = {json.loads(request.content)["variables"]["input"]["idempotencyKey"] for request in seen}
    assert (len(seen), len(keys)) == (3, 1)


def test_an_act_that_nobody_acknowledged_says_so_with_the_key_to_send_it_again() -> None:
    with a_client(repeatedly(lambda: failed(503))) as client, pytest.raises(Unavailable) as raised:
        client.record(OptOut(address="pat@acme.example", source="form"), idempotency_key="batch-7")
    assert raised.value.idempotency_key == "batch-7"


def test_an_answer_to_an_act_that_cannot_be_understood_is_no_acknowledgement() -> None:
    with a_client([answered({"optOut": None})]) as client, pytest.raises(Unavailable):
        client.record(OptOut(address="pat@acme.example", source="form"))


def test_a_feed_that_cannot_be_understood_is_not_skipped_over() -> None:
    page = answered({"changes": {"edges": [{"cursor": "a", "node": {}}]}})
    with a_client([page]) as client, pytest.raises(Unavailable):
        list(client.changes())


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 415, 422])
def test_a_request_that_the_server_rejects_is_not_tried_again(status: int) -> None:
    with a_client([failed(status, "wrong")]) as client, pytest.raises(RequestRejected) as raised:
        client.decide("client-marketing", "email", "pat@acme.example")
    assert (raised.value.status, raised.value.code, raised.value.request_id) == (status, "wrong", "7")


def test_waits_grow_and_end_with_what_the_server_asks_for() -> None:
    exchange = ask("decision", {}, tries=4)
    assert isinstance(next(exchange), Post)
    waits = []
    for reply in (NoReply("late"), NoReply("late"), Reply(429, {"retry-after": "3600"}, b"")):
        step = exchange.send(reply)
        assert isinstance(step, Wait)
        waits.append(step.seconds)
        assert isinstance(next(exchange), Post)
    assert waits[0] <= 0.3 <= 0.6 >= waits[1] >= 0.2
    assert waits[2] == 30.0


def test_no_error_quotes_an_address() -> None:
    refused = repeatedly(lambda: httpx.ConnectError("to pat@acme.example"))
    with a_client(refused) as client, pytest.raises(Unavailable) as raised:
        client.record(OptOut(address="pat@acme.example", source="form"))
    assert "acme" not in str(raised.value)
