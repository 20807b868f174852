"""Break the rules on purpose, one at a time, and show that the suite notices each time (README.md beside this file).

Each mutant of `mutants.toml` is applied to a copy of the repository, and the tests that it names are run there. First
those tests must pass unchanged; then every mutant has to fail at least one of them. Exit 0: all were noticed; 1: one
survived; 2: a mutant could not be applied, or its tests could not be run.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).resolve().parents[2]
MUTANTS_FILE = Path(__file__).with_name("mutants.toml")
TREES = ("prefcenter", "jobs", "tests", "fixtures", "docs", "graphql")
PYTEST_OPTIONS = (
    *("-x", "-q", "-p", "no:cacheprovider"),
    *("-p", "tests.mutants.first_failure", "--hypothesis-profile", "first-failure"),
)
WORKERS = 2
RUN_TIMEOUT_S = 120
ALL_TESTS_TIMEOUT_S = 900
PASSED, FAILED = 0, 1
"""What pytest exits with; anything else means that the tests could not be run."""


class UnusableMutant(Exception):
    """A mutant that says nothing: its text is not there, or its tests do not run."""


@dataclass(frozen=True)
class Mutant:
    """One rule, broken: `old`, which stands exactly once in `file`, becomes `new`."""

    id: str
    file: str
    old: str
    new: str
    why: str
    tests: tuple[str, ...]

    def applied_to(self, text: str) -> str:
        found = text.count(self.old)
        if found != 1 or self.old == self.new:
            raise UnusableMutant(f"{self.id}: expected its text once in {self.file}, found it {found} times")
        return text.replace(self.old, self.new)


@dataclass(frozen=True)
class Outcome:
    mutant: Mutant
    is_noticed: bool
    seconds: float
    fault: str = ""

    @property
    def word(self) -> str:
        if self.fault:
            return "UNUSABLE"
        return "noticed" if self.is_noticed else "SURVIVED"


def read_mutants() -> tuple[Mutant, ...]:
    """All mutants of the file. Raises UnusableMutant for an id that stands twice."""
    entries = tomllib.loads(MUTANTS_FILE.read_text(encoding="utf-8"))["mutant"]
    mutants = tuple(Mutant(**{**entry, "tests": tuple(entry["tests"])}) for entry in entries)
    if len({mutant.id for mutant in mutants}) != len(mutants):
        raise UnusableMutant("two mutants have the same id")
    return mutants


def copy_repository(source: Path, target: Path) -> None:
    """What the tests need, without what they left behind.

    What numba compiled goes along: it takes half a minute, and is made anew for a file that is no longer the same.
    """
    for tree in TREES:
        shutil.copytree(source / tree, target / tree, ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copy(source / "pyproject.toml", target)


def pytest_exit_code(copy: Path, tests: Iterable[str], timeout_s: int = RUN_TIMEOUT_S) -> int:
    """Run tests of a copy. Nothing is cached, so that no compiled file outlives the text it came from."""
    command = [sys.executable, "-m", "pytest", *PYTEST_OPTIONS, *tests]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(copy)}
    finished = subprocess.run(command, cwd=copy, env=environment, capture_output=True, timeout=timeout_s)
    return finished.returncode


@contextmanager
def broken(copy: Path, mutant: Mutant) -> Iterator[None]:
    file = copy / mutant.file
    text = file.read_text(encoding="utf-8")
    file.write_text(mutant.applied_to(text), encoding="utf-8")
    try:
        yield
    finally:
        file.write_text(text, encoding="utf-8")


def outcome_of(copy: Path, mutant: Mutant) -> Outcome:
    started = time.monotonic()
    try:
        with broken(copy, mutant):
            code = pytest_exit_code(copy, mutant.tests)
    except (UnusableMutant, OSError, subprocess.TimeoutExpired) as error:
        return Outcome(mutant, False, time.monotonic() - started, str(error))
    fault = "" if code in (PASSED, FAILED) else f"{mutant.id}: its tests do not run (pytest exits with {code})"
    return Outcome(mutant, code == FAILED, time.monotonic() - started, fault)


def run_all(copies: Sequence[Path], mutants: Sequence[Mutant]) -> list[Outcome]:
    """Every mutant on whichever copy is free, in the order of the file."""
    free: SimpleQueue[Path] = SimpleQueue()
    for copy in copies:
        free.put(copy)

    def run_one(mutant: Mutant) -> Outcome:
        copy = free.get()
        try:
            return outcome_of(copy, mutant)
        finally:
            free.put(copy)

    with ThreadPoolExecutor(len(copies)) as pool:
        return list(pool.map(run_one, mutants))


def chosen(mutants: Sequence[Mutant], ids: Sequence[str]) -> list[Mutant]:
    unknown = sorted(set(ids) - {mutant.id for mutant in mutants})
    if unknown:
        raise UnusableMutant(f"no such mutant: {', '.join(unknown)}")
    return [mutant for mutant in mutants if not ids or mutant.id in ids]


def hunt(ids: Sequence[str]) -> list[Outcome]:
    """Outcomes of the chosen mutants. Raises UnusableMutant where the suite fails without any."""
    mutants = chosen(read_mutants(), ids)
    with tempfile.TemporaryDirectory(prefix="mutants-") as directory:
        first, *others = (Path(directory) / str(number) for number in range(WORKERS))
        copy_repository(ROOT, first)
        tests = sorted({test for mutant in mutants for test in mutant.tests})
        if pytest_exit_code(first, tests, ALL_TESTS_TIMEOUT_S) != PASSED:
            raise UnusableMutant("the tests fail before anything is broken; make them pass first")
        for copy in others:
            copy_repository(first, copy)
        return run_all([first, *others], mutants)


def print_table(outcomes: Sequence[Outcome]) -> None:
    width = max(len(outcome.mutant.id) for outcome in outcomes)
    for outcome in outcomes:
        print(f"{outcome.word:9} {outcome.seconds:5.1f} s  {outcome.mutant.id:{width}}  {outcome.mutant.why}")
    for outcome in outcomes:
        if outcome.fault:
            print(outcome.fault, file=sys.stderr)
    print(f"{sum(outcome.is_noticed for outcome in outcomes)} of {len(outcomes)} broken rules were noticed.")


def main() -> int:
    parser = argparse.ArgumentParser(description="Show that the suite notices every rule that is broken on purpose.")
    parser.add_argument("ids", nargs="*", metavar="ID", help="run these mutants only")
    try:
        outcomes = hunt(parser.parse_args().ids)
    except UnusableMutant as error:
        print(error, file=sys.stderr)
        return 2
    print_table(outcomes)
    if any(outcome.fault for outcome in outcomes):
        return 2
    return 0 if all(outcome.is_noticed for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
