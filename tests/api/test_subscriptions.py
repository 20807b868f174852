"""Subscriptions over graphql-transport-ws: a CRM that was away misses nothing, and nobody stays who may not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType

from prefcenter.api.authorisation import Forbidden
from prefcenter.api.changes import follow_changes
from prefcenter.api.context import RequestContext
from prefcenter.api.documents import document_id
from prefcenter.api.pages import PAGE_DEFAULT
from prefcenter.api.schema import ApiSettings
from prefcenter.services.callers import CallerScope
from prefcenter.settings import ServingLimits
from prefcenter.web.graphql import GraphQLLimits
from prefcenter.web.graphql_sockets import SocketLimits
from tests.api.served_api import CONTROLLER, EVERYTHING, OTHER_CONTROLLER, Served, open_api, operation, serve_api

PROTOCOL = "graphql-transport-ws"
SECONDS_MAX = 20
FOLLOW = operation("follow-changes")
WANTED = {"controller": CONTROLLER}


class Socket:
    """One WebSocket, read message by message."""

    def __init__(self, connection: ClientWebSocketResponse) -> None:
        self.connection = connection

    async def send(self, message: object) -> None:
        text = message if isinstance(message, str) else json.dumps(message)
        await self.connection.send_str(text)

    async def read(self) -> dict[str, Any]:
        message = await self.connection.receive(timeout=SECONDS_MAX)
        assert message.type is WSMsgType.TEXT, message
        read: dict[str, Any] = json.loads(message.data)
        return read

    async def closed_with(self) -> int:
        """The code that the server closes with; messages before it are passed over."""
        while not self.connection.closed:
            await self.connection.receive(timeout=SECONDS_MAX)
        assert self.connection.close_code is not None
        return self.connection.close_code

    async def begin(self, authorization: str | None = None, name: str = "authorization") -> None:
        payload = {"payload": {name: authorization}} if authorization else {}
        await self.send({"type": "connection_init", **payload})
        assert (await self.read())["type"] == "connection_ack"

    async def subscribe(self, name: str = "1", **payload: Any) -> None:
        await self.send({"id": name, "type": "subscribe", "payload": {"query": FOLLOW, "variables": WANTED, **payload}})

    async def change(self) -> Mapping[str, Any]:
        """The next change of a subscription: its edge."""
        message = await self.read()
        assert message["type"] == "next", message
        edge: Mapping[str, Any] = message["payload"]["data"]["changes"]
        return edge


@asynccontextmanager
async def opened(served: Served, key: str | None = None, protocol: str = PROTOCOL) -> AsyncIterator[Socket]:
    headers = {} if key == "" else {"Authorization": f"Bearer {key or served.key}"}
    async with served.client.ws_connect("/graphql", protocols=(protocol,), headers=headers) as connection:
        yield Socket(connection)


async def opt_out(served: Served, address: str) -> None:
    wanted: dict[str, Any] = {"whom": {"address": address}, "source": "crm-form"}
    assert (await served.api.act("opt-out", **wanted))["outcome"] == "recorded"


async def test_a_subscription_gives_what_was_missed_and_then_what_happens(home: Path) -> None:
    async with serve_api(home) as served:
        await opt_out(served, "a@acme.example")
        await opt_out(served, "b@acme.example")
        async with opened(served) as socket:
            await socket.begin()
            await socket.subscribe()
            seen = [await socket.change(), await socket.change()]
            await opt_out(served, "c@acme.example")
            seen.append(await socket.change())
        feed = await served.api.ask("changes", controller=CONTROLLER)
    assert sorted(edge["node"]["subjectId"] for edge in seen) == sorted(
        edge["node"]["subjectId"] for edge in feed["edges"]
    )


async def test_a_cursor_resumes_where_a_subscription_stopped(home: Path) -> None:
    async with serve_api(home) as served:
        for number in range(5):
            await opt_out(served, f"a{number}@acme.example")
        async with opened(served) as socket:
            await socket.begin()
            await socket.subscribe()
            before = [await socket.change() for _ in range(3)]
        for number in range(5, 8):
            await opt_out(served, f"a{number}@acme.example")
        async with opened(served) as socket:
            await socket.begin()
            await socket.subscribe(variables={**WANTED, "after": before[-1]["cursor"]})
            after = [await socket.change() for _ in range(5)]
    subjects = [edge["node"]["subjectId"] for edge in (*before, *after)]
    assert len(set(subjects)) == len(subjects) == 8


@pytest.mark.parametrize("name", ["authorization", "Authorization"])
async def test_a_browser_brings_its_credentials_in_the_first_message(home: Path, name: str) -> None:
    async with serve_api(home) as served:
        await opt_out(served, "a@acme.example")
        async with opened(served, key="") as socket:
            await socket.begin(f"Bearer {served.key}", name)
            await socket.subscribe()
            assert (await socket.change())["node"]["kind"] == "refused"


@pytest.mark.parametrize("authorization", [None, "Bearer pck_nothing", "Basic eDp5", 5])
async def test_without_credentials_in_force_the_socket_is_closed(home: Path, authorization: Any) -> None:
    async with serve_api(home) as served, opened(served, key="") as socket:
        await socket.send({"type": "connection_init", "payload": {"authorization": authorization}})
        assert await socket.closed_with() == 4403


async def test_credentials_that_are_named_twice_are_none(home: Path) -> None:
    async with serve_api(home) as served, opened(served, key="") as socket:
        bearer = f"Bearer {served.key}"
        payload = {"authorization": bearer, "Authorization": bearer}
        await socket.send({"type": "connection_init", "payload": payload})
        assert await socket.closed_with() == 4403


async def test_documents_are_named_by_id_and_others_refused_in_production(home: Path) -> None:
    async with serve_api(home, ApiSettings()) as served:
        await opt_out(served, "a@acme.example")
        async with opened(served) as socket:
            await socket.begin()
            await socket.subscribe(query=None, documentId=document_id(FOLLOW))
            assert (await socket.change())["node"]["kind"] == "refused"
            await socket.subscribe("2", query="subscription { changes { cursor } }")
            refused = await socket.read()
            await socket.subscribe("3", query=None, documentId="sha256:0")
            unknown = await socket.read()
    assert (refused["id"], refused["type"]) == ("2", "error")
    assert (unknown["id"], unknown["type"]) == ("3", "error")
    assert refused["payload"][0]["extensions"] == unknown["payload"][0]["extensions"] == {"code": "untrusted_document"}


@pytest.mark.parametrize(
    ("scopes", "controller", "code"),
    [
        ([CallerScope.DECIDE], CONTROLLER, "forbidden"),
        ([CallerScope.READ], OTHER_CONTROLLER, "unknown_controller"),
        ([CallerScope.READ], "nobody", "unknown_controller"),
    ],
)
async def test_who_may_not_follow_is_told_nothing(
    home: Path, scopes: list[CallerScope], controller: str, code: str
) -> None:
    async with serve_api(home) as served:
        await opt_out(served, "a@acme.example")
        async with opened(served, await served.new_key(*scopes)) as socket:
            await socket.begin()
            await socket.subscribe(variables={"controller": controller})
            message = await socket.read()
    errors = message["payload"]["errors"] if message["type"] == "next" else message["payload"]
    assert errors[0]["extensions"] == {"code": code}
    assert not (message["type"] == "next" and message["payload"].get("data"))


async def test_a_key_that_is_revoked_ends_its_subscription(home: Path) -> None:
    async with serve_api(home) as served:
        keys = await served.api.home.api_keys()
        key, text = await keys.create("other", [CallerScope.READ])
        async with opened(served, text) as socket:
            await socket.begin()
            await socket.subscribe()
            await opt_out(served, "a@acme.example")
            assert (await socket.change())["node"]["kind"] == "refused"
            await keys.revoke(key.id)
            await opt_out(served, "b@acme.example")
            message = await socket.read()
    assert "refused" not in json.dumps(message)
    assert "forbidden" in json.dumps(message)


async def test_a_key_that_is_revoked_gets_no_further_page_of_what_it_missed(home: Path) -> None:
    addresses = [{"channel": "email", "address": f"{number}@acme.example"} for number in range(50)]
    contact: dict[str, Any] = {"addresses": addresses, "audiences": ["client"], "source": "crm"}
    async with open_api(home) as api:
        for name in ("crm-1", "crm-2"):
            await api.act("upsert-contact", contact=name, **contact)
        rights = iter((True, False))

        async def is_still_authorised() -> bool:
            return next(rights)

        context = RequestContext(api.home, EVERYTHING, "id", is_still_authorised=is_still_authorised)
        changes = follow_changes(context, CONTROLLER, None)
        for _ in range(PAGE_DEFAULT):
            await anext(changes)
        with pytest.raises(Forbidden):
            await anext(changes)


@pytest.mark.parametrize(
    "message",
    [
        "not json",
        '{"type": "ping", "type": "pong"}',
        '{"type": "ping", "payload": NaN}',
        "[]",
        "5",
        "{}",
        '{"type": "guess"}',
        '{"type": 5}',
        '{"type": "subscribe"}',
        '{"type": "subscribe", "id": 5, "payload": {}}',
        '{"type": "subscribe", "id": "1", "payload": "x"}',
        '{"type": "subscribe", "id": "", "payload": {}}',
        '{"type": "complete"}',
        '{"type": "connection_init", "payload": []}',
        "[" * 5_000,
    ],
)
async def test_a_message_that_the_protocol_does_not_have_ends_the_connection(home: Path, message: str) -> None:
    async with serve_api(home) as served, opened(served) as socket:
        await socket.begin()
        await socket.send(message)
        assert await socket.closed_with() == 4400


async def test_who_does_not_begin_is_hung_up_on(home: Path) -> None:
    limits = GraphQLLimits(sockets=SocketLimits(init_seconds_max=0.1))
    async with serve_api(home, limits=limits) as served, opened(served) as socket:
        assert await socket.closed_with() == 4408


async def test_nothing_is_run_before_the_connection_has_begun(home: Path) -> None:
    async with serve_api(home) as served, opened(served) as socket:
        await socket.subscribe()
        assert await socket.closed_with() == 4401


async def test_a_connection_begins_once(home: Path) -> None:
    async with serve_api(home) as served, opened(served) as socket:
        await socket.begin()
        await socket.send({"type": "connection_init"})
        assert await socket.closed_with() == 4429


async def test_a_socket_has_only_so_many_subscriptions(home: Path) -> None:
    limits = GraphQLLimits(sockets=SocketLimits(operations_max=2))
    async with serve_api(home, limits=limits) as served, opened(served) as socket:
        await socket.begin()
        for name in ("1", "2", "3"):
            await socket.subscribe(name)
        refused = await socket.read()
        await socket.send({"id": "1", "type": "complete"})
        await socket.subscribe("4")
        await opt_out(served, "a@acme.example")
        seen = {(await socket.read())["id"] for _ in range(2)}
    assert (refused["id"], refused["type"]) == ("3", "error")
    assert seen == {"2", "4"}


async def test_a_caller_has_only_so_many_sockets_at_once(home: Path) -> None:
    limits = GraphQLLimits(sockets=SocketLimits(sockets_per_caller_max=1))
    async with serve_api(home, limits=limits) as served:
        async with opened(served) as first, opened(served) as second:
            await first.begin()
            await second.send({"type": "connection_init"})
            assert await second.closed_with() == 1013
            async with opened(served, await served.new_key(CallerScope.READ)) as other:
                await other.begin()
        async with opened(served) as again:
            await again.begin()


async def test_a_message_that_is_too_large_ends_the_connection(home: Path) -> None:
    limits = GraphQLLimits(sockets=SocketLimits(message_bytes_max=2_000))
    async with serve_api(home, limits=limits) as served, opened(served) as socket:
        await socket.begin()
        await socket.send("x" * 5_000)
        assert await socket.closed_with() == 1009


@pytest.mark.parametrize("protocol", ["graphql-ws", "something"])
async def test_another_protocol_is_not_spoken(home: Path, protocol: str) -> None:
    async with serve_api(home) as served, opened(served, protocol=protocol) as socket:
        assert await socket.closed_with() == 4406


async def test_an_attack_is_refused_over_a_socket_as_well(home: Path) -> None:
    async with serve_api(home) as served, opened(served) as socket:
        await socket.begin()
        await socket.subscribe("1", query="{" + "a" * 30_000 + "}")
        await socket.subscribe("2", query="{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }")
        await socket.subscribe("3", variables={"controller": [[1] * 9_000] * 3})
        refused = {message["id"]: message for message in [await socket.read() for _ in range(3)]}
    assert {name: message["type"] for name, message in refused.items()} == dict.fromkeys("123", "error")
    codes = {name: message["payload"][0]["extensions"]["code"] for name, message in refused.items()}
    assert codes == {"1": "limit_exceeded", "2": "invalid_request", "3": "limit_exceeded"}


async def test_a_query_may_go_over_a_socket_too(home: Path) -> None:
    async with serve_api(home) as served, opened(served) as socket:
        await socket.begin()
        await socket.subscribe(query="{ __typename }", variables=None)
        assert (await socket.read())["payload"] == {"data": {"__typename": "Query"}}
        assert (await socket.read())["type"] == "complete"
        await socket.send({"type": "ping"})
        assert (await socket.read())["type"] == "pong"


@pytest.mark.parametrize("how", ["header", "message"])
async def test_a_key_that_is_revoked_asks_and_acts_no_more_over_an_open_socket(home: Path, how: str) -> None:
    async with serve_api(home) as served:
        keys = await served.api.home.api_keys()
        key, text = await keys.create("other", list(CallerScope))
        async with opened(served, text if how == "header" else "") as socket:
            await socket.begin(None if how == "header" else f"Bearer {text}")
            await keys.revoke(key.id)
            wanted = {"controller": CONTROLLER, "whom": {"address": "a@acme.example"}, "source": "crm-form"}
            await socket.subscribe(query=operation("opt-out"), variables={"input": wanted})
            assert await socket.closed_with() == 4403
        assert (await served.api.ask("changes", controller=CONTROLLER))["edges"] == []


async def test_operations_over_a_socket_count_against_the_limit_of_their_key(home: Path) -> None:
    limits = ServingLimits(key_requests_per_minute_max=3)
    async with serve_api(home, serving_limits=limits) as served, opened(served) as socket:
        await socket.begin()
        for number in range(4):
            await socket.subscribe(str(number), query="{ __typename }", variables=None)
        read = [await socket.read() for _ in range(5)]
    assert [message["type"] for message in read] == ["next", "complete"] * 2 + ["error"]
    assert read[-1]["payload"][0]["extensions"] == {"code": "too_many_requests"}


async def test_a_server_that_stops_hangs_up(home: Path) -> None:
    async with serve_api(home) as served, opened(served) as socket:
        await socket.begin()
        await socket.subscribe()
        await asyncio.sleep(0)
        await served.client.close()
        assert socket.connection.closed
