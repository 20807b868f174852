"""A snapshot: the state of every record of a controller, and its consents by exact address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from jobs.scrub.snapshot.consents import Consents
from jobs.scrub.snapshot.state import Family, State
from jobs.scrub.snapshot.table import NOT_FOUND, Codes, DigestTable
from prefcenter.domain.events import Cell
from prefcenter.domain.ledger import Head
from prefcenter.security.vector_digests import DigestArray


@dataclass(frozen=True)
class Snapshot:
    """The base is as of `heads`; `changes` holds the records that were touched since, whose state it tells instead.

    `exported_at` is how many events there were when every record was read; the base may have taken in changes since.
    State 0 is that of an address without a record. A touched record with consents is not plain, for those in the base
    may not be its own any more.
    """

    heads: tuple[Head, ...]
    states: tuple[State | None, ...]
    base: DigestTable
    consents: Mapping[Cell, Consents]
    exported_at: int
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

    def consents_to(self, cell: Cell) -> Consents:
        return self.consents.get(cell, Consents.none())


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
