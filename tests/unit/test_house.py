"""Facts about the repository itself: its locks, its commands, its documents, and what its files must not hold."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import pkgutil
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import graphql
import pytest

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SCRIPTS: dict[str, str] = PYPROJECT["project"]["scripts"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
DECISIONS = ROOT / "docs" / "decisions"
LOCKS = ("runtime.txt", "development.txt", "spark.txt")
MAKE_TARGETS = (
    "help",
    "setup",
    "setup-runtime",
    "demo",
    "serve",
    "test",
    "test-spark",
    "lint",
    "screenshots",
    "translations",
    "mutants",
    "bench",
    "contract-table",
    "soak",
    "lock",
    "clean",
)
DECISION_SECTIONS = ["Context", "Options", "Decision", "Consequences"]

PIN = re.compile(r"(?P<name>[a-z0-9][a-z0-9-]*)==(?P<version>[0-9][\w.]*)(?: ; [\w .'<>=!()]+)? \\")
HASH = re.compile(r" {4}--hash=sha256:[0-9a-f]{64}(?: \\)?")
DISTRIBUTION_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
HOME_DIRECTORY = re.compile(r"(?<![\w.~-])/(?:(?:home|Users)/[\w.-]+|root)/|\b[A-Za-z]:[\\/]Users[\\/]\w")


def run_in_checkout(*command: str) -> subprocess.CompletedProcess[str]:
    """The suite itself often runs under make, whose variables would make a make called here behave as its child."""
    environ = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}}
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False)


def hashes_by_pin(lock: str) -> dict[tuple[str, str], int]:
    """How many hashes follow each (name, version) of a lock; a line that is neither pin nor hash is an error."""
    counted: dict[tuple[str, str], int] = {}
    pin = ("", "")
    for line in (ROOT / "requirements" / lock).read_text(encoding="utf-8").splitlines():
        if match := PIN.fullmatch(line):
            pin = (match["name"], match["version"])
            counted[pin] = 0
        else:
            assert HASH.fullmatch(line), f"{lock} holds something that is neither a pin nor a hash: {line}"
            counted[pin] += 1
    return counted


def normalised(requirement: str) -> str:
    """The distribution that a requirement names, spelt as locks spell it."""
    match = DISTRIBUTION_NAME.match(requirement)
    assert match, f"no distribution is named by {requirement}"
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def project_files() -> list[Path]:
    """What is tracked or about to be; in an unpacked source archive, where git knows nothing, every visible file."""
    listed = run_in_checkout("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if listed.returncode == 0:
        return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]
    found = (path for path in ROOT.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return [path for path in found if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)]


def imported_top_level_names(package: str) -> Iterator[str]:
    for source in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_bytes())):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition(".")[0]


def targets_shown_by_make_help() -> list[str]:
    shown = run_in_checkout("make", "help")
    assert shown.returncode == 0, shown.stderr
    return [line.split()[0] for line in shown.stdout.splitlines()]


def decision_files() -> list[str]:
    return sorted(path.name for path in DECISIONS.glob("[0-9]*.md"))


def test_graphql_is_graphql_core_and_not_a_folder_of_the_repository() -> None:
    assert graphql.__file__ is not None
    installed = importlib.metadata.distribution("graphql-core").locate_file("graphql/__init__.py")
    assert Path(graphql.__file__).resolve() == Path(str(installed)).resolve()
    assert not (ROOT / "graphql" / "__init__.py").exists()


def test_no_lock_records_download_addresses() -> None:
    assert not (ROOT / "uv.lock").exists()


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_pins_with_hashes_and_nothing_else(lock: str) -> None:
    counted = hashes_by_pin(lock)
    assert counted
    assert [pin for pin, hashes in counted.items() if hashes == 0] == []


@pytest.mark.parametrize("lock", ["development.txt", "spark.txt"])
def test_every_other_lock_contains_the_runtime_lock(lock: str) -> None:
    assert hashes_by_pin("runtime.txt").items() <= hashes_by_pin(lock).items()


def test_the_runtime_lock_pins_every_dependency_and_what_installs_the_project() -> None:
    wanted = PYPROJECT["project"]["dependencies"] + PYPROJECT["dependency-groups"]["install"]
    pinned = {name for name, _ in hashes_by_pin("runtime.txt")}
    assert {normalised(requirement) for requirement in wanted} <= pinned


@pytest.mark.parametrize(("extra", "lock"), [("dev", "development.txt"), ("spark", "spark.txt")])
def test_the_lock_of_an_extra_pins_all_of_it(extra: str, lock: str) -> None:
    wanted = PYPROJECT["project"]["optional-dependencies"][extra]
    pinned = {name for name, _ in hashes_by_pin(lock)}
    assert {normalised(requirement) for requirement in wanted} <= pinned


@pytest.mark.parametrize("package", ["prefcenter", "jobs"])
def test_code_imports_only_what_the_project_declares(package: str) -> None:
    project = PYPROJECT["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["spark"]
    declared = {normalised(requirement) for requirement in wanted}
    distributions = importlib.metadata.packages_distributions()
    own = {"prefcenter", "jobs"}
    foreign = set(imported_top_level_names(package)) - own - sys.stdlib_module_names
    undeclared = {name for name in foreign if not declared & {normalised(d) for d in distributions.get(name, [name])}}
    assert undeclared == set()


@pytest.mark.parametrize("script", sorted(SCRIPTS))
def test_a_console_script_names_something_that_runs(script: str) -> None:
    assert callable(pkgutil.resolve_name(SCRIPTS[script]))
    module, _, function = SCRIPTS[script].partition(":")
    start = f"import sys; sys.argv = [{script!r}, '--help']; from {module} import {function}; sys.exit({function}())"
    shown = run_in_checkout(sys.executable, "-c", start)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith("Usage: ")


def test_make_help_lists_every_target() -> None:
    assert sorted(targets_shown_by_make_help()) == sorted(MAKE_TARGETS)


def test_make_without_a_target_shows_the_help() -> None:
    assert run_in_checkout("make").stdout == run_in_checkout("make", "help").stdout


def test_no_target_is_mistaken_for_a_file_of_its_name() -> None:
    phony = next(line for line in MAKEFILE.splitlines() if line.startswith(".PHONY:"))
    assert set(MAKE_TARGETS) <= set(phony.split())


@pytest.mark.parametrize("target", MAKE_TARGETS)
def test_make_knows_what_each_target_would_run(target: str) -> None:
    planned = run_in_checkout("make", "--dry-run", target)
    assert planned.returncode == 0, planned.stderr


def test_every_script_that_the_makefile_runs_exists() -> None:
    named = re.findall(r"\b[\w/]+/\w+\.py\b", MAKEFILE)
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_the_check_of_a_change_can_be_run_and_calls_the_documented_targets() -> None:
    check = ROOT / ".ci" / "run"
    assert os.access(check, os.X_OK)
    assert run_in_checkout("bash", "-n", str(check)).returncode == 0
    called = re.findall(r"^make ([a-z-]+)", check.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert called == ["lint", "test", "test-spark", "mutants", "demo"]


def test_a_checkout_has_one_copy_of_the_clauses() -> None:
    assert (ROOT / "docs" / "clauses.md").is_file()
    packaged = [Path(entry) / "prefcenter" / "services" / "clauses.md" for entry in [str(ROOT), *sys.path]]
    assert [copy for copy in packaged if copy.exists()] == []


def test_no_file_holds_a_path_of_a_developers_machine() -> None:
    checkout = f"{ROOT}/"
    holding = []
    for path in project_files():
        text = path.read_bytes().decode("utf-8", errors="replace")
        if checkout in text or HOME_DIRECTORY.search(text):
            holding.append(path.relative_to(ROOT).as_posix())
    assert holding == []


@pytest.mark.parametrize("kind", ["home", "Users"])
def test_a_planted_home_directory_is_found(kind: str) -> None:
    assert HOME_DIRECTORY.search(f"see /{kind}/pat/lists")
    assert not HOME_DIRECTORY.search(f"see example.com/{kind}/pat/lists")


def test_the_index_of_decisions_lists_each_decision() -> None:
    index = (DECISIONS / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| \[\d{4}\]\((\d{4}-[a-z0-9-]+\.md)\) \|", index, flags=re.MULTILINE) == decision_files()


def test_decisions_are_numbered_without_gaps() -> None:
    names = decision_files()
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))


@pytest.mark.parametrize("name", decision_files())
def test_a_decision_has_its_number_status_and_sections(name: str) -> None:
    text = (DECISIONS / name).read_text(encoding="utf-8")
    assert text.startswith(f"# {name[:4]}. ")
    assert re.search(r"^Status: (proposed|accepted|superseded by \d{4}), \d{4}-\d{2}-\d{2}$", text, flags=re.MULTILINE)
    assert re.findall(r"^## (\w+)$", text, flags=re.MULTILINE) == DECISION_SECTIONS
