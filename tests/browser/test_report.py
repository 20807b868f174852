"""The report of a scrub in a browser: whole by itself, and readable for everybody."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.reports import demo_report, reading
from tests.browser.test_accessibility import faults
from tests.browser.visitors import LOOKS


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return demo_report(tmp_path_factory.mktemp("demo"))


@pytest.mark.parametrize("look", LOOKS)
async def test_nothing_is_wrong_with_the_report(report: Path, look: str) -> None:
    async with reading(report, look, bypass_csp=True) as page:
        assert await faults(page) == []


async def test_the_report_asks_for_nothing_else_and_runs_nothing(report: Path) -> None:
    asked: list[str] = []
    async with reading(report, java_script_enabled=False) as page:
        page.on("request", lambda request: asked.append(request.url))
        await page.reload()
        heading = await page.locator("h1").inner_text()
        assert await page.locator("table").count() > 3
        assert await page.locator("script").count() == 0
    assert heading
    assert asked == [report.as_uri()]
