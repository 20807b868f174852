"""Both clients against a running server that runs nothing but the documents that ship."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from prefcenter.api.schema import ApiSettings
from prefcenter.client import (
    ActRefused,
    Address,
    AsyncClient,
    Cell,
    Client,
    OptOut,
    Pause,
    RecordConsent,
    RequestRejected,
    Scope,
    Suppress,
    UpsertContact,
)
from prefcenter.services.callers import CallerScope
from tests.api.served_api import CONTROLLER, NOW, Served, serve_api

PURPOSE = "client-marketing"
BUSINESS = "pat@acme.example"
Result = TypeVar("Result")


@asynccontextmanager
async def connected(home: Path) -> AsyncIterator[tuple[Served, AsyncClient]]:
    serving = serve_api(home, ApiSettings())
    async with serving as served, AsyncClient(url_of(served), served.key, CONTROLLER) as client:
        yield served, client


def url_of(served: Served) -> str:
    return str(served.client.make_url("/"))


async def blocking(served: Served, use: Callable[[Client], Result]) -> Result:
    """What the blocking client gives, in a thread of its own beside the server."""

    def run() -> Result:
        with Client(url_of(served), served.key, CONTROLLER) as client:
            return use(client)

    return await asyncio.to_thread(run)


def a_consent(address: str = "pat@gmail.com") -> RecordConsent:
    given_at = datetime.fromtimestamp(NOW / 1_000, UTC) - timedelta(hours=1)
    cell = Cell(PURPOSE, "email")
    return RecordConsent(
        address=address, cell=cell, wording="form@3", method="checkbox", actor="person", given_at=given_at
    )


async def test_a_decision_says_whether_and_why(home: Path) -> None:
    async with connected(home) as (served, client):
        decision = await client.decide(PURPOSE, "email", BUSINESS, address_class="business")
        assert (decision.allowed, decision.reason, decision.basis) == (True, "permitted", "legitimate_interests")
        assert decision.valid_until is not None
        assert decision.valid_until.tzinfo is not None
        assert decision == await blocking(
            served, lambda other: other.decide(PURPOSE, "email", BUSINESS, address_class="business")
        )


async def test_an_opt_out_binds_the_next_decision(home: Path) -> None:
    async with connected(home) as (_, client):
        assert await client.record(OptOut(address="P.A.T+x@gmail.com", source="crm-form")) == "recorded"
        decision = await client.decide(PURPOSE, "email", "pat@gmail.com")
        assert (decision.allowed, decision.reason) == (False, "opted_out")


async def test_many_decisions_keep_the_order_of_the_addresses_across_batches(home: Path) -> None:
    addresses = [f"person{number}@acme.example" for number in range(2_001)]
    async with connected(home) as (served, client):
        await client.record(OptOut(address=addresses[1_500], source="crm-form"))
        decisions = await client.decide_many(PURPOSE, "email", addresses, address_class="business")
        assert [number for number, decision in enumerate(decisions) if not decision.allowed] == [1_500]
        permissions = await blocking(
            served, lambda other: other.permissions(PURPOSE, "email", addresses, address_class="business")
        )
        assert permissions == [decision.allowed for decision in decisions]


async def test_nobody_asked_about_is_no_request(home: Path) -> None:
    async with connected(home) as (_, client):
        assert await client.decide_many(PURPOSE, "email", []) == []
        assert await client.permissions(PURPOSE, "email", []) == []


async def test_a_reported_consent_over_a_refusal_is_pending(home: Path) -> None:
    async with connected(home) as (_, client):
        await client.record(OptOut(address="pat@gmail.com", source="crm-form", scope=Scope(purpose=PURPOSE)))
        assert await client.record(a_consent()) == "pending"
        assert await client.record(a_consent("kim@gmail.com")) == "recorded"
        assert (await client.decide(PURPOSE, "email", "kim@gmail.com")).allowed


async def test_an_act_sent_twice_under_one_key_is_recorded_once(home: Path) -> None:
    async with connected(home) as (_, client):
        act = Suppress(address=BUSINESS, reason="manual", source="desk")
        outcomes = [await client.record(act, idempotency_key="batch-7") for _ in range(2)]
        assert outcomes == ["recorded", "recorded"]
        assert len([change async for change in client.changes() if change.kind == "refused"]) == 1
        with pytest.raises(ActRefused) as raised:
            await client.record(OptOut(address=BUSINESS, source="desk"), idempotency_key="batch-7")
        assert raised.value.code == "idempotency_conflict"


async def test_what_the_rules_do_not_allow_is_raised_with_its_field(home: Path) -> None:
    async with connected(home) as (_, client):
        with pytest.raises(ActRefused) as raised:
            await client.record(OptOut(address=BUSINESS, source="Pat rang us"))
        assert raised.value.field == "source"


async def test_a_contact_is_made_and_its_refusals_reach_all_its_addresses(home: Path) -> None:
    contact = UpsertContact(
        contact="crm-7",
        addresses=[Address("email", BUSINESS, "business"), Address("sms", "020 7946 0018")],
        source="crm",
        audiences=["client"],
    )
    async with connected(home) as (served, client):
        assert await client.record(contact) == "recorded"
        assert await client.record(contact) == "unchanged"
        assert await blocking(served, lambda other: other.record(OptOut(contact="crm-7", source="desk"))) == "recorded"
        assert (await client.decide(PURPOSE, "sms", "020 7946 0018")).reason == "opted_out"


async def test_the_change_feed_goes_on_after_a_cursor_and_speaks_of_our_own_addresses(home: Path) -> None:
    async with connected(home) as (served, client):
        await client.record(OptOut(address=BUSINESS, source="crm-form"))
        first = [change async for change in client.changes()]
        await client.record(Pause(address=BUSINESS, until=datetime(2099, 1, 1, tzinfo=UTC)))
        (later,) = [change async for change in client.changes(first[-1].cursor)]
        assert (later.kind, later.paused_until) == ("paused", datetime(2099, 1, 1, tzinfo=UTC))
        assert await client.subject_ids("email", [BUSINESS, "no address"]) == [[later.subject_id], []]
        assert await blocking(served, lambda other: list(other.changes())) == [*first, later]


async def test_sends_count_once_an_address_and_campaign(home: Path) -> None:
    addresses = [f"member{number}@example.com" for number in range(1_001)] + ["no address"]
    async with serve_api(home, ApiSettings()) as served:
        key = await served.new_key(*CallerScope, controllers=["contact-centre-community"])
        async with AsyncClient(url_of(served), key, "contact-centre-community") as client:
            report = await client.report_sends("member-news", "email", "june", addresses)
            assert (report.recorded, report.already, report.is_capped, report.invalid) == (1_001, 0, True, [1_001])
            assert (await client.report_sends("member-news", "email", "june", addresses)).already == 1_001


async def test_a_wrong_key_is_told_and_not_taken_for_a_no(home: Path) -> None:
    async with serve_api(home, ApiSettings()) as served:
        async with AsyncClient(url_of(served), "pck_000000000000_wrong", CONTROLLER) as client:
            with pytest.raises(RequestRejected) as raised:
                await client.decide(PURPOSE, "email", BUSINESS)
        assert raised.value.status == 401
        assert raised.value.request_id


async def test_a_key_without_the_scope_may_not_record(home: Path) -> None:
    async with serve_api(home, ApiSettings()) as served:
        key = await served.new_key(CallerScope.DECIDE)
        async with AsyncClient(url_of(served), key, CONTROLLER) as client:
            with pytest.raises(RequestRejected, match="forbidden"):
                await client.record(OptOut(address=BUSINESS, source="crm-form"))
