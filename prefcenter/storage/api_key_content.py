"""What a store keeps of an API key, and how a new state of one joins what is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from prefcenter.security.seals import Field
from prefcenter.services.ports import ApiKey


def merged(known: ApiKey, new: ApiKey) -> ApiKey:
    """The new state; a revocation and a last use that are on record are not taken back."""
    revoked = [ms for ms in (known.revoked_ms, new.revoked_ms) if ms is not None]
    used = [ms for ms in (known.last_used_ms, new.last_used_ms) if ms is not None]
    return replace(new, revoked_ms=min(revoked, default=None), last_used_ms=max(used, default=None))


def content_of(key: ApiKey) -> tuple[Any, ...]:
    """Id, label, hash, scopes, controllers and the four times, as plain values."""
    names = (" ".join(sorted(key.scopes)), " ".join(sorted(key.controllers)))
    return key.id, key.label, key.secret_hash, *names, key.created_ms, key.expires_ms, key.revoked_ms, key.last_used_ms


def sealed_fields(content: Sequence[Any]) -> Sequence[Field]:
    """The fields of the MAC: a time that is not set has no bytes, which no number has."""
    return [b"" if field is None else field for field in content]


def api_key_from(content: Sequence[Any]) -> ApiKey:
    """The API key that `content_of` took apart."""
    key_id, label, secret_hash, scopes, controllers, *times = content
    return ApiKey(key_id, label, secret_hash, frozenset(scopes.split()), frozenset(controllers.split()), *times)
