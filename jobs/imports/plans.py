"""What an import is asked for, whom it hands its rows to, and what it reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from prefcenter.domain.digest import Digest, DigestKind
from prefcenter.domain.errors import PrefcenterError
from prefcenter.domain.events import Cell, Scope
from prefcenter.domain.terms import AddressKind, Channel, RefusalReason
from prefcenter.services.import_batches import RowOutcome
from prefcenter.services.importing import GrantRow, RefusalBlock, RefusalRow


class Importer(Protocol):
    """Bulk acts of one controller, as `prefcenter.services.importing.Importing` takes them."""

    async def begin(self, file_sha256: bytes, options: Iterable[str]) -> int: ...

    def checked_scope(self, reason: RefusalReason, scope: Scope, source: str, kind: AddressKind) -> Scope: ...

    async def refuse(
        self,
        rows: Sequence[RefusalRow],
        reason: RefusalReason,
        scope: Scope,
        source: str,
        kind: AddressKind,
        hashes: DigestKind | None = None,
    ) -> Sequence[RowOutcome | PrefcenterError]: ...

    async def refuse_block(
        self, block: RefusalBlock, reason: RefusalReason, scope: Scope, source: str
    ) -> Sequence[RowOutcome | PrefcenterError]: ...

    async def grant(self, rows: Sequence[GrantRow]) -> Sequence[RowOutcome | PrefcenterError]: ...

    def subjects(self, address: str, kind: AddressKind, hashes: DigestKind | None = None) -> Sequence[Digest]: ...

    def subjects_of_block(self, block: RefusalBlock) -> Iterable[bytes]: ...

    async def delist(self, registry: str, scope: Scope, listed: frozenset[bytes], begun_ms: int) -> int: ...


@dataclass(frozen=True, slots=True)
class RefusalImport:
    """A list of people not to contact. `channel` says what the addresses are; `scope` what is refused.

    `hashes`: a vendor handed out hashes of that kind instead of addresses. `further` lists are imported after the one
    at `path`, as if each were imported by itself, save that a registry is replaced by all of them.
    """

    path: Path
    channel: Channel
    reason: RefusalReason
    scope: Scope
    source: str
    column: str | None = None
    time_column: str | None = None
    replace_registry: bool = False
    hashes: DigestKind | None = None
    further: tuple[Path, ...] = ()
    sheet: str | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        return (self.path, *self.further)


@dataclass(frozen=True, slots=True)
class GrantImport:
    """A list of consents for one cell, each with its wording, method and time in columns of its own."""

    path: Path
    channel: Channel
    cell: Cell
    source: str
    time_column: str
    wording_column: str
    method_column: str
    expires_column: str | None = None
    column: str | None = None
    further: tuple[Path, ...] = ()
    sheet: str | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        return (self.path, *self.further)


@dataclass(slots=True)
class ImportReport:
    """What an import did, row by row. `lifted`: refusals that a replaced registry no longer asks for."""

    read: int = 0
    outcomes: Counter[RowOutcome] = field(default_factory=Counter)
    invalid: int = 0
    faults: list[str] = field(default_factory=list)
    invalid_files: list[Path] = field(default_factory=list)
    lifted: int | None = None
