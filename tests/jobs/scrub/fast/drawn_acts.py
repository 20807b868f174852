"""What people, operators, mail hosts and tools do at a controller: as data, and done through the services."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from prefcenter.domain.digest import HASH_KINDS
from prefcenter.domain.errors import PrefcenterError
from prefcenter.domain.events import EVERYTHING, Cell, Scope
from prefcenter.domain.policy import Policy
from prefcenter.domain.terms import KIND_OF_CHANNEL, AddressClass, AddressKind, Channel, PurposeClass, RefusalReason
from prefcenter.security.digests import Digester, vendors_hash
from prefcenter.security.fields import FieldCipher
from prefcenter.security.keyring import Keyring
from prefcenter.security.seals import Sealer
from prefcenter.security.tokens import LinkCipher
from prefcenter.services.admission import Consent
from prefcenter.services.contact_files import Contact, ContactAddress
from prefcenter.services.controller import ControllerServices
from prefcenter.services.importing import RefusalRow
from prefcenter.services.ports import Store
from prefcenter.services.site import Site
from prefcenter.services.targets import ContactId, Targets
from tests.factories import DAY, NOW
from tests.fakes import MemoryStore

SHAPES = ("everything", "purpose", "class", "channel", "cell", "other purpose", "succeeded", "data use")
REGISTRY = "robinson-list"


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that happened. Which parts count is up to its kind; `pick` chooses among what that leaves open.

    `at_ms` is the time that the act itself states, if any, and `ends_ms` when a consent or a pause is over.
    """

    kind: str
    whom: str
    cell: Cell
    reason: RefusalReason = RefusalReason.OPTED_OUT
    shape: str = "everything"
    received_ms: int = NOW - DAY
    at_ms: int | None = None
    ends_ms: int | None = None
    pick: int = 0


class DrawnHome:
    """A controller's services over a store, its clock at the time of each act.

    `opened` opens the same store with another keyring, where it is not one in memory.
    """

    def __init__(
        self, policy: Policy, keyring: Keyring, store: Store, opened: Callable[[Keyring], Store] | None = None
    ) -> None:
        self.policy, self.keyring, self.store, self._opened = policy, keyring, store, opened
        self.now_ms = NOW
        name = policy.controller
        self.digester, self.sealer = Digester(keyring, name), Sealer(keyring, name)
        ciphers = (FieldCipher(keyring, name), LinkCipher(keyring, name))
        site = Site("https://preferences.example")
        self.services = ControllerServices(
            policy, self.sealer, self.digester, *ciphers, store, lambda: self.now_ms, site
        )

    def rotated(self) -> DrawnHome:
        """The same home under a newer key."""
        keyring = self.keyring.rotated("2026-11-22T00:00:00Z")
        if isinstance(self.store, MemoryStore):
            return DrawnHome(self.policy, keyring, MemoryStore(keyring, self.store._cabinet))
        assert self._opened is not None
        self.close()
        return DrawnHome(self.policy, keyring, self._opened(keyring), self._opened)

    def close(self) -> None:
        asyncio.run(self.store.close())

    def take(self, acts: Iterable[Act]) -> None:
        asyncio.run(self.take_all(acts))

    async def take_all(self, acts: Iterable[Act]) -> int:
        """Do what can be done; what cannot is left undone, as it would be. Gives how many acts were done."""
        done = 0
        for act in acts:
            self.now_ms = act.received_ms
            try:
                await _DONE[act.kind](self, act)
            except PrefcenterError:
                continue
            done += 1
        return done

    def scope(self, act: Act) -> Scope:
        purposes, data_uses = self.policy.purposes, self.policy.data_uses
        other = purposes[act.pick % len(purposes)]
        succeeded = sorted(name for purpose in purposes for name in purpose.succeeds)
        cell = act.cell
        scopes = {
            "everything": EVERYTHING,
            "purpose": Scope(cell.purpose),
            "class": Scope(purpose_class=list(PurposeClass)[act.pick % len(PurposeClass)]),
            "channel": Scope(channel=cell.channel),
            "cell": Scope(cell.purpose, channel=cell.channel),
            "other purpose": Scope(other.id),
            "succeeded": Scope(succeeded[act.pick % len(succeeded)]) if succeeded else EVERYTHING,
            "data use": Scope(data_use=data_uses[act.pick % len(data_uses)].id) if data_uses else EVERYTHING,
        }
        return scopes[act.shape]


def _channel(act: Act) -> Channel:
    assert act.cell.channel is not None
    return act.cell.channel


async def _refuse(home: DrawnHome, act: Act) -> None:
    if act.reason is RefusalReason.ERASED:
        await home.services.recording.suppress(act.whom, act.reason, EVERYTHING, "person", None, _channel(act))
        return
    source = REGISTRY if act.reason is RefusalReason.ON_REGISTRY else "form"
    await home.services.recording.suppress(act.whom, act.reason, home.scope(act), source, act.at_ms, _channel(act))


async def _consent(home: DrawnHome, act: Act, *, is_confirmed: bool = True) -> None:
    given_ms = home.now_ms if act.at_ms is None else act.at_ms
    consent = Consent(act.cell, f"wording@{act.pick % 3 + 1}", "form", "person", given_ms, act.ends_ms)
    await home.services.recording.record_consent(act.whom, consent, is_confirmed=is_confirmed)


async def _live_consent(home: DrawnHome, act: Act) -> None:
    """The person's own consent on their page, which states no time."""
    home_target = Targets(home.policy.country, home.digester).of(act.whom, act.cell.channel)
    await home.services.own_acts.choose(home_target, [], [act.cell], "page@1", is_confirmed=True)


async def _propose(home: DrawnHome, act: Act) -> None:
    await _consent(home, act, is_confirmed=False)


async def _confirm(home: DrawnHome, act: Act) -> None:
    target = Targets(home.policy.country, home.digester).of(act.whom, act.cell.channel)
    url = home.services.links.confirmation(target, _channel(act), [act.cell])
    link = home.services.links.open(url.rpartition("/")[2])
    if link is not None:
        await home.services.own_acts.confirm(link.target, link.confirms, link.channel)


async def _refuse_on_page(home: DrawnHome, act: Act) -> None:
    """Refuse on the page; an odd pick takes it back at once."""
    services, channel = home.services, _channel(act)
    target = Targets(home.policy.country, home.digester).of(act.whom, channel)
    chosen = await services.own_acts.choose(target, [home.scope(act)], [], "page@1", is_confirmed=False)
    if chosen.versions is not None and act.pick % 2:
        link = services.links.open(services.links.undo(target, channel, *chosen.versions))
        assert link is not None
        await services.own_acts.undo(target, link)


async def _pause(home: DrawnHome, act: Act) -> None:
    await home.services.recording.pause(act.whom, act.ends_ms, act.cell.channel)


async def _bounce(home: DrawnHome, act: Act) -> None:
    await home.services.recording.bounce_permanently(act.whom, act.cell.channel, "mailer")


async def _deliver(home: DrawnHome, act: Act) -> None:
    await home.services.recording.record_delivery(act.whom, _channel(act), "mailer")


async def _lift(home: DrawnHome, act: Act) -> None:
    await home.services.recording.lift(act.whom, act.reason, "by-mistake", channel=_channel(act))


async def _hold(home: DrawnHome, act: Act) -> None:
    held_as = (None, *AddressClass)[act.pick % 3]
    address = ContactAddress(_channel(act), act.whom, held_as)
    await home.services.contacts.upsert(Contact(_contact(act), (address,), (), "crm"))


async def _release(home: DrawnHome, act: Act) -> None:
    await home.services.contacts.remove_address(_contact(act), ContactAddress(_channel(act), act.whom))


async def _refuse_as_contact(home: DrawnHome, act: Act) -> None:
    whom = ContactId(_contact(act))
    await home.services.recording.suppress(whom, act.reason, home.scope(act), "crm", act.at_ms)


def _contact(act: Act) -> str:
    return f"crm-{act.pick // 3 % 2}"


async def _send(home: DrawnHome, act: Act) -> None:
    """Messages of a purpose, as many as the pick says, all of one time."""
    home.now_ms = max(act.received_ms, act.at_ms or 0)
    for number in range(1 + act.pick % 3):
        campaign = f"c{act.pick}-{number}"
        await home.services.sending.record(act.cell.purpose or "", _channel(act), campaign, [act.whom], act.at_ms)


async def _hash(home: DrawnHome, act: Act) -> None:
    """A vendor's list of one hash. Only emails have any."""
    if KIND_OF_CHANNEL[_channel(act)] is not AddressKind.EMAIL:
        return
    kind = sorted(HASH_KINDS)[act.pick % len(HASH_KINDS)]
    row = RefusalRow(vendors_hash(kind, act.whom.strip().lower()), act.at_ms or act.received_ms)
    await home.services.importing.refuse([row], act.reason, home.scope(act), "vendor", AddressKind.EMAIL, kind)


async def _delist(home: DrawnHome, act: Act) -> None:
    await home.services.importing.delist(REGISTRY, Scope(channel=act.cell.channel), frozenset(), act.received_ms)


_DONE: Mapping[str, Callable[[DrawnHome, Act], Awaitable[Any]]] = {
    "refusal": _refuse,
    "consent": _consent,
    "live consent": _live_consent,
    "proposal": _propose,
    "confirmation": _confirm,
    "page": _refuse_on_page,
    "pause": _pause,
    "bounce": _bounce,
    "delivery": _deliver,
    "lift": _lift,
    "hold": _hold,
    "release": _release,
    "contact": _refuse_as_contact,
    "send": _send,
    "hash": _hash,
    "delisting": _delist,
}
KINDS = tuple(_DONE)
