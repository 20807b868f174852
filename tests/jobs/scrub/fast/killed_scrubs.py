"""Scrubs by the fast engine that are killed at one moment after the other, as a program of its own.

Arguments: a directory, how many moments of each kind (before files are touched, before bytes are written, and by the
clock), and whether `every` format meets every cache or a `few` of them do. Each run is a process of its own, which
begins with a cache that is empty, current, behind or damaged. Whatever a killed one leaves, the outputs are whole or
absent, and the next run's are right, with nothing else left. Prints what it counted.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import count
from mmap import mmap
from pathlib import Path
from random import Random
from types import FrameType

from jobs.scrub import ScrubPlan
from jobs.scrub.snapshot.export import SnapshotKeeper
from jobs.scrub.tally import Output
from prefcenter.domain.terms import Channel
from tests.factories import NOW
from tests.jobs.lists.formats import MAKERS
from tests.jobs.scrub.fast.two_engines import engines_of_home, rows_in
from tests.jobs.scrub.small_home import SmallHome, left_in

SUFFIXES = (".csv", ".ndjson", ".parquet", ".csv.gz", ".xlsx")
CACHES = ("empty", "behind", "current", "damaged")
REFUSED, ROWS = 40, 400
BLOCK_OCTETS = 1 << 11
"""So that a list has several blocks, of which one is written while others are cut and decided."""

LAST_MOMENTS = 4
"""Outputs appear and are confirmed at the very end, so that is always looked at."""

MOST_MOMENTS = 1 << 20
ON_MAIN_THREAD, ON_WRITERS_THREAD = 1, 2

TOUCHES_FILES = frozenset(
    {
        "open", "os.chmod", "os.listdir", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.scandir",
        "shutil.rmtree", "tempfile.mkdtemp", "tempfile.mkstemp",
    }
)  # fmt: skip
"""Audit events of Python (PEP 578) right before something is done to a file."""

WRITES = frozenset({"write", "flush", "fsync"})
"""Functions of C by whose calls bytes reach a file, on whichever thread."""

Watch = Callable[["Moments"], None]


class KilledScrubs:
    """One home and list, what the outputs have to be, and the caches that a run may begin with."""

    def __init__(self, directory: Path, suffix: str) -> None:
        self.directory, self.cache = directory, directory / "cache"
        self._home = SmallHome()
        self._list = directory / f"list{suffix}"
        rows = [{"id": number, "email": f"pat{number % 100}@acme.example"} for number in range(ROWS)]
        self._list.write_bytes(MAKERS[suffix](rows))
        self._whole = {"manifest.json", "report.html", *(f"{output}{suffix}" for output in Output)}
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
        engines = engines_of_home(self._home, self.cache, BLOCK_OCTETS)
        plan = ScrubPlan(self._list, "candidate-contact", Channel.EMAIL, at_ms=NOW, out=self.directory / "out")
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
        assert {name for name in left_in(out) if not name.startswith(".")} == self._whole
        assert {path.name: path.read_bytes() for path in rows_in(out)} == self.expected
        return "stale" if json.loads((out / "manifest.json").read_bytes())["stale"] else "whole"

    def require_next_is_right(self) -> None:
        assert self._outputs(by_fast=True) == self.expected
        assert left_in(self.directory) == ["cache", self._list.name, "out"]
        assert left_in(self.cache) == [self._snapshot_file.name]


class Moments:
    """Notes the moments of a process, which kills itself right before one of them, where its parent can see them.

    `fatal` 0: it comes to its end.
    """

    def __init__(self, fatal: int = 0) -> None:
        self._fatal = fatal
        self._numbers = count(1)
        self._shared = mmap(-1, MOST_MOMENTS)

    def met(self) -> None:
        number = next(self._numbers)
        is_main = threading.current_thread() is threading.main_thread()
        self._shared[number] = ON_MAIN_THREAD if is_main else ON_WRITERS_THREAD
        if number == self._fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    @property
    def all(self) -> Sequence[int]:
        return range(1, self._shared.find(b"\0", 1))

    @property
    def of_writer(self) -> Sequence[int]:
        return [number for number in self.all if self._shared[number] == ON_WRITERS_THREAD]


def touches_in(directory: Path) -> Watch:
    """Moments right before a file in a directory is touched."""

    def watch(moments: Moments) -> None:
        def audit(event: str, arguments: tuple[object, ...]) -> None:
            if event in TOUCHES_FILES and any(str(directory) in str(argument) for argument in arguments):
                moments.met()

        sys.addaudithook(audit)

    return watch


def writes(moments: Moments) -> None:
    """Moments right before bytes are written, flushed or put on disk."""

    def profile(_: FrameType, event: str, called: object) -> None:
        if event == "c_call" and getattr(called, "__name__", "") in WRITES:
            moments.met()

    threading.setprofile(profile)
    sys.setprofile(profile)


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


def kills_before(
    scrubs: KilledScrubs, cache: str, watch: Watch, draw: Callable[[Moments], set[int]]
) -> Iterator[tuple[str, bool]]:
    """Kill runs before moments that are drawn of all: what the outputs were then, and whether it hit the writer."""
    scrubs.begin_with(cache)
    known = Moments()
    assert ended(scrubs.run, partial(watch, known))
    for fatal in sorted(draw(known)):
        scrubs.begin_with(cache)
        assert not ended(scrubs.run, partial(watch, Moments(fatal)))
        yield scrubs.require_whole_or_absent(), fatal in known.of_writer
        scrubs.require_next_is_right()


def kills_by_clock(scrubs: KilledScrubs, cache: str, after_s: Iterator[float]) -> Iterator[None]:
    for killed_after_s in after_s:
        scrubs.begin_with(cache)
        ended(scrubs.run, lambda: None, killed_after_s)
        scrubs.require_whole_or_absent()
        scrubs.require_next_is_right()
        yield


def main(directory: Path, by_files: int, by_clock: int, pairs: str) -> None:
    chance, met = Random(7), Counter[str]()

    def some(moments: Sequence[int]) -> set[int]:
        return set(chance.sample(moments, min(by_files, len(moments))))

    def touches(known: Moments) -> set[int]:
        return some(known.all) | some(known.all[-LAST_MOMENTS:-1]) | {known.all[-1]}

    def written(known: Moments) -> set[int]:
        return some(known.all) | some(known.of_writer)

    for place, suffix in enumerate(SUFFIXES):
        (directory / suffix).mkdir()
        scrubs = KilledScrubs(directory / suffix, suffix)
        for cache in CACHES if pairs == "every" or not place else CACHES[place - 1 : place]:
            for watch, draw in ((touches_in(scrubs.directory), touches), (writes, written)):
                for left, is_writers in kills_before(scrubs, cache, watch, draw):
                    met.update((f"{cache} {left}", f"{suffix} {left}", *(("in the writer",) if is_writers else ())))
            waits = (chance.uniform(0, 0.15) for _ in range(by_clock))
            met[f"{suffix} {cache} by the clock"] += sum(1 for _ in kills_by_clock(scrubs, cache, waits))
    print(json.dumps(met))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
