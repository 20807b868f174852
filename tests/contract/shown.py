"""A plugin of pytest that shows what the store's tests showed: cases by backend, and what tests recorded on their way.

`make contract-table` runs it; `-p tests.contract.shown` adds it to any run.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.contract.backends import BACKENDS

_results: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
_figures: list[tuple[str, str, object]] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count a test once: when it was called, or when it failed before that or after."""
    if report.when == "call" or not report.passed:
        file, _, name = report.nodeid.partition("::")
        case, _, parameters = name.partition("[")
        for backend in set(BACKENDS) & set(parameters.rstrip("]").split("-")):
            _results[Path(file).stem.removeprefix("test_")][backend][report.outcome] += 1
        _figures.extend((case, name, value) for name, value in report.user_properties)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Two tables in Markdown: of cases, and of figures."""
    for line in (*_table_of_cases(_results), *_table_of_figures(_figures)):
        terminalreporter.write_line(line)


def _table_of_cases(results: Mapping[str, Mapping[str, Counter[str]]]) -> Iterator[str]:
    if results:
        yield from _head("cases that passed", *BACKENDS)
    for topic in sorted(results):
        yield _row(topic, *(_told(results[topic][backend]) for backend in BACKENDS))
    if results:
        sums = [sum((results[topic][backend] for topic in results), Counter()) for backend in BACKENDS]
        yield _row("**together**", *map(_told, sums))


def _told(outcomes: Counter[str]) -> str:
    """How many passed, and of how many where it was not all."""
    passed, count = outcomes["passed"], outcomes.total()
    return str(passed) if passed == count else f"**{passed} of {count}**"


def _table_of_figures(figures: Sequence[tuple[str, str, object]]) -> Iterator[str]:
    if figures:
        yield from _head("what a test recorded", "what", "figures")
    for case, name, value in figures:
        yield _row(case.removeprefix("test_").replace("_", " "), name, str(value))


def _head(*names: str) -> Iterator[str]:
    yield ""
    yield _row(*names)
    yield _row(*["---"] * len(names))


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
