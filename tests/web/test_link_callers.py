"""Whoever holds a link to the preference page may ask the API what that shows, and do there what it lets them do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from prefcenter.bootstrap import open_services
from prefcenter.domain.terms import Channel
from prefcenter.settings import Settings
from tests.api.served_api import operation
from tests.web.serving_home import Answer, Running, running
from tests.web.test_find_page import with_mail
from tests.web.test_pages import ALUMNI, ROBIN, bulk_path, fresh_path, put_on_file
from tests.web.test_portals import jwks, portal, token

__all__ = ["jwks"]

EVENTS = {"message": {"purpose": "alumni-events", "channel": "email"}}
MARKETING = {"message": {"purpose": "client-marketing", "channel": "email"}}
TRACKING = {"dataUse": "email-tracking"}
EVIDENCE = {"wording": "app@1", "method": "app", "actor": "person", "source": "app"}


async def bulk_token(settings: Settings) -> str:
    return (await bulk_path(settings)).removeprefix("/p/")


async def ask(server: Running, bearer: str, name: str, wanted: Mapping[str, Any] | None = None, **fields: str) -> Any:
    """The value of the one field of a document that ships, or the code of the error."""
    answer = await posted(server, bearer, name, wanted, **fields)
    assert answer.status == 200
    if "errors" in answer.document:
        return answer.document["errors"][0]["extensions"]["code"]
    (value,) = answer.document["data"].values()
    return value


async def posted(
    server: Running, bearer: str, name: str, wanted: Mapping[str, Any] | None = None, **fields: str
) -> Answer:
    body = json.dumps({"query": operation(name), "variables": {"input": wanted}}).encode()
    headers = {"Content-Type": "application/json", **fields}
    return await server.ask("/graphql", bearer, method="POST", body=body, headers=headers)


def reasons(sheet: Mapping[str, Any]) -> dict[str, str]:
    """What is decided about each purpose and data use of a sheet."""
    rows = [*sheet["messages"], *sheet["dataUses"]]
    return {row["cell"]["purpose"] or row["cell"]["dataUse"]: row["decision"]["reason"] for row in rows}


async def kinds(settings: Settings) -> list[str]:
    """The events of the ledger, apart from those of the contact."""
    async with open_services(settings) as services:
        events = await services.store.since(ALUMNI, (0,) * 8, 100)
    named = [type(item.event).__name__ for item in events]
    return [name for name in named if name not in ("Held", "Described")]


async def test_a_link_shows_its_audience_and_a_fresh_one_everything_of_the_person(settings: Settings) -> None:
    await put_on_file(settings)
    bulk, fresh = await bulk_token(settings), (await fresh_path(settings)).removeprefix("/p/")
    async with running(settings, with_api=True) as server:
        for bearer in (bulk, fresh):
            sheet = await ask(server, bearer, "preferences")
            assert sheet["maskedAddress"] == "***@acme.example"
            assert reasons(sheet)["alumni-events"] == "permitted"
            assert "client-marketing" not in reasons(sheet)
        assert await ask(server, bulk, "preferences", {"audiences": ["client"]}) == "act_refused"


async def test_where_no_contact_is_on_file_the_person_names_the_address_and_no_other(settings: Settings) -> None:
    bearer = await bulk_token(settings)
    async with running(settings, with_api=True) as server:
        assert await ask(server, bearer, "preferences") == "invalid_input"
        assert await ask(server, bearer, "preferences", {"address": "kim@acme.example"}) == "invalid_address"
        assert "alumni-events" in reasons(await ask(server, bearer, "preferences", {"address": ROBIN}))
        kim = {"whom": {"address": "kim@acme.example"}, "source": "app"}
        assert (await ask(server, bearer, "opt-out", kim))["code"] == "invalid_address"
        contact = {"whom": {"contact": "crm-7"}, "source": "app"}
        assert (await ask(server, bearer, "opt-out", contact))["code"] == "act_refused"
    assert await kinds(settings) == []


async def test_a_no_by_a_link_needs_no_address_and_binds_at_once(settings: Settings) -> None:
    bearer = await bulk_token(settings)
    async with running(settings, with_api=True) as server:
        wanted = {"source": "app", "idempotencyKey": "key 1"}
        for _ in range(2):
            assert (await ask(server, bearer, "opt-out", wanted))["outcome"] == "recorded"
        other = await ask(server, bearer, "opt-out", {**wanted, "source": "other"})
        assert other["code"] == "idempotency_conflict"
        dated = await ask(server, bearer, "opt-out", {"source": "app", "at": "2026-01-01T00:00:00Z"})
        assert dated["code"] == "act_refused"
        sheet = reasons(await ask(server, bearer, "preferences", {"address": ROBIN}))
    assert sheet["alumni-events"] == "opted_out"
    assert await kinds(settings) == ["Refused"]


async def test_what_is_wanted_by_a_link_opens_nothing_before_it_is_confirmed_by_mail(settings: Settings) -> None:
    await put_on_file(settings)
    bearer, settings = await bulk_token(settings), with_mail(settings)
    wanted = {
        "choices": [{"cell": TRACKING, "wanted": True}, {"cell": EVENTS, "wanted": False}],
        **EVIDENCE,
        "idempotencyKey": "key 1",
    }
    async with running(settings, with_api=True) as server:
        for _ in range(2):
            assert (await ask(server, bearer, "set-preferences", wanted))["outcomes"] == ["pending", "recorded"]
        found = reasons(await ask(server, bearer, "preferences"))
        store = await server.home.store()
        letters = await store.claim_letters(server.home.clock(), until_ms=server.home.clock() + 1, limit=10)
    assert (found["email-tracking"], found["alumni-events"]) == ("no_consent", "opted_out")
    assert sorted(await kinds(settings)) == ["Proposed", "Refused", "Refused"], "one at the contact, which hands it on"
    assert len(letters) == 1


async def test_a_link_changes_nothing_that_it_does_not_show_and_reports_no_consent(settings: Settings) -> None:
    await put_on_file(settings)
    bearer, settings = await bulk_token(settings), with_mail(settings)
    said = {name: EVIDENCE[name] for name in ("wording", "method", "actor")}
    consent = {"cell": TRACKING, "givenAt": "2026-01-01T00:00:00Z", **said}
    async with running(settings, with_api=True) as server:
        beyond = {"choices": [{"cell": MARKETING, "wanted": True}], **EVIDENCE}
        assert (await ask(server, bearer, "set-preferences", beyond))["code"] == "act_refused"
        assert (await ask(server, bearer, "record-consent", consent))["code"] == "act_refused"
        assert (await ask(server, bearer, "pause", {"until": "2027-01-01T00:00:00Z"}))["outcome"] == "recorded"
        suppressing = {"controller": ALUMNI, "whom": {"address": ROBIN}, "reason": "legal", "source": "app"}
        assert await ask(server, bearer, "suppress", suppressing) == "forbidden"
        assert await ask(server, bearer, "preferences", {"controller": "opencontact"}) == "unknown_controller"
    assert await kinds(settings) == ["Paused", "Paused"]


async def test_a_browser_s_signal_beside_a_link_is_honoured(settings: Settings) -> None:
    file = settings.policies / f"{ALUMNI}.toml"
    sale = '[[data_use]]\nid = "sale"\nlabel = "Sale"\ndefault = "on"\nbasis = "legitimate_interests"\n'
    file.write_text(f'{file.read_text("utf-8")}\n{sale}audiences = ["all"]\nclause = "OCC-7"\n', "utf-8")
    bearer = await bulk_token(settings)
    async with running(settings, with_api=True) as server:
        wanted = {"address": ROBIN}
        assert reasons(await ask(server, bearer, "preferences", wanted))["sale"] == "permitted"
        signalled = await ask(server, bearer, "preferences", wanted, **{"Sec-GPC": "1"})
        assert reasons(signalled)["sale"] == "opted_out"


@pytest.mark.parametrize("kind", ["one click", "confirmation", "undo", "cut short", "altered"])
async def test_no_other_link_is_a_credential(settings: Settings, kind: str) -> None:
    async with open_services(settings) as services:
        alumni = await services.controller(ALUMNI)
        made = alumni.links.of_message(ROBIN, "alumni-events", Channel.EMAIL)
        link = alumni.links.open(made.manage_url.rpartition("/")[2])
        assert link is not None
        tokens = {
            "one click": made.unsubscribe_url,
            "confirmation": alumni.links.confirmation(link.target, Channel.EMAIL, []),
            "undo": alumni.links.undo(link.target, Channel.EMAIL, 1, 1),
            "cut short": made.manage_url[:-1],
            "altered": made.manage_url[:-5] + "AAAAA",
        }
    async with running(settings, with_api=True) as server:
        answer = await posted(server, tokens[kind].rpartition("/")[2], "preferences")
    assert answer.status == 401


async def test_a_link_is_no_session_of_a_portal(settings: Settings, jwks: str) -> None:
    await put_on_file(settings)
    bearer = await bulk_token(settings)
    async with running(settings, portal(str(jwks))) as server:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        statuses = [
            (await server.ask("/p", method="POST", body=b"token=" + given.encode(), headers=headers)).status
            for given in (bearer, token())
        ]
    assert statuses == [401, 200]
