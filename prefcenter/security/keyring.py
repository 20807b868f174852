"""The keyring: the one secret file of a home (DESIGN §3).

A lost keyring loses the suppressions, and a leaked one exposes digests to guessing: keep a backup apart from the store.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from prefcenter.domain.errors import KeyringError

KEYRING_FORMAT = 1
SECRET_BYTES = 32
SUBKEY_BYTES = 32
MAX_KEY_ID = 255


class KeyState(StrEnum):
    """`active` writes, `live` is looked up, and `retired` is too: no record carries it, but old links may come back."""

    ACTIVE = "active"
    LIVE = "live"
    RETIRED = "retired"


class KeyUse(StrEnum):
    """What a controller's subkey is for; the word is part of the HKDF info (CONTRACTS: Digest)."""

    MATCH = "match"
    LINK = "link"
    FIELD = "field"
    LEDGER = "ledger"


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """One generation of the keyring. Ids count from 1; `created` is RFC 3339."""

    id: int
    created: str
    state: KeyState
    secret: bytes

    def __repr__(self) -> str:
        return f"Key(id={self.id}, state={self.state.value}, secret=***)"


@dataclass(frozen=True)
class Keyring:
    """All keys, newest first. Exactly one is active."""

    keys: tuple[Key, ...]

    @cached_property
    def active(self) -> Key:
        return next(key for key in self.keys if key.state is KeyState.ACTIVE)

    @cached_property
    def lookup_keys(self) -> tuple[Key, ...]:
        """The keys under which records may be found, the active one first.

        Retired ones are among them: whoever comes by an old link is refused under its key, and has to be found there.
        """
        others = [key for key in self.keys if key is not self.active]
        return (self.active, *sorted(others, key=lambda key: key.state is KeyState.RETIRED))

    def key(self, key_id: int) -> Key:
        for key in self.keys:
            if key.id == key_id:
                return key
        raise KeyringError(f"key {key_id} is not in the keyring; is this another store's keyring?")

    def rotated(self, created: str) -> Keyring:
        """One more key, which writes from now on; the others are still looked up."""
        newest = max(key.id for key in self.keys)
        if newest == MAX_KEY_ID:
            raise KeyringError(f"a keyring holds at most {MAX_KEY_ID} keys")
        older = (replace(key, state=KeyState.LIVE) if key.state is KeyState.ACTIVE else key for key in self.keys)
        return Keyring((_new_key(newest + 1, created), *older))

    def with_retired(self, key_id: int) -> Keyring:
        """The keyring with a key that no record carries any more put out of use."""
        if self.key(key_id).state is KeyState.ACTIVE:
            raise KeyringError(f"key {key_id} is the active one; rotate first")
        return Keyring(tuple(replace(key, state=KeyState.RETIRED) if key.id == key_id else key for key in self.keys))


def new_keyring(created: str) -> Keyring:
    """A keyring with one fresh active key."""
    return Keyring((_new_key(1, created),))


def subkey(key: Key, controller: str, use: KeyUse) -> bytes:
    """A controller's own 32 bytes for one use: HKDF-SHA-256 (RFC 5869) of the secret, without salt."""
    info = f"prefcenter/1/{controller}/{use.value}".encode()
    return HKDF(algorithm=SHA256(), length=SUBKEY_BYTES, salt=None, info=info).derive(key.secret)


def load_keyring(path: Path) -> Keyring:
    """Read a keyring file. Raises KeyringError when it is missing, malformed, or others can read it."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                raise KeyringError(f"{path.name}: others may read it (mode {mode:04o}); run chmod 600 on it")
            document = json.load(file)
    except FileNotFoundError:
        raise KeyringError(f"{path.name}: there is none here; run `prefcenter init`, or put your backup back") from None
    except OSError as error:
        raise KeyringError(f"{path.name}: {error.strerror}") from None
    except ValueError:
        raise KeyringError(f"{path.name}: not a JSON document") from None
    return _read_document(document, path.name)


def save_keyring(keyring: Keyring, path: Path, *, replace_existing: bool) -> None:
    """Write the file whole or not at all, with mode 0600, and on disk before this returns.

    Raises KeyringError where a file stands already and `replace_existing` is false.
    """
    document = {
        "format": KEYRING_FORMAT,
        "keys": [
            {
                "id": key.id,
                "created": key.created,
                "state": key.state.value,
                "secret": base64.b64encode(key.secret).decode("ascii"),
            }
            for key in keyring.keys
        ],
    }
    content = (json.dumps(document, indent=2) + "\n").encode()
    written = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if replace_existing:
            written.replace(path)
        else:
            os.link(written, path)
            written.unlink()
        _sync_directory(path.parent)
    except FileExistsError:
        written.unlink()
        raise KeyringError(f"{path.name}: a file stands there already; nothing was written") from None
    except OSError as error:
        written.unlink(missing_ok=True)
        raise KeyringError(f"{path.name}: {error.strerror}") from None


def _new_key(key_id: int, created: str) -> Key:
    return Key(key_id, created, KeyState.ACTIVE, secrets.token_bytes(SECRET_BYTES))


def _read_document(document: Any, name: str) -> Keyring:
    try:
        if document["format"] != KEYRING_FORMAT:
            raise KeyringError(f"{name}: its format is not one that this version reads")
        keys = tuple(_read_key(entry) for entry in document["keys"])
    except (KeyError, TypeError, ValueError):
        raise KeyringError(f"{name}: not a keyring, or a damaged one") from None
    active = [key for key in keys if key.state is KeyState.ACTIVE]
    if len(active) != 1 or len({key.id for key in keys}) != len(keys):
        raise KeyringError(f"{name}: expected exactly one active key, and ids that differ")
    return Keyring(keys)


def _read_key(entry: Mapping[str, Any]) -> Key:
    secret = base64.b64decode(entry["secret"], validate=True)
    key_id, created = entry["id"], entry["created"]
    if type(key_id) is not int or type(created) is not str:
        raise TypeError
    if len(secret) != SECRET_BYTES or not 1 <= key_id <= MAX_KEY_ID:
        raise ValueError
    return Key(key_id, created, KeyState(entry["state"]), secret)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
