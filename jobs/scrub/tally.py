"""Where each row of a list goes, and the counts that must add up in the end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from prefcenter.domain.decision import Decision
from prefcenter.domain.errors import PrefcenterError
from prefcenter.domain.terms import Reason


class Output(StrEnum):
    """The three files of a scrub, by the first part of their names."""

    KEPT = "kept"
    SUPPRESSED = "suppressed"
    REJECTED = "rejected"


EMPTY_ADDRESS = "empty_address"
RAGGED_ROW = "ragged_row"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where a row goes, and the two cells that say why."""

    output: Output
    reason: str
    clause: str = ""


EMPTY = Outcome(Output.REJECTED, EMPTY_ADDRESS)
RAGGED = Outcome(Output.REJECTED, RAGGED_ROW)


def outcome_of(decision: Decision) -> Outcome:
    """Permitted rows are kept, unreadable addresses are rejected, and every other refusal suppresses."""
    if decision.reason is Reason.PERMITTED:
        output = Output.KEPT
    elif decision.reason is Reason.INVALID_ADDRESS:
        output = Output.REJECTED
    else:
        output = Output.SUPPRESSED
    return Outcome(output, decision.reason.value, decision.clause or "")


@dataclass(slots=True)
class Tally:
    """Rows read, rows written by output, and rows by reason, each counted where it happens."""

    read: int = 0
    written: Counter[Output] = field(default_factory=Counter)
    reasons: Counter[tuple[Output, str]] = field(default_factory=Counter)

    def reasons_of(self, output: Output) -> dict[str, int]:
        """Counts by reason of one output, by name."""
        return {reason: count for (of, reason), count in sorted(self.reasons.items()) if of is output}

    def require_balance(self) -> None:
        """Raise where a row was lost or doubled: then no output may appear."""
        by_reason = {output: sum(self.reasons_of(output).values()) for output in Output}
        if sum(self.written.values()) != self.read or any(by_reason[o] != self.written[o] for o in Output):
            raise PrefcenterError("scrub: kept, suppressed and rejected rows do not add up to the rows read")
