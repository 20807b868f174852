"""A controller's services whose decisions are counted, whoever asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from prefcenter.domain.decision import Decision
from prefcenter.domain.errors import PrefcenterError
from prefcenter.services.controller import ControllerServices
from prefcenter.services.decisions import Decisions, Question
from prefcenter.web.metrics import Metrics


class CountedDecisions(Decisions):
    """The decisions of a controller, made of the parts of others and told to the metrics."""

    def __init__(self, decisions: Decisions, metrics: Metrics) -> None:
        self.__dict__.update(vars(decisions))
        self._metrics = metrics

    async def decide_many(self, questions: Sequence[Question], now_ms: int) -> Sequence[Decision]:
        try:
            decisions = await super().decide_many(questions, now_ms)
        except PrefcenterError:
            self._metrics.failed_to_decide(self.policy.controller, len(questions))
            raise
        self._metrics.decided(self.policy.controller, decisions)
        return decisions


@dataclass(frozen=True)
class CountedServices(ControllerServices):
    """The services of a controller as a server has them."""

    metrics: Metrics

    @cached_property
    def decisions(self) -> Decisions:
        return CountedDecisions(super().decisions, self.metrics)
