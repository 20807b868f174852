"""People at the pages: a contact on file, the paths of their links, and a browser that looks as they like."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from prefcenter.bootstrap import open_services
from prefcenter.domain.events import Cell
from prefcenter.domain.terms import AddressClass, Channel
from prefcenter.services.contact_files import Contact, ContactAddress
from prefcenter.services.targets import Targets
from prefcenter.settings import Settings
from tests.browser.chromium import FLAGS, chromium
from tests.web.serving_home import Running, running

ROBIN = "robin.sample@acme.example"
ELSEWHERE = "kim.sample@acme.example"
ALUMNI = "one-contact-center"
EMAIL = Channel.EMAIL
MAIL = {"PREFCENTER_SMTP_URL": "smtp://127.0.0.1:9", "PREFCENTER_MAIL_FROM": "choices@acme.example"}
"""A mail host, so that things can be switched on; nothing is sent, for no sender runs."""

LOOKS: Mapping[str, Mapping[str, Any]] = {
    "light": {"viewport": {"width": 1_000, "height": 800}},
    "dark": {"viewport": {"width": 1_000, "height": 800}, "color_scheme": "dark"},
    "German, 320 pixels wide": {"viewport": {"width": 320, "height": 640}, "locale": "de-DE"},
    "Arabic": {"viewport": {"width": 760, "height": 800}, "locale": "ar"},
    "zoomed to 200%": {"viewport": {"width": 640, "height": 400}, "device_scale_factor": 2},
}
"""How people look at the pages. A zoom is half as many pixels of twice the size, for 1280 by 800."""


@dataclass(frozen=True)
class Paths:
    """The paths of one person's links."""

    bulk: str
    fresh: str
    one_click: str
    confirmation: str
    not_on_file: str


async def put_on_file(settings: Settings) -> None:
    """A contact that holds the address, so that nobody has to type it."""
    async with open_services(settings) as services:
        held = (ContactAddress(EMAIL, ROBIN, AddressClass.BUSINESS),)
        contacts = (await services.controller(ALUMNI)).contacts
        await contacts.upsert(Contact("crm-7", held, ("alumni",), "crm"))


async def paths_of(settings: Settings) -> Paths:
    """Their links; what the confirmation is about waits already."""
    async with open_services(settings) as services:
        alumni = await services.controller(ALUMNI)
        target = Targets(alumni.policy.country, alumni.digester).of(ROBIN, EMAIL)
        cell = Cell(None, None, "email-tracking")
        await alumni.own_acts.choose(target, (), [cell], "preference-page.en@1", is_confirmed=False)
        robin, kim = (alumni.links.of_message(one, "alumni-events", EMAIL) for one in (ROBIN, ELSEWHERE))
        return Paths(
            bulk=path(robin.manage_url),
            fresh=path(alumni.links.fresh(target, EMAIL)),
            one_click=path(robin.unsubscribe_url),
            confirmation=path(alumni.links.confirmation(target, EMAIL, [cell])),
            not_on_file=path(kim.manage_url),
        )


def path(url: str) -> str:
    """The path of a URL of ours."""
    return "/" + url.split("/", 3)[3]


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        try:
            yield started
        finally:
            await started.close()


@dataclass(frozen=True)
class Visiting:
    """A person before a page of a running server."""

    server: Running
    context: BrowserContext
    page: Page
    paths: Paths

    async def go(self, path: str) -> None:
        await self.page.goto(self.server.url + path)

    async def press(self, name: str) -> None:
        """Press a button by the name that people read, and wait until the page tells what came of it."""
        status = self.page.locator("#status")
        before = await status.text_content() if await status.count() else ""
        await self.page.get_by_role("button", name=name, exact=True).click()
        await self.page.wait_for_function(
            "before => { const now = document.getElementById('status'); return now && now.textContent !== before }",
            arg=before,
        )

    async def status(self) -> str:
        return (await self.page.locator("#status").inner_text()).strip()


@asynccontextmanager
async def visiting(settings: Settings, look: str = "light", **more: Any) -> AsyncIterator[Visiting]:
    """A browser of one look on a server of a home."""
    paths = await paths_of(settings)
    async with running(settings) as server, browser() as started:
        context = await started.new_context(**{**LOOKS[look], **more})
        context.set_default_timeout(10_000)
        yield Visiting(server, context, await context.new_page(), paths)
