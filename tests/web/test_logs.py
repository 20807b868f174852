"""The log of a server: one line a request, and nothing personal in any of them."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from typing import Any

import pytest
import structlog

from prefcenter.settings import Settings
from tests.web.serving_home import make_key, running

TOKEN = "pck_0123456789ab_" + "A1b2C3d4" * 5 + "xyz"
PERSONAL = (
    "Pat.Secret@acme.example",
    '"pat secret"@acme.example',
    "pat.secret@bücher-kiste.example",
    "+44 7700 900 987",
    "02079460018",
    "push:Secret-Token-9",
    TOKEN,
    f"Bearer {TOKEN}",
    "Basic c2VjcmV0OnNlY3JldA==",
    "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJzZWNyZXQifQ.c2VjcmV0",
)


def lines(logged: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in logged.getvalue().splitlines()]


async def test_a_request_is_one_line_with_template_status_time_id_and_caller(
    settings: Settings, logged: io.StringIO
) -> None:
    key_id, token = await make_key(settings)
    async with running(settings) as server:
        answer = await server.ask("/who?secret=value", token)
    (line,) = [line for line in lines(logged) if line["event"] == "request"]
    assert isinstance(line.pop("ms"), float)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "request",
        "level": "info",
        "request_id": answer.headers["X-Request-Id"],
        "method": "GET",
        "route": "/who",
        "status": 200,
        "caller": f"key:{key_id}",
    }
    assert "secret" not in logged.getvalue()
    assert token not in logged.getvalue()


async def test_a_path_that_is_not_there_is_not_written(settings: Settings, logged: io.StringIO) -> None:
    async with running(settings) as server:
        await server.ask("/unsubscribe/some-token-of-a-person")
        await server.ask("/who", method="PROPFIND")
    assert [(line["route"], line["method"]) for line in lines(logged) if line["event"] == "request"] == [
        ("unmatched", "GET"),
        ("unmatched", "other"),
    ]
    assert "person" not in logged.getvalue()


async def test_those_who_look_after_the_server_fill_no_log(settings: Settings, logged: io.StringIO) -> None:
    async with running(settings) as server:
        for path in ("/healthz", "/readyz", "/metrics"):
            await server.ask(path)
    assert logged.getvalue() == ""


@pytest.mark.parametrize("personal", PERSONAL)
def test_what_is_personal_is_blotted_out_wherever_it_stands(logged: io.StringIO, personal: str) -> None:
    log = structlog.get_logger()
    log.info("request", failure=f"cannot send to {personal} today", code=personal, request=personal, email=personal)
    event = f"told {personal}"
    log.info(event, authorization=personal)
    shown = logged.getvalue()
    assert "cannot send to ***" in shown
    for secret in (personal, "ecret@", "Secret", "900 987", "9460018", "A1b2C3d4", "c2Vjc"):
        assert secret not in shown


def test_a_field_that_nobody_listed_is_not_written(logged: io.StringIO) -> None:
    structlog.get_logger().info("request", status=200, body="hello", address="x")
    (line,) = lines(logged)
    assert sorted(line) == ["event", "level", "status", "timestamp"]


@pytest.mark.parametrize("personal", PERSONAL)
def test_of_what_libraries_log_only_place_and_kind_are_told(logged: io.StringIO, personal: str) -> None:
    library = logging.getLogger("library.of.others")
    library.warning("read %s", personal)
    try:
        raise KeyError(personal) from ValueError(personal)
    except KeyError:
        library.exception("failed with %s", personal)
    library.info("read %s", personal)
    warned, failed = lines(logged)
    assert (warned["logger"], warned["level"]) == ("library.of.others", "warning")
    assert failed["failure"] == "KeyError from ValueError"
    assert failed["place"].startswith("test_logs.py:")
    assert personal not in logged.getvalue()


async def test_a_task_that_fails_unseen_is_told_by_its_place(logged: io.StringIO) -> None:
    async def fail() -> None:
        raise ValueError(PERSONAL[0])

    loop = asyncio.get_running_loop()
    task = asyncio.create_task(fail())
    await asyncio.wait([task])
    loop.call_exception_handler({"message": f"about {PERSONAL[0]}", "exception": task.exception()})
    (line,) = lines(logged)
    assert (line["logger"], line["failure"]) == ("asyncio", "ValueError")
    assert PERSONAL[0] not in logged.getvalue()
