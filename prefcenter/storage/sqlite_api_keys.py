"""API keys in a SQLite store. They belong to the whole store, so its own seal and no controller's stands on each."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from prefcenter.domain.errors import StoreDamaged
from prefcenter.security.seals import Sealer
from prefcenter.services.ports import ApiKey
from prefcenter.storage.api_key_content import api_key_from, content_of, merged, sealed_fields

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
    content = content_of(new if known is None else merged(known, new))
    key = sealer.active_key_id
    row = (*content, key, sealer.seal(key, "api key", *sealed_fields(content)))
    connection.execute(f"INSERT OR REPLACE INTO api_keys VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608


def api_key_faults(connection: sqlite3.Connection, sealer: Sealer) -> Iterator[str]:
    """API keys that are not as they were sealed."""
    query = f"SELECT {_CONTENT}, key, mac FROM api_keys"  # noqa: S608 - names of our own schema
    for *content, key, mac in connection.execute(query):
        if not sealer.holds(key, mac, "api key", *sealed_fields(content)):
            yield "table api_keys: a key was altered"


def _read(sealer: Sealer, row: Sequence[Any]) -> ApiKey:
    *content, key, mac = row
    if not sealer.holds(key, mac, "api key", *sealed_fields(content)):
        raise StoreDamaged("table api_keys: a key was altered; run `prefcenter audit verify`")
    return api_key_from(content)
