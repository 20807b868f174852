"""The public keys of an identity provider, from a file or a URL."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Protocol

import aiohttp

from prefcenter.domain.errors import InvalidInput
from prefcenter.security.portal_tokens import KeySet, read_key_set

JWKS_BYTES_MAX = 262_144
FETCH_SECONDS_MAX = 5.0
REFRESH_SECONDS = 300.0
"""How old keys may be before they are fetched again."""

UNKNOWN_KEY_SECONDS = 60.0
"""How often at most a key that is not known makes us ask the provider: anybody can name one."""

KEYS_SECONDS_MAX = 3_600.0
"""How long keys count while the provider cannot be reached; a key that it withdrew must not count for good."""

_REFUSED = "jwks: the provider's keys cannot be read"


class KeySets(Protocol):
    """Where the keys of a provider come from."""

    async def with_key(self, key_id: str) -> KeySet:
        """The keys, that one among them if the provider has it. Raises InvalidInput where there are none."""

    async def close(self) -> None:
        """Let go of all resources."""


class KeySetFile:
    """Keys in a file, which is read again when it is another one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: tuple[tuple[int, ...], KeySet] | None = None

    async def with_key(self, key_id: str) -> KeySet:  # noqa: ARG002 - a file has no more keys than it has
        try:
            found = self._path.stat()
            stamp = found.st_ino, found.st_mtime_ns, found.st_size
            if self._read is None or self._read[0] != stamp:
                self._read = stamp, _key_set(self._path.read_bytes())
        except OSError as error:
            raise InvalidInput(f"{_REFUSED}: {error.strerror}") from None
        return self._read[1]

    async def close(self) -> None:
        """There is nothing to let go of."""


class KeySetUrl:
    """Keys behind a URL, kept for a while. Redirects are not followed: they lead to whom nobody trusted.

    `refresh_s` and `unknown_key_s` are REFRESH_SECONDS and UNKNOWN_KEY_SECONDS, unless a test is in a hurry.
    """

    def __init__(
        self, url: str, *, refresh_s: float = REFRESH_SECONDS, unknown_key_s: float = UNKNOWN_KEY_SECONDS
    ) -> None:
        self._url = url
        self._refresh_s, self._unknown_key_s = refresh_s, unknown_key_s
        self._keys: KeySet | None = None
        self._fetched_s = self._tried_s = float("-inf")
        self._fetching = asyncio.Lock()
        self._session: aiohttp.ClientSession | None = None

    async def with_key(self, key_id: str) -> KeySet:
        """The keys; whoever brings a key that is not known waits for those that are being fetched just now."""
        is_known = self._keys is not None and key_id in self._keys
        if not is_known or not self._fetching.locked():
            async with self._fetching:
                if self._is_due(key_id):
                    await self._fetch()
        if self._keys is None or self._age_s(self._fetched_s) > KEYS_SECONDS_MAX:
            raise InvalidInput(_REFUSED)
        return self._keys

    def _is_due(self, key_id: str) -> bool:
        if self._age_s(self._tried_s) < self._unknown_key_s:
            return False
        return self._keys is None or key_id not in self._keys or self._age_s(self._fetched_s) >= self._refresh_s

    def _age_s(self, then_s: float) -> float:
        return asyncio.get_running_loop().time() - then_s

    async def _fetch(self) -> None:
        """Ask the provider; what cannot be read leaves the keys as they were."""
        now_s = asyncio.get_running_loop().time()
        self._tried_s = now_s
        try:
            keys = _key_set(await self._content())
        except (aiohttp.ClientError, TimeoutError, InvalidInput):
            return
        self._keys, self._fetched_s = keys, now_s

    async def _content(self) -> bytes:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=FETCH_SECONDS_MAX))
        async with self._session.get(self._url, allow_redirects=False) as response:
            if response.status != 200:
                raise InvalidInput(_REFUSED)
            content = bytearray()
            async for chunk in response.content.iter_any():
                content += chunk
                if len(content) > JWKS_BYTES_MAX:
                    break
            return bytes(content)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def key_sets(place: str) -> KeySets:
    """The source of keys that a setting names."""
    return KeySetUrl(place) if "://" in place else KeySetFile(Path(place).expanduser().absolute())


def _key_set(content: bytes) -> KeySet:
    if len(content) > JWKS_BYTES_MAX:
        raise InvalidInput(_REFUSED)
    try:
        return read_key_set(json.loads(content))
    except (ValueError, RecursionError):
        raise InvalidInput(_REFUSED) from None
