"""Answers for the lists that the fast engine does not cut itself: workbooks, Parquet, NDJSON, several columns.

Their rows come by the libraries of their formats; the addresses of a batch are decided together, by the same verdicts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from jobs.scrub.deciding import AskedColumn
from jobs.scrub.fast.answers import STATED, Asked
from jobs.scrub.fast.cells import Cells
from jobs.scrub.fast.verdicts import FastDecider
from jobs.scrub.tally import Outcome
from prefcenter.domain.terms import AddressClass

CODE_OF_CLASS: dict[AddressClass | None, int] = {address_class: code for code, address_class in enumerate(STATED)}

DeciderFor = Callable[[Asked], Awaitable[FastDecider]]
"""Makes a decider that knows every refusal acknowledged before it was asked for."""


@dataclass(frozen=True, slots=True)
class FastColumns:
    """Column answers over a store's snapshot, with one decider for each channel and audience that is met."""

    purpose: str
    at_ms: int
    decider_for: DeciderFor
    _deciders: dict[Asked, FastDecider] = field(default_factory=dict)

    async def of(self, asked: AskedColumn) -> tuple[Sequence[Outcome], int | None]:
        audiences = set(asked.audiences)
        if len(audiences) == 1:
            return await self._of_audience(asked, audiences.pop())
        outcomes: dict[int, Outcome] = {}
        ends: list[int] = []
        for audience in audiences:
            places = [place for place, of_cell in enumerate(asked.audiences) if of_cell == audience]
            answered, end_ms = await self._of_audience(_taken(asked, places), audience)
            outcomes |= zip(places, answered, strict=True)
            ends += [] if end_ms is None else [end_ms]
        return [outcomes[place] for place in range(len(outcomes))], min(ends, default=None)

    async def _of_audience(self, asked: AskedColumn, audience: str | None) -> tuple[Sequence[Outcome], int | None]:
        decider = await self._decider(Asked(self.purpose, asked.channel, audience, self.at_ms))
        classes = np.array([CODE_OF_CLASS[stated] for stated in asked.classes], np.uint8)
        codes, end_ms = await decider.decide(Cells.of(asked.addresses), classes)
        outcomes = decider.outcomes
        return [outcomes[code] for code in codes.tolist()], end_ms

    async def _decider(self, asked: Asked) -> FastDecider:
        decider = self._deciders.get(asked)
        if decider is None:
            decider = self._deciders[asked] = await self.decider_for(asked)
        return decider


def _taken(asked: AskedColumn, places: Sequence[int]) -> AskedColumn:
    """Some of the addresses of a column."""
    return AskedColumn(
        asked.channel,
        [asked.addresses[place] for place in places],
        [asked.classes[place] for place in places],
        [asked.audiences[place] for place in places],
    )
