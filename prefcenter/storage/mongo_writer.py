"""The queue before a MongoDB store's transactions: appends of one controller that wait together are written together.

A transaction waits for a majority of disks, whatever is in it, so a group of acts costs what one act costs.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from prefcenter.domain.errors import StoreDamaged, StoreError
from prefcenter.storage.mongo_acts import Append, Outcome, append_group
from prefcenter.storage.mongo_client import MongoConnection, Session
from prefcenter.storage.mongo_transactions import Transactions
from prefcenter.storage.mongo_writing import Known, Writing
from prefcenter.storage.sealers import SealerByController

GROUP_APPENDS_MAX = 512
"""Single acts that share one transaction at most."""

Alone = Callable[[Writing], Awaitable[Any]]
"""An act that has a transaction for itself."""


@dataclass(slots=True)
class _Job:
    act: Append | Alone
    outcome: asyncio.Future[Any]


@dataclass(slots=True)
class _Lane:
    """The acts of one controller that wait, and the task that works them off."""

    single: deque[_Job] = field(default_factory=deque)
    bulk: deque[_Job] = field(default_factory=deque)
    task: asyncio.Task[None] | None = None

    def next_group(self) -> list[_Job]:
        """Single acts before bulk ones; appends together, everything else alone."""
        if not self.single:
            return [self.bulk.popleft()] if self.bulk else []
        group = [self.single.popleft()]
        while self.single and len(group) < GROUP_APPENDS_MAX and _are_appends(group[0], self.single[0]):
            group.append(self.single.popleft())
        return group


def _are_appends(*jobs: _Job) -> bool:
    return all(isinstance(job.act, Append) for job in jobs)


class MongoWriter:
    """Writes for all controllers; each has a lane of its own, in which single acts go before bulk ones."""

    def __init__(
        self, connection: MongoConnection, sealers: SealerByController, per_query: int, patience_s: float
    ) -> None:
        self._connection = connection
        self._sealers = sealers
        self._per_query = per_query
        self._transactions = Transactions(connection, patience_s)
        self._lanes: dict[str, _Lane] = {}
        self._known = Known()

    async def write(self, controller: str, act: Append | Alone, *, bulk: bool = False) -> Any:
        """The outcome of an act after the commit that holds it. Raises StoreError, and then nothing is acknowledged."""
        lane = self._lanes.setdefault(controller, _Lane())
        job = _Job(act, asyncio.get_running_loop().create_future())
        (lane.bulk if bulk else lane.single).append(job)
        if lane.task is None or lane.task.done():
            lane.task = asyncio.create_task(self._work_off(controller, lane))
        return await job.outcome

    async def beside_ledgers(self, work: Callable[[Session], Awaitable[Any]]) -> Any:
        """The outcome of a transaction that belongs to no controller."""
        return await self._transactions.run(work)

    async def finish(self) -> None:
        """Wait for the acts that were begun in this event loop."""
        loop = asyncio.get_running_loop()
        tasks = [lane.task for lane in self._lanes.values() if lane.task and lane.task.get_loop() is loop]
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work_off(self, controller: str, lane: _Lane) -> None:
        while group := lane.next_group():
            waiting = [job for job in group if not job.outcome.done()]
            if waiting:
                await self._process(controller, waiting)

    async def _process(self, controller: str, group: Sequence[_Job]) -> None:
        """Do a group; where one of it cannot be done, each for itself, for it must not take the others with it."""
        try:
            outcomes = await self._commit_together(controller, group)
        except Exception as error:
            is_one_of_them = not isinstance(error, StoreError) or isinstance(error, StoreDamaged)
            if is_one_of_them and len(group) > 1:
                for job in group:
                    await self._process(controller, [job])
                return
            outcomes = [error] * len(group)
        except BaseException:
            _settle(group, [StoreError("the store is closing; nothing was acknowledged")] * len(group))
            raise
        _settle(group, outcomes)

    async def _commit_together(self, controller: str, group: Sequence[_Job]) -> Sequence[Any]:
        last: list[Writing] = []

        async def work(session: Session) -> Sequence[Any]:
            writing = Writing(self._connection.database, session, self._sealers, controller, self._known)
            last[:] = [writing]
            await writing.begin()
            return await self._outcomes(writing, [job.act for job in group])

        outcomes = await self._transactions.run(work)
        last[0].remember()
        return outcomes

    async def _outcomes(self, writing: Writing, acts: Sequence[Append | Alone]) -> Sequence[Any]:
        appends = [act for act in acts if isinstance(act, Append)]
        if appends:
            outcomes: Sequence[Outcome] = await append_group(writing, appends, self._per_query)
            return outcomes
        return [await act(writing) for act in acts if not isinstance(act, Append)]


def _settle(group: Sequence[_Job], outcomes: Sequence[Any]) -> None:
    """Leave nobody waiting."""
    for job, outcome in zip(group, outcomes, strict=True):
        if job.outcome.done():
            continue
        if isinstance(outcome, Exception):
            job.outcome.set_exception(outcome)
        else:
            job.outcome.set_result(outcome)
