"""The report of a scrub, as the demo makes one, before a browser."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Page

from tests.browser.visitors import LOOKS, browser

PREFCENTER = Path(sys.executable).with_name("prefcenter")


def demo_report(place: Path) -> Path:
    """Run the demo, whose temporary files go to `place`; the report of its campaign."""
    subprocess.run([PREFCENTER, "demo"], env={"TMPDIR": str(place)}, check=True, stdout=subprocess.DEVNULL)
    (report,) = place.glob("prefcenter-demo-*/campaign-scrubbed/report.html")
    return report


@asynccontextmanager
async def reading(report: Path, look: str = "light", **more: Any) -> AsyncIterator[Page]:
    """A browser of one look that has opened the file."""
    async with browser() as started:
        page = await (await started.new_context(**{**LOOKS[look], **more})).new_page()
        await page.goto(report.as_uri())
        yield page
