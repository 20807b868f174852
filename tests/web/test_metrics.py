"""Numbers for Prometheus: of requests, decisions and the store, and of nobody."""

from __future__ import annotations

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from prefcenter.domain.errors import StoreError
from prefcenter.domain.terms import Channel
from prefcenter.services.decisions import Question
from prefcenter.settings import Settings
from tests.web.serving_home import (
    QUESTION,
    Running,
    make_key,
    opt_out,
    put_store_back,
    reason,
    running,
    take_store_away,
)

SECRET = "pat.secret@acme.example"


async def numbers(server: Running) -> dict[str, float]:
    """All samples, by name and labels."""
    text = (await server.ask("/metrics")).body.decode()
    assert SECRET not in text
    return {
        sample.name + "".join(f" {name}={value}" for name, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_requests_are_counted_by_template_and_status(settings: Settings) -> None:
    _, token = await make_key(settings)
    async with running(settings) as server:
        for _ in range(3):
            await server.ask("/who", token)
        await server.ask("/who")
        await server.ask(f"/people/{SECRET}")
        seen = await numbers(server)
    assert seen["prefcenter_requests_total method=GET route=/who status=200"] == 3
    assert seen["prefcenter_requests_total method=GET route=/who status=401"] == 1
    assert seen["prefcenter_requests_total method=GET route=unmatched status=404"] == 1
    assert seen["prefcenter_request_seconds_count route=/who"] == 4
    assert seen["prefcenter_open_requests"] == 1


async def test_decisions_are_counted_by_controller_and_reason(settings: Settings) -> None:
    await opt_out(settings, SECRET)
    async with running(settings) as server:
        await reason(server.home)
        await reason(server.home)
        deciding = await server.home.deciding("opencontact")
        many = [Question(SECRET, "client-marketing", Channel.EMAIL), QUESTION, Question("x", "y", Channel.EMAIL)]
        await deciding.decisions.decide_many(many, server.home.clock())
        seen = await numbers(server)
    assert seen["prefcenter_decisions_total controller=opencontact reason=permitted"] == 3
    assert seen["prefcenter_decisions_total controller=opencontact reason=opted_out"] == 1
    assert seen["prefcenter_decisions_total controller=opencontact reason=invalid_address"] == 1


async def test_checks_that_failed_are_counted(settings: Settings) -> None:
    async with running(settings) as server:
        deciding = await server.home.deciding("opencontact")
        await deciding.store.close()
        with pytest.raises(StoreError):
            await deciding.decisions.decide_many([QUESTION, QUESTION], server.home.clock())
        seen = await numbers(server)
    assert seen["prefcenter_decisions_total controller=opencontact reason=check_failed"] == 2
    assert seen["prefcenter_store_failures_total code=store operation=load"] == 1


async def test_a_home_that_gives_no_decisions_is_counted(settings: Settings) -> None:
    async with running(settings) as server:
        take_store_away(settings)
        for _ in range(2):
            with pytest.raises(StoreError):
                await server.home.deciding("opencontact")
        put_store_back(settings)
        seen = await numbers(server)
    assert seen["prefcenter_home_failures_total code=store"] == 2


async def test_the_store_is_timed_call_by_call(settings: Settings) -> None:
    _, token = await make_key(settings)
    async with running(settings) as server:
        await server.ask("/who", token)
        await reason(server.home)
        await server.around.authenticator.close()  # the use of the key is noted on the side
        seen = await numbers(server)
    assert seen["prefcenter_store_seconds_count operation=api_key"] == 1
    assert seen["prefcenter_store_seconds_count operation=load"] == 1
    assert seen["prefcenter_waiting_writes"] == 0


async def test_every_label_is_of_a_closed_list(settings: Settings) -> None:
    _, token = await make_key(settings)
    async with running(settings) as server:
        await server.ask(f"/people/{SECRET}", token, method="PAT")
        await server.ask("/who", token)
        await reason(server.home)
        labels = {label for sample in await numbers(server) for label in re.findall(r" (\w+)=", sample)}
    assert labels == {"method", "route", "status", "controller", "reason", "operation", "le"}
