"""Fills a store up to the largest file its process may write: `python filling_worker.py STORE_FILE KEYRING_FILE`.

Prints the acts that were acknowledged, what the store said when the disk took no more, and whether it went on when
there was room again.
"""

from __future__ import annotations

import asyncio
import resource
import sys
from pathlib import Path

from prefcenter.domain.errors import StoreError
from prefcenter.security.keyring import load_keyring
from prefcenter.storage.sqlite import SqliteStore
from tests.contract.acts import first_refusal

ROOM_BYTES = 200_000
BATCH = 50


async def fill(store: SqliteStore) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM_BYTES, hard))
    batch = 0
    try:
        while True:
            changes = [first_refusal(f"{batch}.{number}") for number in range(BATCH)]
            await store.append("acme", changes)
            batch += 1
    except StoreError as error:
        print(f"acknowledged {batch * BATCH}")
        print(f"{type(error).__name__}: {error}")
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    await store.append("acme", [first_refusal("afterwards")])
    print("went on")
    await store.close()


if __name__ == "__main__":
    asyncio.run(fill(SqliteStore(Path(sys.argv[1]), load_keyring(Path(sys.argv[2])))))
