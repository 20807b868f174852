"""Processes that write until they are killed: `python kill_worker.py STORE_FILE KEYRING_FILE`.

This one imports everything once and then only forks, so that a kill costs milliseconds; it never starts a thread, which
a fork would lose. For each line `STORE CYCLE` on standard input it forks a writer, answers `pid N`, and after the
writer's death `end`. In between the writer itself prints `ADDRESS SOURCE` of each act that it was told is recorded,
after its await returned and never earlier.
"""

from __future__ import annotations

import asyncio
import os
import sys
from hashlib import blake2b
from itertools import count
from pathlib import Path

from prefcenter.domain.address import parse
from prefcenter.domain.events import EVERYTHING
from prefcenter.domain.terms import AddressKind, RefusalReason
from prefcenter.security.digests import Digester
from prefcenter.security.fields import FieldCipher
from prefcenter.security.keyring import Keyring, load_keyring
from prefcenter.services.acts import Once
from prefcenter.services.recording import Recording
from prefcenter.storage.sqlite import SqliteStore
from tests.factories import NOW, POLICY
from tests.storage.acknowledging_stores import STORES

WRITERS = 6
STDOUT = 1


def say(line: str) -> None:
    """One write call a line, so that a kill never leaves half of one."""
    os.write(STDOUT, f"{line}\n".encode())


async def write_until_killed(store: SqliteStore, keyring: Keyring, cycle: str) -> None:
    cipher = FieldCipher(keyring, POLICY.controller)
    recording = Recording(POLICY, Digester(keyring, POLICY.controller), store, lambda: NOW, cipher)
    await asyncio.gather(*(write(recording, cycle, writer) for writer in range(WRITERS)))


async def write(recording: Recording, cycle: str, writer: int) -> None:
    """Refuse new addresses; every fourth act is on the one address that all writers share, so that they conflict."""
    for number in count(1):
        act = act_of(cycle, writer, number)
        address, source = act.split()
        await recording.suppress(address, RefusalReason.ON_REGISTRY, EVERYTHING, source, once=once_for(act))
        say(act)


def act_of(cycle: str, writer: int, number: int) -> str:
    """What a writer says of its act of a number: `ADDRESS SOURCE`."""
    is_shared = number % 4 == 0
    address = f"shared-{cycle}@example.com" if is_shared else f"person-{cycle}-{writer}-{number}@example.com"
    return f"{address} list-{writer}-{number}"


def once_for(act: str) -> Once | None:
    """The idempotency key of an act; every third one has none."""
    digest = blake2b(act.encode(), digest_size=16).digest()
    return None if digest[0] % 3 == 0 else Once(digest, digest[::-1])


def main(file: Path, keyring_file: Path) -> None:
    keyring = load_keyring(keyring_file)
    # Rules and subkeys are read when they are first needed; here once, and not in each writer anew.
    Digester(keyring, POLICY.controller).of_address(parse("first@example.com", AddressKind.EMAIL, country="GB"))
    say("ready")
    for line in sys.stdin:
        kind, cycle = line.split()
        pid = os.fork()
        if pid == 0:
            asyncio.run(write_until_killed(STORES[kind](file, keyring), keyring, cycle))
        say(f"pid {pid}")
        os.waitpid(pid, 0)
        say("end")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
