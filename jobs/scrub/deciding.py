"""From a batch of rows to the outcome of each: every address is a question, and every distinct question is asked once.

Addresses that repeat are found after deciding, since only one that may be used can be the one that is kept.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol, TypeVar

from jobs.lists import Column, RowBatch
from jobs.lists.contacts import Found
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

if TYPE_CHECKING:
    from jobs.scrub.duplicates import SeenMailboxes

Item = TypeVar("Item")
OtherItem = TypeVar("OtherItem")


class Decider(Protocol):
    """Decisions of one controller, as `prefcenter.services.decisions.Decisions` gives them."""

    @property
    def policy(self) -> Policy: ...

    async def decide_many(self, questions: Sequence[Question], now_ms: int) -> Sequence[Decision]: ...

    async def heads(self) -> tuple[Head, ...]: ...


@dataclass(frozen=True, slots=True)
class AskedColumn:
    """Addresses of one channel, each with the class that is stated of it and the audience that it is addressed as."""

    channel: Channel
    addresses: Sequence[str]
    classes: Sequence[AddressClass | None]
    audiences: Sequence[str | None]


class ColumnAnswers(Protocol):
    """Gives the outcomes of whole columns of addresses, and the earliest moment at which the clock changes one, if any.

    Of equal outcomes it gives the same object, however often it is asked.
    """

    async def of(self, asked: AskedColumn) -> tuple[Sequence[Outcome], int | None]: ...


class OneByOne:
    """The reference: every different question goes to the decider, which answers it by `decide`."""

    def __init__(self, decider: Decider, purpose: str, at_ms: int) -> None:
        self._decider = decider
        self._purpose = purpose
        self._at_ms = at_ms
        self._known: dict[Outcome, Outcome] = {}

    async def of(self, asked: AskedColumn) -> tuple[Sequence[Outcome], int | None]:
        questions = [
            Question(address, self._purpose, asked.channel, None, address_class, audience)
            for address, address_class, audience in zip(asked.addresses, asked.classes, asked.audiences, strict=True)
        ]
        distinct = list(dict.fromkeys(questions))
        decisions = await self._decider.decide_many(distinct, self._at_ms)
        outcomes = map(outcome_of, decisions)
        answers = {question: self._known.setdefault(of, of) for question, of in zip(distinct, outcomes, strict=True)}
        ends = (decision.valid_until_ms for decision in decisions)
        return [answers[question] for question in questions], min(ends, default=None)


@dataclass(frozen=True, slots=True)
class _AddressCells:
    """A column of addresses: its channel, and the class of all of them where that is known."""

    column: Column
    channel: Channel
    address_class: AddressClass | None


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked about a column, and in which rows of the batch it stands."""

    places: Sequence[int]
    column: AskedColumn


class RowDecider:
    """Decides the rows of one reading of a list, and keeps count."""

    def __init__(
        self,
        plan: ScrubPlan,
        found: Found,
        policy: Policy,
        answers: ColumnAnswers,
        employers: EmployerDomains | None,
        at_ms: int,
    ) -> None:
        self._plan = plan
        self._found = found
        self._answers = answers
        self._employers = employers
        self._seen = _seen_mailboxes(policy) if plan.dedupe else None
        self._columns = [
            _AddressCells(column, choice.channel, class_of_column(plan, choice, column))
            for column, choice in zip(found.addresses, plan.choices, strict=True)
        ]
        self._row_of: dict[tuple[int, ...], DecidedRow] = {}
        self.tally = Tally()
        self.valid_until_ms = at_ms + policy.decision_ttl_hours * MS_PER_HOUR

    async def decide(self, batch: RowBatch) -> Sequence[DecidedRow]:
        """The outcome of each row of a batch, in its order."""
        classes, audiences = self._classes(batch), self._audiences(batch)
        cells = [batch.cells(column.column) for column in self._columns]
        asked = [self._asked(*each, classes, audiences) for each in zip(self._columns, cells, strict=True)]
        outcomes = [await self._outcomes(*each) for each in zip(asked, cells, strict=True)]
        if self._seen is not None:
            self._without_repeated(self._seen, cells, outcomes)
        self._count_cells(asked, outcomes)
        rows = self._rows(outcomes)
        self.tally.read += len(rows)
        for row, count in _counted(rows):
            self.tally.reasons[row.outcome.output, row.outcome.reason] += count
        return rows

    def _rows(self, outcomes: Sequence[Sequence[Outcome]]) -> Sequence[DecidedRow]:
        """There are few different rows, so each is made once; outcomes are told apart by what objects they are."""
        keys = list(zip(*(map(id, column) for column in outcomes), strict=True))
        row_of = self._row_of
        for key, cells in dict(zip(keys, zip(*outcomes, strict=True), strict=True)).items():
            if key not in row_of:
                row_of[key] = DecidedRow(cells[0]) if len(cells) == 1 else DecidedRow(outcome_of_row(cells), cells)
        return [row_of[key] for key in keys]

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
        column: _AddressCells,
        texts: Sequence[str | None],
        classes: Sequence[AddressClass | None],
        audiences: Sequence[str | None],
    ) -> _Asked:
        """The cells of a column that hold anything, with what is stated of them."""
        places = [place for place, text in enumerate(texts) if text and stripped(text)]
        addresses = [text for text in map(texts.__getitem__, places) if text]
        stated = [self._class_of(text, column, classes[place]) for place, text in zip(places, addresses, strict=True)]
        return _Asked(places, AskedColumn(column.channel, addresses, stated, [audiences[place] for place in places]))

    async def _outcomes(self, asked: _Asked, texts: Sequence[str | None]) -> list[Outcome]:
        """What comes of each cell of a column."""
        outcomes = [RAGGED if text is None else EMPTY for text in texts]
        answered, valid_until_ms = await self._answers.of(asked.column)
        if valid_until_ms is not None:
            self.valid_until_ms = min(self.valid_until_ms, valid_until_ms)
        for place, outcome in zip(asked.places, answered, strict=True):
            outcomes[place] = outcome
        return outcomes

    def _count_cells(self, asked: Sequence[_Asked], outcomes: Sequence[Sequence[Outcome]]) -> None:
        for each, results in zip(asked, outcomes, strict=True):
            stated: list[AddressClass | None] = [None] * len(results)
            for place, address_class in zip(each.places, each.column.classes, strict=True):
                stated[place] = address_class
            for (address_class, outcome), count in _counted_pairs(stated, results):
                word = UNSTATED if address_class is None else address_class.value
                self.tally.cells[each.column.channel, word, outcome.output] += count

    def _class_of(self, address: str, column: _AddressCells, stated: AddressClass | None) -> AddressClass | None:
        stated = column.address_class or stated
        if stated is not None or self._employers is None or column.channel is not Channel.EMAIL:
            return stated
        return self._employers.address_class(address)

    def _without_repeated(
        self, seen: SeenMailboxes, cells: Sequence[Sequence[str | None]], outcomes: Sequence[list[Outcome]]
    ) -> None:
        """Put a refusal in the place of every permitted address whose mailbox an earlier one has, row by row."""
        kept = [
            (row, column, seen.digest_of(text, self._columns[column].channel))
            for row, texts in enumerate(zip(*cells, strict=True))
            for column, text in enumerate(texts)
            if text is not None and outcomes[column][row].output is Output.KEPT
        ]
        are_new = seen.are_new([digest for _, _, digest in kept]).tolist()
        for (row, column, _), is_new in zip(kept, are_new, strict=True):
            if not is_new:
                outcomes[column][row] = REPEATED


def _seen_mailboxes(policy: Policy) -> SeenMailboxes:
    """Loaded only where it is needed, for its library takes longer to load than a short list to scrub."""
    from jobs.scrub.duplicates import SeenMailboxes

    return SeenMailboxes(policy.country)


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


def _counted(items: Sequence[Item]) -> Iterator[tuple[Item, int]]:
    """How often each object stands among the items; there are few, and comparing them would take longer."""
    by_id = dict(zip(map(id, items), items, strict=True))
    return ((by_id[key], count) for key, count in Counter(map(id, items)).items())


def _counted_pairs(one: Sequence[Item], other: Sequence[OtherItem]) -> Iterator[tuple[tuple[Item, OtherItem], int]]:
    """The same for pairs."""
    ids, other_ids = dict(zip(map(id, one), one, strict=True)), dict(zip(map(id, other), other, strict=True))
    counts = Counter(zip(map(id, one), map(id, other), strict=True))
    return (((ids[key], other_ids[other_key]), count) for (key, other_key), count in counts.items())
