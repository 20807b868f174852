"""Ask: gather what is on record about an address, and let `decide` answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from prefcenter.domain.address import Address, infer_kind, parse
from prefcenter.domain.decision import Decision, Request, decide
from prefcenter.domain.digest import Digest
from prefcenter.domain.errors import InvalidAddress, KeyringError
from prefcenter.domain.ledger import Head
from prefcenter.domain.policy import Policy
from prefcenter.domain.record import Record
from prefcenter.domain.terms import KIND_OF_CHANNEL, AddressClass, AddressKind, Channel
from prefcenter.domain.time import MS_PER_DAY
from prefcenter.security.digests import AddressDigests, Digester
from prefcenter.services.ports import Store

TURN_ITEMS_MAX = 250
"""Addresses of a batch that are worked on at a stretch, about 10 ms."""

Item = TypeVar("Item")
Done = TypeVar("Done")


@dataclass(frozen=True, slots=True)
class Question:
    """What a caller wants to send, in plaintext: a message of a purpose on a channel, or a data use."""

    address: str
    purpose: str | None = None
    channel: Channel | None = None
    data_use: str | None = None
    address_class: AddressClass | None = None
    audience: str | None = None


@dataclass(frozen=True, slots=True)
class _Prepared:
    question: Question
    address: Address | None
    digests: AddressDigests | None

    @property
    def looked_up(self) -> Sequence[Digest]:
        return self.digests.looked_up if self.digests else ()


Sent = Mapping[str, Mapping[Digest, Sequence[int]]]
"""When messages went out, by purpose and mailbox."""


class Decisions:
    """Decisions of one controller. Raises StoreError where the store gives no answer: then nothing may be sent."""

    def __init__(self, policy: Policy, digester: Digester, store: Store) -> None:
        self.policy = policy
        self._digester = digester
        self._store = store

    async def decide(self, question: Question, now_ms: int) -> Decision:
        """The decision for one address."""
        (decision,) = await self.decide_many([question], now_ms)
        return decision

    async def decide_many(self, questions: Sequence[Question], now_ms: int) -> Sequence[Decision]:
        """Decisions in the order of the questions, from one round trip to the store; two where it holds hashes."""
        prepared = await _in_turns(questions, self._prepare)
        subjects = [subject for item in prepared for subject in item.looked_up]
        records = list(await self._store.load(self.policy.controller, [*subjects, *self._digester.hash_marks]))
        if any(record.subject in self._digester.hash_marks for record in records):
            prepared = await _in_turns(prepared, self._with_hashes)
            hashes = [subject for item in prepared if item.digests for subject in item.digests.hashes]
            records += await self._store.load(self.policy.controller, hashes)
        by_subject = {record.subject: record for record in records}
        sent = await self._sends(prepared, now_ms)
        return await _in_turns(
            prepared, lambda item: decide(self.policy, _found(item, by_subject), _request(item, sent), now_ms)
        )

    async def _sends(self, prepared: Sequence[_Prepared], now_ms: int) -> Sent:
        """What went to the addresses of purposes with a cap, as far back as it looks; mostly there are none."""
        sent: dict[str, Mapping[Digest, Sequence[int]]] = {}
        for purpose in {item.question.purpose or "" for item in prepared}:
            known = self.policy.purpose_by_id.get(purpose)
            if known is None or known.cap is None:
                continue
            asked = (item.digests for item in prepared if item.digests and item.question.purpose == purpose)
            subjects = [subject for digests in asked for subject in digests.subjects]
            since_ms = now_ms - known.cap.days * MS_PER_DAY
            sent[purpose] = await self._store.sends(self.policy.controller, purpose, subjects, since_ms)
        return sent

    def _with_hashes(self, item: _Prepared) -> _Prepared:
        if item.address is None:
            return item
        return replace(item, digests=self._digester.of_address(item.address, with_hashes=True))

    async def heads(self) -> tuple[Head, ...]:
        """How far the ledger goes now; a scrub compares it before and after.

        Raises KeyringError where another process rotated the keys meanwhile: what is refused under a key that this one
        does not hold cannot be found by it, however often it looks.
        """
        await require_all_keys(self._store)
        return await self._store.heads(self.policy.controller)

    def _prepare(self, question: Question) -> _Prepared:
        kind = address_kind(question.address, question.channel)
        try:
            address = parse(question.address, kind, country=self.policy.country)
        except InvalidAddress:
            return _Prepared(question, None, None)
        return _Prepared(question, address, self._digester.of_address(address))


async def _in_turns(items: Sequence[Item], work: Callable[[Item], Done]) -> list[Done]:
    """What the work makes of each item; whoever else waits gets a turn in between, however long the batch."""
    done: list[Done] = []
    for start in range(0, len(items), TURN_ITEMS_MAX):
        if start:
            await asyncio.sleep(0)
        done += map(work, items[start : start + TURN_ITEMS_MAX])
    return done


async def require_all_keys(store: Store) -> None:
    """Raise KeyringError where a key wrote to the store that the keyring does not hold."""
    unknown = await store.unknown_keys()
    if unknown:
        raise KeyringError(
            f"keyring.json: lacks key {unknown[0]}, which wrote to this store; run the command again where the keys"
            " were just rotated, otherwise put the newest backup of it back"
        )


def address_kind(text: str, channel: Channel | None) -> AddressKind:
    """What an address is by its channel, or by its looks where none is named."""
    return infer_kind(text) if channel is None else KIND_OF_CHANNEL[channel]


def _found(item: _Prepared, by_subject: Mapping[Digest, Record]) -> list[Record]:
    return [by_subject[subject] for subject in item.looked_up if subject in by_subject]


def _request(item: _Prepared, sent: Sent) -> Request:
    question = item.question
    times = sent.get(question.purpose or "", {})
    subjects = item.digests.subjects if item.digests else ()
    return Request(
        address=item.address,
        exacts=item.digests.exacts if item.digests else frozenset(),
        purpose=question.purpose,
        channel=question.channel,
        data_use=question.data_use,
        address_class=question.address_class,
        audience=question.audience,
        sends_ms=tuple(sent_ms for subject in subjects for sent_ms in times.get(subject, ())),
    )
