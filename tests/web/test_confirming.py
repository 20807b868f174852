"""Double opt-in over HTTP: opening the link confirms nothing, and the button does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from prefcenter.bootstrap import open_services
from prefcenter.domain.events import Cell, Granted
from prefcenter.domain.terms import Channel
from prefcenter.services.decisions import Question
from prefcenter.services.recording import Choice
from prefcenter.services.site import Site
from prefcenter.settings import Settings
from tests.web.serving_home import running

PAT = "pat@example.com"
CONTROLLER = "contact-centre-community"
CELLS = (Cell("member-news", Channel.EMAIL), Cell(None, None, "publish-requests"))
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
YES = b"confirm=yes"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Those of a home that has a mail host."""
    return replace(settings, site=Site(sends_mail=True))


async def path_of(settings: Settings, *cells: Cell) -> str:
    """The path that a letter names, after somebody switched these choices on by a link."""
    async with open_services(settings) as services:
        own = await services.controller(CONTROLLER)
        manage = own.links.of_message(PAT, "member-news", Channel.EMAIL).manage_url
        link = own.links.open(manage.rpartition("/")[2])
        assert link is not None
        visit = await own.visits.of_link(link, PAT)
        await own.visits.save(visit, [Choice(cell, is_wanted=True) for cell in cells], "preference-page@1", "en")
        now_ms = services.clock()
        (letter,) = await services.store.claim_letters(now_ms, until_ms=now_ms + 60_000, limit=10)
        return "/c/" + own.outbox.open(letter).url.rpartition("/")[2]


async def reasons(settings: Settings) -> list[str]:
    async with open_services(settings) as services:
        decisions = (await services.deciding(CONTROLLER)).decisions
        asked = [Question(PAT, cell.purpose, Channel.EMAIL, cell.data_use) for cell in CELLS]
        return [one.reason.value for one in await decisions.decide_many(asked, services.clock())]


async def consents(settings: Settings) -> list[Granted]:
    async with open_services(settings) as services:
        events = await services.store.since(CONTROLLER, (0,) * 8, 100)
        return [item.event for item in events if isinstance(item.event, Granted)]


async def test_the_page_says_what_the_button_confirms_and_the_button_confirms_it(settings: Settings) -> None:
    path = await path_of(settings, *CELLS)
    async with running(settings) as server:
        shown = await server.ask(path)
        assert shown.status == 200
        for label in (b"News for members", b"Publishing a request that you sent", b"Contact Centre Community"):
            assert label in shown.body
        assert await reasons(settings) == ["no_consent", "no_consent"]
        answer = await server.ask(path, method="POST", body=YES, headers=FORM)
        assert answer.status == 200
        assert b"Thank you" in answer.body
    assert await reasons(settings) == ["permitted", "permitted"]
    assert {(consent.method, consent.actor, consent.wording) for consent in await consents(settings)} == {
        ("double-opt-in", "person", "preference-page@1")
    }


SCANS: Mapping[str, tuple[str, Mapping[str, str], bytes | None, int]] = {
    "get": ("GET", {}, None, 200),
    "head": ("HEAD", {}, None, 200),
    "options": ("OPTIONS", {}, None, 204),
    "prefetch": ("GET", {"Sec-Purpose": "prefetch"}, None, 200),
    "post without a body": ("POST", {}, None, 400),
    "post of another answer": ("POST", FORM, b"confirm=no", 400),
    "one click": ("POST", FORM, b"List-Unsubscribe=One-Click", 400),
}


@pytest.mark.parametrize("scan", SCANS)
async def test_nothing_else_confirms_anything(settings: Settings, scan: str) -> None:
    method, headers, body, status = SCANS[scan]
    path = await path_of(settings, *CELLS)
    async with running(settings) as server:
        assert (await server.ask(path, method=method, headers=headers, body=body)).status == status
    assert await consents(settings) == []


async def test_saying_yes_again_changes_nothing(settings: Settings) -> None:
    path = await path_of(settings, CELLS[0])
    async with running(settings) as server:
        for _ in range(3):
            answer = await server.ask(path, method="POST", body=YES, headers=FORM)
            assert (answer.status, b"Thank you" in answer.body) == (200, True)
        assert b"Nothing waits" in (await server.ask(path)).body
    assert len(await consents(settings)) == 1


async def test_a_link_of_another_kind_confirms_nothing(settings: Settings) -> None:
    async with open_services(settings) as services:
        made = (await services.controller(CONTROLLER)).links.of_message(PAT, "member-news", Channel.EMAIL)
    async with running(settings) as server:
        for url in (made.unsubscribe_url, made.manage_url):
            path = "/c/" + url.rpartition("/")[2]
            assert (await server.ask(path)).status == 404
            assert (await server.ask(path, method="POST", body=YES, headers=FORM)).status == 404
    assert await consents(settings) == []
