"""Promise 4: nothing but the acts that CONTRACTS lists turns a refused cell into a permitted one.

A state machine does whatever people, lists, operators, policies and clocks do to a real home, and after each step asks
every question again. It holds the answers against those before the step, and against the naive model beside it.

What the clock alone may do to a refusal by record: a consent comes into force that was received while the clock went
ahead of what it says now, or is in force once more because the clock was set back before its end. Nothing else. What a
policy may do to it: nothing. From consent to legitimate interests and back it changes what is refused without a record.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import invariant, run_state_machine_as_test

from prefcenter.domain.decision import Decision
from tests.properties.page_acting import PageActing
from tests.properties.world import (
    Key,
)


class NeverReopens(PageActing):
    """Two controllers with the same promises at first, and the same people at both."""

    def teardown(self) -> None:
        try:
            before = self._ask()
            assert self.home.audit_findings() == []
            assert self._ask(by_the_service=True) == before
        finally:
            self.home.close()

    def _agrees_with_the_model(self, key: Key, decision: Decision) -> bool:
        """A record keeps the newest of consents alike, so that before its time an older one may be missed.

        Then, and only then, the answer may be another one than the model's, and it is a refusal.
        """
        controller, place, cell = key
        model, now_ms = self.models[controller], self.home.now_ms
        if decision.reason.value == model.answer(self.promises[controller], place, cell, now_ms):
            return True
        return not decision.is_allowed and model.is_before_a_consent(place, cell, now_ms)

    @invariant()
    def nothing_reopens_and_nothing_spreads(self) -> None:
        after = self._ask()
        for key, decision in after.items():
            assert self._agrees_with_the_model(key, decision), f"the naive model says otherwise of {key}"
            assert (decision.basis is not None) is decision.is_allowed
            before = self.answers.get(key)
            if before is None or before.reason is decision.reason:
                continue
            assert self.step.may_touch(key), f"an act of others changed {key}"
            if decision.is_allowed:
                model = self.models[key[0]]
                assert self.step.may_open(key, before.reason.value, model, self.home.now_ms), f"{key} reopened"
        self.answers = after


def _budget() -> settings:
    """The suite's share of a minute; `make soak` searches with as many examples as its profile names.

    Only the long version shrinks what it finds, for that takes minutes here, and the suite has to fail soon.
    """
    if os.environ.get("PREFCENTER_SOAK") == "1":
        return settings(stateful_step_count=60)
    return settings(max_examples=40, stateful_step_count=40, phases=(Phase.explicit, Phase.reuse, Phase.generate))


@pytest.mark.soak
@pytest.mark.timeout(4 * 3600 if os.environ.get("PREFCENTER_SOAK") == "1" else 600)
def test_nothing_but_the_listed_acts_reopens_a_refusal() -> None:
    run_state_machine_as_test(NeverReopens, settings=_budget())
