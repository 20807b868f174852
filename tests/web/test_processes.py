"""The server as a process: what it acknowledged outlives every way of stopping it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from prefcenter.bootstrap import open_services
from prefcenter.services.callers import CallerScope
from prefcenter.services.decisions import Question
from prefcenter.settings import Settings
from tests.web.server_process import PROGRAM, ServerProcess, is_running, operation, serving_process, until
from tests.web.serving_home import CONTROLLER, HOST, QUESTION, make_key, put_store_back, take_store_away

ALL_SCOPES = tuple(CallerScope)
CALLERS = 8


async def refuse_on_and_on(server: ServerProcess, name: str, acknowledged: list[str]) -> None:
    """Opt out one address after the other until the server is gone; note each that was acknowledged."""
    number = 0
    while True:
        number += 1
        address = f"{name}.{number}@acme.example"
        try:
            result = await server.run("opt-out", whom={"address": address}, source="page")
        except (aiohttp.ClientError, ConnectionError):
            return
        assert result["outcome"] == "recorded"
        acknowledged.append(address)


async def reasons(settings: Settings, addresses: list[str]) -> set[str]:
    """What the store says about addresses, once nobody serves it any more."""
    questions = [Question(address, QUESTION.purpose, QUESTION.channel) for address in addresses]
    async with open_services(settings) as services:
        decisions = await (await services.deciding(CONTROLLER)).decisions.decide_many(questions, services.clock())
    return {decision.reason.value for decision in decisions}


@pytest.mark.parametrize(
    ("signal_number", "workers"), [(signal.SIGTERM, 1), (signal.SIGINT, 1), (signal.SIGTERM, 2)], ids=str
)
async def test_a_server_that_is_told_to_stop_under_load_loses_no_acknowledged_write(
    settings: Settings, signal_number: signal.Signals, workers: int
) -> None:
    _, token = await make_key(settings, *ALL_SCOPES)
    acknowledged: list[str] = []
    async with serving_process(settings, token, "--workers", str(workers)) as server:
        load = [asyncio.create_task(refuse_on_and_on(server, f"p{each}", acknowledged)) for each in range(CALLERS)]
        await until(lambda: len(acknowledged) > 10 * CALLERS or any(task.done() for task in load))
        assert await server.stopped(signal_number) == 0
        await asyncio.gather(*load)
    assert len(acknowledged) > 10 * CALLERS
    assert await reasons(settings, acknowledged) == {"opted_out"}
    assert server.logged("failed") == []


async def test_a_killed_server_has_lost_no_acknowledged_write_either(settings: Settings) -> None:
    _, token = await make_key(settings, *ALL_SCOPES)
    acknowledged: list[str] = []
    async with serving_process(settings, token) as server:
        load = [asyncio.create_task(refuse_on_and_on(server, f"p{each}", acknowledged)) for each in range(CALLERS)]
        await until(lambda: len(acknowledged) > 5 * CALLERS or any(task.done() for task in load))
        assert await server.stopped(signal.SIGKILL) == -signal.SIGKILL
        await asyncio.gather(*load)
    assert await reasons(settings, acknowledged) == {"opted_out"}


async def test_an_opt_out_by_the_command_line_binds_the_next_answer_of_every_worker(settings: Settings) -> None:
    _, token = await make_key(settings)
    async with serving_process(settings, token, "--workers", "2") as server:
        assert (await server.decide())["allowed"] is True
        command = [
            *PROGRAM,
            "--home",
            str(settings.home),
            "opt-out",
            "Pat+news@Acme.example",
            "--controller",
            CONTROLLER,
        ]
        assert await asyncio.to_thread(subprocess.call, command, stdout=subprocess.DEVNULL, timeout=60) == 0
        for _ in range(6):
            async with aiohttp.ClientSession() as server.session:
                assert (await server.decide())["reason"] == "opted_out"


async def test_without_a_store_a_decision_is_a_check_that_failed_and_an_act_is_not_acknowledged(
    settings: Settings,
) -> None:
    _, token = await make_key(settings, *ALL_SCOPES)
    async with serving_process(settings, token) as server:
        assert (await server.decide())["allowed"] is True
        take_store_away(settings)
        decision = await server.decide()
        assert (decision["allowed"], decision["reason"], decision["basis"]) == (False, "check_failed", None)
        document = await server.answer("opt-out", whom={"address": "pat@acme.example"}, source="page")
        assert document["data"] is None
        assert document["errors"][0]["extensions"]["code"] == "unavailable"
        put_store_back(settings)
        assert (await server.decide())["allowed"] is True


async def test_the_checkpoint_knows_what_was_acknowledged_once_a_server_has_stopped(settings: Settings) -> None:
    _, token = await make_key(settings, *ALL_SCOPES)
    before = settings.checkpoint.read_bytes()
    async with serving_process(settings, token) as server:
        await server.run("opt-out", whom={"address": "pat@acme.example"}, source="page")
        assert await server.stopped() == 0
    assert settings.checkpoint.read_bytes() != before


async def half_a_request(server: ServerProcess) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]:
    """A connection on which the server has begun to read a request, and the rest of that."""
    act = {"controller": CONTROLLER, "whom": {"address": "pat@acme.example"}, "source": "page"}
    body = json.dumps({"query": operation("opt-out"), "variables": {"input": act}}).encode()
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {server.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection(HOST, server.port)
    writer.write(head.encode() + body[:20])
    await writer.drain()
    # An answer to a later request shows that the earlier one has been looked at.
    await server.decide()
    return reader, writer, body[20:]


async def test_a_request_that_has_begun_is_answered_after_the_signal(settings: Settings) -> None:
    _, token = await make_key(settings, *ALL_SCOPES)
    async with serving_process(settings, token) as server:
        reader, writer, rest = await half_a_request(server)
        server.process.send_signal(signal.SIGTERM)
        await until(lambda: server.logged("stopping"))
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncio.open_connection(HOST, server.port)
        writer.write(rest)
        received = await reader.read()
        writer.close()
        assert await server.ended() == 0
    assert received.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nConnection: close\r\n" in received
    assert b'"recorded"' in received
    assert await reasons(settings, ["pat@acme.example"]) == {"opted_out"}


async def test_a_request_that_never_ends_does_not_keep_a_server_from_stopping(settings: Settings) -> None:
    _, token = await make_key(settings, *ALL_SCOPES)
    async with serving_process(settings, token, variables={"PREFCENTER_DRAIN_SECONDS_MAX": "1"}) as server:
        _, writer, _ = await half_a_request(server)
        assert await server.stopped() == 0
        writer.close()
    assert server.logged("drain_cut_off")[0]["requests"] == 1


async def test_web_sockets_are_told_that_the_server_goes_away(settings: Settings) -> None:
    _, token = await make_key(settings, *ALL_SCOPES)
    async with serving_process(settings, token) as server:
        headers = {"Authorization": f"Bearer {token}"}
        opened = server.session.ws_connect(f"{server.url}/graphql", headers=headers, protocols=["graphql-transport-ws"])
        async with opened as socket:
            await socket.send_json({"type": "connection_init"})
            assert (await socket.receive_json())["type"] == "connection_ack"
            server.process.send_signal(signal.SIGTERM)
            message = await socket.receive(timeout=30)
            assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1001)
        assert await server.ended() == 0


async def test_a_worker_that_dies_is_replaced_and_the_numbers_of_all_are_told(settings: Settings) -> None:
    _, token = await make_key(settings)
    async with serving_process(settings, token, "--workers", "2") as server:
        await until(lambda: len(server.logged("listening")) == 2)
        first, second = (line["pid"] for line in server.logged("listening"))
        os.kill(first, signal.SIGKILL)
        await until(lambda: len(server.logged("listening")) == 3)
        assert server.logged("worker_ended")[0]["pid"] == first
        assert is_running(second)
        for _ in range(10):
            async with aiohttp.ClientSession() as server.session:
                assert (await server.decide())["allowed"] is True
        async with aiohttp.ClientSession() as session, session.get(f"{server.url}/metrics") as response:
            numbers = await response.text()
        assert 'prefcenter_decisions_total{controller="opencontact",reason="permitted"} 10.0' in numbers
        assert await server.stopped() == 0
    assert len(server.logged("stopping")) == 2


async def test_workers_end_with_their_supervisor_whatever_became_of_it(settings: Settings) -> None:
    async with serving_process(settings, "", "--workers", "2") as server:
        await until(lambda: len(server.logged("listening")) == 2)
        workers = [line["pid"] for line in server.logged("listening")]
        server.process.kill()
        await until(lambda: not any(map(is_running, workers)))
    assert len(server.logged("stopping")) == 2


async def test_metrics_may_have_a_listener_of_their_own(settings: Settings) -> None:
    async with serving_process(settings, "", variables={"PREFCENTER_METRICS": f"{HOST}:0"}) as server:
        async with server.session.get(f"{server.url}/metrics") as response:
            assert response.status == 404
        port = server.logged("listening")[0]["metrics_port"]
        async with server.session.get(f"http://{HOST}:{port}/metrics") as response:
            assert "prefcenter_requests_total" in await response.text()
        async with server.session.get(f"http://{HOST}:{port}/healthz") as response:
            assert response.status == 404


def refused_to_start(*arguments: str, home: Path, **variables: str) -> str:
    """The one line with which a server refuses to start."""
    environ = {**os.environ, "PREFCENTER_HOME": str(home), **variables}
    ran = subprocess.run(
        [*PROGRAM, "serve", *arguments], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (2, "", 1), ran.stderr
    return ran.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_port_that_is_in_use_is_one_clear_line(settings: Settings, workers: str) -> None:
    async with serving_process(settings, "", "--workers", workers) as server:
        for arguments, variables, setting in (
            (("--port", str(server.port)), {}, "--port"),
            (("--port", "0"), {"PREFCENTER_METRICS": f"{HOST}:{server.port}"}, "PREFCENTER_METRICS"),
        ):
            said = await asyncio.to_thread(
                refused_to_start, *arguments, "--workers", workers, home=settings.home, **variables
            )
            assert said == f"{setting}: {server.port} is in use\n"


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"PREFCENTER_BODY_BYTES_MAX": "much"}, "PREFCENTER_BODY_BYTES_MAX: expected a whole number"),
        ({"PREFCENTER_TRUSTED_PROXIES": "proxy"}, "PREFCENTER_TRUSTED_PROXIES: expected addresses"),
        ({"PREFCENTER_METRICS": "9464"}, "PREFCENTER_METRICS: expected HOST:PORT"),
        ({"PREFCENTER_PORTAL_ISSUER": "https://id.example"}, "PREFCENTER_PORTAL_AUDIENCE: is needed"),
        (
            {
                "PREFCENTER_PORTAL_ISSUER": "https://id.example",
                "PREFCENTER_PORTAL_AUDIENCE": "portal",
                "PREFCENTER_PORTAL_CONTROLLER": "acme",
                "PREFCENTER_PORTAL_JWKS": "keys.json",
            },
            "PREFCENTER_PORTAL_CONTROLLER: not one of this home's policies",
        ),
    ],
)
def test_a_setting_that_cannot_be_is_one_clear_line(settings: Settings, variables: dict[str, str], said: str) -> None:
    assert refused_to_start("--port", "0", home=settings.home, **variables).startswith(said)


def test_without_a_home_a_server_does_not_start(tmp_path: Path) -> None:
    said = refused_to_start("--port", "0", home=tmp_path / "none")
    assert said.startswith("keyring.json: there is none here; run `prefcenter init`")


def test_nothing_of_the_server_is_imported_by_a_question() -> None:
    code = "import prefcenter.cli.asking, sys; print(*sys.modules)"
    imported = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {"aiohttp", "strawberry", "structlog", "prometheus_client", "jwt", "limits"} & set(imported) == set()
