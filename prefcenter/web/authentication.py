"""Who asks: the bearer token of a request, made into a caller."""

from __future__ import annotations

import asyncio
from typing import Protocol

from prefcenter.domain.errors import InvalidLink, KeyringError, PrefcenterError, StoreError
from prefcenter.security.api_keys import read_api_key
from prefcenter.security.tokens import LinkKind
from prefcenter.services.callers import ApiKeys, Caller, Person, caller_of, is_opened_by
from prefcenter.services.link_desk import LinkHome, open_link
from prefcenter.services.ports import ApiKey, Clock
from prefcenter.web.errors import Unauthenticated
from prefcenter.web.log import WebLog
from prefcenter.web.portals import Portal

CREDENTIAL_CHARACTERS_MAX = 8_000
_REFUSED = "credentials are needed that are in force: an API key, or the token of a signed-in person or of a link"


class KeyHome(LinkHome, Protocol):
    """The part of a home that knows API keys and links."""

    @property
    def clock(self) -> Clock: ...

    async def api_keys(self) -> ApiKeys:
        """The API keys, read from the store at each call. Raises StoreError or KeyringError."""


class Authenticator:
    """Makes callers of credentials, anew for each request: a revoked key is refused by the very next."""

    def __init__(self, home: KeyHome, log: WebLog, portal: Portal | None = None) -> None:
        self._home = home
        self._log = log
        self._portal = portal
        self._seen: dict[str, ApiKey] = {}
        self._noting: dict[str, asyncio.Task[None]] = {}

    async def caller(self, authorization: str | None) -> Caller:
        """The caller behind the value of an `Authorization` field (RFC 6750 section 2.1). Raises Unauthenticated."""
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip()
        if scheme.casefold() != "bearer" or not token or len(token) > CREDENTIAL_CHARACTERS_MAX:
            raise Unauthenticated(_REFUSED)
        caller = await self._caller_of(token)
        if caller is None:
            raise Unauthenticated(_REFUSED)
        return caller

    async def _caller_of(self, token: str) -> Caller | None:
        if token.startswith("pck_"):
            return await self._by_key(token)
        return await (self._by_portal(token) if "." in token else self._by_link(token))

    async def _by_link(self, token: str) -> Caller | None:
        """Whoever holds a link to the preference page, which is all that they need there too."""
        try:
            services, link = await open_link(self._home, token, LinkKind.MANAGE, LinkKind.FRESH)
        except InvalidLink:
            return None
        controller, sealer = services.policy.controller, services.sealer
        name = sealer.seal(sealer.first_key_id, "link", link.kind, link.target.write_to.value)
        person = Person(controller, "", link.channel, link)
        return Caller(f"link:{name.hex()}", frozenset(), frozenset({controller}), person)

    async def _by_portal(self, token: str) -> Caller | None:
        return None if self._portal is None else await self._portal.caller(token)

    async def _by_key(self, token: str) -> Caller | None:
        read = read_api_key(token)
        if read is None:
            return None
        try:
            keys = await self._home.api_keys()
            key = await keys.find(token)
        except (StoreError, KeyringError):
            # Nothing is decided or recorded while the home cannot be read. A tool that we knew a moment ago should be
            # told so in the form it understands (`check_failed`), and a stranger must not be told anything.
            seen = self._seen.get(read.id)
            return caller_of(seen) if seen and is_opened_by(seen, read, self._home.clock()) else None
        if key is None:
            return None
        self._seen[key.id] = key
        if keys.is_use_due(key):
            self._note_use(keys, key)
        return caller_of(key)

    def _note_use(self, keys: ApiKeys, key: ApiKey) -> None:
        """Note the use on the side: no caller waits for the write, or fails with it."""
        if key.id in self._noting:
            return
        task = asyncio.create_task(self._write_use(keys, key))
        self._noting[key.id] = task
        task.add_done_callback(lambda _: self._noting.pop(key.id, None))

    async def _write_use(self, keys: ApiKeys, key: ApiKey) -> None:
        try:
            await keys.note_use(key)
        except PrefcenterError as error:
            self._log.failed(error)

    async def close(self) -> None:
        """Wait for what is being noted, and let go of the portal."""
        await asyncio.gather(*self._noting.values(), return_exceptions=True)
        if self._portal is not None:
            await self._portal.close()
