"""Mailboxes that repeat (`--dedupe`), told for a block of rows at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobs.scrub.duplicates import DIGEST_BYTES, SeenMailboxes
from jobs.scrub.fast.answers import Answered
from jobs.scrub.fast.cells import Cells, Numbers
from jobs.scrub.fast.verdicts import FastDecider
from jobs.scrub.tally import REPEATED, Output
from prefcenter.security.vector_digests import VectorKey


@dataclass(frozen=True, slots=True)
class Usable:
    """The addresses of a block that may be used, row by row: where each stands, and the digest of its mailbox."""

    columns: Numbers
    rows: Numbers
    mailboxes: NDArray[np.bytes_]


class Repeats:
    """Puts a refusal in the place of every permitted address whose mailbox an earlier one has."""

    def __init__(self, deciders: Sequence[FastDecider], seen: SeenMailboxes) -> None:
        self._deciders = deciders
        self._seen = seen
        self._key = VectorKey(seen.key)

    def usable(self, columns: Sequence[Cells], codes: Sequence[Answered]) -> Usable:
        """The permitted addresses of a block. Several threads may ask."""
        rows, digests = [], []
        for decider, cells, answered in zip(self._deciders, columns, codes, strict=True):
            is_kept = np.array([outcome.output is Output.KEPT for outcome in decider.outcomes], np.bool_)
            rows.append(np.flatnonzero(is_kept.take(answered)))
            digests.append(decider.mailboxes(cells.taken(rows[-1]), self._key))
        of_row = np.concatenate(rows)
        of_column = np.repeat(np.arange(len(rows)), [len(each) for each in rows])
        order = np.lexsort((of_column, of_row))
        mailboxes = np.concatenate([each.items() for each in digests]).view(f"S{DIGEST_BYTES}")
        return Usable(of_column[order], of_row[order], mailboxes[order])

    def marked(self, usable: Usable, codes: Sequence[Answered]) -> list[Answered]:
        """The codes of a block with those of repeats. Blocks are to be given in the list's order."""
        is_repeated = ~self._seen.are_new(usable.mailboxes)
        marked = []
        for column, (decider, answered) in enumerate(zip(self._deciders, codes, strict=True)):
            repeated = usable.rows[is_repeated & (usable.columns == column)]
            answered[repeated] = decider.answers.code_of(REPEATED)
            marked.append(answered)
        return marked
