"""Every error over HTTP has one shape, and none quotes what was sent."""

from __future__ import annotations

import io
import json

import pytest
from aiohttp import web
from multidict import CIMultiDict

from prefcenter.domain.errors import (
    ActRefused,
    InvalidAddress,
    InvalidInput,
    InvalidTime,
    KeyringError,
    StoreBusy,
    StoreError,
)
from prefcenter.settings import ServingLimits, ServingSettings, Settings
from prefcenter.web.errors import Forbidden, Unauthenticated
from tests.web.serving_home import Answer, make_key, running

SECRET = "pat.secret@acme.example"
RAISED: dict[str, tuple[Exception, int, str]] = {
    "bad-request": (web.HTTPBadRequest(text=SECRET), 400, "bad_request"),
    "unauthenticated": (Unauthenticated("who are you"), 401, "unauthenticated"),
    "unauthorized": (web.HTTPUnauthorized(text=SECRET), 401, "unauthenticated"),
    "forbidden": (Forbidden("not with this key"), 403, "forbidden"),
    "media": (web.HTTPUnsupportedMediaType(text=SECRET), 415, "unsupported_media_type"),
    "teapot": (web.HTTPMisdirectedRequest(text=SECRET), 421, "bad_request"),
    "input": (InvalidInput("controller: not one of this home's policies"), 422, "invalid_input"),
    "address": (InvalidAddress("is not an email address"), 422, "invalid_address"),
    "time": (InvalidTime("the time lies in the future"), 422, "invalid_time"),
    "refused": (ActRefused("only the person"), 422, "act_refused"),
    "fault": (ValueError(SECRET), 500, "fault"),
    "type": (KeyError(SECRET), 500, "fault"),
    "store": (StoreError(SECRET), 503, "store"),
    "busy": (StoreBusy(SECRET), 503, "store_busy"),
    "keyring": (KeyringError(SECRET), 503, "keyring"),
    "unavailable": (web.HTTPServiceUnavailable(text=SECRET), 503, "unavailable"),
}


async def fail(request: web.Request) -> web.Response:
    failure, _, _ = RAISED[request.match_info["kind"]]
    raise failure


FAILING = (web.get("/fail/{kind}", fail),)


def check_shape(answer: Answer, status: int, code: str) -> None:
    document = answer.document
    assert sorted(document) == ["error"]
    assert sorted(document["error"]) == ["code", "id", "message"]
    assert (answer.status, document["error"]["code"]) == (status, code)
    assert len(document["error"]["id"]) == 16
    assert document["error"]["message"]
    assert SECRET not in answer.body.decode()
    assert answer.headers["X-Request-Id"] == document["error"]["id"]
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Server"] == "prefcenter"


def read_raw(received: bytes) -> Answer:
    """A response as it stands on the wire."""
    head, _, body = received.partition(b"\r\n\r\n")
    status_line, *fields = head.decode().split("\r\n")
    headers = CIMultiDict((name, value) for name, _, value in (field.partition(": ") for field in fields))
    return Answer(int(status_line.split()[1]), body, headers)


@pytest.mark.parametrize("kind", RAISED)
async def test_whatever_a_handler_raises_has_the_one_shape(settings: Settings, kind: str) -> None:
    _, status, code = RAISED[kind]
    _, token = await make_key(settings)
    async with running(settings, routes=FAILING) as server:
        answer = await server.ask(f"/fail/{kind}", token)
        check_shape(answer, status, code)
        assert ("WWW-Authenticate" in answer.headers) is (status == 401)


async def test_a_failure_is_logged_under_the_id_that_the_caller_got(settings: Settings, logged: io.StringIO) -> None:
    _, token = await make_key(settings)
    async with running(settings, routes=FAILING) as server:
        answer = await server.ask("/fail/fault", token)
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    (failed,) = [line for line in lines if line["event"] == "failed"]
    assert failed["request_id"] == answer.headers["X-Request-Id"]
    assert failed["failure"] == "ValueError"
    assert failed["place"].startswith("test_errors.py:")
    assert SECRET not in logged.getvalue()


async def test_a_path_that_is_not_there_is_404_for_everybody(settings: Settings) -> None:
    async with running(settings) as server:
        check_shape(await server.ask(f"/people/{SECRET}"), 404, "not_found")


async def test_another_method_is_405_and_says_which_are_answered(settings: Settings) -> None:
    async with running(settings) as server:
        answer = await server.ask("/who", method="POST")
        check_shape(answer, 405, "method_not_allowed")
        assert set(answer.headers["Allow"].split(",")) == {"GET", "HEAD"}


async def test_without_credentials_a_path_is_401(settings: Settings) -> None:
    async with running(settings) as server:
        answer = await server.ask("/who")
        check_shape(answer, 401, "unauthenticated")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_body_that_is_too_large_is_413_before_it_is_read(settings: Settings) -> None:
    _, token = await make_key(settings)
    given = ServingSettings(ServingLimits(body_bytes_max=1_000))
    async with running(settings, given) as server:
        assert (await server.ask("/echo", token, method="POST", body=b"x" * 1_000)).document == {"bytes": 1_000}
        check_shape(await server.ask("/echo", token, method="POST", body=b"x" * 1_001), 413, "too_large")


async def test_a_body_of_unstated_length_is_413_as_well(settings: Settings) -> None:
    async def chunks() -> object:
        for _ in range(20):
            yield b"x" * 100

    _, token = await make_key(settings)
    async with running(settings, ServingSettings(ServingLimits(body_bytes_max=1_000))) as server:
        check_shape(await server.ask("/echo", token, method="POST", body=chunks()), 413, "too_large")


PARSE_ERRORS = {
    "no request line": b"%s\r\n\r\n" % SECRET.encode(),
    "a method of bytes": b"\xff\xfe / HTTP/1.1\r\n\r\n",
    "a field without a colon": b"GET / HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n" % SECRET.encode(),
    "a length that is no number": b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: %s\r\n\r\n" % SECRET.encode(),
    "two lengths": b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    "length and chunks": b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a path that is none": b"GET %s HTTP/1.1\r\nHost: [\r\n\r\n" % SECRET.encode(),
}


@pytest.mark.parametrize("sent", PARSE_ERRORS.values(), ids=PARSE_ERRORS.keys())
async def test_what_is_no_http_is_told_so_and_not_quoted(settings: Settings, logged: io.StringIO, sent: bytes) -> None:
    async with running(settings) as server:
        check_shape(read_raw(await server.raw(sent)), 400, "bad_request")
    assert SECRET not in logged.getvalue()


async def test_a_head_that_is_too_large_is_431(settings: Settings) -> None:
    async with running(settings) as server:
        sent = b"GET / HTTP/1.1\r\nHost: a\r\nX-Much: " + b"x" * 20_000 + b"\r\n\r\n"
        check_shape(read_raw(await server.raw(sent)), 431, "head_too_large")


async def test_a_redirect_is_no_error(settings: Settings) -> None:
    async def move(_request: web.Request) -> web.Response:
        raise web.HTTPSeeOther("/healthz")

    _, token = await make_key(settings)
    async with running(settings, routes=[web.get("/moved", move)]) as server:
        answer = await server.ask("/moved", token)
        assert (answer.status, answer.headers["Location"]) == (303, "/healthz")
        assert answer.headers["Server"] == "prefcenter"
