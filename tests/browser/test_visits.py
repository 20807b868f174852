"""What people do at the preference page: with a keyboard only, without scripts, and in place."""

from __future__ import annotations

import json

import pytest
from playwright.async_api import Locator, expect

from prefcenter.settings import Settings
from tests.browser.visitors import LOOKS, Visiting, visiting
from tests.web.test_page_links import give_logo

FOCUS = """() => { const one = document.activeElement, style = getComputedStyle(one);
    return { tag: one.tagName, value: one.value, top: one.getBoundingClientRect().top + scrollY,
             outline: style.outlineStyle, width: style.outlineWidth } }"""
STOP, SAVE, EVENTS = "Stop everything", "Save my choices", "Invitations for alumni"


def event_switch(visit: Visiting) -> Locator:
    return visit.page.get_by_role("switch", name=EVENTS)


async def test_saving_happens_in_place_with_a_spoken_status(settings: Settings) -> None:
    async with visiting(settings) as visit:
        await visit.go(visit.paths.bulk)
        await visit.page.evaluate("window.stays = true")
        live = visit.page.locator("#status")
        assert (await live.get_attribute("aria-live"), await live.get_attribute("role")) == ("polite", "status")
        await event_switch(visit).uncheck()
        await visit.press(SAVE)
        assert (await visit.status()).startswith("Saved. It holds from now on.")
        assert await visit.page.evaluate("window.stays === true"), "the page was not loaded anew"
        assert (await visit.page.evaluate(FOCUS))["value"] == "save", "who saved is still at the button"
        assert not await event_switch(visit).is_checked()
        await visit.press("Undo")
        assert await visit.status() == "Taken back."
        assert await event_switch(visit).is_checked()
        await visit.go(visit.paths.bulk)
        assert await event_switch(visit).is_checked()


async def test_everything_works_without_scripts(settings: Settings) -> None:
    async with visiting(settings, java_script_enabled=False) as visit:
        page = visit.page
        await visit.go(visit.paths.bulk)
        await event_switch(visit).uncheck()
        await page.get_by_role("button", name=SAVE).click()
        assert (await visit.status()).startswith("Saved. It holds from now on.")
        assert not await event_switch(visit).is_checked()
        await page.get_by_role("button", name="Undo").click()
        assert await visit.status() == "Taken back."
        await page.get_by_role("button", name=STOP).click()
        assert "will send you nothing more" in await visit.status()
        await page.goto(page.url)
        assert not await event_switch(visit).is_checked()


async def test_a_keyboard_is_enough_and_shows_where_one_is(settings: Settings) -> None:
    async with visiting(settings) as visit:
        await visit.go(visit.paths.bulk)
        stops = []
        for _ in range(40):
            await visit.page.keyboard.press("Tab")
            stops.append(await visit.page.evaluate(FOCUS))
            if stops[-1]["value"] == "fresh":
                break
        buttons = [stop["value"] for stop in stops if stop["tag"] == "BUTTON"]
        assert buttons == ["stop", "save", "pause", "fresh"]
        assert [stop for stop in stops if stop["outline"] == "none" or stop["width"] == "0px"] == []
        tops = [stop["top"] for stop in stops if stop["tag"] in ("BUTTON", "INPUT", "SELECT")]
        assert tops == sorted(tops), "the focus goes down the page as the eye does"


async def test_a_switch_is_moved_and_saved_with_keys_alone(settings: Settings) -> None:
    async with visiting(settings) as visit:
        await visit.go(visit.paths.bulk)
        await event_switch(visit).focus()
        await visit.page.keyboard.press("Space")
        assert not await event_switch(visit).is_checked()
        while (await visit.page.evaluate(FOCUS))["value"] != "save":
            await visit.page.keyboard.press("Tab")
        await visit.page.keyboard.press("Enter")
        await visit.page.locator("[value=undo]").wait_for()
        assert (await visit.status()).startswith("Saved.")


async def test_switching_on_waits_for_a_confirmation_by_mail(settings: Settings) -> None:
    async with visiting(settings) as visit:
        await visit.go(visit.paths.bulk)
        await visit.page.get_by_role("switch", name="Audio, video and transcripts").check()
        await visit.press(SAVE)
        assert "please confirm it in the email" in await visit.status()
        switch = visit.page.get_by_role("switch", name="Audio, video and transcripts")
        assert not await switch.is_checked()
        assert await visit.page.get_by_text("Waits for your confirmation by email.").count() == 2


async def test_who_types_the_address_may_choose(settings: Settings) -> None:
    async with visiting(settings) as visit:
        await visit.go(visit.paths.not_on_file)
        await visit.page.get_by_label("Which address").fill("kim.sample@acme.example")
        await visit.page.get_by_role("button", name="Show my choices").click()
        await event_switch(visit).uncheck()
        await visit.press(SAVE)
        assert (await visit.status()).startswith("Saved.")


async def test_a_download_holds_the_choices(settings: Settings) -> None:
    async with visiting(settings) as visit:
        await visit.go(visit.paths.fresh)
        async with visit.page.expect_download() as started:
            await visit.page.get_by_role("button", name="Download my choices").click()
        download = await started.value
        assert download.suggested_filename == "my-choices.json"
        document = json.loads((await download.path()).read_bytes())
        assert {"about": "email/alumni-events", "label": EVENTS, "allowed": True} in document["choices"]


async def test_the_language_is_switched_and_stays_while_one_saves(settings: Settings) -> None:
    async with visiting(settings) as visit:
        await visit.go(visit.paths.bulk)
        await visit.page.get_by_role("link", name="Cymraeg").click()
        assert await visit.page.locator("html").get_attribute("lang") == "cy"
        await visit.page.locator("[role=switch][checked]").first.uncheck()
        await visit.press("Cadw fy newisiadau")
        assert (await visit.status()).startswith("Cadwyd.")


@pytest.mark.parametrize("look", ["light", "dark", "Arabic"])
async def test_a_page_asks_nobody_else_and_breaks_no_rule_of_its_own(settings: Settings, look: str) -> None:
    asked, said = [], []
    async with visiting(settings, look) as visit:
        visit.page.on("request", lambda request: asked.append(request.url))
        visit.page.on("console", lambda message: said.append(message.text))
        visit.page.on("pageerror", lambda error: said.append(str(error)))
        await visit.go(visit.paths.bulk)
        await visit.page.locator("[value=stop]").click()
        await visit.page.locator(".notice").wait_for()
        assert [url for url in asked if not url.startswith(visit.server.url + "/")] == []
        assert [text for text in said if "favicon" not in text and "404" not in text] == []
        assert await visit.context.cookies() == []
        assert await visit.page.evaluate("localStorage.length + sessionStorage.length") == 0


HIDDEN_BY_THE_BAR = """async () => {
    const bar = document.querySelector('.save'), hidden = [];
    for (const one of document.querySelectorAll('main a, main button, main select, main input:not([type=hidden])')) {
        one.focus();
        await new Promise(seen => requestAnimationFrame(() => requestAnimationFrame(seen)));
        const box = one.getBoundingClientRect(), over = bar.getBoundingClientRect();
        if (!bar.contains(one) && box.bottom > over.top && box.top < over.bottom) hidden.push(one.outerHTML);
    }
    return hidden }"""


@pytest.mark.parametrize("look", LOOKS)
async def test_the_button_that_saves_stays_in_sight_and_hides_nothing_that_has_the_focus(
    settings: Settings, look: str
) -> None:
    async with visiting(settings, look) as visit:
        await visit.go(visit.paths.bulk)
        assert await visit.page.evaluate(HIDDEN_BY_THE_BAR) == []
        first, last = visit.page.get_by_role("switch").first, visit.page.get_by_role("switch").last
        for switch in (first, last):
            await switch.focus()
            await expect(visit.page.locator("[value=save]")).to_be_in_viewport(ratio=1)


async def test_a_logo_is_seen(settings: Settings) -> None:
    give_logo(settings)
    said: list[str] = []
    async with visiting(settings) as visit:
        visit.page.on("console", lambda message: said.append(message.text))
        await visit.go(visit.paths.bulk)
        logo = visit.page.get_by_role("img", name="One Contact Center")
        assert await logo.evaluate("one => one.complete && one.naturalWidth > 0")
    assert [text for text in said if "Content Security Policy" in text] == []


async def test_right_to_left_mirrors_the_page(settings: Settings) -> None:
    async with visiting(settings, "Arabic") as visit:
        await visit.go(visit.paths.bulk)
        switch = await visit.page.locator("[role=switch]").first.bounding_box()
        assert switch is not None
        assert switch["x"] < 200
