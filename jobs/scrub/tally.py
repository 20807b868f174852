"""Where each row of a list goes, and the counts that must add up in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from prefcenter.domain.decision import Decision
from prefcenter.domain.errors import PrefcenterError
from prefcenter.domain.terms import Channel, Reason


class Output(StrEnum):
    """The three files of a scrub, by the first part of their names."""

    KEPT = "kept"
    SUPPRESSED = "suppressed"
    REJECTED = "rejected"


EMPTY_ADDRESS = "empty_address"
RAGGED_ROW = "ragged_row"
DUPLICATE = "duplicate"
UNSTATED = "unstated"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where a row goes, and the two cells that say why."""

    output: Output
    reason: str
    clause: str = ""

    def __hash__(self) -> int:
        """By what is plain text, for outcomes are counted by the million."""
        return hash((self.reason, self.clause))


EMPTY = Outcome(Output.REJECTED, EMPTY_ADDRESS)
RAGGED = Outcome(Output.REJECTED, RAGGED_ROW)
REPEATED = Outcome(Output.SUPPRESSED, DUPLICATE)


def outcome_of(decision: Decision) -> Outcome:
    """Permitted rows are kept, unreadable addresses are rejected, and every other refusal suppresses."""
    if decision.reason is Reason.PERMITTED:
        output = Output.KEPT
    elif decision.reason is Reason.INVALID_ADDRESS:
        output = Output.REJECTED
    else:
        output = Output.SUPPRESSED
    return Outcome(output, decision.reason.value, decision.clause or "")


def outcome_of_row(cells: Sequence[Outcome]) -> Outcome:
    """Where a row with several addresses goes: it is kept for one that may be used.

    Otherwise the first refused address says why, and where none is refused, the first that cannot be read.
    """
    return min(cells, key=_RANK.__getitem__, default=RAGGED)


class _Rank(dict[Outcome, int]):
    """How much an outcome of a cell counts for its row; the lower goes first."""

    def __missing__(self, outcome: Outcome) -> int:
        rank = list(Output).index(outcome.output) + (outcome == EMPTY)
        self[outcome] = rank
        return rank


_RANK = _Rank()

CellKind = tuple[Channel, str, Output]
"""The channel of an address, the class that was stated for it (`unstated`: none), and what came of it."""


@dataclass(slots=True)
class Tally:
    """Rows read, rows written by output, rows by reason, and cells by kind, each counted where it happens."""

    read: int = 0
    written: Counter[Output] = field(default_factory=Counter)
    reasons: Counter[tuple[Output, str]] = field(default_factory=Counter)
    cells: Counter[CellKind] = field(default_factory=Counter)

    def reasons_of(self, output: Output) -> dict[str, int]:
        """Counts by reason of one output, by name."""
        return {reason: count for (of, reason), count in sorted(self.reasons.items()) if of is output}

    def require_balance(self) -> None:
        """Raise where a row was lost or doubled: then no output may appear."""
        by_reason = {output: sum(self.reasons_of(output).values()) for output in Output}
        if sum(self.written.values()) != self.read or any(by_reason[o] != self.written[o] for o in Output):
            raise PrefcenterError("scrub: kept, suppressed and rejected rows do not add up to the rows read")
