"""Who asks: a tool with an API key, or a person who signed in at a portal or holds a link; and what each may do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from prefcenter.domain.errors import InvalidInput
from prefcenter.domain.terms import Channel
from prefcenter.security.api_keys import ReadApiKey, new_api_key, read_api_key, same_secret
from prefcenter.services.links import Link
from prefcenter.services.ports import ApiKey, Clock, Store
from prefcenter.services.slugs import check_slug

LAST_USE_STEP_MS = 60_000
"""How exactly the last use of a key is known: noting each would cost a write for every question."""


class CallerScope(StrEnum):
    """What an API key may do. `admin` shows true reasons, as `read` does, and lifts; none contains another."""

    DECIDE = "decide"
    RECORD = "record"
    READ = "read"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Person:
    """One person at one controller: signed in, as a trusted identity provider vouches for their address, or the holder
    of a link to the preference page. A link knows its address by digests only, so `address` is empty then."""

    controller: str
    address: str
    channel: Channel
    link: Link | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """One caller. `id` tells callers apart in logs and idempotency keys and is no personal data.

    `controllers` empty: every controller of the home. A person may ask and act for their own address only.
    """

    id: str
    scopes: frozenset[CallerScope]
    controllers: frozenset[str] = frozenset()
    person: Person | None = None

    @property
    def link(self) -> Link | None:
        """The link that the caller came by, if they did."""
        return None if self.person is None else self.person.link

    @property
    def consents_at_once(self) -> bool:
        """Whether a consent needs no confirmation by mail: a link may have been forwarded, and a tool only reports."""
        return self.person is not None and self.person.link is None

    def may(self, *scopes: CallerScope) -> bool:
        """Whether the caller holds one of the scopes."""
        return not self.scopes.isdisjoint(scopes)

    def may_ask_for(self, controller: str) -> bool:
        """Whether the caller may know that this controller exists."""
        if self.person is not None:
            return controller == self.person.controller
        return not self.controllers or controller in self.controllers


def caller_of(key: ApiKey) -> Caller:
    """The caller that a key in force makes of whoever brings it."""
    return Caller(f"key:{key.id}", frozenset(map(CallerScope, key.scopes)), key.controllers)


def is_opened_by(key: ApiKey | None, read: ReadApiKey, now_ms: int) -> bool:
    """Whether a key is in force and the text that was read is that key.

    Secrets are compared even where there is no key, so that the time taken tells nobody which ids exist.
    """
    is_same = same_secret(read.secret_hash, key.secret_hash if key else bytes(len(read.secret_hash)))
    is_in_force = key is not None and key.revoked_ms is None and (key.expires_ms is None or now_ms < key.expires_ms)
    return is_same and is_in_force


class ApiKeys:
    """The API keys of a home. Its methods raise StoreError where the store gives no answer."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def create(
        self,
        label: str,
        scopes: Sequence[CallerScope],
        controllers: Sequence[str] = (),
        expires_ms: int | None = None,
    ) -> tuple[ApiKey, str]:
        """Make a key; gives it and its text, which nobody can give again.

        Raises InvalidInput where the label is no slug, no scope is named, or it would have ended already.
        """
        check_slug(label, "label")
        now_ms = self._clock()
        if not scopes:
            raise InvalidInput(f"scope: expected at least one of {', '.join(CallerScope)}")
        if expires_ms is not None and expires_ms <= now_ms:
            raise InvalidInput("expires: expected a time that is yet to come")
        made = new_api_key()
        key = ApiKey(
            id=made.id,
            label=label,
            secret_hash=made.secret_hash,
            scopes=frozenset(scope.value for scope in scopes),
            controllers=frozenset(controllers),
            created_ms=now_ms,
            expires_ms=expires_ms,
        )
        await self._store.put_api_key(key)
        return key, made.text

    async def all(self) -> Sequence[ApiKey]:
        """All keys, oldest first, those out of force too."""
        return await self._store.api_keys()

    async def revoke(self, key_id: str) -> bool:
        """Put a key out of force for good; false where it was already. Raises InvalidInput for an unknown one."""
        key = await self._store.api_key(key_id)
        if key is None:
            raise InvalidInput("id: no API key has it; `prefcenter apikey list` shows all")
        if key.revoked_ms is not None:
            return False
        await self._store.put_api_key(replace(key, revoked_ms=self._clock()))
        return True

    async def find(self, text: str) -> ApiKey | None:
        """The key in force that a text is; None for anything else, be it unknown, expired, revoked or no key at all."""
        read = read_api_key(text)
        if read is None:
            return None
        key = await self._store.api_key(read.id)
        return key if is_opened_by(key, read, self._clock()) else None

    def is_use_due(self, key: ApiKey) -> bool:
        """Whether the last use that is noted is so long ago that this one should be."""
        return key.last_used_ms is None or self._clock() - key.last_used_ms >= LAST_USE_STEP_MS

    async def note_use(self, key: ApiKey) -> None:
        """Note that a key was used just now."""
        await self._store.put_api_key(replace(key, last_used_ms=self._clock()))
