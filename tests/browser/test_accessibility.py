"""axe-core on every page and state, as people with different needs and languages see them (WCAG 2.1, A and AA)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

from prefcenter.settings import Settings
from tests.browser.visitors import ELSEWHERE, LOOKS, Visiting, visiting

RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]}}


async def states(visit: Visiting) -> AsyncIterator[str]:
    """Brings the browser to every page and state, one after the other, and says which."""
    page, paths = visit.page, visit.paths
    submit = page.locator("main form button").first
    await visit.go(paths.one_click)
    yield "one click, asked"
    await visit.go(paths.confirmation)
    yield "confirmation, asked"
    await submit.click()
    yield "confirmed"
    await visit.go(paths.confirmation[:-3])
    yield "a link that does not work"
    await visit.go("/u/half/a/link")
    yield "a problem"
    await visit.go("/find")
    yield "find: who wrote"
    await visit.go("/find/opencontact")
    yield "find: which address"
    await page.locator("#address").fill(ELSEWHERE)
    await submit.click()
    await page.locator(".notice").wait_for()
    yield "find: sent"
    await visit.go(paths.not_on_file)
    yield "an address to type"
    await page.locator("#address").fill("somebody@else.example")
    await page.locator("[value=show]").last.click()
    await page.locator(".notice.problem").wait_for()
    yield "another address"
    await visit.go(paths.bulk)
    yield "choices by a bulk link"
    await page.locator("[role=switch][checked]").first.uncheck()
    await page.locator("[value=save]").click()
    await page.locator("[value=undo]").wait_for()
    yield "saved, with undo"
    await page.locator("[value=pause]").click()
    await page.locator("[value=resume]").wait_for()
    yield "paused"
    await visit.go(paths.fresh)
    yield "everything, with a history"
    await page.locator("[value=stop]").click()
    await page.locator(".notice").wait_for()
    yield "stopped"
    await visit.go(paths.one_click)
    await submit.click()
    await page.locator(".notice").wait_for()
    yield "one click, done"


SIZES = """[...document.querySelectorAll('button, select, input:not([type=hidden]), nav a, .whom a')].map(one => {
    const box = one.getBoundingClientRect(); return [one.outerHTML.slice(0, 90), Math.min(box.width, box.height)] })"""
WIDTHS = "[document.documentElement.scrollWidth, window.innerWidth]"
TARGET_PIXELS_MIN = 24
"""WCAG 2.2, success criterion 2.5.8."""


UGLY = ".why { color: #ddd } button { font-size: 1px; padding: 0; min-height: 0; border: 0 }"


async def faults(page: Page) -> list[str]:
    """What is wrong with a page as it stands: for axe, for fingers, and for who sees little of it at once."""
    violations = (await Axe().run(page, options=RULES)).response["violations"]
    found = [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in violations]
    found += [f"small: {element}" for element, pixels in await page.evaluate(SIZES) if pixels < TARGET_PIXELS_MIN]
    width, seen = await page.evaluate(WIDTHS)
    return found if width <= seen else [*found, f"to be scrolled sideways: {width} of {seen} pixels"]


@pytest.mark.parametrize("look", LOOKS)
async def test_nothing_is_wrong_with_any_page_in_any_state(settings: Settings, look: str) -> None:
    found: dict[str, list[str]] = {}
    async with visiting(settings, look, bypass_csp=True) as visit:
        async for state in states(visit):
            found[state] = await faults(visit.page)
    assert len(found) == 16
    assert {state: wrong for state, wrong in found.items() if wrong} == {}


async def test_axe_would_notice(settings: Settings) -> None:
    async with visiting(settings, bypass_csp=True) as visit:
        await visit.go(visit.paths.bulk)
        await visit.page.evaluate("document.querySelector('label[for=why]').remove()")
        await visit.page.add_style_tag(content=UGLY)
        wrong = " ".join(await faults(visit.page))
    assert "select-name" in wrong
    assert "color-contrast" in wrong
    assert "small: <button" in wrong
