"""Suppressions and changes as connections: whole, in order, resumable, and without anybody's address."""

from __future__ import annotations

import json
import typing
from pathlib import Path
from typing import Any

import pytest

from prefcenter.api import changes
from prefcenter.api.changes import change_kinds
from prefcenter.api.terms import ChangeKind
from prefcenter.domain import events
from tests.api.served_api import CONTROLLER, Api, open_api, operation
from tests.api.test_acts import CONSENT, CONTACT, PAT

NAMES = [f"name{number}" for number in range(23)]


async def all_pages(api: Api, name: str, first: int) -> list[dict[str, Any]]:
    """Every edge of a connection, page by page."""
    edges: list[dict[str, Any]] = []
    after = None
    while True:
        page = await api.ask(name, controller=CONTROLLER, first=first, after=after)
        assert len(page["edges"]) <= first
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        if page["edges"]:
            assert page["pageInfo"]["startCursor"] == page["edges"][0]["cursor"]
        edges += page["edges"]
        if not page["pageInfo"]["hasNextPage"]:
            return edges
        after = page["pageInfo"]["endCursor"]


async def fill(api: Api) -> None:
    for name in NAMES:
        await api.act("opt-out", whom={"address": f"{name}@acme.example"}, source="crm-form")
        await api.act("suppress", whom={"address": f"{name}@acme.example"}, reason="manual", source="crm-form")


@pytest.mark.parametrize("first", [1, 7, 500])
async def test_pages_of_any_size_are_the_whole_list(home: Path, first: int) -> None:
    async with open_api(home) as api:
        await fill(api)
        suppressed = await all_pages(api, "suppressions", first)
        changed = await all_pages(api, "changes", first)
        ids = await api.ask(
            "subject-ids", controller=CONTROLLER, channel="email", addresses=[f"{name}@acme.example" for name in NAMES]
        )
    known = [found["ids"][0] for found in ids]
    assert sorted(edge["node"]["subjectId"] for edge in suppressed) == sorted(known)
    assert {len(edge["node"]["refusals"]) for edge in suppressed} == {2}
    assert sorted((edge["node"]["subjectId"], edge["node"]["version"]) for edge in changed) == sorted(
        (name, version) for name in known for version in (1, 2)
    )
    places = {name: [e["node"]["version"] for e in changed if e["node"]["subjectId"] == name] for name in known}
    assert set(map(tuple, places.values())) == {(1, 2)}


async def test_the_feed_goes_on_where_it_ended_after_any_while(home: Path) -> None:
    async with open_api(home) as api:
        await api.act("opt-out", whom=PAT, source="crm-form")
        ended = (await api.ask("changes", controller=CONTROLLER))["pageInfo"]["endCursor"]
        nothing = await api.ask("changes", controller=CONTROLLER, after=ended)
        await api.act("pause", whom=PAT, until="2026-12-01T00:00:00Z")
        later = await api.ask("changes", controller=CONTROLLER, after=nothing["pageInfo"]["endCursor"])
    assert nothing["edges"] == []
    assert [edge["node"]["kind"] for edge in later["edges"]] == ["paused"]
    assert later["edges"][0]["node"]["pausedUntil"] == "2026-12-01T00:00:00.000Z"


@pytest.mark.parametrize("name", ["suppressions", "changes"])
@pytest.mark.parametrize(
    ("given", "code"),
    [({"first": 0}, "invalid_input"), ({"first": 501}, "invalid_input"), ({"after": "elsewhere"}, "invalid_input")],
)
async def test_a_page_that_cannot_be_is_an_error(home: Path, name: str, given: dict[str, Any], code: str) -> None:
    async with open_api(home) as api:
        answer = await api.run(operation(name), {"controller": CONTROLLER, **given})
    assert answer["data"] is None
    assert answer["errors"][0]["extensions"] == {"code": code}


async def test_contacts_are_named_by_the_crms_own_id_and_nobody_by_address(home: Path) -> None:
    async with open_api(home) as api:
        await api.act("upsert-contact", **CONTACT)
        await api.act("opt-out", whom={"contact": "crm-1"}, source="crm-form")
        await api.act("record-consent", whom=PAT, **CONSENT)
        feed = await api.ask("changes", controller=CONTROLLER)
        suppressed = await api.ask("suppressions", controller=CONTROLLER)
    kinds = {edge["node"]["kind"]: edge["node"] for edge in feed["edges"]}
    assert set(kinds) == {"described", "held", "refused", "proposed"}
    assert kinds["described"]["contactId"] == kinds["held"]["contactId"] == "crm-1"
    assert (kinds["described"]["audiences"], kinds["described"]["source"]) == (["client"], "crm")
    assert "acme" not in json.dumps([feed, suppressed])
    assert [edge["node"]["kind"] for edge in suppressed["edges"]] == ["mailbox"]


async def test_what_was_erased_keeps_its_place_and_nothing_else(home: Path) -> None:
    async with open_api(home) as api:
        await api.act("opt-out", whom=PAT, source="crm-form")
        await api.act("suppress", whom=PAT, reason="erased", source="request")
        feed = await api.ask("changes", controller=CONTROLLER)
    first, second = (edge["node"] for edge in feed["edges"])
    details = set(first) - {"kind", "subjectId", "version"}
    assert (first["kind"], first["version"], {first[name] for name in details}) == ("withheld", 1, {None})
    assert (second["kind"], second["reason"]) == ("erased", "erased")


def test_every_event_has_a_kind_of_its_own() -> None:
    kinds = change_kinds()
    assert set(kinds) == set(typing.get_args(events.Event))
    assert sorted(kinds.values()) == sorted(set(ChangeKind) - {ChangeKind.WITHHELD})


def test_a_change_has_the_fields_that_the_details_fill() -> None:
    fields = set(changes.Change.__annotations__) - {"kind", "subject_id", "contact_id", "version"}
    assert fields == set(changes.NO_DETAILS)
