"""A controller's services over a store in memory, and lists to scrub with them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jobs.scrub import Decider, Manifest, ScrubPlan, scrub
from prefcenter.domain.decision import Decision
from prefcenter.domain.events import EVERYTHING
from prefcenter.domain.ledger import Head
from prefcenter.domain.policy import Policy
from prefcenter.domain.terms import Channel, RefusalReason
from prefcenter.security.digests import Digester
from prefcenter.security.fields import FieldCipher
from prefcenter.security.keyring import new_keyring
from prefcenter.security.seals import Sealer
from prefcenter.security.tokens import LinkCipher
from prefcenter.services.decisions import Decisions, Question
from prefcenter.services.links import Links
from prefcenter.services.policy_files import load_policy
from prefcenter.services.recording import Recording
from prefcenter.services.site import Site
from tests.factories import DAY, NOW
from tests.fakes import MemoryStore

POLICIES = Path("fixtures/policies")
LIST = (
    b"id,email,kind\n1,pat@acme.example,work\n2,kim@acme.example,work\n3,lee@gmail.com,work\n"
    b"4,broken,work\n5,,work\n6\n"
)


class SmallHome:
    """One controller: its clock stands still, everybody on its lists is a stranger until something is recorded."""

    def __init__(self, controller: str = "opencontact") -> None:
        keyring = new_keyring("2026-11-21T00:00:00.000Z")
        self.keyring = keyring
        self.policy = load_policy(POLICIES / f"{controller}.toml", known_clauses=None)
        self.sealer = Sealer(keyring, controller)
        self.store = MemoryStore(keyring)
        digester, cipher = Digester(keyring, controller), FieldCipher(keyring, controller)
        self.recording = Recording(self.policy, digester, self.store, lambda: NOW - DAY, cipher)
        self.decisions = Decisions(self.policy, digester, self.store)
        site = Site("https://preferences.example")
        self.links = Links(self.policy, digester, LinkCipher(keyring, controller), lambda: NOW + DAY, site)

    def sealer_of(self, controller: str) -> Sealer:
        assert controller == self.policy.controller
        return self.sealer

    def opt_out(self, address: str) -> None:
        asyncio.run(self.recording.opt_out(address, EVERYTHING, "form"))

    def bounce(self, address: str) -> None:
        asyncio.run(self.recording.suppress(address, RefusalReason.BOUNCED, EVERYTHING, "mailer"))

    def scrub(self, plan: ScrubPlan, decider: Decider | None = None) -> Manifest:
        return asyncio.run(scrub(plan, decider or self.decisions, self.sealer, lambda: NOW, links=self.links))


class MeddledDecisions:
    """Real decisions, with something else going on before each batch and before each look at the ledger."""

    def __init__(
        self,
        home: SmallHome,
        before_batch: Callable[[], Awaitable[None]] | None = None,
        before_heads: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._decisions = home.decisions
        self._before_batch = before_batch
        self._before_heads = before_heads
        self.looks = 0
        self.asked = 0

    @property
    def policy(self) -> Policy:
        return self._decisions.policy

    async def decide_many(self, questions: Sequence[Question], now_ms: int) -> Sequence[Decision]:
        self.asked += len(questions)
        if self._before_batch is not None:
            await self._before_batch()
        return await self._decisions.decide_many(questions, now_ms)

    async def heads(self) -> tuple[Head, ...]:
        self.looks += 1
        if self._before_heads is not None:
            await self._before_heads()
        return await self._decisions.heads()


def a_plan(directory: Path, content: bytes = LIST, name: str = "list.csv", **changes: Any) -> ScrubPlan:
    """Client marketing by email, the class in column 3 where there is one; outputs go to `out` beside the list."""
    (directory / name).write_bytes(content)
    plan = ScrubPlan(directory / name, "client-marketing", Channel.EMAIL, out=directory / "out", at_ms=NOW)
    return replace(plan, **changes)


def left_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def output(directory: Path, name: str) -> bytes:
    return (directory / "out" / name).read_bytes()


def document(directory: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(output(directory, "manifest.json"))
    return read
