"""Links over the API: a tool gets them by the thousand, and a reported consent is put to the person by mail."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from prefcenter.api.schema import PreferenceSchema
from prefcenter.bootstrap.live import LiveHome, live_home
from prefcenter.domain.events import EVERYTHING, Scope
from prefcenter.domain.terms import Channel, RefusalReason
from prefcenter.services.outbox import Letter, LetterKind
from prefcenter.services.site import Site
from prefcenter.settings import read_settings
from tests.api.served_api import ANY_DOCUMENT, CONTROLLER, NOW, Api

PAT = "pat@acme.example"
CELL = {"message": {"purpose": "client-marketing", "channel": "email"}}
CONSENT: dict[str, Any] = {
    "whom": {"address": PAT},
    "cell": CELL,
    "wording": "stand@1",
    "method": "fair",
    "actor": "crm",
    "givenAt": "2026-11-01T00:00:00Z",
}


@asynccontextmanager
async def api_with_mail(home: Path, *, sends_mail: bool = True) -> AsyncIterator[Api]:
    settings = replace(read_settings({}, home), site=Site("https://preferences.example", sends_mail=sends_mail))
    times = {"now": NOW}
    async with live_home(LiveHome(settings, lambda: times["now"])) as live:
        yield Api(settings, live, PreferenceSchema(ANY_DOCUMENT), times)


async def ask(api: Api, *addresses: str, **changed: Any) -> Any:
    wanted = {"controller": CONTROLLER, "purpose": "client-marketing", "channel": "email", "addresses": list(addresses)}
    return await api.ask("links", input={**wanted, **changed})


async def letters(api: Api) -> Sequence[Letter]:
    store, now_ms = await api.home.store(), api.times["now"]
    outbox = (await api.services()).outbox
    claimed = await store.claim_letters(now_ms, until_ms=now_ms + 10**9, limit=10)
    return [outbox.open(letter) for letter in claimed]


async def report(api: Api, key: str | None = None) -> str:
    answer = await api.act("record-consent", **CONSENT, idempotencyKey=key)
    return str(answer["outcome"])


async def test_a_tool_gets_links_and_headers_in_the_order_of_its_addresses(home: Path) -> None:
    async with api_with_mail(home) as api:
        pat, nobody, kim = await ask(api, PAT, "nobody", "kim@acme.example", campaign="spring")
        assert nobody is None
        assert pat["unsubscribeUrl"] != kim["unsubscribeUrl"]
        assert {field["name"]: field["value"] for field in pat["headers"]} == {
            "List-Unsubscribe": f"<{pat['unsubscribeUrl']}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "List-Id": f"<client-marketing.{CONTROLLER}.preferences.example>",
        }
        links = (await api.services()).links
        assert links.open(pat["manageUrl"].removeprefix("https://preferences.example/p/")) is not None


async def test_a_thousand_addresses_are_taken_and_no_more(home: Path) -> None:
    people = [f"person{number}@example.com" for number in range(1_001)]
    async with api_with_mail(home) as api:
        assert len(await ask(api, *people[:1_000])) == 1_000
        refused = await api.run(
            "query($i: LinksInput!) { links(input: $i) { manageUrl } }",
            {"i": {"controller": CONTROLLER, "purpose": "client-marketing", "channel": "email", "addresses": people}},
        )
        assert refused["errors"][0]["extensions"]["code"] == "too_many_addresses"


@pytest.mark.parametrize("changed", [{"purpose": "contract-service"}, {"purpose": "unheard-of"}, {"campaign": "a b"}])
async def test_what_can_have_no_links_is_told_so_without_quoting_anybody(home: Path, changed: dict[str, str]) -> None:
    async with api_with_mail(home) as api:
        wanted = {"controller": CONTROLLER, "purpose": "client-marketing", "channel": "email", "addresses": [PAT]}
        answer = await api.run(
            "query($i: LinksInput!) { links(input: $i) { manageUrl } }", {"i": {**wanted, **changed}}
        )
        assert PAT not in str(answer)
        assert answer["errors"][0]["extensions"]["code"] in ("invalid_input", "act_refused")


async def test_a_reported_consent_over_a_refusal_is_put_to_the_person_once(home: Path) -> None:
    async with api_with_mail(home) as api:
        await (await api.services()).recording.opt_out(PAT, EVERYTHING, "form")
        assert [await report(api, "k1"), await report(api, "k1"), await report(api)] == ["pending"] * 3
        (letter,) = await letters(api)
        assert (letter.kind, letter.address) == (LetterKind.CONFIRMATION, PAT)
        link = (await api.services()).links.open(letter.url.rpartition("/")[2])
        assert link is not None
        assert await (await api.services()).confirmations.confirm(link) == "recorded"


async def test_choices_that_wait_are_put_to_the_person_alike(home: Path) -> None:
    async with api_with_mail(home) as api:
        await (await api.services()).recording.opt_out(PAT, EVERYTHING, "form")
        answer = await api.act(
            "set-preferences",
            address=PAT,
            choices=[{"cell": CELL, "wanted": True}],
            source="crm",
            wording="stand@1",
            method="fair",
            actor="crm",
        )
        assert "pending" in str(answer)
        assert [letter.labels for letter in await letters(api)] == [("News and offers for business clients",)]


@pytest.mark.parametrize("reason", ["bounced", "erased", "legal"])
async def test_who_may_get_no_message_is_not_asked(home: Path, reason: str) -> None:
    async with api_with_mail(home) as api:
        scope = Scope(channel=Channel.EMAIL) if reason == "bounced" else EVERYTHING
        await (await api.services()).recording.suppress(PAT, RefusalReason(reason), scope, "operator")
        assert await report(api) == "pending"
        assert await letters(api) == []


async def test_without_a_refusal_or_without_a_mail_host_nobody_is_asked(home: Path) -> None:
    async with api_with_mail(home) as api:
        assert await report(api) == "recorded"
        assert await letters(api) == []
    async with api_with_mail(home, sends_mail=False) as api:
        await (await api.services()).recording.opt_out("kim@acme.example", EVERYTHING, "form")
        answer = await api.act("record-consent", **{**CONSENT, "whom": {"address": "kim@acme.example"}})
        assert answer["outcome"] == "pending"
        assert await letters(api) == []
