"""Verdicts over a column of cells: the outcome of each, as the reference engine would give it.

Three ways lead to one. A plain email address is read, digested and looked up by compiled code. Any other cell is read
by the parsers, each different content once. Where the records that are found say more than a snapshot tells, or
messages were sent of a purpose with a cap, the decider is asked, as it is for every row of the reference engine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobs.scrub.deciding import Decider
from jobs.scrub.fast.answers import ASK, LOOK_FOR_CONSENT, STATED, Answered, Answers, Asked, Classes
from jobs.scrub.fast.cells import Cells, Numbers
from jobs.scrub.fast.emails import PlainEmails, differing_rows, parent_forms, read_plain
from jobs.scrub.snapshot.snapshot import Snapshot
from jobs.scrub.snapshot.state import Family
from jobs.scrub.snapshot.table import Codes, DigestTable
from jobs.scrub.tally import Outcome, outcome_of
from prefcenter.domain.address import RULES_VERSIONS, Address, parse
from prefcenter.domain.address.blanks import stripped
from prefcenter.domain.digest import HASH_KINDS, HASH_RULES, SUBJECT_KIND, DigestKind
from prefcenter.domain.errors import InvalidAddress
from prefcenter.domain.events import Cell
from prefcenter.domain.terms import KIND_OF_CHANNEL, AddressKind
from prefcenter.domain.time import MS_PER_DAY, MS_PER_HOUR
from prefcenter.security.digests import Digester
from prefcenter.security.vector_digests import DigestArray, Forms, VectorKey
from prefcenter.security.vector_hashes import vendors_hashes
from prefcenter.services.decisions import Question
from prefcenter.services.ports import Store

COMPILED_KINDS = frozenset({DigestKind.MAILBOX, DigestKind.DOMAIN, *HASH_KINDS})
OTHER_SUBJECTS = frozenset({DigestKind.PHONE, DigestKind.POST, DigestKind.PUSH, DigestKind.CONTACT})
"""Kinds of records that no email address is looked up under."""

REMEMBERED_CELLS, LONGEST_REMEMBERED = 1 << 14, 512
"""Cells that the parsers had to read are often those of the blocks before; long ones are few, and would take room."""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Outcomes by code, one a cell; `undecided` are the cells whose code is still to be asked for."""

    codes: Answered
    undecided: Numbers


class FastDecider:
    """Decides columns of cells for one plan. Several threads may ask for verdicts at once."""

    def __init__(
        self, asked: Asked, decider: Decider, digester: Digester, snapshot: Snapshot, sent_to: DigestTable
    ) -> None:
        policy = decider.policy
        self.answers = Answers(policy, asked, snapshot)
        self.horizon_ms = asked.at_ms + policy.decision_ttl_hours * MS_PER_HOUR
        self._asked = asked
        self._decider = decider
        self._digester = digester
        self._snapshot = snapshot
        self._sent_to = sent_to
        self._keys = digester.vector_keys()
        self._remembered: dict[str, Sequence[int]] = {}
        cell = Cell(asked.purpose, asked.channel)
        self._consents = snapshot.consents_to(cell)
        # Whatever is not plain is asked about, whichever record it was that was found.
        self._family_of_state = [state.family if state and state.is_plain else None for state in snapshot.states]
        self._families = sorted(family for family in snapshot.families() if family[1] in self._keys)
        kinds = {kind for kind, _, _ in self._families}
        self._has_hashes = not kinds.isdisjoint(HASH_KINDS)
        self._kind = KIND_OF_CHANNEL[asked.channel]
        self._is_compiled = self._kind is AddressKind.EMAIL and kinds <= COMPILED_KINDS | OTHER_SUBJECTS

    @property
    def outcomes(self) -> Sequence[Outcome]:
        """What the codes stand for."""
        return self.answers.outcomes

    async def decide(self, cells: Cells, classes: Classes | None = None) -> tuple[Answered, int]:
        """The outcome of each cell by code, and the earliest moment at which the clock alone changes one."""
        verdicts = self.verdicts(cells, classes)
        return await self.settled(verdicts, cells, classes)

    def verdicts(self, cells: Cells, classes: Classes | None = None) -> Verdicts:
        """The outcomes that need no store. `classes` says what is stated of each address, as in `STATED`."""
        stated = np.zeros(len(cells), np.uint8) if classes is None else classes
        codes = np.full(len(cells), self.answers.empty, np.uint16)
        others = np.arange(len(cells))
        if self._is_compiled:
            plain = read_plain(cells, RULES_VERSIONS)
            codes[plain.rows] = self._of_plain(plain, stated[plain.rows])
            others = plain.others
        if len(others):
            codes[others] = self._of_others(cells.taken(others), stated[others])
        return Verdicts(codes, np.flatnonzero(codes == ASK))

    async def settled(self, verdicts: Verdicts, cells: Cells, classes: Classes | None = None) -> tuple[Answered, int]:
        """The outcomes with those that the decider had to be asked for."""
        codes, rows = verdicts.codes, verdicts.undecided.tolist()
        if not rows:
            return codes, self.horizon_ms
        asked = self._asked
        questions = [
            Question(
                cells.text(row),
                asked.purpose,
                asked.channel,
                address_class=None if classes is None else STATED[classes[row]],
                audience=asked.audience,
            )
            for row in rows
        ]
        distinct = list(dict.fromkeys(questions))
        decisions = dict(zip(distinct, await self._decider.decide_many(distinct, asked.at_ms), strict=True))
        codes[verdicts.undecided] = [self.answers.code_of(outcome_of(decisions[question])) for question in questions]
        return codes, min(decision.valid_until_ms for decision in decisions.values())

    def mailboxes(self, cells: Cells, key: VectorKey) -> DigestArray:
        """The digests of the mailboxes of readable addresses, under a key that is not the store's."""
        rules, others = RULES_VERSIONS[0], np.arange(len(cells))
        halves = np.empty((2, len(cells)), np.uint64)
        if self._kind is AddressKind.EMAIL:
            plain = read_plain(cells, (rules,))
            digests, others = key.digests(plain.mailboxes[rules]), plain.others
            halves[:, plain.rows] = digests.high, digests.low
        if len(others):
            digests, like = self._mailboxes_of_others(cells.taken(others), key)
            halves[:, others] = digests.high[like], digests.low[like]
        return DigestArray(*halves)

    def _mailboxes_of_others(self, cells: Cells, key: VectorKey) -> tuple[DigestArray, Numbers]:
        first, like = cells.distinct()
        country, kind = self._decider.policy.country, bytes((SUBJECT_KIND[self._kind],))
        addresses = (parse(cells.text(row), self._kind, country=country) for row in first.tolist())
        return key.digests(Forms.of([kind + address.current.mailbox.encode() for address in addresses])), like

    def _of_plain(self, plain: PlainEmails, stated: Classes) -> Answered:
        states = self._with_domains(plain, self._with_hashes(plain, self._mailbox_states(plain)))
        variants = 2 * stated.astype(np.intp) + ~plain.is_free[RULES_VERSIONS[0]]
        codes = self.answers.of(states, variants)
        unsure = np.flatnonzero(codes == LOOK_FOR_CONSENT)
        if len(unsure):
            codes[unsure] = self._by_consent(plain, unsure, states[unsure], variants[unsure])
        return codes

    def _mailbox_states(self, plain: PlainEmails) -> Codes:
        states = np.zeros(len(plain.rows), np.uint32)
        for key, rules in self._pairs(DigestKind.MAILBOX):
            digests = self._keys[key].digests(plain.mailboxes[rules])
            states = self.answers.merged(states, self._found((DigestKind.MAILBOX, key, rules), digests))
            if len(self._sent_to):
                states[self._sent_to.find(digests) > 0] = self.answers.asking
        return states

    def _pairs(self, kind: DigestKind) -> Sequence[tuple[int, int]]:
        """Key and rules version of the digests that are looked up: all live ones where messages were sent."""
        if kind is DigestKind.MAILBOX and len(self._sent_to):
            return [(key, rules) for key in self._keys for rules in RULES_VERSIONS]
        return [(key, rules) for of_kind, key, rules in self._families if of_kind is kind and rules in RULES_VERSIONS]

    def _found(self, family: Family, digests: DigestArray) -> Codes:
        """The states of records that stand under just this kind, key and rules version, or are not plain."""
        found = self._snapshot.find(digests)
        is_of_other = np.array([of_state not in (None, family) for of_state in self._family_of_state])
        if is_of_other.any():
            found[is_of_other.take(found)] = 0
        return found

    def _with_hashes(self, plain: PlainEmails, states: Codes) -> Codes:
        """The states with those of vendors' hashes, of each address as it is written and of mailboxes that differ."""
        pairs = [(kind, key) for kind, key, rules in self._families if kind in HASH_KINDS and rules == HASH_RULES]
        texts = list(_hashed_texts(plain)) if pairs else []
        for forms, rows in texts:
            for kind in dict.fromkeys(kind for kind, _ in pairs):
                hashes = vendors_hashes(kind, forms, rows)
                for key in (key for of_kind, key in pairs if of_kind is kind):
                    found = self._found((kind, key, HASH_RULES), self._keys[key].digests(hashes))
                    states[rows] = self.answers.merged(states[rows], found)
        return states

    def _with_domains(self, plain: PlainEmails, states: Codes) -> Codes:
        """The states with those of whole domains that were refused, each different domain looked up once."""
        pairs = self._pairs(DigestKind.DOMAIN)
        if not pairs:
            return states
        domains = plain.domains()
        first, like = domains.distinct()
        forms, owners = parent_forms(domains.taken(first))
        of_domain = np.zeros(len(first), np.uint32)
        for key, rules in pairs:
            found = self._found((DigestKind.DOMAIN, key, rules), self._keys[key].digests(forms))
            found[plain.is_free[rules][first][owners]] = 0
            for form in np.flatnonzero(found).tolist():
                place = slice(owners[form], owners[form] + 1)
                of_domain[place] = self.answers.merged(of_domain[place], found[form : form + 1])
        return self.answers.merged(states, of_domain[like])

    def _by_consent(self, plain: PlainEmails, rows: Numbers, states: Codes, variants: NDArray[np.intp]) -> Answered:
        """Of addresses whose record holds consents: is one by the exact address, and does it last?"""
        exacts = plain.exacts
        forms = Forms.of(
            [exacts.octets[exacts.offsets[row] : exacts.offsets[row + 1]].tobytes() for row in rows.tolist()]
        )
        key_of_state = np.array([0 if family is None else family[1] for family in self._family_of_state])
        keys = key_of_state[states]
        codes = np.full(len(rows), ASK, np.uint16)
        for key in np.unique(keys).tolist():
            of_key = np.flatnonzero(keys == key)
            digests = self._keys[key].digests(forms)
            digests = DigestArray(digests.high[of_key], digests.low[of_key])
            is_lasting, has_consented = self._consents.find(digests, self._asked.at_ms, self.horizon_ms)
            refused = self.answers.of_consent(states[of_key], variants[of_key], is_given=False)
            given = self.answers.of_consent(states[of_key], variants[of_key], is_given=True)
            codes[of_key] = np.where(is_lasting, given, np.where(has_consented, np.uint16(ASK), refused))
        return codes

    def _of_others(self, cells: Cells, stated: Classes) -> Answered:
        """Read each different cell by the parsers, unless that was done a short while ago."""
        first, like = cells.distinct()
        texts = [cells.text(row) for row in first.tolist()]
        known = {text: codes for text in texts if (codes := self._remembered.get(text)) is not None}
        read = self._read_now([text for text in texts if text not in known])
        self._remember({text: codes for text, codes in read.items() if len(text) <= LONGEST_REMEMBERED})
        known |= read
        return np.array([known[text] for text in texts], np.uint16)[like, stated]

    def _remember(self, read: Mapping[str, Sequence[int]]) -> None:
        """Keep outcomes for other blocks, in bounded memory; a thread that forgets takes nothing from the others."""
        if len(self._remembered) + len(read) > REMEMBERED_CELLS:
            self._remembered = {}
        if len(read) <= REMEMBERED_CELLS:
            self._remembered.update(read)

    def _read_now(self, texts: Sequence[str]) -> dict[str, Sequence[int]]:
        """The outcomes of each text, by what may be stated of it."""
        read = [self._read(text) for text in texts]
        states = iter(self._states_of([address for address in read if isinstance(address, Address)]))
        return {
            text: self._stated(address, next(states)) if isinstance(address, Address) else [address] * len(STATED)
            for text, address in zip(texts, read, strict=True)
        }

    def _stated(self, address: Address, state: np.uint32) -> Sequence[int]:
        variants = 2 * np.arange(len(STATED)) + address.may_be_business
        codes = self.answers.of(np.full(len(STATED), state), variants)
        return [ASK if code == LOOK_FOR_CONSENT else code for code in codes.tolist()]

    def _read(self, text: str) -> Address | int:
        """The address in a cell, or the code of a cell without one."""
        if not stripped(text):
            return self.answers.empty
        try:
            return parse(text, self._kind, country=self._decider.policy.country)
        except InvalidAddress:
            return self.answers.invalid

    def _states_of(self, addresses: Sequence[Address]) -> Codes:
        """The state of each address, whatever number of records speak about it."""
        states = np.zeros(len(addresses), np.uint32)
        of_all = [self._digester.of_address(address, with_hashes=self._has_hashes) for address in addresses]
        owners = [owner for owner, digests in enumerate(of_all) for _ in digests.looked_up]
        looked_up = [digest for digests in of_all for digest in digests.looked_up]
        values = DigestArray.of([digest.value for digest in looked_up])
        found = self._snapshot.find(values)
        for place in np.flatnonzero(found).tolist():
            digest, owner = looked_up[place], owners[place]
            if self._family_of_state[found[place]] in (None, (digest.kind, digest.key, digest.rules)):
                state = slice(owner, owner + 1)
                states[state] = self.answers.merged(states[state], found[place : place + 1])
        for place in np.flatnonzero(self._sent_to.find(values)).tolist():
            states[owners[place]] = self.answers.asking
        return states


def _hashed_texts(plain: PlainEmails) -> Iterator[tuple[Forms, Numbers]]:
    """What a vendor may have hashed, and of which rows: addresses as they are written, and mailboxes that differ."""
    yield plain.exacts, np.arange(len(plain.rows))
    for mailboxes in plain.mailboxes.values():
        yield mailboxes, differing_rows(plain.exacts, mailboxes)


async def sent_since(store: Store, decider: Decider, asked: Asked) -> DigestTable:
    """Whom messages of the purpose were sent to within the window of its cap; nobody where it has none."""
    cap = decider.policy.purpose_by_id[asked.purpose].cap
    if cap is None:
        return DigestTable.empty()
    since_ms = asked.at_ms - cap.days * MS_PER_DAY
    values: dict[bytes, None] = {}
    async for page in store.scan_sends(decider.policy.controller, asked.purpose):
        values |= {send.subject.value: None for send in page if send.sent_ms >= since_ms}
    return DigestTable.of(DigestArray.of(list(values)), np.ones(len(values), np.uint32))
