"""Acts over GraphQL: typed results, once for an idempotency key, and a person's own address only."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from prefcenter.services.callers import CallerScope
from tests.api.served_api import CONTROLLER, OTHER_CONTROLLER, Api, caller_with, open_api, operation, person_at

PAT: dict[str, Any] = {"address": "pat@acme.example"}
CELL: dict[str, Any] = {"message": {"purpose": "client-marketing", "channel": "email"}}
EVIDENCE: dict[str, Any] = {"wording": "crm-form@1", "method": "checkbox", "actor": "person"}
CONSENT: dict[str, Any] = {"cell": CELL, **EVIDENCE, "givenAt": "2026-11-18T11:06:40Z"}
CONTACT: dict[str, Any] = {
    "contact": "crm-1",
    "addresses": [{"channel": "email", **PAT}],
    "audiences": ["client"],
    "source": "crm",
}
ADDRESS: dict[str, Any] = {"contact": "crm-1", "address": {"channel": "sms", "address": "+447700900123"}}
SENDS: dict[str, Any] = {
    "purpose": "member-news",
    "channel": "email",
    "campaign": "c-1",
    "addresses": ["pat@acme.example"],
}

ACTS: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    "opt-out": ({"whom": PAT, "source": "crm-form"}, {"source": "crm-call"}),
    "record-consent": ({"whom": PAT, **CONSENT}, {"wording": "crm-form@2"}),
    "set-preferences": (
        {**PAT, "choices": [{"cell": CELL, "wanted": False}], "source": "crm-form", **EVIDENCE},
        {"choices": [{"cell": CELL, "wanted": True}]},
    ),
    "pause": ({"whom": PAT, "until": "2026-12-01T00:00:00Z"}, {"until": "2026-12-02T00:00:00Z"}),
    "suppress": ({"whom": PAT, "reason": "manual", "source": "crm-form"}, {"reason": "legal"}),
    "lift": ({"whom": PAT, "reason": "manual", "cause": "mistake"}, {"cause": "typo"}),
    "record-sends": ({"controller": "contact-centre-community", **SENDS}, {"campaign": "c-2"}),
    "upsert-contact": (CONTACT, {"audiences": []}),
    "add-address": (ADDRESS, {"address": {"channel": "sms", "address": "+447700900124"}}),
    "remove-address": (ADDRESS, {"address": {"channel": "sms", "address": "+447700900124"}}),
}
"""Every act with an input, and what to change in it to make it another one."""

EVERYWHERE = caller_with(*CallerScope, controllers=())


async def reason_of(api: Api, address: str = "pat@acme.example", **also: Any) -> str:
    asked = {"purpose": "client-marketing", "channel": "email", "addressClass": "business", **also}
    reason: str = (await api.act("decision", **asked, address=address))["reason"]
    return reason


def test_every_mutation_stands_in_the_table() -> None:
    names = {path.stem for path in (Path(__file__).parents[2] / "graphql" / "operations").glob("*.graphql")}
    mutations = {name for name in names if "\nmutation " in operation(name)}
    assert mutations == set(ACTS)


async def test_an_opt_out_is_recorded_under_the_last_policy_when_its_file_is_gone(home: Path) -> None:
    async with open_api(home) as api:
        file = api.settings.policies / f"{CONTROLLER}.toml"
        assert await reason_of(api) == "permitted"
        file.rename(file.with_suffix(".aside"))
        assert await reason_of(api) == "check_failed"
        assert (await api.act("opt-out", whom=PAT, source="crm-form"))["outcome"] == "recorded"
        file.with_suffix(".aside").rename(file)
        assert await reason_of(api) == "opted_out"


@pytest.mark.parametrize("name", ACTS)
async def test_an_idempotency_key_does_an_act_once_and_refuses_another_input(home: Path, name: str) -> None:
    given, other = ACTS[name]
    wanted = {**given, "idempotencyKey": "key 1"}
    async with open_api(home) as api:
        if name.endswith("-address"):
            await api.act("upsert-contact", **CONTACT)
        first = await api.act(name, EVERYWHERE, **wanted)
        before = await api.ask("changes", EVERYWHERE, controller=wanted.get("controller", CONTROLLER))
        again = await api.act(name, EVERYWHERE, **wanted)
        refused = await api.act(name, EVERYWHERE, **{**wanted, **other})
        after = await api.ask("changes", EVERYWHERE, controller=wanted.get("controller", CONTROLLER))
    assert first["__typename"] != "RefusedAct"
    assert again == first
    assert (refused["code"], refused["field"]) == ("idempotency_conflict", "idempotencyKey")
    assert after == before


async def test_one_key_of_two_callers_is_two_keys(home: Path) -> None:
    wanted: dict[str, Any] = {"whom": PAT, "source": "crm-form", "idempotencyKey": "1"}
    async with open_api(home) as api:
        await api.act("opt-out", **wanted)
        other = await api.act("opt-out", person_at("pat@acme.example"), source="page", idempotencyKey="1")
    assert other["__typename"] == "RecordedAct"


async def test_one_key_at_two_controllers_is_two_acts(home: Path) -> None:
    wanted = {"whom": PAT, "source": "crm-form", "idempotencyKey": "key 1"}
    async with open_api(home) as api:
        for controller in (CONTROLLER, OTHER_CONTROLLER):
            assert (await api.act("opt-out", EVERYWHERE, **wanted, controller=controller))["outcome"] == "recorded"
            changes = await api.ask("changes", EVERYWHERE, controller=controller)
            assert [edge["node"]["kind"] for edge in changes["edges"]] == ["refused"]


async def test_one_key_of_two_acts_is_refused(home: Path) -> None:
    async with open_api(home) as api:
        await api.act("opt-out", whom=PAT, source="crm-form", idempotencyKey="1")
        other = await api.act("pause", whom=PAT, until="2026-12-01T00:00:00Z", idempotencyKey="1")
    assert other["code"] == "idempotency_conflict"


@pytest.mark.parametrize("key", ["", "k" * 129])
async def test_a_key_that_is_too_short_or_too_long_is_refused(home: Path, key: str) -> None:
    async with open_api(home) as api:
        refused = await api.act("opt-out", whom=PAT, source="crm-form", idempotencyKey=key)
    assert (refused["code"], refused["field"]) == ("invalid_input", "idempotencyKey")


@pytest.mark.parametrize(
    ("name", "wanted", "code", "field"),
    [
        ("opt-out", {"whom": {"address": "not an address"}, "source": "crm"}, "invalid_address", "address"),
        ("opt-out", {"whom": PAT, "source": "Free text"}, "invalid_input", "source"),
        ("opt-out", {"whom": PAT, "source": "crm", "at": "2031-01-01T00:00:00Z"}, "invalid_time", None),
        ("opt-out", {"source": "crm"}, "invalid_input", "address"),
        ("opt-out", {"whom": PAT, "source": "crm", "scope": {"purpose": "guess"}}, "invalid_input", "purpose"),
        ("opt-out", {"whom": PAT, "source": "crm", "controller": "nobody"}, "unknown_controller", "controller"),
        ("opt-out", {"whom": PAT, "source": "crm", "controller": OTHER_CONTROLLER}, "unknown_controller", "controller"),
        ("lift", {"whom": PAT, "reason": "opted_out", "cause": "typo"}, "act_refused", None),
        ("set-preferences", {**ACTS["set-preferences"][0], "choices": []}, "invalid_input", "choices"),
        ("add-address", ADDRESS, "unknown_contact", "contact"),
        ("upsert-contact", {**CONTACT, "addresses": [{"channel": "sms", **PAT}]}, "invalid_address", "addresses"),
        (
            "record-consent",
            {"whom": PAT, **CONSENT, "cell": {"message": {"purpose": "contract-service", "channel": "email"}}},
            "act_refused",
            None,
        ),
    ],
)
async def test_a_refused_act_is_a_value_with_code_and_field(
    home: Path, name: str, wanted: Mapping[str, Any], code: str, field: str | None
) -> None:
    async with open_api(home) as api:
        refused = await api.act(name, **wanted)
        feed = await api.ask("changes", controller=CONTROLLER)
    assert (refused["__typename"], refused["code"], refused["field"]) == ("RefusedAct", code, field)
    assert "acme.example" not in refused["message"]
    assert feed["edges"] == []


async def test_an_opt_out_binds_the_next_decision_and_a_consent_of_a_key_waits(home: Path) -> None:
    async with open_api(home) as api:
        assert await reason_of(api) == "permitted"
        await api.act("opt-out", whom=PAT, source="crm-form")
        api.times["now"] += 120_000
        assert await reason_of(api) == "opted_out"
        pending = await api.act("record-consent", whom=PAT, **{**CONSENT, "givenAt": "2026-11-18T11:08:40Z"})
        assert pending["outcome"] == "pending"
        assert await reason_of(api) == "opted_out"
        own = await api.act(
            "record-consent", person_at("pat@acme.example"), **CONSENT | {"givenAt": "2026-11-18T11:08:40Z"}
        )
        assert own["outcome"] == "recorded"
        assert await reason_of(api) == "permitted"


async def test_a_person_sees_and_changes_their_own_choices_only(home: Path) -> None:
    pat, sam = person_at("Pat@Acme.example"), person_at("sam@acme.example")
    async with open_api(home) as api:
        chosen = await api.act(
            "set-preferences", pat, choices=[{"cell": CELL, "wanted": False}], source="page", **EVIDENCE
        )
        assert chosen["outcomes"] == ["recorded"]
        named = await api.act("opt-out", pat, whom=PAT, source="page")
        assert named["outcome"] in {"recorded", "unchanged"}
        for refused in (
            await api.act("opt-out", sam, whom=PAT, source="page"),
            await api.act("pause", sam, whom={"contact": "crm-1"}, until="2026-12-01T00:00:00Z"),
            await api.act("pause", sam, channel="sms", until="2026-12-01T00:00:00Z"),
            await api.act("set-preferences", sam, **ACTS["set-preferences"][0]),
        ):
            assert refused["code"] == "act_refused"
        elsewhere = await api.act("opt-out", sam, controller=OTHER_CONTROLLER, source="page")
        assert elsewhere["code"] == "unknown_controller"
        sheet = await api.ask("preferences", pat)
        others = await api.run(operation("preferences"), {"input": PAT}, sam)
        unchanged = await api.ask("preferences", sam)
    reasons = {row["cell"]["purpose"]: row["decision"]["reason"] for row in sheet["messages"]}
    assert reasons["client-marketing"] == "opted_out"
    assert sheet["maskedAddress"] == "***@acme.example"
    assert others["errors"][0]["extensions"] == {"code": "act_refused"}
    assert {row["decision"]["reason"] for row in unchanged["messages"]} == {"no_consent", "permitted"}


async def test_only_an_administrator_erases(home: Path) -> None:
    recorder = caller_with(CallerScope.RECORD)
    wanted = {"controller": CONTROLLER, "whom": PAT, "reason": "erased", "source": "request"}
    async with open_api(home) as api:
        refused = await api.run(operation("suppress"), {"input": wanted}, recorder)
        assert refused["errors"][0]["extensions"] == {"code": "forbidden"}
        assert await reason_of(api) == "permitted"
        erased = await api.ask("suppress", caller_with(CallerScope.ADMIN, CallerScope.RECORD), input=wanted)
        assert erased["outcome"] == "recorded"
        assert await reason_of(api) == "erased"


async def test_a_contacts_opt_out_reaches_its_addresses(home: Path) -> None:
    async with open_api(home) as api:
        await api.act("upsert-contact", **CONTACT)
        await api.act("add-address", **ADDRESS)
        found = await api.ask("contact", controller=CONTROLLER, id="crm-1")
        assert [address["address"] for address in found["addresses"]] == ["pat@acme.example", "+447700900123"]
        await api.act("opt-out", whom={"contact": "crm-1"}, source="crm-form")
        assert await reason_of(api) == "opted_out"
        assert await reason_of(api, "+447700900123", channel="sms") == "opted_out"
        gone = await api.act("remove-address", **ADDRESS)
        assert gone["outcome"] == "recorded"
        assert await reason_of(api, "+447700900123", channel="sms") == "opted_out"
        assert await api.ask("contact", controller=CONTROLLER, id="crm-2") is None


async def test_recorded_sends_reach_the_frequency_cap(home: Path) -> None:
    community = {"controller": "contact-centre-community"}
    cell = {"message": {"purpose": "member-news", "channel": "email"}}
    asked = {**community, "purpose": "member-news", "channel": "email", "address": "pat@acme.example"}
    async with open_api(home) as api:
        await api.act("record-consent", EVERYWHERE, **community, whom=PAT, **{**CONSENT, "cell": cell})
        for number in range(4):
            assert (await api.act("decision", EVERYWHERE, **asked))["reason"] == "permitted"
            wanted = {**SENDS, **community, "campaign": f"c-{number}", "addresses": ["pat@acme.example", "?"]}
            report = await api.act("record-sends", EVERYWHERE, **wanted)
            again = await api.act("record-sends", EVERYWHERE, **wanted)
            assert (report["recorded"], report["isCapped"], report["invalid"]) == (1, True, [1])
            assert (again["recorded"], again["already"]) == (0, 1)
        assert (await api.act("decision", EVERYWHERE, **asked))["reason"] == "frequency_cap"


@pytest.mark.parametrize("whom", [{}, {**PAT, "contact": "crm-1"}, {"address": None}, {**PAT, "contact": None}])
async def test_an_act_is_about_an_address_or_a_contact_and_never_both(home: Path, whom: dict[str, Any]) -> None:
    variables = {"input": {"controller": CONTROLLER, "whom": whom, "source": "crm-form"}}
    async with open_api(home) as api:
        answer = await api.run(operation("opt-out"), variables)
    assert answer["errors"][0]["extensions"] == {"code": "invalid_request"}
    assert answer["data"] is None


async def test_one_key_at_the_same_moment_is_still_one_act(home: Path) -> None:
    wanted: dict[str, Any] = {"whom": PAT, "source": "crm-form", "idempotencyKey": "1"}
    async with open_api(home) as api:
        answers = await asyncio.gather(*(api.act("opt-out", **wanted) for _ in range(8)))
        feed = await api.ask("changes", controller=CONTROLLER)
    assert all(answer == {"__typename": "RecordedAct", "outcome": "recorded"} for answer in answers)
    assert len(feed["edges"]) == 1
