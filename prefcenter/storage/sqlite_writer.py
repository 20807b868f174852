"""The one thread that writes to a SQLite store: it commits in groups and acknowledges only after the commit."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
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
    told: asyncio.Future[Any]
    """What its caller waits for. It belongs to the caller's loop: the writer only asks whether it was given up."""


Answer = tuple[Job, Any, BaseException | None]
"""A job with its result, or with what went wrong."""


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

    def submit(self, run: Callable[[], Any], *, bulk: bool = False) -> asyncio.Future[Any]:
        """Queue a job of the running loop, which is told after the commit that holds it. Raises StoreError once closed.

        A job whose caller gave up before its turn is not run.
        """
        job = Job(run, asyncio.get_running_loop().create_future())
        with self._ready:
            if self._closing:
                raise StoreError("the store is closed")
            (self._bulk if bulk else self._single).append(job)
            self._ready.notify()
        return job.told

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
        group = [job for job in queued if not job.told.cancelled()]
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
            self._finish([_answer(job) for job in group])
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

    def _finish(self, answers: Sequence[Answer]) -> None:
        self._commit()
        self._acknowledge(answers)

    def _commit(self) -> None:
        self._connection.execute("COMMIT")

    def _acknowledge(self, answers: Sequence[Answer]) -> None:
        _tell(answers)

    def _roll_back(self) -> None:
        self._forget()
        with suppress(sqlite3.Error):  # a connection that lost its disk has nothing left to roll back
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


def _fail(group: Sequence[Job], failure: BaseException | None) -> None:
    """Leave nobody waiting."""
    if isinstance(failure, sqlite3.Error):
        failure = as_store_error(failure)
    if failure is not None:
        _tell([(job, None, failure) for job in group])


def _answer(job: Job) -> Answer:
    try:
        return job, job.run(), None
    except PrefcenterError as error:
        return job, None, error


def _tell(answers: Sequence[Answer]) -> None:
    """Wake up each loop once for all its callers: a wake-up costs as much as a third of the work of an act."""
    for loop in {job.told.get_loop() for job, *_ in answers}:
        with suppress(RuntimeError):  # a loop that was closed has nobody left who waits
            loop.call_soon_threadsafe(_settle, [answer for answer in answers if answer[0].told.get_loop() is loop])


def _settle(answers: Sequence[Answer]) -> None:
    """Answer callers in their own loop; those that gave up meanwhile, or were answered, hear no more."""
    for job, result, failure in answers:
        if job.told.done():
            continue
        if failure is None:
            job.told.set_result(result)
        else:
            job.told.set_exception(failure)
