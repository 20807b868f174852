"""A snapshot: the state of every record of a controller, and its consents by exact address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from jobs.scrub.snapshot.state import Family, State
from jobs.scrub.snapshot.table import NOT_FOUND, Codes, DigestTable
from prefcenter.domain.events import Cell
from prefcenter.domain.ledger import Head
from prefcenter.security.vector_digests import DigestArray

Times: TypeAlias = NDArray[np.int64]
NEVER_MS = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Consents:
    """Consents of plain records, one a row: exact digest, number of the cell, when given and when it ends."""

    digests: DigestArray
    cells: Codes
    given_ms: Times
    expires_ms: Times

    def __len__(self) -> int:
        return len(self.cells)


@dataclass(frozen=True)
class Snapshot:
    """The base is as of `heads`; `changes` holds the records that were touched since, whose state it tells instead.

    State 0 is that of an address without a record. A touched record with consents is not plain, for those in the base
    may not be its own any more.
    """

    heads: tuple[Head, ...]
    states: tuple[State | None, ...]
    base: DigestTable
    cells: tuple[Cell, ...]
    consents: Consents
    changes: DigestTable = field(default_factory=DigestTable.empty)

    def find(self, digests: DigestArray) -> Codes:
        """The number of the state of each digest's record; 0: there is none."""
        found = self.base.find(digests)
        if not len(self.changes):
            return found
        changed = self.changes.find(digests)
        return np.where(changed == NOT_FOUND, found, changed)

    def families(self) -> frozenset[Family]:
        """Which digests a record may stand under."""
        return frozenset(state.family for state in self.states if state is not None)

    def consents_to(self, cell: Cell, at_ms: int, until_ms: int) -> tuple[DigestTable, DigestTable]:
        """Exact addresses whose consent to a cell is in force from one time to another, and all that ever gave one."""
        number = self.cells.index(cell) if cell in self.cells else len(self.cells)
        consents = self.consents
        rows = np.flatnonzero(consents.cells == number)
        lasting = rows[(consents.given_ms[rows] <= at_ms) & (consents.expires_ms[rows] >= until_ms)]
        return _table_of(consents.digests, lasting), _table_of(consents.digests, rows)


def _table_of(digests: DigestArray, rows: NDArray[np.intp]) -> DigestTable:
    taken = DigestArray(digests.high[rows], digests.low[rows])
    return DigestTable.of(taken, np.ones(len(rows), np.uint32))


class StateNumbers:
    """Gives each different state a number, from 1."""

    def __init__(self, states: Sequence[State | None] = (None,)) -> None:
        self.states = list(states)
        self._numbers = {state: number for number, state in enumerate(self.states)}

    def number_of(self, state: State) -> int:
        number = self._numbers.get(state)
        if number is None:
            number = self._numbers[state] = len(self.states)
            self.states.append(state)
        return number
