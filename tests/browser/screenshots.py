"""Takes the pictures of docs/pages.md and docs/scrub.md: `make screenshots`."""

from __future__ import annotations

import asyncio
import io
import tempfile
from pathlib import Path

from prefcenter.bootstrap import init_home
from prefcenter.logs import configure_logs
from prefcenter.settings import Settings, read_settings
from tests.browser.reports import demo_report, reading
from tests.browser.visitors import MAIL, Visiting, put_on_file, visiting
from tests.web.serving_home import POLICIES

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "images"
HEIGHT_PIXELS_MAX = 1_150
SHOTS = {
    "page": ("light", {"viewport": {"width": 720, "height": HEIGHT_PIXELS_MAX}}),
    "page-dark": ("dark", {"viewport": {"width": 720, "height": HEIGHT_PIXELS_MAX}}),
    "page-arabic": ("Arabic", {"viewport": {"width": 720, "height": HEIGHT_PIXELS_MAX}}),
    "page-phone": ("German, 320 pixels wide", {"viewport": {"width": 360, "height": HEIGHT_PIXELS_MAX}}),
    "page-saved": ("light", {"viewport": {"width": 720, "height": 800}}),
    "one-click": ("light", {"viewport": {"width": 720, "height": 330}}),
    "find": ("light", {"viewport": {"width": 720, "height": 400}}),
}
"""What is taken, in which look, and how large."""


async def arrive(visit: Visiting, name: str) -> None:
    """Bring the browser to what a picture shows."""
    paths = {"one-click": visit.paths.one_click, "find": "/find/one-contact-center"}
    await visit.go(paths.get(name, visit.paths.bulk))
    if name == "page-saved":
        await visit.page.locator("[role=switch][checked]").first.uncheck()
        await visit.press("Save my choices")


async def take(settings: Settings) -> None:
    PICTURES.mkdir(exist_ok=True)
    for name, (look, more) in SHOTS.items():
        async with visiting(settings, look, **more) as visit:
            await arrive(visit, name)
            await visit.page.screenshot(path=PICTURES / f"{name}.png", animations="disabled")


async def take_report(place: Path) -> None:
    async with reading(demo_report(place), viewport={"width": 900, "height": 600}) as page:
        await page.screenshot(path=PICTURES / "report.png", full_page=True)


async def main() -> None:
    configure_logs(io.StringIO())
    with tempfile.TemporaryDirectory() as place:
        await take_report(Path(place))
        settings = read_settings(MAIL, Path(place) / "home")
        await init_home(settings, POLICIES)
        await put_on_file(settings)
        await take(settings)


if __name__ == "__main__":
    asyncio.run(main())
