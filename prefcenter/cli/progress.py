"""Progress of long jobs, shown on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

ShowBytes = Callable[[int, int], object]
ShowRows = Callable[[int, int, int], object]


@contextmanager
def bytes_progress(what: str) -> Iterator[ShowBytes]:
    """Gives a function that is told the bytes done and the bytes in all. Silent where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn(what), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def rows_progress(what: str) -> Iterator[ShowRows]:
    """The same for what has rows: told the bytes done, the bytes in all and the rows done, it shows rows a second."""
    if not sys.stderr.isatty():
        yield lambda _done, _total, _rows: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    rate = TextColumn("{task.fields[rows]:,} rows, {task.fields[rate]:,} a second")
    columns = (TextColumn(what), BarColumn(), TaskProgressColumn(), rate, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=None, rows=0, rate=0)

        def show(done: int, total: int, rows: int) -> None:
            elapsed = progress.tasks[task].elapsed or 0
            progress.update(task, completed=done, total=total, rows=rows, rate=round(rows / max(0.001, elapsed)))

        yield show
