"""Consents to one cell, by exact address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from jobs.scrub.snapshot.table import DigestTable
from prefcenter.security.vector_digests import DigestArray

Times: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]
NEVER_MS = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Consents:
    """When addresses of plain records consented to a cell, and until when; `rows` tells the row of each, from 1.

    Whoever consented more than once was given at NEVER_MS: what is in force of it is not told.
    """

    rows: DigestTable
    given_ms: Times
    expires_ms: Times

    @classmethod
    def none(cls) -> Consents:
        return cls(DigestTable.empty(), np.empty(0, np.int64), np.empty(0, np.int64))

    def __len__(self) -> int:
        return len(self.rows)

    def find(self, exacts: DigestArray, at_ms: int, until_ms: int) -> tuple[Flags, Flags]:
        """Of each exact address: is its consent in force from one time to another, and did it ever consent at all?"""
        found = self.rows.find(exacts)
        has_consented = found > 0
        is_lasting = np.zeros(len(exacts), np.bool_)
        rows = found[has_consented] - 1
        is_lasting[has_consented] = (self.given_ms[rows] <= at_ms) & (self.expires_ms[rows] >= until_ms)
        return is_lasting, has_consented
