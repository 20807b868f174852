"""A store by its URL: the URL's scheme chooses the backend."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

from prefcenter.domain.errors import InvalidInput
from prefcenter.security.keyring import Keyring
from prefcenter.services.ports import Store

if TYPE_CHECKING:
    from prefcenter.storage.copying import Copied
    from prefcenter.storage.mongo_copying import MongoArchive
    from prefcenter.storage.sealers import SealerByController
    from prefcenter.storage.sqlite_copying import SqliteArchive

_EXPECTED = "store: expected sqlite:///absolute/path (?mode=ro for a read-only one), or mongodb://HOST/DATABASE"
_MONGO_SCHEMES = ("mongodb", "mongodb+srv")


def is_distributed(url: str) -> bool:
    """Whether a store is a server's, which may be anywhere, and no file of this machine."""
    return url.partition("://")[0] in _MONGO_SCHEMES


def create_store(url: str) -> None:
    """Make an empty store. Raises StoreError where one stands already."""
    if is_distributed(url):
        from prefcenter.storage import mongo_schema
        from prefcenter.storage.mongo_url import read_mongo_url

        mongo_schema.create(read_mongo_url(url))
        return
    from prefcenter.storage.sqlite_schema import create

    path, _ = _sqlite_path(url)
    create(path)


def open_store(url: str, keyring: Keyring) -> Store:
    """Open a store. Raises StoreError, or KeyringError where the keyring is not the one it was made with."""
    if is_distributed(url):
        from prefcenter.storage.mongo import MongoStore
        from prefcenter.storage.mongo_url import read_mongo_url

        return MongoStore(read_mongo_url(url), keyring)
    from prefcenter.storage.sqlite import SqliteStore

    path, read_only = _sqlite_path(url)
    return SqliteStore(path, keyring, read_only=read_only)


def make_store(url: str) -> bool:
    """Make a store where there is none, and what is missing of one; gives whether all of it was there."""
    if is_distributed(url):
        from prefcenter.storage import mongo_schema
        from prefcenter.storage.mongo_url import read_mongo_url

        return mongo_schema.complete(read_mongo_url(url))
    if _sqlite_path(url)[0].exists():
        return True
    create_store(url)
    return False


def copy_between(source: str, target: str, keyring: Keyring) -> Sequence[Copied]:
    """Copy a store into a place where there is none. Raises StoreError where the two are not the same in the end."""
    from prefcenter.storage.copying import copy_store
    from prefcenter.storage.sealers import SealerByController

    sealers = SealerByController(keyring)
    with _archive(source, sealers, is_target=False) as ours, _archive(target, sealers, is_target=True) as theirs:
        return copy_store(ours, theirs)


def _archive(
    url: str, sealers: SealerByController, *, is_target: bool
) -> AbstractContextManager[SqliteArchive | MongoArchive]:
    if is_distributed(url):
        from prefcenter.storage import mongo_copying
        from prefcenter.storage.mongo_url import read_mongo_url

        return mongo_copying.opened_archive(read_mongo_url(url), sealers, is_target=is_target)
    from prefcenter.storage import sqlite_copying

    return sqlite_copying.opened_archive(_sqlite_path(url)[0], sealers, is_target=is_target)


def store_file(url: str) -> Path | None:
    """The file whose replacement makes another store of it, such as a backup that is put back; None: it has none."""
    return None if is_distributed(url) else _sqlite_path(url)[0]


def _sqlite_path(url: str) -> tuple[Path, bool]:
    parts = urlsplit(url)
    path = Path(unquote(parts.path))
    mode = parse_qs(parts.query).get("mode", ["rw"])
    is_file = parts.scheme == "sqlite" and not parts.netloc and path.is_absolute() and path.name
    if not is_file or mode not in (["rw"], ["ro"]):
        raise InvalidInput(_EXPECTED)
    return path, mode == ["ro"]
