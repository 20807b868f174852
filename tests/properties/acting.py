"""What people, lists, operators, policies and clocks do to a real home, and to the model beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from prefcenter.domain.decision import Decision
from prefcenter.domain.errors import InvalidInput
from prefcenter.domain.events import EVERYTHING, Cell, Scope
from prefcenter.domain.terms import Channel, RefusalReason
from prefcenter.services.acts import Outcome
from prefcenter.services.admission import Consent
from prefcenter.services.import_batches import RowOutcome
from prefcenter.services.importing import GrantRow, RefusalRow
from tests.properties.model import LIFTED_BY_ADMINISTRATOR, WEAKEST_FIRST, Model, Place
from tests.properties.promises import (
    FIRST_PROMISES,
    Promises,
    policy_text,
    with_other_basis,
    with_renamed,
    with_surveys,
)
from tests.properties.world import (
    CONTROLLERS,
    DAY,
    MINUTE,
    PLACES,
    REGISTRIES,
    SECOND,
    START,
    WITHOUT_ERASURE,
    Key,
    Step,
    Whom,
    addressee,
    cells_of,
    controllers,
    durations,
    live_or_stated,
    name_of,
    picks,
    places,
    question_of,
    scope_of,
    shapes,
    targets,
    times,
    whole_lists,
)
from tests.running_home import RunningHome


class Acting(RuleBasedStateMachine):
    """Two controllers with the same promises at first, and the same people at both."""

    def __init__(self) -> None:
        super().__init__()
        self.promises: dict[str, Promises] = dict.fromkeys(CONTROLLERS, FIRST_PROMISES)
        self.home = RunningHome({name: policy_text(name, FIRST_PROMISES) for name in CONTROLLERS}, START)
        self.models = {name: Model() for name in CONTROLLERS}
        self.generation = 1
        self.renamed = 0
        self.done: list[Callable[[], None]] = []
        self.step = Step("opened")
        self.answers: dict[Key, Decision] = {}

    # Acts. Each is also kept, so that it can be sent again later.

    def _at(self, controller: str, when: tuple[int, int] | None) -> int | None:
        """A stated time close to that of an earlier act, or None for a live act."""
        if when is None:
            return None
        anchors = [self.home.now_ms, *self.models[controller].times()]
        return min(anchors[when[0] % len(anchors)] + when[1], self.home.now_ms + MINUTE)

    def _time(self, controller: str, name: str, at_ms: int | None, elsewhere: Sequence[str] = ()) -> int:
        """When the model says that an act happened; it asks before it notes the act."""
        return self.models[controller].time_of(name, self.home.now_ms, at_ms, elsewhere)

    def _scope(self, controller: str, place: Place, reason: RefusalReason, shape: str, pick: int) -> Scope:
        return scope_of(self.promises[controller], place, reason, shape, pick)

    def _cells(self, controller: str, place: Place) -> list[Cell]:
        return cells_of(self.promises[controller], place)

    def _do(self, act: Callable[[], Step]) -> None:
        """Act and say what that was entitled to; sent again later it may reach further, for contacts come and go."""
        self.step = act()
        self.done = [*self.done[-5:], partial(self._do, act)]

    def _refuse(
        self, controller: str, whom: Whom, reason: RefusalReason, scope: Scope, source: str, at_ms: int | None
    ) -> Step:
        recording, model = self.home.of(controller).recording, self.models[controller]
        act = recording.suppress(addressee(whom), reason, scope, source, at_ms)
        is_in_the_future = at_ms is not None and at_ms > self.home.now_ms + MINUTE
        if is_in_the_future or (isinstance(whom, str) and not model.is_known(whom)):
            with pytest.raises(InvalidInput):
                self.home.run(act)
            return Step("nothing", controller, frozenset())
        self.home.run(act)
        time_ms, stated = self._time(controller, name_of(whom), at_ms), at_ms is not None
        reached = model.refuse(name_of(whom), self.generation, time_ms, reason, scope, source, stated=stated)
        return Step("refused", controller, frozenset(reached))

    def _consent(self, cell: Cell, at_ms: int | None, lasting_ms: int | None) -> Consent:
        given_ms = self.home.now_ms if at_ms is None else at_ms
        expires_ms = None if lasting_ms is None else given_ms + lasting_ms
        return Consent(cell, "form@1", "form", "person", at_ms, expires_ms)

    def _is_valid(self, controller: str, cell: Cell, at_ms: int | None) -> bool:
        """Whether a consent sent again is still one: the purpose may be gone, the clock set back."""
        is_known = cell.purpose is None or cell.purpose in self.promises[controller]
        return is_known and (at_ms is None or at_ms <= self.home.now_ms + MINUTE)

    def _grant(self, controller: str, place: Place, cell: Cell, at_ms: int | None, lasting_ms: int | None) -> Step:
        recording = self.home.of(controller).recording
        consent = self._consent(cell, at_ms, lasting_ms)
        if not self._is_valid(controller, cell, at_ms):
            with pytest.raises(InvalidInput):
                self.home.run(recording.record_consent(place.written, consent))
            return Step("nothing", controller, frozenset())
        self.home.run(recording.record_consent(place.written, consent))
        self._note_grant(controller, place, consent, self._time(controller, place.subject, at_ms))
        return Step("granted", controller, frozenset({place.subject}), frozenset({(place.text, cell)}))

    def _note_grant(self, controller: str, place: Place, consent: Consent, time_ms: int) -> None:
        stated = consent.given_ms is not None
        self.models[controller].grant(place, self.generation, time_ms, consent.cell, consent.expires_ms, stated=stated)

    @rule(controller=controllers, place=targets, shape=shapes, pick=picks, when=live_or_stated)
    def opt_out(self, controller: str, place: Place, shape: str, pick: int, when: tuple[int, int] | None) -> None:
        reason = RefusalReason.OPTED_OUT
        scope = self._scope(controller, place, reason, shape, pick)
        self._do(partial(self._refuse, controller, place, reason, scope, "page", self._at(controller, when)))

    @rule(
        controller=controllers,
        place=targets,
        reason=st.sampled_from(WITHOUT_ERASURE),
        shape=shapes,
        pick=picks,
        when=live_or_stated,
    )
    def suppress(
        self,
        controller: str,
        place: Place,
        reason: RefusalReason,
        shape: str,
        pick: int,
        when: tuple[int, int] | None,
    ) -> None:
        scope = self._scope(controller, place, reason, shape, pick)
        source = REGISTRIES[pick % len(REGISTRIES)]
        self._do(partial(self._refuse, controller, place, reason, scope, source, self._at(controller, when)))

    @rule(controller=controllers, place=places, pick=picks, when=live_or_stated, lasting=durations)
    def consent(
        self, controller: str, place: Place, pick: int, when: tuple[int, int] | None, lasting: int | None
    ) -> None:
        cells = [cell for cell in self._cells(controller, place) if cell.purpose != "service"]
        cell = cells[pick % len(cells)]
        self._do(partial(self._grant, controller, place, cell, self._at(controller, when), lasting))

    @rule(pick=picks)
    def retry(self, pick: int) -> None:
        if self.done:
            self.done[pick % len(self.done)]()

    @rule(controller=controllers, place=places, pick=picks)
    def bounce_permanently(self, controller: str, place: Place, pick: int) -> None:
        channel = place.channels[pick % len(place.channels)]
        recording, model = self.home.of(controller).recording, self.models[controller]
        self.home.run(recording.bounce_permanently(place.written, channel, "mail-server"))
        time_ms, bounced, scope = (
            self._time(controller, place.subject, None),
            RefusalReason.BOUNCED,
            Scope(channel=channel),
        )
        model.refuse(place.subject, self.generation, time_ms, bounced, scope, "mail-server", stated=False)
        model.end_grants(place, self.generation, time_ms)
        self.step = Step("refused", controller, frozenset({place.subject}))

    @rule(controller=controllers, place=places, pick=picks)
    def deliver(self, controller: str, place: Place, pick: int) -> None:
        channel = place.channels[pick % len(place.channels)]
        recording = self.home.of(controller).recording
        self.home.run(recording.record_delivery(place.written, channel, "confirmed-link"))
        self.models[controller].deliver(place.subject, channel)
        self.step = Step("delivered", controller, frozenset({place.subject}), channel=channel)

    @rule(
        controller=controllers,
        place=targets,
        reason=st.sampled_from(sorted(LIFTED_BY_ADMINISTRATOR)),
        narrowed=st.booleans(),
        pick=picks,
    )
    def lift(self, controller: str, place: Place, reason: RefusalReason, narrowed: bool, pick: int) -> None:
        scope = self._scope(controller, place, reason, "cell", pick) if narrowed else EVERYTHING
        recording, model = self.home.of(controller).recording, self.models[controller]
        before = len(model.refusals)
        lifted = self.home.run(recording.lift(place.written, reason, "by-mistake", scope.purpose, scope.channel))
        model.lift(place.subject, reason, scope.purpose, scope.channel)
        assert (lifted is Outcome.RECORDED) is (len(model.refusals) < before)
        self.step = Step("lifted", controller, frozenset({place.subject}), reason=reason)

    @rule(controller=controllers, place=places)
    def erase(self, controller: str, place: Place) -> None:
        recording = self.home.of(controller).recording
        self.home.run(recording.suppress(place.written, RefusalReason.ERASED, EVERYTHING, "person"))
        gone = self.models[controller].erase(place.subject, self.generation, self.home.now_ms)
        self.step = Step("refused", controller, frozenset(gone))

    @rule(controller=controllers, place=places, length=durations)
    def pause(self, controller: str, place: Place, length: int | None) -> None:
        recording = self.home.of(controller).recording
        until_ms = None if length is None else self.home.now_ms + length
        self.home.run(recording.pause(place.written, until_ms, place.channels[0]))
        reached = self.models[controller].pause(place.subject, self.generation, until_ms)
        self.step = Step("paused", controller, frozenset(reached))

    @rule(
        controller=controllers,
        rows=st.lists(st.tuples(targets, times), min_size=1, max_size=4),
        reason=st.sampled_from(WITHOUT_ERASURE),
        shape=shapes,
        pick=picks,
    )
    def import_refusals(
        self,
        controller: str,
        rows: list[tuple[Place, tuple[int, int]]],
        reason: RefusalReason,
        shape: str,
        pick: int,
    ) -> None:
        importing, kind = self.home.of(controller).importing, rows[0][0].kind
        dated = [(place, self._at(controller, when) or 0) for place, when in rows if place.kind is kind]
        source = REGISTRIES[pick % len(REGISTRIES)]
        scope = self._scope(controller, dated[0][0], reason, shape, pick)
        assert importing.checked_scope(reason, scope, source, kind) == scope
        listed = [RefusalRow(place.written, at_ms) for place, at_ms in dated]
        self.home.run(importing.refuse(listed, reason, scope, source, kind))
        again = self.home.run(importing.refuse(listed, reason, scope, source, kind))
        assert list(again) == [RowOutcome.ALREADY] * len(listed)
        reached: set[str] = set()
        for place, at_ms in dated:
            time_ms = self._time(controller, place.subject, at_ms)
            reached |= self.models[controller].refuse(
                place.subject, self.generation, time_ms, reason, scope, source, stated=True
            )
        self.step = Step("refused", controller, frozenset(reached))

    @rule(controller=controllers, rows=st.lists(st.tuples(places, picks, times, durations), min_size=1, max_size=4))
    def import_consents(self, controller: str, rows: list[tuple[Place, int, tuple[int, int], int | None]]) -> None:
        given: list[tuple[Place, Consent]] = []
        for place, pick, when, lasting in rows:
            cells = [cell for cell in self._cells(controller, place) if cell.purpose != "service"]
            consent = self._consent(cells[pick % len(cells)], self._at(controller, when), lasting)
            given.append((place, consent))
        listed = [GrantRow(place.written, consent) for place, consent in given]
        for outcome in self.home.run(self.home.of(controller).importing.grant([*listed, *listed]))[len(listed) :]:
            assert outcome is RowOutcome.ALREADY
        for place, consent in given:
            time_ms = self._time(controller, place.subject, consent.given_ms)
            self._note_grant(controller, place, consent, time_ms)
        granted = frozenset((place.text, consent.cell) for place, consent in given)
        self.step = Step("granted", controller, frozenset(place.subject for place, _ in given), granted)

    @rule(controller=controllers, whole=whole_lists, listed=st.lists(targets, max_size=4), when=times)
    def replace_registry(
        self, controller: str, whole: tuple[str, Channel], listed: list[Place], when: tuple[int, int]
    ) -> None:
        (registry, channel), begun_ms = whole, self._at(controller, when) or 0
        importing = self.home.of(controller).importing
        subjects = [digest.value for place in listed for digest in importing.subjects(place.written, place.kind)]
        self.home.run(importing.delist(registry, Scope(channel=channel), frozenset(subjects), begun_ms))
        self.models[controller].delist(registry, channel, {place.subject for place in listed}, begun_ms)
        self.step = Step("registry replaced", controller, channel=channel)

    @rule(by_ms=st.sampled_from((1, SECOND, MINUTE - 1, MINUTE, MINUTE + 1, DAY, 30 * DAY)))
    def time_passes(self, by_ms: int) -> None:
        self.step = Step("clock", clock_before_ms=self.home.now_ms)
        self.home.now_ms += by_ms
        for key, now in self._ask().items():
            before = self.answers[key]
            is_still_valid = self.home.now_ms < before.valid_until_ms
            assert not is_still_valid or now.reason is before.reason, f"an answer did not hold for {key}"

    @rule(by_ms=st.sampled_from((1, SECOND, MINUTE - 1, MINUTE + 1, 5 * MINUTE)))
    def clock_is_set_back(self, by_ms: int) -> None:
        self.step = Step("clock", clock_before_ms=self.home.now_ms)
        self.home.now_ms -= by_ms

    @rule()
    def reopen(self) -> None:
        self.home.reopen()
        self.step = Step("reopened", subjects=frozenset())

    @rule()
    def rotate_keys(self) -> None:
        self.home.rotate_keys()
        self.generation += 1
        self.step = Step("rotated", subjects=frozenset())

    @rule(controller=controllers, name=st.sampled_from(("rename", "rename", "offers", "jobs", "surveys")))
    def change_policy(self, controller: str, name: str) -> None:
        promises = self.promises[controller]
        offers = next(purpose for purpose in promises if purpose.startswith("offers"))
        self.renamed += 1
        new_name = f"offers-{self.renamed}"
        changed = {
            "rename": with_renamed(promises, offers, new_name),
            "surveys": with_surveys(promises),
            "offers": with_other_basis(promises, offers),
            "jobs": with_other_basis(promises, "jobs"),
        }[name]
        self.promises[controller] = changed
        self.home.adopt(controller, policy_text(controller, changed))
        self.step = Step("policy", controller)
        if name == "rename":
            self._check_inheritance(controller, offers, new_name)

    def _check_inheritance(self, controller: str, old: str, new: str) -> None:
        """What refused the purpose of the old name refuses the one of the new name."""
        after = self._ask()
        for (its_controller, place, cell), before in self.answers.items():
            if (its_controller, cell.purpose) == (controller, old) and before.reason.value in WEAKEST_FIRST:
                now = after[controller, place, replace(cell, purpose=new)].reason.value
                assert WEAKEST_FIRST.index(now) >= WEAKEST_FIRST.index(before.reason.value)

    def _ask(self, *, by_the_service: bool = False) -> dict[Key, Decision]:
        answer = self.home.answer if by_the_service else self.home.answer_quickly
        answers: dict[Key, Decision] = {}
        for controller in CONTROLLERS:
            keys = [(controller, place, cell) for place in PLACES for cell in self._cells(controller, place)]
            answers.update(zip(keys, answer(controller, [question_of(key) for key in keys]), strict=True))
        return answers
