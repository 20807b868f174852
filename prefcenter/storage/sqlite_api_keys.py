"""API keys in a SQLite store. They belong to the whole store, so its own seal and no controller's stands on each."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from prefcenter.domain.errors import StoreDamaged
from prefcenter.security.seals import Field, Sealer
from prefcenter.services.ports import ApiKey

_CONTENT = "id, label, secret_hash, scopes, controllers, created_ms, expires_ms, revoked_ms, last_used_ms"


def api_key(connection: sqlite3.Connection, sealer: Sealer, key_id: str) -> ApiKey | None:
    """An API key by its id. Raises StoreDamaged for an altered one."""
    query = f"SELECT {_CONTENT}, key, mac FROM api_keys WHERE id = ?"  # noqa: S608 - names of our own schema
    row = connection.execute(query, (key_id,)).fetchone()
    return None if row is None else _read(sealer, row)


def api_keys(connection: sqlite3.Connection, sealer: Sealer) -> Sequence[ApiKey]:
    """All of them, oldest first. Raises StoreDamaged where one was altered."""
    query = f"SELECT {_CONTENT}, key, mac FROM api_keys ORDER BY created_ms, id"  # noqa: S608 - names of our own schema
    return [_read(sealer, row) for row in connection.execute(query)]


def put_api_key(connection: sqlite3.Connection, sealer: Sealer, new: ApiKey) -> None:
    """Keep the state of an API key; a revocation and a last use that are on record are not taken back."""
    known = api_key(connection, sealer, new.id)
    content = _content(new if known is None else _merged(known, new))
    key = sealer.active_key_id
    row = (*content, key, sealer.seal(key, "api key", *_sealed(content)))
    connection.execute(f"INSERT OR REPLACE INTO api_keys VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608


def api_key_faults(connection: sqlite3.Connection, sealer: Sealer) -> Iterator[str]:
    """API keys that are not as they were sealed."""
    query = f"SELECT {_CONTENT}, key, mac FROM api_keys"  # noqa: S608 - names of our own schema
    for *content, key, mac in connection.execute(query):
        if not sealer.holds(key, mac, "api key", *_sealed(content)):
            yield "table api_keys: a key was altered"


def _merged(known: ApiKey, new: ApiKey) -> ApiKey:
    revoked = [ms for ms in (known.revoked_ms, new.revoked_ms) if ms is not None]
    used = [ms for ms in (known.last_used_ms, new.last_used_ms) if ms is not None]
    return replace(new, revoked_ms=min(revoked, default=None), last_used_ms=max(used, default=None))


def _content(key: ApiKey) -> tuple[Any, ...]:
    names = (" ".join(sorted(key.scopes)), " ".join(sorted(key.controllers)))
    return key.id, key.label, key.secret_hash, *names, key.created_ms, key.expires_ms, key.revoked_ms, key.last_used_ms


def _sealed(content: Sequence[Any]) -> Sequence[Field]:
    """The fields of the MAC: a time that is not set has no bytes, which no number has."""
    return [b"" if field is None else field for field in content]


def _read(sealer: Sealer, row: Sequence[Any]) -> ApiKey:
    *content, key, mac = row
    if not sealer.holds(key, mac, "api key", *_sealed(content)):
        raise StoreDamaged("table api_keys: a key was altered; run `prefcenter audit verify`")
    key_id, label, secret_hash, scopes, controllers, *times = content
    return ApiKey(key_id, label, secret_hash, frozenset(scopes.split()), frozenset(controllers.split()), *times)
