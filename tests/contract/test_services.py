"""The services say the same on every backend: concurrent acts, and one long story told on each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from prefcenter.domain.events import EVERYTHING, Cell, Scope
from prefcenter.domain.terms import AddressClass, AddressKind, Channel, Reason, RefusalReason
from prefcenter.security.digests import Digester
from prefcenter.security.fields import FieldCipher
from prefcenter.security.keyring import Keyring
from prefcenter.security.seals import Sealer
from prefcenter.services.acts import Outcome
from prefcenter.services.admission import Consent
from prefcenter.services.contact_files import Contact, ContactAddress
from prefcenter.services.contacts import Contacts
from prefcenter.services.decisions import Decisions, Question
from prefcenter.services.feed import Feed
from prefcenter.services.import_batches import RowOutcome
from prefcenter.services.importing import GrantRow, Importing, RefusalRow
from prefcenter.services.ports import Store
from prefcenter.services.recording import Recording
from prefcenter.services.suppressions import Suppressions
from prefcenter.services.targets import ContactId
from tests.contract.acts import DOCUMENT, whole_feed
from tests.contract.backends import BACKENDS
from tests.factories import DAY, NOW, POLICY

ADDRESSES = ("pat@acme.example", "P.A.T+news@googlemail.com", "pat@gmail.com", "kim@initech.example", "lee@example.com")
PURPOSES = ("offers", "tips", "news", "surveys", "jobs", "service")


@dataclass
class SteppingClock:
    """A clock that moves on by a second whenever it is read."""

    now_ms: int = NOW

    def __call__(self) -> int:
        self.now_ms += 1_000
        return self.now_ms


@dataclass
class Desk:
    """The services of one controller on one store."""

    store: Store
    keyring: Keyring

    def __post_init__(self) -> None:
        digester, clock = Digester(self.keyring, POLICY.controller), SteppingClock()
        cipher = FieldCipher(self.keyring, POLICY.controller)
        self.decisions = Decisions(POLICY, digester, self.store)
        self.recording = Recording(POLICY, digester, self.store, clock, cipher)
        self.contacts = Contacts(POLICY, digester, self.store, clock, cipher)
        self.feed = Feed(POLICY, Sealer(self.keyring, POLICY.controller), digester, self.store, cipher)
        self.suppressions = Suppressions(POLICY, digester, self.store)
        self.importing = Importing(POLICY, digester, self.store, clock, self.recording)

    async def reasons(self, now_ms: int = NOW + DAY) -> list[Reason]:
        questions = [
            Question(address, purpose, Channel.EMAIL, address_class=AddressClass.BUSINESS)
            for address in ADDRESSES
            for purpose in PURPOSES
        ]
        return [decision.reason for decision in await self.decisions.decide_many(questions, now_ms)]


def consent(purpose: str, given_ms: int | None = None, expires_ms: int | None = None) -> Consent:
    return Consent(Cell(purpose, Channel.EMAIL), "newsletter@1", "form", "person", given_ms, expires_ms)


async def test_fifty_acts_on_one_address_at_once_are_all_kept(store: Store, keyring: Keyring) -> None:
    desk = Desk(store, keyring)
    scopes = [Scope(purpose=purpose, channel=channel) for purpose in PURPOSES[:5] for channel in Channel]
    acts = [
        desk.recording.suppress("pat@acme.example", reason, scope, "form")
        for scope in scopes
        if scope.channel in (None, Channel.EMAIL)
        for reason in (RefusalReason.OPTED_OUT, RefusalReason.COMPLAINED, RefusalReason.MANUAL, RefusalReason.LEGAL)
    ]
    acts += [desk.recording.record_consent("pat@acme.example", consent("offers", NOW - n * DAY)) for n in range(30)]
    assert len(acts) == 50
    await asyncio.gather(*acts)
    (record,) = [record async for page in store.scan(POLICY.controller) for record in page]
    assert len(record.refusals) == 20
    assert len({(refusal.reason, refusal.scope) for refusal in record.refusals}) == 20
    feed = await whole_feed(store, POLICY.controller)
    assert [item.version for item in feed] == list(range(1, record.version + 1))


async def test_fifty_opt_outs_of_fifty_addresses_at_once_are_all_kept(store: Store, keyring: Keyring) -> None:
    desk = Desk(store, keyring)
    addresses = [f"person{number}@example.com" for number in range(50)]
    outcomes = await asyncio.gather(*(desk.recording.opt_out(text, EVERYTHING, "form") for text in addresses))
    assert set(outcomes) == {Outcome.RECORDED}
    questions = [Question(text, "jobs", Channel.EMAIL) for text in addresses]
    decided = await desk.decisions.decide_many(questions, NOW + DAY)
    assert {decision.reason for decision in decided} == {Reason.OPTED_OUT}


async def test_an_import_beside_single_acts_loses_none_of_them(store: Store, keyring: Keyring) -> None:
    desk = Desk(store, keyring)
    addresses = [f"person{number}@example.com" for number in range(300)]
    rows = [RefusalRow(text, NOW) for text in addresses]
    acts = (desk.recording.opt_out(text, EVERYTHING, "form") for text in addresses[::10])
    imports = (
        desk.importing.refuse(rows[start : start + 100], RefusalReason.MANUAL, EVERYTHING, "list", AddressKind.EMAIL)
        for start in (0, 100, 200)
    )
    await asyncio.gather(*imports, *acts)
    records = [record async for page in store.scan(POLICY.controller) for record in page]
    reasons = [sorted(refusal.reason for refusal in record.refusals) for record in records]
    assert reasons.count([RefusalReason.MANUAL]) == 270
    assert reasons.count([RefusalReason.MANUAL, RefusalReason.OPTED_OUT]) == 30


async def tell(desk: Desk) -> list[object]:
    """One story; every answer on the way is part of what is compared."""
    act, bulk = desk.recording, desk.importing
    told: list[object] = [await desk.reasons()]

    async def then(*answers: object) -> None:
        told.extend((answers, await desk.reasons()))

    await desk.store.adopt_policy(POLICY.controller, DOCUMENT, instead_of=None)
    await then(await act.opt_out(ADDRESSES[1], EVERYTHING, "form"), await act.opt_out(ADDRESSES[2], EVERYTHING, "form"))
    await then(await act.record_consent(ADDRESSES[2], consent("offers", expires_ms=NOW + 30 * DAY)))
    told.append(await desk.reasons(NOW + 31 * DAY))
    await then(await act.suppress("@initech.example", RefusalReason.MANUAL, EVERYTHING, "client"))
    await then(await act.bounce_permanently(ADDRESSES[0], Channel.EMAIL, "mail-host"))
    await then(await act.record_delivery(ADDRESSES[0], Channel.EMAIL, "mail-host"))
    told.append(await bulk.begin(b"file", ["list"]))
    for _ in range(2):
        rows = [RefusalRow(text, NOW) for text in (*ADDRESSES, "no address")]
        scope = bulk.checked_scope(RefusalReason.ON_REGISTRY, EVERYTHING, "registry", AddressKind.EMAIL)
        outcomes = await bulk.refuse(rows, RefusalReason.ON_REGISTRY, scope, "registry", AddressKind.EMAIL)
        await then(_named(outcomes), await bulk.grant([GrantRow(ADDRESSES[4], consent("tips", NOW - DAY))]))
    delisted = await bulk.delist("registry", EVERYTHING, frozenset(), NOW + DAY)
    await then(delisted, await act.suppress(ADDRESSES[4], *_ERASURE))
    await then(await act.lift("@initech.example", RefusalReason.MANUAL, "mistake"))
    told += await tell_of_contacts(desk)
    records = [record async for page in desk.store.scan(POLICY.controller) for record in page]
    told += [sorted(records, key=lambda record: record.subject.value), await whole_feed(desk.store, POLICY.controller)]
    heads = await desk.store.heads(POLICY.controller)
    told += [[head.position for head in heads], await desk.store.audit(POLICY.controller, [heads])]
    return told


async def tell_of_contacts(desk: Desk) -> list[object]:
    """Two contacts that share an address: made, refused, reported on, rewritten; one of them is erased in the end."""
    act, contacts, told = desk.recording, desk.contacts, list[object]()
    told.append(await contacts.upsert(a_contact("crm-1", ADDRESSES[0], ADDRESSES[3])))
    told.append(await contacts.upsert(a_contact("crm-2", ADDRESSES[3])))
    told += [await act.opt_out(ContactId("crm-1"), Scope("surveys"), "page"), await desk.reasons()]
    told.append(await act.record_consent(ADDRESSES[0], consent("surveys", NOW), is_confirmed=False))
    told.append(await contacts.add_address("crm-1", ContactAddress(Channel.EMAIL, "pat@new.example")))
    told += [await contacts.remove_address("crm-2", ContactAddress(Channel.EMAIL, ADDRESSES[3])), await desk.reasons()]
    told += [await contacts.upsert(a_contact("crm-2", ADDRESSES[3])), await act.suppress(ADDRESSES[0], *_ERASURE)]
    told += [await contacts.get("crm-1"), await contacts.get("crm-2"), await desk.reasons()]
    page = await desk.feed.page(None, 1_000)
    return [*told, page, await desk.suppressions.page(None, 3)]


def a_contact(contact_id: str, *addresses: str) -> Contact:
    return Contact(contact_id, tuple(ContactAddress(Channel.EMAIL, text) for text in addresses), ("client",), "fair")


async def test_contacts_that_many_rewrite_and_refuse_at_once_lose_nothing(store: Store, keyring: Keyring) -> None:
    desk = Desk(store, keyring)
    addresses = [f"person{number}@example.com" for number in range(12)]
    await desk.contacts.upsert(a_contact("crm-1", addresses[0]))
    adding = (desk.contacts.add_address("crm-1", ContactAddress(Channel.EMAIL, text)) for text in addresses[1:])
    refusing = (
        desk.recording.suppress(ContactId("crm-1"), reason, Scope(purpose), "desk")
        for purpose in PURPOSES[:5]
        for reason in (RefusalReason.MANUAL, RefusalReason.OPTED_OUT)
    )
    reading = (desk.contacts.get("crm-1") for _ in range(10))
    await asyncio.gather(*adding, *refusing, *reading)
    kept = await desk.contacts.get("crm-1")
    assert kept is not None
    assert {address.address for address in kept.contact.addresses} == set(addresses)
    records = [record async for page in store.scan(POLICY.controller) for record in page]
    asked = {(refusal.reason, refusal.scope) for record in records for refusal in record.refusals}
    assert len(asked) == 10
    for record in records:
        assert {(refusal.reason, refusal.scope) for refusal in record.refusals} == asked
    assert len(records) == len(addresses) + 1


_ERASURE = (RefusalReason.ERASED, EVERYTHING, "request")


def _named(outcomes: Sequence[object]) -> list[str]:
    return [outcome.value if isinstance(outcome, RowOutcome) else type(outcome).__name__ for outcome in outcomes]


@pytest.mark.parametrize("backend", sorted(set(BACKENDS) - {"memory"}))
def test_one_story_is_told_alike_on_every_backend(backend: str, keyring: Keyring, tmp_path: Path) -> None:
    def told_on(name: str) -> list[object]:
        directory = tmp_path / name
        directory.mkdir()

        async def story() -> list[object]:
            store = BACKENDS[name](directory)(keyring)
            try:
                return await tell(Desk(store, keyring))
            finally:
                await store.close()

        return asyncio.run(story())

    told = told_on("memory")
    assert told_on(backend) == told
    assert told[-1].findings == ()  # type: ignore[attr-defined]  # the last thing told is the audit's report
