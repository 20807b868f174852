"""From a batch of rows to the outcome of each: every address is a question, and every distinct question is asked once.

Addresses that repeat are found after deciding, since only one that may be used can be the one that is kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from jobs.lists import Column, RowBatch
from jobs.lists.contacts import Found
from jobs.scrub.duplicates import SeenMailboxes
from jobs.scrub.employers import EmployerDomains
from jobs.scrub.plan import AddressChoice, ScrubPlan
from jobs.scrub.rows import DecidedRow
from jobs.scrub.tally import (
    EMPTY,
    RAGGED,
    REPEATED,
    UNSTATED,
    Outcome,
    Output,
    Tally,
    outcome_of,
    outcome_of_row,
)
from prefcenter.domain.address import read_address_class
from prefcenter.domain.address.blanks import stripped
from prefcenter.domain.decision import Decision
from prefcenter.domain.ledger import Head
from prefcenter.domain.policy import Policy
from prefcenter.domain.terms import AddressClass, Channel
from prefcenter.domain.time import MS_PER_HOUR
from prefcenter.services.decisions import Question


class Decider(Protocol):
    """Decisions of one controller, as `prefcenter.services.decisions.Decisions` gives them."""

    @property
    def policy(self) -> Policy: ...

    async def decide_many(self, questions: Sequence[Question], now_ms: int) -> Sequence[Decision]: ...

    async def heads(self) -> tuple[Head, ...]: ...


Asked = Question | Outcome
"""What to ask about a cell, or what comes of it unasked."""


@dataclass(frozen=True, slots=True)
class _AddressCells:
    """A column of addresses: its channel, and the class of all of them where that is known."""

    column: Column
    channel: Channel
    address_class: AddressClass | None


class RowDecider:
    """Decides the rows of one reading of a list, and keeps count."""

    def __init__(
        self, plan: ScrubPlan, found: Found, decider: Decider, employers: EmployerDomains | None, at_ms: int
    ) -> None:
        self._plan = plan
        self._found = found
        self._decider = decider
        self._employers = employers
        self._at_ms = at_ms
        self._seen = SeenMailboxes(decider.policy.country) if plan.dedupe else None
        self._columns = [
            _AddressCells(column, choice.channel, class_of_column(plan, choice, column))
            for column, choice in zip(found.addresses, plan.choices, strict=True)
        ]
        self.tally = Tally()
        self.valid_until_ms = at_ms + decider.policy.decision_ttl_hours * MS_PER_HOUR

    async def decide(self, batch: RowBatch) -> Sequence[DecidedRow]:
        """The outcome of each row of a batch, in its order."""
        classes, audiences = self._classes(batch), self._audiences(batch)
        asked = [self._asked(batch, cells, classes, audiences) for cells in self._columns]
        answers = await self._answers(asked)
        outcomes = [[answers[item] if isinstance(item, Question) else item for item in column] for column in asked]
        if self._seen is not None:
            self._without_repeated(self._seen, asked, outcomes)
        self._count_cells(asked, outcomes)
        rows = [self._row(cells) for cells in zip(*outcomes, strict=True)]
        self.tally.read += len(rows)
        self.tally.reasons.update((row.outcome.output, row.outcome.reason) for row in rows)
        return rows

    def _row(self, cells: tuple[Outcome, ...]) -> DecidedRow:
        return DecidedRow(cells[0]) if len(cells) == 1 else DecidedRow(outcome_of_row(cells), cells)

    def _classes(self, batch: RowBatch) -> Sequence[AddressClass | None]:
        """What the class column states of each row."""
        column = self._found.class_column
        if column is None:
            return [None] * len(batch)
        return [None if cell is None else _stated_class(cell) for cell in batch.cells(column)]

    def _audiences(self, batch: RowBatch) -> Sequence[str | None]:
        """The audience of each row; an empty cell names one that no purpose covers, for doubt means no."""
        column = self._found.audience_column
        if column is None:
            return [self._plan.audience] * len(batch)
        return [None if cell is None else audience_word(cell) for cell in batch.cells(column)]

    def _asked(
        self,
        batch: RowBatch,
        cells: _AddressCells,
        classes: Sequence[AddressClass | None],
        audiences: Sequence[str | None],
    ) -> Sequence[Asked]:
        whole_class, channel = cells.address_class, cells.channel
        asked: list[Asked] = []
        for address, stated, audience in zip(batch.cells(cells.column), classes, audiences, strict=True):
            if address is None or not stripped(address):
                asked.append(RAGGED if address is None else EMPTY)
                continue
            address_class = self._class_of(address, channel, whole_class or stated)
            asked.append(Question(address, self._plan.purpose, channel, None, address_class, audience))
        return asked

    def _class_of(self, address: str, channel: Channel, stated: AddressClass | None) -> AddressClass | None:
        if stated is not None or self._employers is None or channel is not Channel.EMAIL:
            return stated
        return self._employers.address_class(address)

    async def _answers(self, asked: Sequence[Sequence[Asked]]) -> Mapping[Question, Outcome]:
        distinct = list(dict.fromkeys(item for column in asked for item in column if isinstance(item, Question)))
        decisions = await self._decider.decide_many(distinct, self._at_ms)
        ends = (decision.valid_until_ms for decision in decisions)
        self.valid_until_ms = min(self.valid_until_ms, *ends) if decisions else self.valid_until_ms
        return {question: outcome_of(decision) for question, decision in zip(distinct, decisions, strict=True)}

    def _without_repeated(
        self, seen: SeenMailboxes, asked: Sequence[Sequence[Asked]], outcomes: Sequence[list[Outcome]]
    ) -> None:
        """Put a refusal in the place of every permitted address whose mailbox an earlier one has, row by row."""
        kept = [
            (row, column, seen.digest_of(question.address, self._columns[column].channel))
            for row, questions in enumerate(zip(*asked, strict=True))
            for column, question in enumerate(questions)
            if isinstance(question, Question) and outcomes[column][row].output is Output.KEPT
        ]
        are_new = seen.are_new([digest for _, _, digest in kept])
        for (row, column, _), is_new in zip(kept, are_new, strict=True):
            if not is_new:
                outcomes[column][row] = REPEATED

    def _count_cells(self, asked: Sequence[Sequence[Asked]], outcomes: Sequence[Sequence[Outcome]]) -> None:
        for cells, questions, results in zip(self._columns, asked, outcomes, strict=True):
            kinds = zip(map(_class_word, questions), results, strict=True)
            self.tally.cells.update((cells.channel, word, outcome.output) for word, outcome in kinds)


@lru_cache(maxsize=4096)
def _stated_class(cell: str) -> AddressClass | None:
    return read_address_class(cell)


@lru_cache(maxsize=4096)
def audience_word(cell: str) -> str:
    """An audience as policies write it: `app_user` of ` App user `."""
    return "_".join(stripped(cell).casefold().replace("-", " ").replace("_", " ").split())


def class_of_column(plan: ScrubPlan, choice: AddressChoice, column: Column) -> AddressClass | None:
    """The class of all addresses of a column: as stated, or personal where a word of its heading says so.

    `home_address` is personal (OC-3, OCC-11); no heading makes a business. Headings are read only where columns were
    chosen one by one: a list's only column says what it is for in other ways.
    """
    if choice.address_class is not None or not plan.addresses:
        return choice.address_class
    words = re.findall(r"[^\W_]+", column.heading or "")
    is_personal = any(read_address_class(word) is AddressClass.PERSONAL for word in words)
    return AddressClass.PERSONAL if is_personal else None


def _class_word(item: Asked) -> str:
    return item.address_class.value if isinstance(item, Question) and item.address_class else UNSTATED
