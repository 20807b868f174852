"""Durable refusals a second, many callers at once, against what the disk itself allows (target: at least half of it).

    python benchmarks/store_commits.py --callers 32 --seconds 5

The limit is a bare loop of the same shape in the same run: as many callers, one thread that writes what has come in
meanwhile and waits for the disk once a group. It knows no records, no ledger and no index. Both take turns several
times, because disks and processors that others share change their speed from one second to the next; for the same
reason a ratio below the target is printed and fails nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import queue
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from itertools import count
from pathlib import Path

from prefcenter.domain.address import RULES_VERSIONS
from prefcenter.domain.digest import DIGEST_BYTES, Digest, DigestKind
from prefcenter.domain.events import EVERYTHING, Refused
from prefcenter.domain.record import Record, fold
from prefcenter.domain.terms import RefusalReason
from prefcenter.security.keyring import new_keyring
from prefcenter.services.ports import Change
from prefcenter.storage import create_store
from prefcenter.storage.sqlite import SqliteStore

RATIO_TARGET = 0.5
ENTRY_BYTES = 160
STARTED_MS = 1_795_000_000_000

Act = Callable[[], Awaitable[object]]


class BareGroupCommit:
    """The disk's own limit: append, wait for the disk, tell everybody whose entry is on it."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._waiting: queue.SimpleQueue[Future[None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._loop)
        self._thread.start()

    async def write(self) -> None:
        outcome: Future[None] = Future()
        self._waiting.put(outcome)
        await asyncio.wrap_future(outcome)

    def close(self) -> None:
        self._waiting.put(None)
        self._thread.join()
        os.close(self._descriptor)

    def _loop(self) -> None:
        while (first := self._waiting.get()) is not None:
            group = [first]
            while not self._waiting.empty() and (other := self._waiting.get()) is not None:
                group.append(other)
            os.write(self._descriptor, bytes(ENTRY_BYTES) * len(group))
            os.fsync(self._descriptor)
            for outcome in group:
                outcome.set_result(None)


async def acts_a_second(act: Act, callers: int, seconds: float) -> float:
    """How many acts are acknowledged a second while each caller starts its next one when the last is on disk."""
    ends = time.perf_counter() + seconds

    async def call() -> int:
        done = 0
        while time.perf_counter() < ends:
            await act()
            done += 1
        return done

    began = time.perf_counter()
    done = sum(await asyncio.gather(*(call() for _ in range(callers))))
    return done / (time.perf_counter() - began)


async def measure(directory: Path, callers: int, seconds: float, rounds: int) -> list[tuple[float, float]]:
    """Pairs of what the store did and what the bare loop did, a round each."""
    path = directory / "store.sqlite3"
    create_store(f"sqlite://{path}")
    store = SqliteStore(path, new_keyring("2026-11-21T00:00:00Z"))
    bare = BareGroupCommit(directory / "bare")
    numbers = count()
    assert await store.durability() == "FULL"
    try:
        return [
            (
                await acts_a_second(lambda: store.append("acme", [_refusal(next(numbers))]), callers, seconds),
                await acts_a_second(bare.write, callers, seconds),
            )
            for _ in range(rounds)
        ]
    finally:
        bare.close()
        await store.close()


def _refusal(number: int) -> Change:
    value = os.urandom(DIGEST_BYTES)
    before = Record(Digest(DigestKind.MAILBOX, 1, RULES_VERSIONS[0], value))
    event = Refused(STARTED_MS + number, None, RefusalReason.OPTED_OUT, EVERYTHING, "form")
    return Change(before, (event,), fold(before, event))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--callers", type=int, default=32, help="acts at once (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a turn (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each (default: %(default)s)")
    parser.add_argument("--directory", type=Path, help="where to write (default: the temporary directory)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.directory) as directory:
        rounds = asyncio.run(measure(Path(directory), arguments.callers, arguments.seconds, arguments.rounds))
    for ours, bare in rounds:
        print(f"  store {ours:8,.0f} a second, bare loop {bare:8,.0f} a second, ratio {ours / bare:.2f}")
    ratio = statistics.median(ours / bare for ours, bare in rounds)
    made_with = f"SQLite {sqlite3.sqlite_version}, {arguments.callers} callers"
    print(f"{made_with}: median ratio {ratio:.2f} (target {RATIO_TARGET})")


if __name__ == "__main__":
    main()
