"""Who asks: a tool with an API key, or a person who signed in at a portal; and what each may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from prefcenter.domain.terms import Channel


class CallerScope(StrEnum):
    """What an API key may do. `admin` shows true reasons, as `read` does, and lifts; none contains another."""

    DECIDE = "decide"
    RECORD = "record"
    READ = "read"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Person:
    """A signed-in person, as a trusted identity provider vouches for them: one address at one controller."""

    controller: str
    address: str
    channel: Channel


@dataclass(frozen=True, slots=True)
class Caller:
    """One caller. `id` tells callers apart in logs and idempotency keys and is no personal data.

    `controllers` empty: every controller of the home. A person may ask and act for their own address only.
    """

    id: str
    scopes: frozenset[CallerScope]
    controllers: frozenset[str] = frozenset()
    person: Person | None = None

    def may(self, *scopes: CallerScope) -> bool:
        """Whether the caller holds one of the scopes."""
        return not self.scopes.isdisjoint(scopes)

    def may_ask_for(self, controller: str) -> bool:
        """Whether the caller may know that this controller exists."""
        if self.person is not None:
            return controller == self.person.controller
        return not self.controllers or controller in self.controllers
