"""API keys as text: `pck_<id>_<secret>`.

A secret is 256 bits of chance, so its SHA-256 is as good as a slow hash of a password: there is nothing to guess, and
every request has to pass this check.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field

ID_BYTES = 6
SECRET_BYTES = 32

_TEXT = re.compile(r"pck_([0-9a-f]{12})_([A-Za-z0-9_-]{43})", re.ASCII)


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A key as it is made. `text` is told once and kept nowhere."""

    id: str
    secret_hash: bytes
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReadApiKey:
    """What a text says that looks like a key: which one it claims to be, and the hash of its secret."""

    id: str
    secret_hash: bytes


def new_api_key() -> NewApiKey:
    """A key that nobody can guess; its id is no secret."""
    key_id, secret = secrets.token_hex(ID_BYTES), secrets.token_urlsafe(SECRET_BYTES)
    return NewApiKey(key_id, _hash(secret), f"pck_{key_id}_{secret}")


def read_api_key(text: str) -> ReadApiKey | None:
    """The parts of a text; None where it is no API key."""
    match = _TEXT.fullmatch(text)
    return ReadApiKey(match[1], _hash(match[2])) if match else None


def same_secret(one: bytes, other: bytes) -> bool:
    """Whether two hashes are equal, in a time that does not tell how far they agree."""
    return hmac.compare_digest(one, other)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
