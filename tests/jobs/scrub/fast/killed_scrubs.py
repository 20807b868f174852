"""Scrubs by the fast engine that are killed at one moment after the other, as a program of its own.

Arguments: a directory, and how many moments of each kind: of all that a run does to files, and by the clock. Each run
is a process of its own, which begins with a cache that is empty, current, behind or damaged. Whatever a killed one
leaves, the outputs are whole or absent, and the next run's are right, with nothing else left. Prints what it counted.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

from jobs.scrub import ScrubPlan
from jobs.scrub.snapshot.export import SnapshotKeeper
from prefcenter.domain.terms import Channel
from tests.factories import NOW
from tests.jobs.scrub.fast.two_engines import TwoEngines, engines_of_home, rows_in
from tests.jobs.scrub.small_home import SmallHome, left_in

REFUSED, ROWS = 40, 400
LAST_MOMENTS = 3
"""Outputs appear and are confirmed at the very end, so that is always looked at."""

TOUCHES_FILES = frozenset(
    {
        "open", "os.chmod", "os.listdir", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.scandir",
        "shutil.rmtree", "tempfile.mkdtemp", "tempfile.mkstemp",
    }
)  # fmt: skip
"""Audit events of Python (PEP 578) right before something is done to a file."""

WHOLE = {"kept.csv", "manifest.json", "rejected.csv", "report.html", "suppressed.csv"}


class KilledScrubs:
    """One home and list, what the outputs have to be, and the caches that a run may begin with."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.cache = directory, directory / "cache"
        self._home = SmallHome()
        lines = [f"{number},pat{number % 100}@acme.example" for number in range(ROWS)]
        (directory / "list.csv").write_text("\n".join(["id,email", *lines]), encoding="utf-8")
        self.plan = ScrubPlan(directory / "list.csv", "candidate-contact", Channel.EMAIL, at_ms=NOW)
        self.caches: Mapping[str, bytes | None] = {"empty": None, **self._filled()}
        self.expected = self._outputs(by_fast=False)

    def _filled(self) -> dict[str, bytes]:
        contents = {}
        for name in ("behind", "current"):
            for number in range(REFUSED):
                self._home.opt_out(f"pat{number if name == 'behind' else number + REFUSED}@acme.example")
            self._keep_snapshot()
            contents[name] = self._snapshot_file.read_bytes()
        return {**contents, "damaged": contents["current"][:-1] + b"\0"}

    @property
    def _snapshot_file(self) -> Path:
        return self.cache / f"{self._home.policy.controller}.snapshot"

    def _keep_snapshot(self) -> None:
        """Bring the snapshot of the cache up to date, everything that changed taken into its file."""
        kept = (self._home.policy.controller, self._home.store, self._home.sealer, self.cache)
        asyncio.run(SnapshotKeeper(*kept, take_in_from=1).current())

    def begin_with(self, cache: str) -> None:
        shutil.rmtree(self.directory / "out", ignore_errors=True)
        shutil.rmtree(self.cache)
        content = self.caches[cache]
        if content is not None:
            self.cache.mkdir(mode=0o700)
            self._snapshot_file.write_bytes(content)

    def run(self) -> None:
        """What is killed: a snapshot that is built or brought up to date, and a scrub with it."""
        self._keep_snapshot()
        self._scrub(by_fast=True)

    def _scrub(self, *, by_fast: bool) -> None:
        engines: TwoEngines = engines_of_home(self._home, self.cache)
        plan = ScrubPlan(self.plan.path, self.plan.purpose, self.plan.channel, at_ms=NOW, out=self.directory / "out")
        asyncio.run(engines.scrub(plan, by_fast=by_fast))

    def _outputs(self, *, by_fast: bool) -> Mapping[str, bytes]:
        """What a scrub writes; the directory is empty before."""
        shutil.rmtree(self.directory / "out", ignore_errors=True)
        self._scrub(by_fast=by_fast)
        return {path.name: path.read_bytes() for path in rows_in(self.directory / "out")}

    def require_whole_or_absent(self) -> str:
        """Says which. Outputs that nobody came to confirm call themselves stale."""
        out = self.directory / "out"
        if not out.exists():
            return "absent"
        assert {name for name in left_in(out) if not name.startswith(".")} == WHOLE
        assert {path.name: path.read_bytes() for path in rows_in(out)} == self.expected
        return "stale" if json.loads((out / "manifest.json").read_bytes())["stale"] else "whole"

    def require_next_is_right(self) -> None:
        assert self._outputs(by_fast=True) == self.expected
        assert left_in(self.directory) == ["cache", "list.csv", "out"]
        assert left_in(self.cache) == [self._snapshot_file.name]


def killed_before(moment: int, directory: Path) -> Callable[[], None]:
    """Makes this process kill itself right before it touches a file in a directory for the n-th time."""

    def watch() -> None:
        touched = 0

        def audit(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal touched
            if event in TOUCHES_FILES and any(str(directory) in str(argument) for argument in arguments):
                touched += 1
                if touched == moment:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(audit)

    return watch


def ended(work: Callable[[], None], prepare: Callable[[], None], killed_after_s: float | None = None) -> bool:
    """Whether the work came to its end in a process of its own."""
    child = os.fork()
    if child == 0:
        prepare()
        work()
        os._exit(0)
    if killed_after_s is not None:
        time.sleep(killed_after_s)
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    assert status in (0, signal.SIGKILL)
    return status == 0


def moments_of(scrubs: KilledScrubs, cache: str) -> int:
    """How often a run touches files: doubled until it is too often, then halved in between."""
    reached, too_often = 0, 0
    while too_often - reached != 1:
        moment = (reached + too_often) // 2 if too_often else 2 * reached or 64
        scrubs.begin_with(cache)
        if ended(scrubs.run, killed_before(moment, scrubs.directory)):
            too_often = moment
        else:
            reached = moment
    return reached


def main(directory: Path, by_files: int, by_clock: int) -> None:
    scrubs, chance, met = KilledScrubs(directory), Random(7), Counter[str]()
    for cache in scrubs.caches:
        known = moments_of(scrubs, cache)
        drawn = {*chance.sample(range(1, known + 1), min(by_files, known)), *range(known - LAST_MOMENTS, known + 1)}
        for moment in sorted(drawn):
            scrubs.begin_with(cache)
            assert not ended(scrubs.run, killed_before(moment, directory))
            met[f"{cache} {scrubs.require_whole_or_absent()}"] += 1
            scrubs.require_next_is_right()
        for _ in range(by_clock):
            scrubs.begin_with(cache)
            ended(scrubs.run, lambda: None, killed_after_s=chance.uniform(0, 0.15))
            met[f"{cache} by the clock"] += 1
            scrubs.require_whole_or_absent()
            scrubs.require_next_is_right()
        met["moments"] += known
    print(json.dumps(met))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
