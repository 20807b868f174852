"""Visits to the preference page: who came, by what link, and what they may see and do there (OCC-1, TCC-1, UN-2).

The page has no rule of its own: it shows what `decide` says and does what `OwnActs` does. What depends on the visit is
how much is shown. A link in a bulk mail may have been forwarded, so it shows the choices that share an audience with
that message; the rest, history and download need a link that was mailed within a day, or a signed-in session.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prefcenter.domain.errors import ActRefused, InvalidAddress, InvalidInput
from prefcenter.domain.events import EVERYTHING, Cell, Scope
from prefcenter.domain.policy import ALL_AUDIENCES, DataUse, Policy, Purpose
from prefcenter.domain.record import Record
from prefcenter.domain.terms import AddressClass, Channel
from prefcenter.security.tokens import LinkKind
from prefcenter.services.acts import Once, Outcome, Outcomes
from prefcenter.services.contact_files import Contact, ContactFiles
from prefcenter.services.links import Link
from prefcenter.services.outbox import Letter, LetterKind
from prefcenter.services.ports import LedgerEvent
from prefcenter.services.preferences import PreferenceSheet
from prefcenter.services.recording import Choice, scope_of
from prefcenter.services.targets import Target, Targets

if TYPE_CHECKING:
    from prefcenter.services.controller import ControllerServices

NOT_THAT_ADDRESS = "is not the one that the message with this link was sent to"


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit. `address` is known from the contact on file or was typed; None: it has to be asked for.

    `audiences` narrow what is shown, none named: everything. `sees_all`: history and download too.
    `consents_at_once`: the person is signed in, so that nothing has to be confirmed by mail.
    """

    target: Target
    channel: Channel
    address: str | None
    masked: str
    purpose: Purpose | None
    audiences: tuple[str, ...]
    sees_all: bool
    consents_at_once: bool = False

    @property
    def needs_address(self) -> bool:
        return self.address is None


@dataclass(frozen=True, slots=True)
class Saved:
    """What a save came to: an outcome a choice, in their order.

    `undo_token` takes back for ten minutes what was refused; None where nothing was. `is_mailed`: where something is
    `pending`, whether a letter went into the outbox; the mailbox may have had enough of them.
    """

    outcomes: tuple[Outcome, ...]
    undo_token: str | None
    is_mailed: bool = False


class Visits:
    """The visits to one controller's page."""

    def __init__(self, policy: Policy, targets: Targets, services: ControllerServices) -> None:
        self._policy = policy
        self._targets = targets
        self._services = services
        self._files = ContactFiles(policy.controller, services.store, targets, services.cipher)

    async def of_link(self, link: Link, typed_address: str | None = None) -> Visit:
        """The visit of somebody who came by a manage link. Raises InvalidAddress where what they typed does not fit."""
        contact = await self._contact(link.target)
        address = self._typed(link, typed_address) if typed_address else self._address_on_file(link, contact)
        is_fresh = link.kind is LinkKind.FRESH
        audiences = (contact.audiences if contact else ()) if is_fresh else _audiences_of(link.purpose)
        if address is None:
            return Visit(link.target, link.channel, None, "", link.purpose, audiences, is_fresh)
        target = self._targets.of(address, link.channel)
        return Visit(target, link.channel, address, _masked(target), link.purpose, audiences, is_fresh)

    async def of_person(self, address: str, channel: Channel) -> Visit:
        """The visit of somebody who is signed in at a portal, which vouches for their address."""
        target = self._targets.of(address, channel)
        contact = await self._contact(target)
        audiences = contact.audiences if contact else ()
        return Visit(target, channel, address, _masked(target), None, audiences, sees_all=True, consents_at_once=True)

    async def sheet(self, visit: Visit, now_ms: int) -> PreferenceSheet:
        """What the visit shows. Raises InvalidInput where the address has to be typed first.

        Where nobody said whose address it is, senders may call it a business one, so what it gets then is shown.
        """
        return await self._services.preferences.of(
            _known(visit), visit.channel, now_ms, visit.audiences, AddressClass.BUSINESS
        )

    async def save(
        self, visit: Visit, choices: Sequence[Choice], wording: str, language: str, *, once: Once | None = None
    ) -> Saved:
        """Save choices: what is switched off binds at once, what is switched on is confirmed by mail first.

        `wording`: the id and version of what was shown. Raises ActRefused for a choice that the visit does not show,
        MailUnavailable where nothing can be switched on here, InvalidInput. A save that an idempotency key was used for
        before is not done again, and nobody is written to.
        """
        for choice in choices:
            self._check_shown(visit, choice.cell)
        wanted = await self._not_yet_permitted(visit, [choice.cell for choice in choices if choice.is_wanted])
        if wanted and not visit.consents_at_once:
            self._services.outbox.require_mail()
            if visit.channel is not Channel.EMAIL:
                raise ActRefused("only an email address can confirm; ask for this by email")
        refused = [choice.cell for choice in choices if not choice.is_wanted]
        scopes = [scope_of(cell) for cell in refused]
        made = [*((cell, False) for cell in refused), *((cell, True) for cell in wanted)]

        def by_choice(outcomes: Outcomes) -> Outcomes:
            outcome_of = dict(zip(made, outcomes, strict=True))
            return tuple(outcome_of.get((choice.cell, choice.is_wanted), Outcome.UNCHANGED) for choice in choices)

        is_replay = await self._services.recording.is_done(once)
        chosen = await self._services.own_acts.choose(
            visit.target, scopes, wanted, wording, is_confirmed=visit.consents_at_once, arranged=by_choice, once=once
        )
        is_mailed = Outcome.PENDING in chosen.outcomes and not is_replay and await self._ask(visit, language)
        return Saved(chosen.outcomes, self._undo_token(visit, refused, chosen.versions), is_mailed)

    async def stop_everything(self, visit: Visit) -> Saved:
        """No more messages but administrative ones, and no use of data that can be refused; any link may say so."""
        uses = [data_use for data_use in self._policy.data_uses if data_use.basis is not None]
        scopes = [EVERYTHING, *(Scope(data_use=data_use.id) for data_use in uses)]
        chosen = await self._services.own_acts.choose(visit.target, scopes, (), "stop-everything", is_confirmed=False)
        return Saved(chosen.outcomes, self._undo_token(visit, scopes, chosen.versions))

    async def pause(self, visit: Visit, until_ms: int | None) -> Outcome:
        """Quiet until a time, or the end of it. Raises InvalidTime."""
        return await self._services.recording.pause_target(visit.target, until_ms)

    async def undo(self, visit: Visit, token: str) -> Outcome:
        """Take back what a save of this visitor's refused; `absent` where it is too late, or it stands no more."""
        link = self._services.links.open(token)
        is_theirs = link is not None and link.target.write_to in visit.target.records_of
        if link is None or link.kind is not LinkKind.UNDO or not is_theirs:
            return Outcome.ABSENT
        return await self._services.own_acts.undo(visit.target, link)

    async def history(self, visit: Visit) -> Sequence[LedgerEvent]:
        """What happened to the records of the address, newest first. Raises ActRefused for a link from a bulk mail."""
        if not visit.sees_all:
            raise ActRefused("the history needs a link that was mailed within a day; ask for one on this page")
        events = await self._services.store.history(self._policy.controller, visit.target.records_of)
        return sorted(events, key=_when, reverse=True)

    async def mail_fresh_link(self, visit: Visit, language: str) -> bool:
        """Mail the visitor a link that shows everything; False where their mailbox had enough letters."""
        _known(visit)
        if visit.channel is not Channel.EMAIL:
            raise ActRefused("only an email address can be sent a link")
        url = self._services.links.fresh(visit.target, visit.channel)
        letter = Letter(LetterKind.FRESH_LINK, visit.target.mailbox, language, url, self._policy.name)
        return await self._services.outbox.queue(visit.target.write_to, letter)

    async def _ask(self, visit: Visit, language: str) -> bool:
        """One letter about all that waits, so that the last one of several confirms everything."""
        records = await self._records(visit.target)
        waiting = await self._services.own_acts.waiting(visit.target)
        cells = list(dict.fromkeys(grant.cell for grant in waiting))
        return await self._services.confirmations.ask(visit.target, records, cells, language)

    def _undo_token(self, visit: Visit, refused: Sequence[object], versions: tuple[int, int] | None) -> str | None:
        if not refused or versions is None:
            return None
        return self._services.links.undo(visit.target, visit.channel, *versions)

    async def _not_yet_permitted(self, visit: Visit, cells: Sequence[Cell]) -> Sequence[Cell]:
        if not cells:
            return ()
        sheet = await self.sheet(visit, self._services.clock())
        permitted = {row.cell for row in (*sheet.rows, *sheet.data_uses) if row.decision.is_allowed}
        return [cell for cell in cells if cell not in permitted]

    def _check_shown(self, visit: Visit, cell: Cell) -> None:
        purposes, data_uses = self._policy.purpose_by_id, self._policy.data_use_by_id
        what = purposes.get(cell.purpose or "") if cell.data_use is None else data_uses.get(cell.data_use)
        if what is None or not _is_shown(what, visit.audiences):
            raise ActRefused("a choice is not among those that this link shows")

    async def _records(self, target: Target) -> Sequence[Record]:
        return await self._services.store.load(self._policy.controller, list(target.records_of))

    async def _contact(self, target: Target) -> Contact | None:
        """The one contact that holds the address; with two nobody knows whose visit it is."""
        holders = {holder.contact for record in await self._records(target) for holder in record.holders}
        if len(holders) != 1:
            return None
        return (await self._files.load(list(holders))).get(holders.pop())

    def _address_on_file(self, link: Link, contact: Contact | None) -> str | None:
        for item in contact.addresses if contact else ():
            if item.channel is link.channel and self._fits(link, item.address):
                return item.address
        return None

    def _typed(self, link: Link, text: str) -> str:
        if not self._fits(link, text):
            raise InvalidAddress(NOT_THAT_ADDRESS)
        return text

    def _fits(self, link: Link, text: str) -> bool:
        """Whether a link is for this very address. Raises InvalidAddress for text that is none."""
        return link.target.exact in self._targets.of(text, link.channel).exacts


def _when(item: LedgerEvent) -> tuple[int, int]:
    return item.event.received_ms if item.event else 0, item.version


def _known(visit: Visit) -> str:
    if visit.address is None:
        raise InvalidInput("address: enter the one that the message was sent to")
    return visit.address


def _masked(target: Target) -> str:
    return target.address.masked if target.address else ""


def _audiences_of(purpose: Purpose | None) -> tuple[str, ...]:
    """What a bulk link shows: all that shares an audience with its message; of one that is no more, what is for all."""
    if purpose is None:
        return (ALL_AUDIENCES,)
    return () if ALL_AUDIENCES in purpose.audiences else tuple(sorted(purpose.audiences))


def _is_shown(what: Purpose | DataUse, audiences: Sequence[str]) -> bool:
    return not audiences or any(what.covers_audience(audience) for audience in audiences)
