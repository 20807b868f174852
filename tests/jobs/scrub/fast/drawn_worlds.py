"""Stores that hold every kind of act, and lists that meet them, drawn by hypothesis."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hypothesis import strategies as st

from prefcenter.domain.digest import DigestKind
from prefcenter.domain.errors import PrefcenterError
from prefcenter.domain.events import EVERYTHING, Cell, Scope
from prefcenter.domain.terms import AddressClass, AddressKind, Channel, PurposeClass, RefusalReason
from prefcenter.security.digests import Digester
from prefcenter.security.fields import FieldCipher
from prefcenter.security.keyring import Keyring
from prefcenter.security.seals import Sealer
from prefcenter.services.admission import Consent
from prefcenter.services.contact_files import Contact, ContactAddress
from prefcenter.services.contacts import Contacts
from prefcenter.services.importing import Importing, RefusalRow
from prefcenter.services.policy_files import load_policy
from prefcenter.services.recording import Recording
from prefcenter.services.sending import Sending
from tests.factories import DAY, MINUTE, NOW
from tests.fakes import MemoryStore

EMAILS = (
    "pat@acme.example", "Pat+news@ACME.example", "kim@sales.acme.example", "lee.o@gmail.com", "leeo+x@googlemail.com",
    "sam@post.example", "zo\u00eb@b\u00fccher.example", "pat@sam.fastmail.com", "jo-x@yahoo.com",
)  # fmt: skip
PHONES = ("+44 7700 900123", "020 7946 0018", "+442079460018;ext=7", "07700 900123")
DOMAINS = ("@acme.example", "@sales.acme.example", "@b\u00fccher.example")
DEFECTS = (
    "",
    "  ",
    "broken",
    "a@b",
    '"x y"@acme.example',
    "Pat <pat@acme.example>",
    "\u200bpat@acme.example",
    "a.+b@x.example",
)
CLASSES = ("work", "private", "", "?", "Business")
QUESTIONS = {
    "opencontact": (
        ("client-marketing", Channel.EMAIL),
        ("candidate-contact", Channel.EMAIL),
        ("candidate-contact", Channel.SMS),
        ("contract-service", Channel.EMAIL),
    ),
    "contact-centre-community": (("member-news", Channel.EMAIL), ("membership", Channel.EMAIL)),
    "contact-center-1": (("promotional-email", Channel.EMAIL), ("account-administration", Channel.EMAIL)),
}
TIMES = (None, NOW - 40 * DAY, NOW - 2 * DAY, NOW - 2 * DAY + MINUTE, NOW - DAY - MINUTE)
ENDS = (None, NOW - DAY, NOW + DAY // 2, NOW + 9 * DAY)
REASONS = tuple(RefusalReason)


@dataclass(frozen=True)
class Act:
    """One thing that happened; `pick` chooses among what its kind leaves open."""

    kind: str
    whom: str
    pick: int
    at_ms: int | None
    ends_ms: int | None


@dataclass(frozen=True)
class World:
    """A controller, its acts before and after the keys were rotated, a question and a list."""

    controller: str
    purpose: str
    channel: Channel
    unknown_class: AddressClass
    acts: tuple[Act, ...]
    later: tuple[Act, ...]
    rows: tuple[tuple[str, str], ...]
    delimiter: str
    end: str

    def content(self) -> bytes:
        lines = [("address", "kind"), *self.rows]
        quoted = (
            [f'"{cell.replace(chr(34), chr(34) * 2)}"' if self._needs(cell) else cell for cell in row] for row in lines
        )
        return self.end.join(self.delimiter.join(row) for row in quoted).encode()

    def _needs(self, cell: str) -> bool:
        return any(mark in cell for mark in f'"{self.delimiter}\n')


KINDS = ("refusal",) * 6 + ("consent",) * 4 + ("domain", "pause", "bounce", "contact", "send", "hash", "delivery")


def acts(addresses: Sequence[str]) -> st.SearchStrategy[Act]:
    return st.builds(
        Act,
        st.sampled_from(KINDS),
        st.sampled_from(addresses),
        st.integers(0, 99),
        st.sampled_from(TIMES),
        st.sampled_from(ENDS),
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    controller = draw(st.sampled_from(sorted(QUESTIONS)))
    purpose, channel = draw(st.sampled_from(QUESTIONS[controller]))
    addresses = EMAILS if channel is Channel.EMAIL else PHONES
    cells = st.sampled_from([*addresses, *(address.upper() for address in addresses), *DEFECTS])
    return World(
        controller,
        purpose,
        channel,
        draw(st.sampled_from(AddressClass)),
        tuple(draw(st.lists(acts(addresses), max_size=14))),
        tuple(draw(st.lists(acts(addresses), max_size=4))),
        tuple(draw(st.lists(st.tuples(cells, st.sampled_from(CLASSES)), min_size=1, max_size=30))),
        draw(st.sampled_from(",;\t")),
        draw(st.sampled_from(["\n", "\r\n"])),
    )


class Home:
    """A controller's services in memory. What cannot be done is left undone, as it would be."""

    def __init__(self, world: World, keyring: Keyring, store: MemoryStore) -> None:
        policy = load_policy(Path("fixtures/policies") / f"{world.controller}.toml", known_clauses=None)
        self.policy = replace(policy, unknown_class=world.unknown_class)
        self.store = store
        self.digester, self.sealer = Digester(keyring, world.controller), Sealer(keyring, world.controller)
        self._cell = Cell(world.purpose, world.channel)
        cipher = FieldCipher(keyring, world.controller)
        services = (self.policy, self.digester, store, lambda: NOW - DAY, cipher)
        self._recording, self._contacts = Recording(*services), Contacts(*services)
        self._sending = Sending(self.policy, self.sealer, self.digester, store, lambda: NOW - DAY)
        self._importing = Importing(self.policy, self.digester, store, lambda: NOW - DAY, self._recording)

    async def take(self, done: Sequence[Act]) -> None:
        for number, act in enumerate(done):
            try:
                await self._take(act, number)
            except PrefcenterError:
                continue

    async def _take(self, act: Act, number: int) -> None:
        recording, channel = self._recording, self._cell.channel
        match act.kind:
            case "refusal":
                reason = REASONS[act.pick % len(REASONS)]
                await recording.suppress(act.whom, reason, self._scope(act.pick), "form", act.at_ms, channel)
            case "domain":
                await recording.opt_out(DOMAINS[act.pick % len(DOMAINS)], self._scope(act.pick), "form", act.at_ms)
            case "consent":
                given_ms = act.at_ms or NOW - 3 * DAY
                consent = Consent(self._consent_cell(act.pick), "terms", "form", "person", given_ms, act.ends_ms)
                await recording.record_consent(act.whom, consent)
            case "pause":
                await recording.pause(act.whom, act.ends_ms, channel)
            case "bounce":
                await recording.bounce_permanently(act.whom, channel, "mailer")
            case "delivery":
                await recording.record_delivery(act.whom, channel or Channel.EMAIL, "mailer")
            case _:
                await self._take_in_bulk(act, number)

    async def _take_in_bulk(self, act: Act, number: int) -> None:
        channel = self._cell.channel or Channel.EMAIL
        match act.kind:
            case "contact":
                held_as = (None, *AddressClass)[act.pick % 3]
                contact = Contact(f"c{act.pick % 3}", (ContactAddress(channel, act.whom, held_as),), (), "crm")
                await self._contacts.upsert(contact)
            case "send":
                for campaign in range(1 + act.pick % 5):
                    await self._sending.record(self._cell.purpose or "", channel, f"c{campaign}", [act.whom])
            case "hash" if channel is Channel.EMAIL:
                text = hashlib.sha256(act.whom.lower().encode()).hexdigest()
                rows = [RefusalRow(text, NOW - 5 * DAY)]
                reason, scope = RefusalReason.MANUAL, self._scope(act.pick)
                await self._importing.refuse(rows, reason, scope, "vendor", AddressKind.EMAIL, DigestKind.SHA256)

    def _scope(self, pick: int) -> Scope:
        purpose = self.policy.purposes[pick % len(self.policy.purposes)]
        purpose_class = list(PurposeClass)[pick % len(PurposeClass)]
        choices = (
            EVERYTHING,
            EVERYTHING,
            Scope(self._cell.purpose),
            Scope(channel=self._cell.channel),
            Scope(purpose_class=purpose_class),
            Scope(purpose.id),
        )
        return choices[pick // 7 % len(choices)]

    def _consent_cell(self, pick: int) -> Cell:
        if pick % 3:
            return self._cell
        purpose = self.policy.purposes[pick % len(self.policy.purposes)]
        return Cell(purpose.id, self._cell.channel)
