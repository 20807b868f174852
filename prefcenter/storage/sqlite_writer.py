"""The one thread that writes to a SQLite store: it commits in groups and acknowledges only after the commit."""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from prefcenter.domain.errors import PrefcenterError, StoreError
from prefcenter.storage.sqlite_schema import as_store_error

GROUP_JOBS_MAX = 512
"""Single acts that share one commit, and so one fsync, at most."""


@dataclass(frozen=True, slots=True)
class Job:
    """One unit of work. It checks before it writes: an error of ours means that it has written nothing."""

    run: Callable[[], Any]
    outcome: Future[Any]


class GroupCommitWriter:
    """Runs jobs in the order they came, single acts before bulk ones, each group in one transaction."""

    def __init__(self, connection: sqlite3.Connection, forget: Callable[[], None]) -> None:
        self._connection = connection
        self._forget = forget
        self._seen_data_version: int | None = None
        self._single: deque[Job] = deque()
        self._bulk: deque[Job] = deque()
        self._ready = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._loop, name="prefcenter-writer", daemon=True)
        self._thread.start()

    def submit(self, run: Callable[[], Any], *, bulk: bool = False) -> Future[Any]:
        """Queue a job; its outcome is set after the commit that holds it. Raises StoreError once closed."""
        job = Job(run, Future())
        with self._ready:
            if self._closing:
                raise StoreError("the store is closed")
            (self._bulk if bulk else self._single).append(job)
            self._ready.notify()
        return job.outcome

    def close(self) -> None:
        """Finish all queued jobs, then stop."""
        with self._ready:
            self._closing = True
            self._ready.notify()
        self._thread.join()
        self._connection.close()

    def _loop(self) -> None:
        while group := self._next_group():
            self._process(group)

    def _next_group(self) -> list[Job]:
        with self._ready:
            self._ready.wait_for(lambda: self._single or self._bulk or self._closing)
            if not self._single:
                return [self._bulk.popleft()] if self._bulk else []
            return [self._single.popleft() for _ in range(min(len(self._single), GROUP_JOBS_MAX))]

    def _process(self, queued: Sequence[Job]) -> None:
        group = [job for job in queued if job.outcome.set_running_or_notify_cancel()]
        failure = self._commit_together(group)
        is_disk_failure = isinstance(failure, sqlite3.OperationalError)
        if failure is None or is_disk_failure or len(group) == 1:
            _fail(group, failure)
            return
        for job in group:  # one of them cannot be done; it must not take the others with it
            _fail([job], self._commit_together([job]))

    def _commit_together(self, group: Sequence[Job]) -> BaseException | None:
        """Run and commit jobs as one. Gives what went wrong, whatever it is, and then nothing was acknowledged."""
        try:
            self._begin()
            outcomes = [(job, *_outcome(job)) for job in group]
            self._finish(outcomes)
        except BaseException as error:
            self._roll_back()
            return error
        return None

    def _begin(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        (data_version,) = self._connection.execute("PRAGMA data_version").fetchone()
        if data_version != self._seen_data_version:
            self._forget()
            self._seen_data_version = data_version

    def _finish(self, outcomes: Sequence[tuple[Job, Any, PrefcenterError | None]]) -> None:
        self._commit()
        self._acknowledge(outcomes)

    def _commit(self) -> None:
        self._connection.execute("COMMIT")

    def _acknowledge(self, outcomes: Sequence[tuple[Job, Any, PrefcenterError | None]]) -> None:
        for job, result, refused in outcomes:
            if refused is None:
                job.outcome.set_result(result)
            else:
                job.outcome.set_exception(refused)

    def _roll_back(self) -> None:
        self._forget()
        with suppress(sqlite3.Error):  # a connection that lost its disk has nothing left to roll back
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


def _fail(group: Sequence[Job], failure: BaseException | None) -> None:
    """Leave nobody waiting."""
    if isinstance(failure, sqlite3.Error):
        failure = as_store_error(failure)
    for job in group:
        if failure is not None and not job.outcome.done():
            job.outcome.set_exception(failure)


def _outcome(job: Job) -> tuple[Any, PrefcenterError | None]:
    try:
        return job.run(), None
    except PrefcenterError as error:
        return None, error
