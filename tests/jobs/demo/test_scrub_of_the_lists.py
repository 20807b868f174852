"""Both lists scrubbed by the reference engine after the story: what is kept is, byte for byte, what may be kept."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from jobs.demo.alumni_list import alumni_list
from jobs.demo.campaign_list import campaign_list
from jobs.demo.rows import DemoList
from jobs.demo.story import play
from jobs.scrub import ScrubPlan, scrub
from prefcenter.bootstrap import Services, init_home, open_services
from prefcenter.settings import read_settings

ROOT = Path(__file__).resolve().parents[3]
REJECTED = {"invalid_address", "empty_address", "ragged_row"}
FILE_NAMES = ["campaign.csv", "alumni.csv"]


@dataclass(frozen=True)
class Scrubbed:
    """A list, and the three files that became of it."""

    made: DemoList
    kept: bytes
    suppressed: bytes
    rejected: bytes


@pytest.fixture(scope="module")
def scrubbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Scrubbed]:
    return asyncio.run(scrub_both(tmp_path_factory.mktemp("demo")))


async def scrub_both(directory: Path) -> dict[str, Scrubbed]:
    settings = read_settings({}, directory / "home")
    await init_home(settings, ROOT / "fixtures" / "policies")
    async with open_services(settings) as services:
        campaign, alumni = campaign_list(), alumni_list()
        of_campaign, of_alumni = [await services.controller(made.controller) for made in (campaign, alumni)]
        await play(of_campaign, of_alumni, services.clock())
        return {made.file_name: await scrub_one(services, made, directory) for made in (campaign, alumni)}


async def scrub_one(services: Services, made: DemoList, directory: Path) -> Scrubbed:
    path, out = directory / made.file_name, directory / f"{made.file_name}.out"
    path.write_bytes(made.content)
    controller = await services.deciding(made.controller)
    plan = ScrubPlan(path, made.purpose, made.channel, made.address_column, made.class_column, out=out)
    await scrub(plan, controller.decisions, controller.sealer, services.clock)
    return Scrubbed(made, *((out / f"{name}.csv").read_bytes() for name in ("kept", "suppressed", "rejected")))


@pytest.mark.parametrize("file_name", FILE_NAMES)
def test_the_kept_rows_are_exactly_those_that_may_be_kept(scrubbed: dict[str, Scrubbed], file_name: str) -> None:
    found = scrubbed[file_name]
    assert found.kept == found.made.header + b"".join(row.content for row in found.made.rows if row.is_kept)


@pytest.mark.parametrize("file_name", FILE_NAMES)
def test_the_other_rows_are_there_with_their_reasons(scrubbed: dict[str, Scrubbed], file_name: str) -> None:
    found = scrubbed[file_name]
    reasons = Counter(str(row.expected) for row in found.made.rows if not row.is_kept)
    for content, is_of_file in ((found.suppressed, False), (found.rejected, True)):
        text = content.decode(found.made.encoding)
        for reason, count in reasons.items():
            cell = f"{found.made.delimiter}{reason}{found.made.delimiter}"
            assert text.count(cell) == (count if (reason in REJECTED) is is_of_file else 0), reason
