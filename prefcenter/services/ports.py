"""What the use cases need of the outside: a store and a clock. Backends implement these; tests bring a fake."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from prefcenter.domain.digest import Digest
from prefcenter.domain.events import Erased, Event
from prefcenter.domain.ledger import Head
from prefcenter.domain.record import Record

Clock = Callable[[], int]
"""The time now, in UTC milliseconds."""


@dataclass(frozen=True, slots=True)
class Change:
    """New events of one record: `after` is the fold of `before` and the events, and says so by its version."""

    before: Record
    events: tuple[Event, ...]
    after: Record

    @property
    def erases_up_to(self) -> int:
        """The version of the last erasure among the events, before which no body may stay; 0 for none."""
        versions = enumerate(self.events, self.before.version + 1)
        return max((version for version, event in versions if isinstance(event, Erased)), default=0)


@dataclass(frozen=True, slots=True)
class LedgerEvent:
    """One event as the change feed gives it. `event` is None where an erasure took the body."""

    partition: int
    position: int
    subject: Digest
    version: int
    event: Event | None


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit read, and everything it found wrong; no finding: the ledger and records are whole."""

    events: int
    records: int
    findings: tuple[str, ...]


class Store(Protocol):
    """Records and ledger of all controllers. Every method raises StoreError, and then nothing was acknowledged."""

    async def load(self, controller: str, subjects: Sequence[Digest]) -> Sequence[Record]:
        """The records that exist among the subjects, in one round trip, in no particular order."""

    async def append(self, controller: str, changes: Sequence[Change], *, bulk: bool = False) -> None:
        """Append all changes or none, on disk when this returns. A bulk append lets single acts go first.

        Raises VersionConflict when any record has moved on since it was read. An `Erased` event drops the bodies and
        salts of all events of its record before it.
        """

    def scan(self, controller: str) -> AsyncIterator[Sequence[Record]]:
        """Every record of a controller, in pages."""

    async def since(self, controller: str, positions: Sequence[int], limit: int) -> Sequence[LedgerEvent]:
        """Events after a position per partition, each partition in order and without gaps, `limit` in all at most."""

    async def heads(self, controller: str) -> tuple[Head, ...]:
        """The last event of each partition."""

    async def holds_heads(self, controller: str, heads: Sequence[Head]) -> bool:
        """Whether each head, signed some time ago, still lies on its chain: false for an older copy of the store."""

    async def unknown_keys(self) -> Sequence[int]:
        """Keys that wrote to this store and that the keyring does not hold: their records cannot be found."""

    async def controllers(self) -> Sequence[str]:
        """The controllers that the store knows."""

    async def policy_in_force(self, controller: str) -> str | None:
        """The canonical document of the policy last adopted."""

    async def adopt_policy(self, controller: str, document: str, *, instead_of: str | None) -> None:
        """Put a policy in force; raises VersionConflict when another than `instead_of` is in force by now."""

    async def first_import_ms(self, controller: str, fingerprint: bytes, now_ms: int) -> int:
        """When this very import was first begun: `now_ms` the first time, and the same ever after."""

    async def records_per_key(self) -> Mapping[int, int]:
        """How many records each key id still carries."""

    async def audit(self, controller: str, expected: Sequence[Sequence[Head]]) -> AuditReport:
        """Verify chains, records and tables of a controller, and that each expected head lies on its chain."""

    async def close(self) -> None:
        """Finish what was begun and let go of all resources."""
