"""The backends that keep the contract of `Store`. A new one is one more entry of `BACKENDS`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from prefcenter.security.keyring import Keyring
from prefcenter.services.ports import Store
from prefcenter.storage import create_store, open_store
from tests.fakes import Cabinet, MemoryStore
from tests.mongo_server import new_store_url

Opener = Callable[[Keyring], Store]
"""Opens the same data once more, as another process or after a restart would."""


def sqlite(directory: Path) -> Opener:
    url = f"sqlite://{directory / 'store.sqlite3'}"
    create_store(url)
    return lambda keyring: open_store(url, keyring)


def memory(directory: Path) -> Opener:
    cabinet = Cabinet()
    return lambda keyring: MemoryStore(keyring, cabinet)


def mongodb(directory: Path) -> Opener:
    url = new_store_url()
    create_store(url)
    return lambda keyring: open_store(url, keyring)


BACKENDS: dict[str, Callable[[Path], Opener]] = {"sqlite": sqlite, "memory": memory, "mongodb": mongodb}
"""Makes an empty store in a directory of its own and says how to open it."""
