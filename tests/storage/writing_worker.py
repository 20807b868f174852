"""One of several processes that write to one store: `python writing_worker.py STORE_FILE KEYRING_FILE NAME COUNT`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from prefcenter.domain.events import EVERYTHING
from prefcenter.domain.terms import RefusalReason
from prefcenter.security.digests import Digester
from prefcenter.security.fields import FieldCipher
from prefcenter.security.keyring import load_keyring
from prefcenter.services.recording import Recording
from prefcenter.storage.sqlite import SqliteStore
from tests.factories import NOW, POLICY


async def write(file: Path, keyring_file: Path, name: str, count: int) -> None:
    """Refuse addresses of one's own and, in turns with the others, one that all share; each act brings a new source."""
    keyring = load_keyring(keyring_file)
    store = SqliteStore(file, keyring)
    cipher = FieldCipher(keyring, POLICY.controller)
    recording = Recording(POLICY, Digester(keyring, POLICY.controller), store, lambda: NOW, cipher)
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(count):
        source = f"{name}-{number}"
        await recording.opt_out(f"{name}.{number}@example.com", EVERYTHING, source)
        await recording.suppress("shared@example.com", RefusalReason.ON_REGISTRY, EVERYTHING, source)
    await store.close()


if __name__ == "__main__":
    asyncio.run(write(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
