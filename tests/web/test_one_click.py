"""One click as mail programs send it, and everything that scanners send, which changes nothing (RFC 8058)."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Mapping
from pathlib import Path

import aiohttp
import pytest

from prefcenter.bootstrap import init_home, open_services, retire_key, rotate_keys
from prefcenter.domain.events import Cell, Refused
from prefcenter.domain.terms import AddressClass, Channel
from prefcenter.services.admission import Consent
from prefcenter.services.contact_files import Contact, ContactAddress
from prefcenter.services.decisions import Question
from prefcenter.services.links import MailLinks
from prefcenter.services.ports import LedgerEvent
from prefcenter.settings import Settings, read_settings
from tests.web.serving_home import CONTROLLER, POLICIES, Answer, Running, running

PAT = "pat@acme.example"
BODY = b"List-Unsubscribe=One-Click"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
EMAIL = Channel.EMAIL


async def links_of(
    settings: Settings, address: str = PAT, controller: str = CONTROLLER, purpose: str = "client-marketing"
) -> MailLinks:
    async with open_services(settings) as services:
        return (await services.controller(controller)).links.of_message(address, purpose, EMAIL)


async def path_of(
    settings: Settings, address: str = PAT, controller: str = CONTROLLER, purpose: str = "client-marketing"
) -> str:
    """The path of a one-click link."""
    made = await links_of(settings, address, controller, purpose)
    return "/u/" + made.unsubscribe_url.rpartition("/")[2]


async def events(settings: Settings, controller: str = CONTROLLER) -> list[LedgerEvent]:
    """What the ledger holds, as another process reads it."""
    async with open_services(settings) as services:
        return list(await services.store.since(controller, (0,) * 8, 1_000))


async def reasons(
    settings: Settings, *questions: tuple[str, str], controller: str = CONTROLLER, address: str = PAT
) -> list[str]:
    """What is decided about purposes and channels, as another process decides it."""
    async with open_services(settings) as services:
        decisions = (await services.deciding(controller)).decisions
        asked = [
            Question(address, purpose, Channel(channel), address_class=AddressClass.BUSINESS)
            for purpose, channel in questions
        ]
        return [one.reason.value for one in await decisions.decide_many(asked, services.clock())]


async def click(server: Running, path: str, headers: Mapping[str, str] = FORM, body: object = BODY) -> Answer:
    return await server.ask(path, method="POST", body=body, headers=headers)


async def test_one_click_is_200_with_a_short_page_and_binds_the_next_decision_anywhere(settings: Settings) -> None:
    path = await path_of(settings)
    async with running(settings) as server:
        assert await reasons(settings, ("client-marketing", "email")) == ["permitted"]
        answer = await click(server, path)
        assert await reasons(settings, ("client-marketing", "email")) == ["opted_out"]
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert b"unsubscribed" in answer.body
    assert len(answer.body) < 2_000


async def test_a_link_still_refuses_when_the_policy_file_of_its_controller_is_gone(settings: Settings) -> None:
    path, file = await path_of(settings), settings.policies / f"{CONTROLLER}.toml"
    text = file.read_text("utf-8")
    async with running(settings) as server:
        file.unlink()
        assert (await server.ask(path)).status == 200
        assert (await click(server, path)).status == 200
    file.write_text(text, "utf-8")
    assert await reasons(settings, ("client-marketing", "email")) == ["opted_out"]


async def test_a_multipart_form_counts_as_well(settings: Settings) -> None:
    path = await path_of(settings)
    form = aiohttp.FormData()
    form.add_field("List-Unsubscribe", "One-Click", content_type="text/plain")
    async with running(settings) as server:
        assert (await click(server, path, {}, form)).status == 200
    assert await reasons(settings, ("client-marketing", "email")) == ["opted_out"]


async def test_the_answer_sets_no_cookie_moves_nowhere_and_runs_nothing(settings: Settings) -> None:
    path = await path_of(settings)
    async with running(settings) as server:
        for answer in (await server.ask(path), await click(server, path)):
            assert answer.status == 200
            assert not {"Set-Cookie", "Location", "Refresh", "WWW-Authenticate"}.intersection(answer.headers)
            assert "script" not in answer.headers["Content-Security-Policy"].replace("default-src 'none'", "")
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
            assert answer.headers["X-Robots-Tag"] == "noindex"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert answer.headers["Cache-Control"] == "no-store"
            for forbidden in (b"<script", b"http://", b"https://", b"style="):
                assert forbidden not in answer.body


@pytest.mark.parametrize(
    ("controller", "purpose", "out", "still_on"),
    [
        ("opencontact", "client-marketing", ["client-marketing/email", "candidate-contact/email"], "contract-service"),
        ("contact-center-1", "promotional-email", ["promotional-email/email"], "account-administration"),
    ],
)
async def test_it_refuses_what_the_policy_says_that_a_bare_opt_out_is(
    settings: Settings, controller: str, purpose: str, out: list[str], still_on: str
) -> None:
    path = await path_of(settings, controller=controller, purpose=purpose)
    async with running(settings) as server:
        await click(server, path)
    asked = [(name.split("/")[0], name.split("/")[1]) for name in out]
    assert set(await reasons(settings, *asked, controller=controller)) == {"opted_out"}
    assert await reasons(settings, (still_on, "email"), controller=controller) == ["permitted"]


async def test_a_policy_of_classes_leaves_the_other_class_alone(settings: Settings) -> None:
    controller = "contact-center-1"
    path = await path_of(settings, controller=controller, purpose="promotional-email")
    async with open_services(settings) as services:
        consent = Consent(Cell("informational-email", EMAIL), "form@1", "form", "person")
        await (await services.controller(controller)).recording.record_consent(PAT, consent)
    async with running(settings) as server:
        page = await server.ask(path)
        assert b"promotional messages" in page.body
        await click(server, path)
    asked = ("promotional-email", "email"), ("informational-email", "email")
    assert await reasons(settings, *asked, controller=controller) == ["opted_out", "permitted"]


SCANS: dict[str, tuple[str, Mapping[str, str], bytes | None]] = {
    "get": ("GET", {}, None),
    "head": ("HEAD", {}, None),
    "options": ("OPTIONS", {}, None),
    "preflight": (
        "OPTIONS",
        {"Origin": "https://mail.example", "Access-Control-Request-Method": "POST"},
        None,
    ),
    "prefetch": ("GET", {"Purpose": "prefetch", "Sec-Purpose": "prefetch;prerender", "X-Moz": "prefetch"}, None),
    "get with the field in the query": ("GET", {"X-Query": "1"}, None),
    "get with a body": ("GET", FORM, BODY),
    "put": ("PUT", FORM, BODY),
    "delete": ("DELETE", {}, None),
    "post without a body": ("POST", {}, None),
    "post of an empty form": ("POST", FORM, b""),
    "post of another field": ("POST", FORM, b"List-Unsubscribe=Two-Clicks"),
    "post of another name": ("POST", FORM, b"unsubscribe=One-Click"),
    "post of JSON": ("POST", {"Content-Type": "application/json"}, b'{"List-Unsubscribe": "One-Click"}'),
    "post of plain text": ("POST", {"Content-Type": "text/plain"}, BODY),
    "post of a broken multipart": ("POST", {"Content-Type": "multipart/form-data; boundary=x"}, b"--x\r\nbroken"),
    "post of a multipart in no known encoding": (
        "POST",
        {"Content-Type": "multipart/form-data; boundary=x"},
        b"--x\r\nContent-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: klingon\r\n\r\nabc\r\n--x--",
    ),
    "post of a multipart without boundary": ("POST", {"Content-Type": "multipart/form-data"}, BODY),
    "post in no known charset": ("POST", {"Content-Type": f"{FORM['Content-Type']}; charset=klingon"}, BODY),
    "post of bytes that are no text": ("POST", FORM, b"List-Unsubscribe=\xff\xfe%ff"),
}


@pytest.mark.parametrize("scan", SCANS)
async def test_nothing_that_a_scanner_sends_changes_anything(settings: Settings, scan: str) -> None:
    method, headers, body = SCANS[scan]
    path = await path_of(settings)
    query = "?List-Unsubscribe=One-Click" if "X-Query" in headers else ""
    async with running(settings) as server:
        answer = await server.ask(path + query, method=method, headers=headers, body=body)
    expected = {"GET": 200, "HEAD": 200, "OPTIONS": 204, "PUT": 405, "DELETE": 405, "POST": 400}[method]
    assert answer.status == expected
    assert await events(settings) == []


async def test_the_page_has_one_button_that_sends_what_a_mail_program_sends(settings: Settings) -> None:
    path = await path_of(settings)
    async with running(settings) as server:
        body = (await server.ask(path)).body.decode()
    assert body.count("<button") == body.count("<form") == 1
    assert '<button name="List-Unsubscribe" value="One-Click">' in body
    assert '<form method="post">' in body


async def test_fifty_at_once_and_replays_leave_one_event(settings: Settings) -> None:
    path = await path_of(settings)
    async with running(settings) as server:
        answers = await asyncio.gather(*(click(server, path) for _ in range(50)))
        assert {answer.status for answer in answers} == {200}
        assert (await click(server, path)).status == 200
    (event,) = await events(settings)
    assert isinstance(event.event, Refused)
    assert event.event.source == "one-click"


async def test_an_old_link_refuses_again_after_a_new_consent(settings: Settings) -> None:
    path = await path_of(settings)
    async with running(settings) as server:
        await click(server, path)
        async with open_services(settings) as services:
            consent = Consent(Cell("client-marketing", EMAIL), "form@1", "form", "person")
            await (await services.controller(CONTROLLER)).recording.record_consent(PAT, consent)
        assert await reasons(settings, ("client-marketing", "email")) == ["permitted"]
        await click(server, path)
        assert await reasons(settings, ("client-marketing", "email")) == ["opted_out"]
        await click(server, path)
    assert len(await events(settings)) == 3


async def test_a_link_works_across_rotations_and_after_its_key_was_retired(settings: Settings) -> None:
    path = await path_of(settings)
    await rotate_keys(settings)
    await retire_key(settings, 1)
    async with running(settings) as server:
        assert (await click(server, path)).status == 200
        assert (await click(server, path)).status == 200
    assert await reasons(settings, ("client-marketing", "email")) == ["opted_out"]
    assert len(await events(settings)) == 1


async def test_it_reaches_the_contact_and_its_other_addresses(settings: Settings) -> None:
    other = "pat@home.example"
    async with open_services(settings) as services:
        addresses = tuple(ContactAddress(EMAIL, one, AddressClass.BUSINESS) for one in (PAT, other))
        contacts = (await services.controller(CONTROLLER)).contacts
        await contacts.upsert(Contact("crm-1", addresses, ("client",), "crm"))
    path = await path_of(settings)
    async with running(settings) as server:
        await click(server, path)
        before = len(await events(settings))
        await click(server, path)
    assert await reasons(settings, ("client-marketing", "email"), address=other) == ["opted_out"]
    assert len(await events(settings)) == before


async def tokens_that_do_not_work(settings: Settings) -> dict[str, str]:
    made = await links_of(settings)
    token = made.unsubscribe_url.rpartition("/")[2]
    return {
        "altered": token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1],
        "cut short": token[:-5],
        "of another kind": made.manage_url.rpartition("/")[2],
        "no token": "unsubscribe-me",
        "an address": PAT,
    }


async def test_whatever_is_wrong_with_a_token_it_is_one_page_and_changes_nothing(settings: Settings) -> None:
    async with running(settings) as server:
        answers = [
            answer
            for token in (await tokens_that_do_not_work(settings)).values()
            for answer in (await server.ask(f"/u/{token}"), await click(server, f"/u/{token}"))
        ]
    assert {answer.status for answer in answers} == {404}
    assert len({answer.body for answer in answers}) == 1
    assert b"This link does not work" in answers[0].body
    assert await events(settings) == []


async def test_a_token_of_another_home_is_foreign_here(settings: Settings, tmp_path: Path) -> None:
    elsewhere = read_settings({}, tmp_path / "elsewhere")
    await init_home(elsewhere, POLICIES)
    path = await path_of(elsewhere)
    async with running(settings) as server:
        assert (await click(server, path)).status == 404
    assert await events(settings) == []


async def test_neither_address_nor_token_gets_into_the_log(settings: Settings, logged: io.StringIO) -> None:
    path = await path_of(settings)
    async with running(settings) as server:
        await click(server, path)
        await click(server, path + "x")
    assert "/u/{token}" in logged.getvalue()
    assert path.rpartition("/")[2] not in logged.getvalue()
    assert PAT not in logged.getvalue()


async def test_without_a_store_nothing_is_acknowledged(settings: Settings) -> None:
    path = await path_of(settings)
    async with running(settings) as server:
        (settings.home / "store.sqlite3").rename(settings.home / "aside.sqlite3")
        assert (await click(server, path)).status == 503
        (settings.home / "aside.sqlite3").rename(settings.home / "store.sqlite3")
        assert (await click(server, path)).status == 200
    assert len(await events(settings)) == 1
