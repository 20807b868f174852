"""Limits on requests, per key and per address of origin, with the fields that tell a tool how it stands."""

from __future__ import annotations

import io
import time
from ipaddress import ip_network

import pytest

from prefcenter.settings import ServingLimits, ServingSettings, Settings
from tests.web.serving_home import make_key, running

END_OF_WINDOW_SECONDS = 3


@pytest.fixture(autouse=True)
def within_one_window() -> None:
    """Windows begin with the minute, and a test that saw two of them would count other numbers."""
    left_s = 60 - time.time() % 60
    if left_s < END_OF_WINDOW_SECONDS:
        time.sleep(left_s)


FIELDS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "RateLimit-Policy")


async def test_each_response_says_what_is_left_of_the_keys_limit(settings: Settings) -> None:
    _, token = await make_key(settings)
    given = ServingSettings(ServingLimits(key_requests_per_minute_max=10))
    async with running(settings, given) as server:
        answers = [await server.ask("/who", token) for _ in range(3)]
    assert [answer.headers["RateLimit-Remaining"] for answer in answers] == ["9", "8", "7"]
    assert {answer.headers["RateLimit-Limit"] for answer in answers} == {"10"}
    assert {answer.headers["RateLimit-Policy"] for answer in answers} == {"10;w=60"}
    assert all(0 < int(answer.headers["RateLimit-Reset"]) <= 60 for answer in answers)


async def test_a_key_that_asks_too_much_is_429_and_another_is_not(settings: Settings) -> None:
    _, busy = await make_key(settings)
    _, calm = await make_key(settings)
    given = ServingSettings(ServingLimits(key_requests_per_minute_max=3))
    async with running(settings, given) as server:
        statuses = [(await server.ask("/who", busy)).status for _ in range(5)]
        refused = await server.ask("/who", busy)
        assert statuses == [200, 200, 200, 429, 429]
        assert refused.document["error"]["code"] == "too_many_requests"
        assert refused.document["error"]["id"] == refused.headers["X-Request-Id"]
        assert 0 < int(refused.headers["Retry-After"]) <= 60
        assert refused.headers["RateLimit-Remaining"] == "0"
        assert all(field in refused.headers for field in FIELDS)
        assert (await server.ask("/who", calm)).status == 200


async def test_an_origin_that_guesses_keys_is_429(settings: Settings) -> None:
    given = ServingSettings(ServingLimits(origin_requests_per_minute_max=4))
    async with running(settings, given) as server:
        guesses = [f"pck_{number:012x}_{'A' * 43}" for number in range(6)]
        assert [(await server.ask("/who", guess)).status for guess in guesses] == [401] * 4 + [429] * 2


async def test_those_who_look_after_the_server_are_not_limited(settings: Settings) -> None:
    given = ServingSettings(ServingLimits(origin_requests_per_minute_max=1))
    async with running(settings, given) as server:
        for path in ("/healthz", "/readyz", "/metrics") * 2:
            answer = await server.ask(path)
            assert answer.status == 200
            assert "RateLimit-Limit" not in answer.headers


async def test_what_a_stranger_says_about_its_origin_is_not_believed(settings: Settings) -> None:
    given = ServingSettings(ServingLimits(origin_requests_per_minute_max=2))
    async with running(settings, given) as server:
        forged = [{"X-Forwarded-For": f"203.0.113.{number}"} for number in range(4)]
        statuses = [(await server.ask("/who", headers=headers)).status for headers in forged]
    assert statuses == [401, 401, 429, 429]


async def test_behind_a_trusted_proxy_each_origin_has_its_own_limit(settings: Settings, logged: io.StringIO) -> None:
    limits = ServingLimits(origin_requests_per_minute_max=2)
    async with running(settings, ServingSettings(limits, (ip_network("127.0.0.0/8"),))) as server:
        for origin in ("203.0.113.1", "203.0.113.2"):
            headers = {"X-Forwarded-For": origin}
            statuses = [(await server.ask("/who", headers=headers)).status for _ in range(3)]
            assert statuses == [401, 401, 429]
    assert "203.0.113" not in logged.getvalue()
    assert "127.0.0.1" not in logged.getvalue()
