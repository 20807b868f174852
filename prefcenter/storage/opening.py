"""A store by its URL: the URL's scheme chooses the backend."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from prefcenter.domain.errors import InvalidInput
from prefcenter.security.keyring import Keyring
from prefcenter.services.ports import Store

_EXPECTED = "store: expected sqlite:///absolute/path (?mode=ro for a read-only one)"


def create_store(url: str) -> None:
    """Make an empty store. Raises StoreError where one stands already."""
    from prefcenter.storage.sqlite_schema import create

    path, _ = _sqlite_path(url)
    create(path)


def open_store(url: str, keyring: Keyring) -> Store:
    """Open a store. Raises StoreError, or KeyringError where the keyring is not the one it was made with."""
    from prefcenter.storage.sqlite import SqliteStore

    path, read_only = _sqlite_path(url)
    return SqliteStore(path, keyring, read_only=read_only)


def store_file(url: str) -> Path:
    """The file whose replacement makes another store of it, such as a backup that is put back."""
    return _sqlite_path(url)[0]


def _sqlite_path(url: str) -> tuple[Path, bool]:
    parts = urlsplit(url)
    path = Path(unquote(parts.path))
    mode = parse_qs(parts.query).get("mode", ["rw"])
    is_file = parts.scheme == "sqlite" and not parts.netloc and path.is_absolute() and path.name
    if not is_file or mode not in (["rw"], ["ro"]):
        raise InvalidInput(_EXPECTED)
    return path, mode == ["ro"]
