"""What tools do with contacts, what they report of people's consents, and what people choose on their pages."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from prefcenter.domain.errors import UnknownContact
from prefcenter.domain.events import EVERYTHING, Cell, Scope
from prefcenter.domain.terms import AddressClass, Channel, RefusalReason
from prefcenter.services.acts import Outcome
from prefcenter.services.contact_files import Contact, ContactAddress
from prefcenter.services.recording import Choice, Evidence
from prefcenter.services.targets import ContactId
from tests.properties.acting import Acting
from tests.properties.model import LIFTED_BY_ADMINISTRATOR, LIFTED_BY_CONSENT, OF_ONE_ADDRESS, Place
from tests.properties.world import (
    WITHOUT_ERASURE,
    Step,
    contact_ids,
    controllers,
    durations,
    held_places,
    holdings,
    live_or_stated,
    picks,
    places,
    shapes,
)


class ContactActing(Acting):
    """The acts that came with contacts; each is done to the home and to the model."""

    def _described(self, controller: str, contact: str, held: Mapping[Place, bool]) -> None:
        touched = self.models[controller].describe(contact, held, self.generation, self.home.now_ms)
        self.step = Step("described", controller, frozenset(touched))

    @rule(controller=controllers, contact=contact_ids, held=holdings)
    def upsert(self, controller: str, contact: str, held: dict[Place, bool]) -> None:
        given = Contact(contact, tuple(address_of(place, said) for place, said in held.items()), (), "fair")
        self.home.run(self.home.of(controller).contacts.upsert(given))
        self._described(controller, contact, held)

    @rule(controller=controllers, contact=contact_ids, place=held_places, is_personal=st.booleans())
    def add_address(self, controller: str, contact: str, place: Place, is_personal: bool) -> None:
        contacts, model = self.home.of(controller).contacts, self.models[controller]
        act = contacts.add_address(contact, address_of(place, is_personal))
        if not model.is_known(contact):
            with pytest.raises(UnknownContact):
                self.home.run(act)
            return
        self.home.run(act)
        self._described(controller, contact, {**model.contacts[contact].places, place: is_personal})

    @rule(controller=controllers, contact=contact_ids, place=held_places)
    def remove_address(self, controller: str, contact: str, place: Place) -> None:
        contacts, model = self.home.of(controller).contacts, self.models[controller]
        act = contacts.remove_address(contact, address_of(place, is_personal=False))
        if not model.is_known(contact):
            with pytest.raises(UnknownContact):
                self.home.run(act)
            return
        held = model.contacts[contact].places
        assert (self.home.run(act) is Outcome.RECORDED) is (place in held)
        self._described(controller, contact, {other: said for other, said in held.items() if other is not place})

    @rule(
        controller=controllers,
        contact=contact_ids,
        place=places,
        reason=st.sampled_from(sorted(set(WITHOUT_ERASURE) - OF_ONE_ADDRESS)),
        shape=shapes,
        pick=picks,
        when=live_or_stated,
    )
    def refuse_contact(
        self,
        controller: str,
        contact: str,
        place: Place,
        reason: RefusalReason,
        shape: str,
        pick: int,
        when: tuple[int, int] | None,
    ) -> None:
        scope = self._scope(controller, place, reason, shape, pick)
        at_ms = self._at(controller, when)
        self._do(lambda: self._refuse(controller, contact, reason, scope, "desk", at_ms))

    @rule(controller=controllers, contact=contact_ids, length=durations)
    def pause_contact(self, controller: str, contact: str, length: int | None) -> None:
        model = self.models[controller]
        if not model.is_known(contact):
            return
        until_ms = None if length is None else self.home.now_ms + length
        self.home.run(self.home.of(controller).recording.pause(ContactId(contact), until_ms))
        self.step = Step("paused", controller, frozenset(model.pause(contact, self.generation, until_ms)))

    @rule(controller=controllers, contact=contact_ids, reason=st.sampled_from(sorted(LIFTED_BY_ADMINISTRATOR)))
    def lift_contact(self, controller: str, contact: str, reason: RefusalReason) -> None:
        model = self.models[controller]
        if not model.is_known(contact):
            return
        before = len(model.refusals)
        lifted = self.home.run(self.home.of(controller).recording.lift(ContactId(contact), reason, "by-mistake"))
        reached = model.lift(contact, reason, None, None)
        assert (lifted is Outcome.RECORDED) is (len(model.refusals) < before)
        self.step = Step("lifted", controller, frozenset(reached), reason=reason)

    @rule(controller=controllers, contact=contact_ids)
    def erase_contact(self, controller: str, contact: str) -> None:
        model = self.models[controller]
        if not model.is_known(contact):
            return
        recording = self.home.of(controller).recording
        self.home.run(recording.suppress(ContactId(contact), RefusalReason.ERASED, EVERYTHING, "person"))
        gone = model.erase(contact, self.generation, self.home.now_ms)
        self.step = Step("refused", controller, frozenset(gone))

    @rule(controller=controllers, place=places, pick=picks, when=live_or_stated, lasting=durations)
    def report_consent(
        self, controller: str, place: Place, pick: int, when: tuple[int, int] | None, lasting: int | None
    ) -> None:
        """A tool's word for a person's: where a refusal stands, or will be back, it waits."""
        cells = [cell for cell in self._cells(controller, place) if cell.purpose != "service"]
        cell, at_ms = cells[pick % len(cells)], self._at(controller, when)
        consent, model = self._consent(cell, at_ms, lasting), self.models[controller]
        now_ms = self.home.now_ms
        is_refused = model.is_refused(self.promises[controller], place, cell, now_ms, consent.expires_ms)
        time_ms = self._time(controller, place.subject, at_ms, place.domains)
        recording = self.home.of(controller).recording
        outcome = self.home.run(recording.record_consent(place.written, consent, is_confirmed=False))
        assert outcome is not Outcome.RECORDED or not is_refused
        assert outcome is not Outcome.PENDING or is_refused or model.is_before_a_consent(place, cell, now_ms)
        self.step = self._reported(
            controller, place, cell, outcome, consent.expires_ms, time_ms, stated=at_ms is not None
        )

    def _reported(
        self,
        controller: str,
        place: Place,
        cell: Cell,
        outcome: Outcome,
        expires_ms: int | None,
        time_ms: int,
        *,
        stated: bool,
    ) -> Step:
        model = self.models[controller]
        if outcome is Outcome.PENDING:
            model.propose(place, self.generation, time_ms, cell, stated=stated)
        if outcome is Outcome.RECORDED:
            model.grant(place, self.generation, time_ms, cell, expires_ms, stated=stated)
        reported = frozenset({(place.text, cell)} if outcome is Outcome.RECORDED else ())
        return Step("reported", controller, frozenset({place.subject}), reported=reported)

    @rule(
        controller=controllers,
        place=places,
        wanted=st.lists(st.tuples(picks, st.booleans()), min_size=1, max_size=3),
        is_confirmed=st.booleans(),
    )
    def set_preferences(
        self, controller: str, place: Place, wanted: list[tuple[int, bool]], is_confirmed: bool
    ) -> None:
        cells = [cell for cell in self._cells(controller, place) if cell.purpose != "service"]
        choices = [Choice(cells[pick % len(cells)], is_wanted) for pick, is_wanted in wanted]
        time_ms = self._time(controller, place.subject, None, place.domains)
        channel = None if place.channels == (Channel.EMAIL,) else place.channels[0]
        evidence = Evidence("form@1", "form", "person")
        outcomes = self.home.run(
            self.home.of(controller).recording.set_preferences(
                place.written, choices, "page", evidence, channel, is_confirmed=is_confirmed
            )
        )
        reached, opened = {place.subject}, set()
        for choice, outcome in zip(choices, outcomes, strict=True):
            if choice.is_wanted:
                self._check_wanted(controller, place, choice.cell, outcome, is_confirmed=is_confirmed)
                self._reported(controller, place, choice.cell, outcome, None, time_ms, stated=False)
                opened |= {(place.text, choice.cell)} if outcome is Outcome.RECORDED else set()
            else:
                reached |= self._not_wanted(controller, place, choice.cell, outcome, time_ms)
        granted, reported = (opened, set()) if is_confirmed else (set(), opened)
        self.step = Step("chosen", controller, frozenset(reached), frozenset(granted), frozenset(reported))

    def _check_wanted(self, controller: str, place: Place, cell: Cell, outcome: Outcome, *, is_confirmed: bool) -> None:
        model = self.models[controller]
        is_refused = model.is_refused(self.promises[controller], place, cell, self.home.now_ms, None)
        assert outcome is not Outcome.PENDING or not is_confirmed
        assert outcome is not Outcome.RECORDED or is_confirmed or not is_refused

    def _not_wanted(self, controller: str, place: Place, cell: Cell, outcome: Outcome, time_ms: int) -> set[str]:
        model = self.models[controller]
        if outcome is Outcome.UNCHANGED:
            answer = model.answer(self.promises[controller], place, cell, self.home.now_ms)
            is_missed = model.is_before_a_consent(place, cell, self.home.now_ms)
            assert RefusalReason(answer) in LIFTED_BY_CONSENT or is_missed
            return set()
        scope = Scope(cell.purpose, None, cell.channel, cell.data_use)
        opted_out = RefusalReason.OPTED_OUT
        return model.refuse(place.subject, self.generation, time_ms, opted_out, scope, "page", stated=False)


def address_of(place: Place, is_personal: bool) -> ContactAddress:
    """Who says nothing of an address leaves its class to the caller, who calls each a business one."""
    return ContactAddress(place.channels[0], place.written, AddressClass.PERSONAL if is_personal else None)
