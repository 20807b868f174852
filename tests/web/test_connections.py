"""Connections that trickle, idle or come in masses hold nothing for long."""

from __future__ import annotations

import asyncio
import json

import pytest

from prefcenter.settings import ServingLimits, ServingSettings, Settings
from tests.web.serving_home import HOST, Running, make_key, running

SOON = ServingSettings(ServingLimits(head_seconds_max=1, body_seconds_max=1, keep_alive_seconds=1))
HEAD = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"


async def trickle(server: Running, sent: bytes, *, step_s: float = 0.1) -> bytes:
    """What comes back while bytes are sent one by one, until the server hangs up."""
    reader, writer = await asyncio.open_connection(HOST, server.port)
    receiving = asyncio.create_task(reader.read())
    try:
        for byte in sent:
            if receiving.done() or writer.is_closing():
                break
            writer.write(bytes([byte]))
            await asyncio.sleep(step_s)
        return await asyncio.wait_for(receiving, 30)
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


def code_of(received: bytes) -> str:
    return str(json.loads(received.partition(b"\r\n\r\n")[2])["error"]["code"])


async def test_a_head_that_trickles_in_is_cut_off(settings: Settings) -> None:
    limits = ServingLimits(head_seconds_max=1, keep_alive_seconds=60)
    async with running(settings, ServingSettings(limits)) as server:
        received = await trickle(server, HEAD * 40)
        assert received.startswith(b"HTTP/1.1 408 ")
        assert code_of(received) == "request_timeout"
        assert (await server.ask("/healthz")).status == 200


async def test_a_head_that_trickles_in_after_an_answer_is_cut_off_too(settings: Settings) -> None:
    limits = ServingLimits(head_seconds_max=1, keep_alive_seconds=60)
    async with running(settings, ServingSettings(limits)) as server:
        reader, writer = await asyncio.open_connection(HOST, server.port)
        writer.write(HEAD)
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 ")
        writer.write(HEAD[:5])
        assert (await reader.read()).startswith(b"HTTP/1.1 408 ")
        writer.close()


async def test_many_that_trickle_do_not_keep_others_waiting(settings: Settings) -> None:
    limits = ServingLimits(head_seconds_max=1, keep_alive_seconds=60)
    async with running(settings, ServingSettings(limits)) as server:
        slow = [asyncio.create_task(trickle(server, HEAD * 40)) for _ in range(50)]
        await asyncio.sleep(0.2)
        assert (await server.ask("/healthz")).status == 200
        assert {received[:13] for received in await asyncio.gather(*slow)} == {b"HTTP/1.1 408 "}


async def test_a_body_that_trickles_in_is_cut_off(settings: Settings) -> None:
    _, token = await make_key(settings)
    head = b"POST /echo HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\nContent-Length: 900\r\n\r\n" % token.encode()
    async with running(settings, SOON) as server:
        reader, writer = await asyncio.open_connection(HOST, server.port)
        writer.write(head)
        for _ in range(3):
            writer.write(b"x")
            await asyncio.sleep(0.1)
        received = await asyncio.wait_for(reader.read(), 30)
        writer.close()
    assert received.startswith(b"HTTP/1.1 408 ")
    assert code_of(received) == "request_timeout"


async def test_a_body_that_comes_in_parts_but_in_time_is_read(settings: Settings) -> None:
    _, token = await make_key(settings)
    head = (
        b"POST /echo HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\nContent-Length: 30\r\nConnection: close\r\n\r\n"
    )
    async with running(settings) as server:
        received = await server.raw(head % token.encode(), b"x" * 10, b"x" * 20, pause_s=0.05)
    assert received.endswith(b'{"bytes": 30}')


async def test_a_connection_that_asks_nothing_is_closed_without_a_word(settings: Settings) -> None:
    async with running(settings, SOON) as server:
        assert await asyncio.wait_for(server.raw(), 30) == b""


async def test_a_connection_too_many_is_told_so_and_the_others_go_on(settings: Settings) -> None:
    async with running(settings, ServingSettings(ServingLimits(connections_max=2))) as server:
        kept = [await asyncio.open_connection(HOST, server.port) for _ in range(2)]
        received = await server.raw()
        assert (received[:13], code_of(received)) == (b"HTTP/1.1 503 ", "unavailable")
        reader, writer = kept[0]
        writer.write(HEAD)
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 ")
        for _, each in kept:
            each.close()
        for _ in range(100):
            if (received := await server.raw(HEAD.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")))[
                9:12
            ] == b"200":
                break
            await asyncio.sleep(0.02)
        assert received[9:12] == b"200"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/nowhere"])
async def test_no_response_tells_the_version_of_anything(settings: Settings, path: str) -> None:
    async with running(settings) as server:
        answer = await server.ask(path)
    assert answer.headers["Server"] == "prefcenter"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert not {"X-Powered-By", "Via"} & set(answer.headers)


async def test_each_request_has_an_id_of_its_own(settings: Settings) -> None:
    async with running(settings) as server:
        ids = {(await server.ask("/healthz")).headers["X-Request-Id"] for _ in range(5)}
    assert len(ids) == 5
