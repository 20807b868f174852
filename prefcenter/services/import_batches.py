"""What the rows of a batch do to the records of a store, before any of it is written.

Rows are folded in one after the other. Where many rows bring the same act to records that say the same, and have
nothing to do with each other or with a contact, one of them is folded in, and what it came to holds for all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import Any

from prefcenter.domain.decision import covers
from prefcenter.domain.digest import Digest, Digests
from prefcenter.domain.events import Event, Refusal, Refused, Scope
from prefcenter.domain.policy import Policy
from prefcenter.domain.record import Grant, Record, sets_aside
from prefcenter.services.acts import Drafts
from prefcenter.services.ports import Alike, AlikeChanges, AlikeRecords, Beginnings
from prefcenter.services.reach import fold_far
from prefcenter.services.targets import Target

FEWEST_ALIKE = 16
"""Rows that are alike but fewer than this are quicker folded in one after the other."""


class RowOutcome(StrEnum):
    """What a row did. `reversed`: it refuses anew what a consent had opened."""

    ADDED = "added"
    ALREADY = "already"
    REVERSED = "reversed"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A row that can be imported: whom it is about, and what it brings."""

    target: Target
    event: Event


@dataclass(frozen=True, slots=True)
class DigestedRows:
    """Refusals whose digests were made together. `places`: where in the batch each of them stands.

    `subjects` are, as in a target, all digests under which each may be on record; the first are written under.
    The events are the same but for the times that they state; rows of one time share one event.
    """

    places: Sequence[int] = ()
    subjects: tuple[Digests, ...] = ()
    events: Sequence[Refused] = ()

    def at(self, index: int) -> Prepared:
        records_of = tuple(digests.at(index) for digests in self.subjects)
        return Prepared(Target(records_of[0], records_of, None), self.events[index])


NONE_DIGESTED = DigestedRows()


class Batch:
    """The records of a batch while its rows are folded into them, one after the other."""

    def __init__(self, policy: Policy, drafts: Drafts) -> None:
        self._policy = policy
        self._drafts = drafts

    def apply(self, row: Prepared) -> RowOutcome:
        """Fold one row in and say what it did."""
        before = self._dossier(row.target)
        if not self._fold(row, before):
            return RowOutcome.ALREADY
        if not isinstance(row.event, Refused):
            return RowOutcome.ADDED
        if self._open(before, row.event) - self._open(self._dossier(row.target), row.event):
            return RowOutcome.REVERSED
        return RowOutcome.ALREADY if _stands(before, row.event) else RowOutcome.ADDED

    def _fold(self, row: Prepared, dossier: Sequence[Record]) -> bool:
        if isinstance(row.event, Refused):
            return fold_far(self._drafts, row.target, row.event)
        return self._drafts.fold(row.target.write_to, row.event, dossier, row.target.exacts) is not None

    def _dossier(self, target: Target) -> list[Record]:
        return self._drafts.existing(target.records_of)

    def _open(self, records: Sequence[Record], refused: Refused) -> frozenset[Grant]:
        """The consents in its scope that refusals of this reason leave open."""
        alike = [(refusal, record) for record in records for refusal in record.refusals if _is_alike(refusal, refused)]
        return frozenset(
            grant
            for holder in records
            for grant in holder.grants
            if (grant.expires_ms is None or grant.expires_ms > refused.received_ms)
            and self._is_in_scope(grant, refused.scope)
            and all(sets_aside(grant, refusal, same_record=holder is record) for refusal, record in alike)
        )

    def _is_in_scope(self, grant: Grant, scope: Scope) -> bool:
        purpose = self._policy.purpose_by_id.get(grant.cell.purpose or "")
        if purpose is None:
            return scope.data_use is not None and scope.data_use == grant.cell.data_use
        return covers(scope, purpose, grant.cell.channel)


@dataclass(frozen=True, slots=True)
class AlikeRows:
    """Rows that come to the same. `indexes` are theirs among the digested rows, `found` is what is on record of each.

    Where nothing is, they bring the same act, be it at times of their own; else it is at the same time too.
    """

    indexes: Sequence[int]
    found: tuple[AlikeRecords | None, ...]

    def come_to(self, policy: Policy, rows: DigestedRows) -> tuple[RowOutcome, Alike | None]:
        """What they did, and what has to be written: by the first of them, folded in as a row by itself is."""
        first, subjects = rows.at(self.indexes[0]), rows.subjects[0].taken(self.indexes)
        pairs = zip(self.found, first.target.records_of, strict=True)
        drafts = Drafts(found.of(subject) for found, subject in pairs if found is not None)
        outcome, changes = Batch(policy, drafts).apply(first), drafts.changes
        if not any(self.found):
            return outcome, Beginnings(subjects, [rows.events[index] for index in self.indexes])
        if not changes:
            return outcome, None
        (change,) = changes
        if change.before.version:
            return outcome, AlikeChanges(change, subjects)
        return outcome, Beginnings(subjects, [rows.events[self.indexes[0]]] * len(subjects))


class Sorting:
    """Digested rows sorted into those that are alike, by what is on record, and those that stand by themselves.

    Rows stand by themselves that somebody else in the batch speaks of too (`others`, and rows of the same mailbox), and
    that a contact holds, for such an act reaches further.
    """

    def __init__(self, rows: DigestedRows, found: Iterable[AlikeRecords], others: Collection[Digest]) -> None:
        self._rows = rows
        self._found = list(found)
        self._by_themselves = {subject.value for subject in others} | _repeated(rows.subjects)
        held = (alike.subjects.values for alike in self._found if alike.first.holders)
        self._by_themselves |= set(chain.from_iterable(held))
        self.alike: list[AlikeRows] = []
        self.single: list[int] = []
        self._sort()

    def records_of(self, subjects: Iterable[Digest]) -> Iterator[Record]:
        """What is on record of some subjects, each of which is asked for once."""
        wanted = {subject.value: subject for subject in subjects}
        for alike in self._found:
            for value in wanted.keys() & set(alike.subjects.values):
                subject = wanted[value]
                if (subject.kind, subject.key, subject.rules) == _columns(alike.subjects):
                    yield alike.of(subject)

    def _sort(self) -> None:
        together: dict[tuple[Any, ...], list[int]] = {}
        for index, key in enumerate(self._keys()):
            together.setdefault(key, []).append(index)
        new: list[int] = []
        for (_, *of_pairs), indexes in together.items():
            numbers = of_pairs[1::2]
            if any(of_pairs[::2]):
                self.single += indexes
            elif all(number is None for number in numbers):
                new += indexes
            elif len(indexes) < FEWEST_ALIKE:
                self.single += indexes
            else:
                found = (None if number is None else self._found[number] for number in numbers)
                self.alike.append(AlikeRows(indexes, tuple(found)))
        if new:
            self.alike.insert(0, AlikeRows(sorted(new), (None,) * len(self._rows.subjects)))
        self.single.sort()

    def _keys(self) -> Iterator[tuple[Any, ...]]:
        """What tells a row from others: its time, and under each digest whether it stands by itself, and what is there.

        Rows of one time share one event, so that it need not be compared.
        """
        columns: list[Iterable[object]] = [map(id, self._rows.events)]
        for digests in self._rows.subjects:
            columns.append(map(self._by_themselves.__contains__, digests.values))
            columns.append(map(self._numbers(digests).get, digests.values))
        return zip(*columns, strict=True)

    def _numbers(self, digests: Digests) -> dict[bytes, int]:
        """The number of what was found, for each digest of one kind, key and version of the rules."""
        return {
            value: number
            for number, alike in enumerate(self._found)
            if _columns(alike.subjects) == _columns(digests)
            for value in alike.subjects.values
        }


def _columns(digests: Digests) -> tuple[object, ...]:
    return digests.kind, digests.key, digests.rules


def _repeated(subjects: Sequence[Digests]) -> set[bytes]:
    """The digests that stand in more than one row."""
    values = list(chain.from_iterable(digests.values for digests in subjects))
    if len(set(values)) == len(values):
        return set()
    return {value for value, times in Counter(values).items() if times > 1}


def _stands(records: Iterable[Record], refused: Refused) -> bool:
    return any(_is_alike(refusal, refused) for record in records for refusal in record.refusals)


def _is_alike(refusal: Refusal, refused: Refused) -> bool:
    return (refusal.reason, refusal.scope) == (refused.reason, refused.scope)
