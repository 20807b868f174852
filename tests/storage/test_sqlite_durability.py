"""An act that was acknowledged is on disk: shown by killing writers, and by asking the connection that acknowledges."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from prefcenter.domain.address import parse
from prefcenter.domain.digest import Digest
from prefcenter.domain.terms import AddressKind
from prefcenter.security.digests import Digester
from prefcenter.security.keyring import Keyring, save_keyring
from prefcenter.storage.sqlite import SqliteStore
from tests.contract.acts import DOCUMENT
from tests.factories import POLICY
from tests.storage.acknowledging_stores import STORES
from tests.storage.kill_worker import act_of, once_for

ROOT = Path(__file__).resolve().parents[2]
KILLS = int(os.environ.get("PREFCENTER_KILLS", "200"))
KILLS_UNTIL_CAUGHT_MAX = 40
AUDIT_EVERY_KILLS = 20
LIFE_MAX_S = 0.04


class Killer:
    """Starts writers, kills each at a random moment, and remembers what they were told is on record."""

    def __init__(self, process: subprocess.Popen[str], seed: int) -> None:
        self._process = process
        self._draw = random.Random(seed)
        self._cycle = 0

    def kill_one(self, kind: str) -> list[str]:
        """What one writer saw acknowledged before it was killed."""
        self._cycle += 1
        self._say(f"{kind} c{self._cycle}")
        pid = None
        acknowledged = []
        while (line := self._hear()) != "end":
            if line.startswith("pid "):
                pid = int(line.removeprefix("pid "))
            else:
                acknowledged.append(line)
            if pid is not None and acknowledged:
                time.sleep(self._draw.uniform(0, LIFE_MAX_S))
                os.kill(pid, signal.SIGKILL)
                pid = None
                acknowledged += iter(self._hear, "end")
                return acknowledged
        raise AssertionError("a writer ended by itself")

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def _hear(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the fork server is gone"
        return line.rstrip("\n")

    def wait_until_ready(self) -> None:
        assert self._hear() == "ready"


@contextmanager
def killer(path: Path, keyring: Keyring, seed: int) -> Iterator[Killer]:
    keyring_file = path.with_name("keyring.json")
    save_keyring(keyring, keyring_file, replace_existing=False)
    command = [sys.executable, str(Path(__file__).with_name("kill_worker.py")), str(path), str(keyring_file)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ) as process:
        server = Killer(process, seed)
        server.wait_until_ready()
        yield server
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=10) == 0


def lost(path: Path, keyring: Keyring, acknowledged: Sequence[str], *, audited: bool) -> set[str]:
    """The acknowledged acts that a freshly opened store does not have, or not with their receipts.

    Its chain must be whole in any case. Of an act that was under way both act and receipt are there, or neither is.
    """

    async def look() -> set[str]:
        store = SqliteStore(path, keyring)
        try:
            heads = await store.heads(POLICY.controller)
            if audited:
                assert (await store.audit(POLICY.controller, [heads])).findings == ()
            under_way = [act for act in _next_acts(acknowledged) if once_for(act) is not None]
            refused, kept = await _refused(store, keyring, under_way), await _with_receipt(store, under_way)
            assert refused == kept
            done = await _refused(store, keyring, acknowledged) & await _with_receipt(store, acknowledged)
            return set(acknowledged) - done
        finally:
            await store.close()

    return asyncio.run(look())


def _next_acts(acknowledged: Sequence[str]) -> set[str]:
    """For each writer of each cycle the act that follows what it saw acknowledged, and during which it was killed."""
    last: dict[tuple[str, int], int] = {}
    for act in acknowledged:
        address, source = act.split()
        cycle, (writer, number) = address.partition("@")[0].split("-")[1], map(int, source.split("-")[1:])
        last[cycle, writer] = max(number, last.get((cycle, writer), 0))
    return {act_of(cycle, writer, number + 1) for (cycle, writer), number in last.items()}


async def _with_receipt(store: SqliteStore, acts: Iterable[str]) -> set[str]:
    """The acts whose receipt is kept, or that were to have none."""
    keys = [(act, once_for(act)) for act in acts]
    return {act for act, once in keys if once is None or await store.receipt(POLICY.controller, once.name, 0)}


async def _refused(store: SqliteStore, keyring: Keyring, acts: Collection[str]) -> set[str]:
    """The acts that are on record."""
    digester = Digester(keyring, POLICY.controller)

    def subject(act: str) -> Digest:
        address = parse(act.split()[0], AddressKind.EMAIL, country=POLICY.country)
        return digester.of_address(address).subject

    records = await store.load(POLICY.controller, [subject(act) for act in acts])
    kept = {(record.subject, refusal.source) for record in records for refusal in record.refusals}
    return {act for act in acts if (subject(act), act.split()[1]) in kept}


async def _adopt_policy(path: Path, keyring: Keyring) -> None:
    store = SqliteStore(path, keyring)
    await store.adopt_policy(POLICY.controller, DOCUMENT, instead_of=None)
    await store.close()


@pytest.mark.soak
@pytest.mark.timeout(60 + KILLS)
def test_acknowledged_acts_survive_kills_among_concurrent_writers(path: Path, keyring: Keyring) -> None:
    asyncio.run(_adopt_policy(path, keyring))
    everything: list[str] = []
    with killer(path, keyring, seed=1) as server:
        for number in range(1, KILLS + 1):
            acknowledged = server.kill_one("real")
            assert lost(path, keyring, acknowledged, audited=number % AUDIT_EVERY_KILLS == 0) == set()
            everything += acknowledged
    assert len(everything) >= KILLS
    assert lost(path, keyring, everything, audited=True) == set()


@pytest.mark.soak
def test_a_store_that_acknowledges_before_it_commits_is_caught(path: Path, keyring: Keyring) -> None:
    asyncio.run(_adopt_policy(path, keyring))
    with killer(path, keyring, seed=2) as server:
        caught = any(lost(path, keyring, server.kill_one("early"), audited=True) for _ in range(KILLS_UNTIL_CAUGHT_MAX))
    assert caught


async def _durability(store: SqliteStore) -> str:
    try:
        return await store.durability()
    finally:
        await store.close()


async def test_the_connection_that_acknowledges_waits_for_the_disk(path: Path, keyring: Keyring) -> None:
    assert await _durability(SqliteStore(path, keyring)) == "FULL"


async def test_a_store_that_does_not_wait_for_the_disk_fails_the_same_test(path: Path, keyring: Keyring) -> None:
    with pytest.raises(AssertionError):
        assert await _durability(STORES["light"](path, keyring)) == "FULL"
