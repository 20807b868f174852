"""Where decisions go, and counts that must add up."""

from __future__ import annotations

from collections import Counter

import pytest

from jobs.scrub.tally import Outcome, Output, Tally, outcome_of
from prefcenter.domain.decision import Decision
from prefcenter.domain.errors import PrefcenterError
from prefcenter.domain.terms import Basis, Reason
from tests.factories import NOW

KEPT, SUPPRESSED, REJECTED = Output.KEPT, Output.SUPPRESSED, Output.REJECTED


@pytest.mark.parametrize("reason", Reason)
def test_permitted_is_kept_unreadable_is_rejected_and_all_else_is_suppressed(reason: Reason) -> None:
    basis = Basis.CONTRACT if reason is Reason.PERMITTED else None
    expected = {Reason.PERMITTED: KEPT, Reason.INVALID_ADDRESS: REJECTED}.get(reason, SUPPRESSED)
    assert outcome_of(Decision(reason, basis, "OC-1", "v", NOW, NOW)) == Outcome(expected, reason.value, "OC-1")


def test_a_decision_without_a_clause_leaves_its_cell_empty() -> None:
    assert outcome_of(Decision(Reason.PAUSED, None, None, "v", NOW, NOW)).clause == ""


def tally(read: int, written: dict[Output, int], reasons: dict[tuple[Output, str], int]) -> Tally:
    return Tally(read, Counter(written), Counter(reasons))


def test_counts_that_add_up_pass() -> None:
    counts = tally(3, {KEPT: 1, REJECTED: 2}, {(KEPT, "permitted"): 1, (REJECTED, "a"): 1, (REJECTED, "b"): 1})
    counts.require_balance()
    assert counts.reasons_of(REJECTED) == {"a": 1, "b": 1}


@pytest.mark.parametrize(
    "counts",
    [
        tally(2, {KEPT: 1}, {(KEPT, "permitted"): 1}),
        tally(1, {KEPT: 2}, {(KEPT, "permitted"): 2}),
        tally(1, {KEPT: 1}, {}),
        tally(1, {SUPPRESSED: 1}, {(KEPT, "permitted"): 1}),
    ],
)
def test_a_lost_or_doubled_row_stops_the_scrub(counts: Tally) -> None:
    with pytest.raises(PrefcenterError, match="do not add up"):
        counts.require_balance()
