"""The plan of one scrub: what each state of a record comes to, for each class that an address may have.

The answers are those of `decide` itself, asked once for each combination, about records of that state.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from threading import RLock
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from jobs.scrub.snapshot.snapshot import Snapshot
from jobs.scrub.snapshot.state import LONG_AGO, UNTOLD, State
from jobs.scrub.snapshot.table import Codes
from jobs.scrub.tally import EMPTY, RAGGED, Outcome, outcome_of
from prefcenter.domain.address import Address, Forms
from prefcenter.domain.decision import Decision, Request, decide
from prefcenter.domain.digest import Digest, DigestKind
from prefcenter.domain.events import Cell
from prefcenter.domain.policy import Policy
from prefcenter.domain.record import Grant
from prefcenter.domain.terms import KIND_OF_CHANNEL, AddressClass, Channel, Reason

Answered: TypeAlias = NDArray[np.uint16]
Classes: TypeAlias = NDArray[np.uint8]

ASK = 65_535
"""Stands for an outcome where the records say more than a state does: the decider is asked."""

LOOK_FOR_CONSENT = 65_534
"""Stands for `no_consent` where the record holds consents, of which one may be by this exact address."""

STATED = (None, AddressClass.BUSINESS, AddressClass.PERSONAL)
"""What is stated of an address; a class code is the place in this."""

VARIANTS = 2 * len(STATED)
CONSENTING = Digest(DigestKind.EXACT, 0, 0, b"")


@dataclass(frozen=True, slots=True)
class Asked:
    """The question that a scrub asks of every address."""

    purpose: str
    channel: Channel
    audience: str | None
    at_ms: int


class Answers:
    """Outcomes by state and variant of an address: class code, and whether it may be a business one at all.

    `asking` is the state of an address of which the decider knows more. Of an address that consents, two outcomes: as
    if it did not, and as it does.

    States of several records are numbered after those of the snapshot, as they are met. Several threads may ask.
    """

    def __init__(self, policy: Policy, asked: Asked, snapshot: Snapshot) -> None:
        self._policy = policy
        self._asked = asked
        self._states = (*snapshot.states, UNTOLD)
        self.asking = len(snapshot.states)
        self._members = [frozenset({number} - {0}) for number in range(len(self._states))]
        self._numbers = {members: number for number, members in enumerate(self._members)}
        self._by_consent: dict[tuple[int, int], tuple[int, int]] = {}
        self._lock = RLock()
        self.outcomes: list[Outcome] = []
        self.empty, self.ragged = self.code_of(EMPTY), self.code_of(RAGGED)
        self.invalid = self.code_of(outcome_of(self._decided(None, None, ())))
        self._table = np.empty((0, VARIANTS), np.uint16)

    def code_of(self, outcome: Outcome) -> int:
        """The place of an outcome among all that were met."""
        with self._lock:
            if outcome not in self.outcomes:
                self.outcomes.append(outcome)
            return self.outcomes.index(outcome)

    def merged(self, one: Codes, other: Codes) -> Codes:
        """The states of addresses for which both columns tell records: those of the one and of the other together."""
        result = np.maximum(one, other)
        both = np.flatnonzero(np.minimum(one, other))
        if not len(both):
            return result
        pairs = (one[both].astype(np.uint64) << np.uint64(32)) | other[both]
        distinct, like = np.unique(pairs, return_inverse=True)
        numbers = [self._number_of(int(pair) >> 32, int(pair) & 0xFFFFFFFF) for pair in distinct]
        result[both] = np.array(numbers, np.uint32)[like]
        return result

    def of(self, states: Codes, variants: NDArray[np.intp]) -> Answered:
        """The outcome of each address."""
        with self._lock:
            if len(self._table) < len(self._members):
                rows = [self._row(members) for members in self._members[len(self._table) :]]
                self._table = np.concatenate([self._table, np.array(rows, np.uint16)])
            table = self._table
        return table.ravel().take(states * VARIANTS + variants)

    def of_consent(self, states: Codes, variants: NDArray[np.intp], *, is_given: bool) -> Answered:
        """The outcome of each address whose records hold consents, by whether one in force is its own."""
        asked = zip(states.tolist(), variants.tolist(), strict=True)
        codes = [self._consent_codes(state, variant)[is_given] for state, variant in asked]
        return np.array(codes, np.uint16)

    def explained(self) -> Iterator[tuple[Sequence[State], AddressClass | None, str]]:
        """What each state comes to for each stated class, for people."""
        for members in self._members:
            for variant, stated in enumerate(STATED):
                code = self._row(members)[2 * variant + 1]
                yield self._states_of(members), stated, self._shown(code)

    def _consent_codes(self, number: int, variant: int) -> tuple[int, int]:
        if (number, variant) not in self._by_consent:
            states = self._states_of(self._members[number])
            address, stated = self._address(may_be_business=bool(variant % 2)), STATED[variant // 2]
            decisions = (self._decided(address, stated, states, is_given) for is_given in (False, True))
            refused, given = (self.code_of(outcome_of(decision)) for decision in decisions)
            self._by_consent[number, variant] = refused, given
        return self._by_consent[number, variant]

    def _shown(self, code: int) -> str:
        if code >= LOOK_FOR_CONSENT:
            return "ask" if code == ASK else "consent of the exact address"
        outcome = self.outcomes[code]
        return f"{outcome.output.value} {outcome.reason} {outcome.clause}".rstrip()

    def _number_of(self, one: int, other: int) -> int:
        members = self._members[one] | self._members[other]
        with self._lock:
            if members not in self._numbers:
                self._numbers[members] = len(self._members)
                self._members.append(members)
            return self._numbers[members]

    def _states_of(self, members: frozenset[int]) -> list[State]:
        return [state for member in sorted(members) if (state := self._states[member]) is not None]

    def _row(self, members: frozenset[int]) -> list[int]:
        states = self._states_of(members)
        return [self._code(states, stated, may_be) for stated in STATED for may_be in (False, True)]

    def _code(self, states: Sequence[State], stated: AddressClass | None, may_be_business: bool) -> int:
        if any(not state.is_plain for state in states):
            return ASK
        if len(states) > 1 and any(state.has_grants or state.held_as for state in states):
            return ASK
        decision = self._decided(self._address(may_be_business=may_be_business), stated, states)
        if decision.reason is Reason.NO_CONSENT and any(state.has_grants for state in states):
            return LOOK_FOR_CONSENT
        return self.code_of(outcome_of(decision))

    def _address(self, *, may_be_business: bool) -> Address:
        return Address(KIND_OF_CHANNEL[self._asked.channel], (Forms(1, "", ""),), "", may_be_business)

    def _decided(
        self, address: Address | None, stated: AddressClass | None, states: Sequence[State], consents: bool = False
    ) -> Decision:
        asked = self._asked
        records = [state.record() for state in states]
        if consents:
            grant = Grant(CONSENTING, Cell(asked.purpose, asked.channel), "", "", "", LONG_AGO, None)
            records = [replace(record, grants=(grant,)) for record in records]
        request = Request(
            address,
            frozenset({CONSENTING}),
            asked.purpose,
            asked.channel,
            address_class=stated,
            audience=asked.audience,
        )
        return decide(self._policy, records, request, asked.at_ms)
