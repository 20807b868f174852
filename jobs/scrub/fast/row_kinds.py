"""What comes of rows with several addresses, by number: few rows differ in it, so each kind is made once."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from jobs.scrub.fast.answers import Answered
from jobs.scrub.rows import DecidedRow
from jobs.scrub.tally import Outcome, outcome_of_row

Kinds: TypeAlias = NDArray[np.int64]


class RowKinds:
    """Kinds of rows in the order in which they are met; several threads may ask."""

    def __init__(self) -> None:
        self.rows: list[DecidedRow] = []
        self._numbers: dict[tuple[Outcome, ...], int] = {}
        self._lock = Lock()

    def of(self, codes: Sequence[Answered], outcomes: Sequence[Sequence[Outcome]]) -> Kinds:
        """The kind of each row; `codes` says for each column what comes of its cells, as a place in its `outcomes`."""
        met, like = _distinct(codes)
        kinds = [self._number_of([of[code] for of, code in zip(outcomes, each, strict=True)]) for each in met]
        return np.array(kinds, np.int64)[like]

    def _number_of(self, cells: Sequence[Outcome]) -> int:
        key = tuple(cells)
        with self._lock:
            if key not in self._numbers:
                self._numbers[key] = len(self.rows)
                self.rows.append(DecidedRow(key[0]) if len(key) == 1 else DecidedRow(outcome_of_row(key), key))
            return self._numbers[key]


def _distinct(codes: Sequence[Answered]) -> tuple[list[tuple[int, ...]], Kinds]:
    """The combinations of codes that rows have, and for each row which of them it has."""
    met: list[tuple[int, ...]] = [()]
    like = np.zeros(1, np.int64)
    for column in codes:
        width = int(column.max(initial=0)) + 1
        pairs = like * width + column if len(met) > 1 else column
        numbers = np.bincount(pairs)
        found = np.flatnonzero(numbers)
        numbers[found] = np.arange(len(found))
        like = numbers.take(pairs)
        met = [(*met[pair // width], pair % width) for pair in found.tolist()]
    return met, like
