"""Refusals that somebody else records, in a store on disk, while the fast engine scrubs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from random import Random
from threading import Event, Thread

import pytest

from jobs.scrub import Manifest, ScrubPlan, scrub
from jobs.scrub.fast.engine import FastEngine
from prefcenter.bootstrap import open_services
from prefcenter.domain.events import EVERYTHING
from prefcenter.domain.terms import Channel
from tests.factories import NOW
from tests.jobs.scrub.small_home import POLICIES
from tests.running_home import RunningHome

CONTROLLER = "opencontact"
PEOPLE = 400
BURSTS = (1, 2, 3, 5, 20, 60)
"""How many refusals come in, one right after the other; the first of them before the scrub begins."""


class Writer(Thread):
    """Another process's services on the same store: refuses for one person after the other, as fast as it can."""

    def __init__(self, home: RunningHome, out: Path, refused: list[str]) -> None:
        super().__init__()
        self._home, self._out, self.refused = home, out, refused
        self.has_begun = Event()
        self.in_time: list[str] = []
        """Who was refused, and told so, before there were outputs."""

    def run(self) -> None:
        asyncio.run(self._write())

    async def _write(self) -> None:
        async with open_services(self._home.settings, self._home.clock) as services:
            recording = (await services.deciding(CONTROLLER)).recording
            for person in self.refused:
                await recording.opt_out(person, EVERYTHING, "form")
                if not await asyncio.to_thread(self._out.exists):
                    self.in_time.append(person)
                self.has_begun.set()


@pytest.fixture
def home() -> Iterator[RunningHome]:
    text = (POLICIES / f"{CONTROLLER}.toml").read_text(encoding="utf-8")
    home = RunningHome({CONTROLLER: text}, NOW)
    yield home
    home.close()


def scrubbed(home: RunningHome, plan: ScrubPlan, cache: Path) -> Manifest:
    found = home.of(CONTROLLER)
    engine = FastEngine(plan, found.decisions, found.digester, found.store, found.sealer, cache)
    return home.run(scrub(plan, found.decisions, found.sealer, home.clock, engine=engine))


def test_what_is_acknowledged_before_the_outputs_appear_is_applied_or_they_say_stale(
    tmp_path: Path, home: RunningHome
) -> None:
    people = [f"pat{number}@acme.example" for number in range(PEOPLE)]
    path, chance = tmp_path / "list.csv", Random(5)
    path.write_text("\n".join(["email", *people]), encoding="utf-8")
    refused_before: set[str] = set()
    for number, burst in enumerate(BURSTS):
        out = tmp_path / f"out{number}"
        plan = ScrubPlan(path, "candidate-contact", Channel.EMAIL, at_ms=NOW, out=out)
        writer = Writer(home, out, chance.sample(people, burst))
        writer.start()
        writer.has_begun.wait()
        manifest = scrubbed(home, plan, tmp_path / "cache")
        writer.join()
        kept = set((out / "kept.csv").read_text(encoding="utf-8").split())
        assert writer.in_time
        assert refused_before.isdisjoint(kept)
        assert manifest.is_stale or kept.isdisjoint(writer.in_time)
        assert manifest.document["run"]["engine"] == "fast"
        refused_before.update(writer.refused)
    last = ScrubPlan(path, "candidate-contact", Channel.EMAIL, at_ms=NOW, dry_run=True)
    assert not scrubbed(home, last, tmp_path / "cache").is_stale
