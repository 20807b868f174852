"""The preference page over HTTP, as a browser without scripts uses it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlencode

import pytest

from prefcenter.bootstrap import open_services
from prefcenter.domain.terms import AddressClass, Channel
from prefcenter.services.contact_files import Contact, ContactAddress
from prefcenter.services.site import Site
from prefcenter.services.targets import Targets
from prefcenter.settings import Settings
from tests.web.serving_home import Answer, Running, running

ROBIN = "robin.sample@acme.example"
ALUMNI = "one-contact-center"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
EMAIL = Channel.EMAIL

Fields = Sequence[tuple[str, str]]


async def put_on_file(settings: Settings, address: str = ROBIN) -> None:
    """A contact that holds the address, so that nobody has to type it."""
    async with open_services(settings) as services:
        held = (ContactAddress(EMAIL, address, AddressClass.BUSINESS),)
        contacts = (await services.controller(ALUMNI)).contacts
        await contacts.upsert(Contact("crm-7", held, ("alumni",), "crm"))


async def bulk_path(settings: Settings, controller: str = ALUMNI, purpose: str = "alumni-events") -> str:
    """The page's path in a message to everybody."""
    async with open_services(settings) as services:
        made = (await services.controller(controller)).links.of_message(ROBIN, purpose, EMAIL)
    return "/p/" + made.manage_url.rpartition("/")[2]


async def fresh_path(settings: Settings) -> str:
    """The page's path in a letter that somebody just asked for."""
    async with open_services(settings) as services:
        alumni = await services.controller(ALUMNI)
        target = Targets(alumni.policy.country, alumni.digester).of(ROBIN, EMAIL)
        return "/p/" + alumni.links.fresh(target, EMAIL).rpartition("/")[2]


async def send(server: Running, path: str, *fields: tuple[str, str]) -> Answer:
    body = urlencode(fields).encode()
    return await server.ask(path, method="POST", body=body, headers=FORM)


def text_of(answer: Answer) -> str:
    return answer.body.decode()


def switches(page: str) -> dict[str, bool]:
    """The switches that can be moved, and whether each is on."""
    found = re.findall(r'<input type="checkbox"[^>]*value="([^"]+)"[^>]*?( checked)?>', page)
    return {value: bool(checked) for value, checked in found}


def as_shown(page: str, *, without: str = "") -> Fields:
    """The fields that a browser sends for the page as it stands, but for one switch that was moved off."""
    hidden = re.findall(r'<input type="hidden" name="(was-on|was-off)" value="([^"]+)">', page)
    return [*hidden, *(("on", value) for value, is_on in switches(page).items() if is_on and value != without)]


async def test_a_link_in_bulk_mail_shows_what_shares_its_audience(settings: Settings) -> None:
    await put_on_file(settings)
    path = await bulk_path(settings)
    async with running(settings) as server:
        page = text_of(await server.ask(path))
    assert switches(page)["email/alumni-events"]
    assert "email/client-marketing" not in switches(page)
    assert "One Contact Center" in page
    assert ROBIN not in page
    assert "***@acme.example" in page


async def test_stop_everything_comes_first_and_stops_everything_at_once(settings: Settings) -> None:
    await put_on_file(settings)
    path = await bulk_path(settings)
    async with running(settings) as server:
        before = text_of(await server.ask(path))
        assert before.index('value="stop"') < before.index('value="save"')
        answer = await send(server, path, ("do", "stop"), ("why", "too_many"))
        after = text_of(await server.ask(path))
    assert answer.status == 200
    assert "will send you nothing more" in text_of(answer)
    assert not any(switches(after).values())
    assert "Your account or contract needs this" in after


async def test_why_somebody_leaves_is_counted_in_a_word_of_a_closed_list(settings: Settings) -> None:
    path = await bulk_path(settings)
    async with running(settings) as server:
        await send(server, path, ("do", "stop"), ("why", "too_many"))
        await send(server, path, ("do", "stop"), ("why", "my name is Robin"))
        metrics = server.around.metrics.exposition().decode()
    assert 'leaving_reasons_total{controller="one-contact-center",reason="too_many"} 1.0' in metrics
    assert "Robin" not in metrics


async def test_a_switch_that_is_moved_off_holds_at_once_and_the_others_stay(settings: Settings) -> None:
    await put_on_file(settings)
    path = await bulk_path(settings)
    async with running(settings) as server:
        before = text_of(await server.ask(path))
        answer = await send(server, path, *as_shown(before, without="email/alumni-events"), ("do", "save"))
        after = text_of(await server.ask(path))
    assert "Saved. It holds from now on." in text_of(answer)
    assert 'value="email/alumni-events"' not in after, "without mail nothing can be switched on, so it is no switch"
    others = {value: is_on for value, is_on in switches(before).items() if value != "email/alumni-events"}
    assert switches(after) == others


async def test_saving_what_was_shown_changes_nothing(settings: Settings) -> None:
    await put_on_file(settings)
    path = await bulk_path(settings)
    async with running(settings) as server:
        shown = text_of(await server.ask(path))
        answer = await send(server, path, *as_shown(shown), ("do", "save"))
    assert "Nothing was changed." in text_of(answer)


async def test_a_refusal_can_be_undone_from_the_page_that_tells_of_it(settings: Settings) -> None:
    await put_on_file(settings)
    path = await bulk_path(settings)
    async with running(settings) as server:
        before = text_of(await server.ask(path))
        saved = text_of(await send(server, path, *as_shown(before, without="email/alumni-events"), ("do", "save")))
        (token,) = re.findall(r'name="undo" value="([^"]+)"', saved)
        undone = await send(server, path, ("do", "undo"), ("undo", token))
        after = text_of(await server.ask(path))
        again = await send(server, path, ("do", "undo"), ("undo", token))
    assert "Taken back." in text_of(undone)
    assert switches(after) == switches(before)
    assert again.status == 400
    assert "too late" in text_of(again)


async def test_a_pause_shows_what_will_hold_after_it(settings: Settings) -> None:
    await put_on_file(settings)
    path = await bulk_path(settings)
    async with running(settings) as server:
        before = text_of(await server.ask(path))
        offered = re.findall(r'type="date"[^>]*value="([^"]+)"', before)[0]
        paused = await send(server, path, ("do", "pause"), ("until", offered))
        during = text_of(await server.ask(path))
        await send(server, path, ("do", "resume"))
        after = text_of(await server.ask(path))
    assert "All quiet until" in text_of(paused)
    assert "All quiet until" in during
    assert switches(during) == switches(before)
    assert "All quiet until" not in after


@pytest.mark.parametrize("until", ["", "yesterday", "2001-01-01", "9999-12-31", "2027-02-30"])
async def test_a_day_that_cannot_be_is_told_and_pauses_nothing(settings: Settings, until: str) -> None:
    await put_on_file(settings)
    path = await bulk_path(settings)
    async with running(settings) as server:
        answer = await send(server, path, ("do", "pause"), ("until", until))
        assert "All quiet" not in text_of(await server.ask(path))
    assert answer.status == 400
    assert "Please choose a day" in text_of(answer)


async def test_where_no_contact_is_on_file_the_person_types_the_address(settings: Settings) -> None:
    path = await bulk_path(settings)
    async with running(settings) as server:
        asked = text_of(await server.ask(path))
        wrong = await send(server, path, ("do", "show"), ("address", "somebody@else.example"))
        none = await send(server, path, ("do", "show"), ("address", "no address"))
        right = text_of(await send(server, path, ("do", "show"), ("address", ROBIN)))
        fields = [("address", ROBIN), *as_shown(right, without="email/alumni-events"), ("do", "save")]
        saved = text_of(await send(server, path, *fields))
    assert switches(asked) == {}
    assert 'value="stop"' in asked
    for answer in (wrong, none):
        assert answer.status == 400
        assert "not the address that the message went to" in text_of(answer)
        assert switches(text_of(answer)) == {}
    assert switches(right)["email/alumni-events"]
    assert "Saved. It holds from now on." in saved


async def test_history_and_download_need_a_link_that_was_just_mailed(settings: Settings) -> None:
    await put_on_file(settings)
    bulk, fresh = await bulk_path(settings), await fresh_path(settings)
    async with running(settings) as server:
        shown = text_of(await server.ask(bulk))
        await send(server, bulk, *as_shown(shown, without="email/alumni-events"), ("do", "save"))
        refused = await send(server, bulk, ("do", "download"))
        history = text_of(await server.ask(fresh))
        download = await send(server, fresh, ("do", "download"))
    assert refused.status == 400
    assert "You said no" not in shown
    assert "You said no" in history
    assert download.headers["Content-Type"].startswith("application/json")
    assert download.headers["Content-Disposition"] == 'attachment; filename="my-choices.json"'
    document = json.loads(download.body)
    assert {"about": "email/alumni-events", "label": "Invitations for alumni", "allowed": False} in document["choices"]
    assert document["history"][0]["about"] == "alumni-events"
    assert ROBIN not in text_of(download)


@pytest.mark.parametrize("fields", [[], [("do", "fly")], [("do", "save"), ("was-on", "email")]])
async def test_what_the_page_has_no_button_for_changes_nothing(settings: Settings, fields: Fields) -> None:
    await put_on_file(settings)
    path = await bulk_path(settings)
    async with running(settings) as server:
        before = text_of(await server.ask(path))
        assert (await send(server, path, *fields)).status == 400
        assert switches(text_of(await server.ask(path))) == switches(before)


async def test_a_choice_beyond_what_the_link_shows_is_refused(settings: Settings) -> None:
    await put_on_file(settings)
    path = await bulk_path(settings)
    async with running(settings) as server:
        answer = await send(server, path, ("do", "save"), ("was-on", "email/client-marketing"))
    assert answer.status == 400
    assert "This link does not allow that" in text_of(answer)


@pytest.mark.parametrize("channel", [Channel.SMS, Channel.VOICE])
async def test_the_page_of_a_telephone_promises_no_mail_and_stops_what_it_shows(
    settings: Settings, channel: Channel
) -> None:
    phone = "+44 7700 900123"
    async with open_services(settings) as services:
        made = (await services.controller("opencontact")).links.of_message(phone, "client-marketing", channel)
    path, typed = "/p/" + made.manage_url.rpartition("/")[2], ("address", "07700 900123")
    async with running(replace(settings, site=Site(sends_mail=True))) as server:
        shown = text_of(await send(server, path, ("do", "show"), typed))
        assert switches(shown) == {"sms/client-marketing": True, "voice/client-marketing": True}
        after = text_of(await send(server, path, *as_shown(shown), ("do", "stop"), typed))
    assert "will send you nothing more" in after
    assert switches(after) == {}, "only an email address can confirm what is switched on"
    for text in (shown, after):
        assert "email to confirm" not in text
        assert 'value="fresh"' not in text
        assert "ask for a link of your own" not in text


async def test_looking_at_the_page_changes_nothing(settings: Settings) -> None:
    path = await bulk_path(settings)
    async with running(settings) as server:
        for method in ("GET", "HEAD", "OPTIONS"):
            assert (await server.ask(path + "?do=stop", method=method)).status in (200, 204)
    async with open_services(settings) as services:
        assert list(await services.store.since(ALUMNI, (0,) * 8, 10)) == []


async def test_a_one_click_link_opens_no_page(settings: Settings) -> None:
    async with open_services(settings) as services:
        made = (await services.controller(ALUMNI)).links.of_message(ROBIN, "alumni-events", EMAIL)
    async with running(settings) as server:
        answer = await server.ask("/p/" + made.unsubscribe_url.rpartition("/")[2])
    assert answer.status == 404
    assert "This link does not work" in text_of(answer)


async def test_the_page_is_kept_by_nobody_and_asks_nobody_else(settings: Settings) -> None:
    await put_on_file(settings)
    path = await bulk_path(settings)
    async with running(settings) as server:
        answer = await server.ask(path)
        files = [await server.ask(found) for found in re.findall(r'(?:href|src)="\.\.(/[^"]+)"', text_of(answer))]
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Robots-Tag"] == "noindex"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert not {"Set-Cookie", "Location"}.intersection(answer.headers)
    for forbidden in ("style=", "onclick", "http://", "<style", "javascript:"):
        assert forbidden not in text_of(answer)
    assert {file.status for file in files} == {200}
    assert sum(len(one.body) for one in (answer, *files)) < 30_000


async def test_the_language_is_the_browser_s_unless_the_person_switches(settings: Settings) -> None:
    path = await bulk_path(settings)
    async with running(settings) as server:
        german = await server.ask(path, headers={"Accept-Language": "de-AT, en;q=0.5"})
        arabic = await server.ask(path + "?lang=ar", headers={"Accept-Language": "de-AT"})
        unknown = await server.ask(path + "?lang=xx", headers={"Accept-Language": "tlh"})
    assert '<html lang="de" dir="ltr">' in text_of(german)
    assert "Alles beenden" in text_of(german)
    assert german.headers["Content-Language"] == "de"
    assert '<html lang="ar" dir="rtl">' in text_of(arabic)
    assert '<html lang="en" dir="ltr">' in text_of(unknown)
