"""Decisions over GraphQL: what they say, to whom, and what they say when there is no answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from prefcenter.api.decisions import DECISION_COLUMNS_MAX, DECISIONS_MAX, NOBODYS_BUSINESS
from prefcenter.api.terms import REASON_OF, Reason
from prefcenter.domain import terms
from prefcenter.domain.decision import Decision, check_failed
from prefcenter.domain.explanation import explain
from prefcenter.domain.terms import RefusalReason
from prefcenter.services.callers import CallerScope
from tests.api.served_api import CONTROLLER, OTHER_CONTROLLER, Api, caller_with, open_api, operation

DECIDES = caller_with(CallerScope.DECIDE)
READS_TOO = caller_with(CallerScope.DECIDE, CallerScope.READ)
BUSINESS: dict[str, Any] = {"purpose": "client-marketing", "channel": "email", "addressClass": "business"}
NUMBERED = [f"pat{number}@acme.example" for number in range(30)]


def remove_store(home: Path) -> None:
    for file in home.glob("store.sqlite3*"):
        file.unlink()


async def suppressed(api: Api, reason: str, address: str = "pat@acme.example") -> None:
    act = await api.act("suppress", whom={"address": address}, reason=reason, source="crm-form")
    assert act["outcome"] == "recorded"


async def test_a_permission_names_basis_clause_version_and_times(home: Path) -> None:
    async with open_api(home) as api:
        answer = await api.act("decision", DECIDES, **BUSINESS, address="pat@acme.example")
        policy = await api.ask("policy", controller=CONTROLLER)
    assert answer == {
        "allowed": True,
        "reason": "permitted",
        "basis": "legitimate_interests",
        "clause": "OC-1",
        "explanation": "It may be sent on legitimate interests, and nobody has asked for it to stop.",
        "policyVersion": policy["version"],
        "decidedAt": "2026-11-18T11:06:40.000Z",
        "validUntil": "2026-11-19T11:06:40.000Z",
    }


async def test_many_decisions_keep_the_order_of_the_addresses(home: Path) -> None:
    async with open_api(home) as api:
        for address in NUMBERED[::3]:
            await suppressed(api, "manual", address)
        asked = {**BUSINESS, "addresses": [*NUMBERED, "no address"]}
        rows = await api.act("decisions", DECIDES, **asked)
        columns = await api.act("decision-columns", DECIDES, **asked)
        singly = [await api.act("decision", DECIDES, **BUSINESS, address=address) for address in asked["addresses"]]
    expected = ["manual" if number % 3 == 0 else "permitted" for number in range(30)] + ["invalid_address"]
    assert [row["reason"] for row in rows] == expected
    assert rows == singly
    assert columns["reasons"] == expected
    assert columns["allowed"] == [row["allowed"] for row in rows]
    assert columns["validUntil"] == min(row["validUntil"] for row in rows)


async def test_no_addresses_have_no_decisions(home: Path) -> None:
    async with open_api(home) as api:
        assert await api.act("decisions", DECIDES, **BUSINESS, addresses=[]) == []
        columns = await api.act("decision-columns", DECIDES, **BUSINESS, addresses=[])
    assert (columns["allowed"], columns["reasons"], columns["policyVersion"]) == ([], [], None)


@pytest.mark.parametrize(
    ("name", "most"),
    [("decisions", DECISIONS_MAX), ("decision-columns", DECISION_COLUMNS_MAX)],
    ids=["rows", "columns"],
)
async def test_more_addresses_than_a_field_takes_are_refused_as_a_whole(home: Path, name: str, most: int) -> None:
    variables: dict[str, Any] = {"input": {"controller": CONTROLLER, **BUSINESS, "addresses": ["?"] * (most + 1)}}
    async with open_api(home) as api:
        answer = await api.run(operation(name), variables, DECIDES)
        variables["input"]["addresses"].pop()
        allowed = await api.run(operation(name), variables, DECIDES)
    assert answer["data"] is None
    assert answer["errors"][0]["extensions"] == {"code": "too_many_addresses"}
    assert "errors" not in allowed


@pytest.mark.parametrize("reason", RefusalReason)
async def test_reasons_that_are_nobodys_business_show_as_suppressed_to_a_key_that_only_decides(
    home: Path, reason: RefusalReason
) -> None:
    is_masked = terms.Reason(reason.value) in NOBODYS_BUSINESS
    async with open_api(home) as api:
        await suppressed(api, reason.value)
        asked = {**BUSINESS, "address": "pat@acme.example"}
        shown = await api.act("decision", DECIDES, **asked)
        true = await api.act("decision", READS_TOO, **asked)
        columns = await api.act("decision-columns", DECIDES, **BUSINESS, addresses=["pat@acme.example"])
    assert (shown["allowed"], true["allowed"], true["reason"]) == (False, False, reason.value)
    assert shown["reason"] == columns["reasons"][0] == ("suppressed" if is_masked else reason.value)
    assert (shown["clause"] is None) == is_masked
    assert (shown["explanation"] == true["explanation"]) != is_masked


async def test_the_four_masked_reasons_cannot_be_told_apart(home: Path) -> None:
    seen: list[Any] = []
    async with open_api(home) as api:
        for number, reason in enumerate(["erased", "minor", "restricted", "legal"]):
            await suppressed(api, reason, NUMBERED[number])
            seen.append(await api.act("decision", DECIDES, **BUSINESS, address=NUMBERED[number]))
            seen.append(await api.act("decision", DECIDES, **BUSINESS, address=NUMBERED[number]))
    assert all(answer == seen[0] for answer in seen)


async def test_a_data_use_is_decided_like_a_message(home: Path) -> None:
    caller = caller_with(CallerScope.DECIDE, controllers=(OTHER_CONTROLLER,))
    asked = {"controller": OTHER_CONTROLLER, "address": "pat@acme.example"}
    async with open_api(home) as api:
        profiling = await api.act("data-use", caller, **asked, dataUse="profiling")
        tracking = await api.act("data-use", caller, **asked, dataUse="email-tracking")
        unknown = await api.act("data-use", caller, **asked, dataUse="guessing", channel="email")
    assert (profiling["allowed"], profiling["clause"]) == (True, "OCC-6")
    assert (tracking["reason"], unknown["reason"]) == ("no_consent", "unknown_purpose")
    assert tracking["explanation"].startswith("It may not be done")


@pytest.mark.parametrize("controller", ["nobody", OTHER_CONTROLLER, "../opencontact", "pat@acme.example"])
async def test_an_unknown_controller_and_one_of_somebody_else_answer_alike(home: Path, controller: str) -> None:
    async with open_api(home) as api:
        questions: list[tuple[str, dict[str, Any]]] = [
            ("decision", {**BUSINESS, "address": "pat@acme.example"}),
            ("decisions", {**BUSINESS, "addresses": []}),
            ("decision-columns", {**BUSINESS, "addresses": ["pat@acme.example"]}),
            ("data-use", {"dataUse": "profiling", "address": "pat@acme.example"}),
        ]
        for name, given in questions:
            answer = await api.run(operation(name), {"input": {"controller": controller, **given}}, DECIDES)
            assert answer["data"] is None
            (error,) = answer["errors"]
            assert error["message"] == "controller: not one that you may ask for"
            assert error["extensions"] == {"code": "unknown_controller"}


async def test_without_an_answer_of_the_store_the_decision_is_no(home: Path) -> None:
    async with open_api(home) as api:
        assert (await api.act("decision", DECIDES, **BUSINESS, address="pat@acme.example"))["allowed"]
        remove_store(home)
        one = await api.act("decision", DECIDES, **BUSINESS, address="pat@acme.example")
        rows = await api.act("decisions", DECIDES, **BUSINESS, addresses=NUMBERED)
        columns = await api.act("decision-columns", DECIDES, **BUSINESS, addresses=NUMBERED)
    assert (one["allowed"], one["reason"], one["basis"], one["policyVersion"]) == (False, "check_failed", None, None)
    assert one["validUntil"] == one["decidedAt"]
    assert [row["reason"] for row in rows] == ["check_failed"] * len(NUMBERED)
    assert (columns["allowed"], columns["policyVersion"]) == ([False] * len(NUMBERED), None)


async def test_a_faulty_policy_is_no_unknown_controller(home: Path) -> None:
    (home / "policies" / f"{CONTROLLER}.toml").write_text("[controller]\n", encoding="utf-8")
    async with open_api(home) as api:
        answer = await api.act("decision", DECIDES, **BUSINESS, address="pat@acme.example")
    assert (answer["allowed"], answer["reason"]) == (False, "check_failed")


async def test_a_language_that_we_do_not_write_is_answered_in_english(home: Path) -> None:
    variables: dict[str, Any] = {"input": {"controller": CONTROLLER, **BUSINESS, "address": "pat@acme.example"}}
    async with open_api(home) as api:
        answers = [
            await api.run(operation("decision"), variables, DECIDES, languages)
            for languages in (["tlh", "en-gb"], ["xx"], [])
        ]
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["data"]["decision"]["explanation"].startswith("It may be sent")


def test_the_wire_has_a_word_for_every_reason_and_one_more() -> None:
    assert set(REASON_OF) == set(terms.Reason)
    assert {reason.value for reason in Reason} == {reason.value for reason in terms.Reason} | {"suppressed"}


def test_what_is_said_of_a_suppression_is_said_of_no_single_reason() -> None:
    sentences = {
        explain(Decision(reason, None, None, "", 0, 0))
        for reason in terms.Reason
        if reason is not terms.Reason.PERMITTED
    }
    assert "It may not be sent: this address is suppressed." not in sentences
    assert explain(check_failed("", 0)) in sentences
