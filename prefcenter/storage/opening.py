"""A store by its URL: the URL's scheme chooses the backend."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from prefcenter.domain.errors import InvalidInput
from prefcenter.security.keyring import Keyring
from prefcenter.services.ports import Store

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
