"""Which of two acts is the later one, on a real store: every kind of pair, on both sides of the minute (DESIGN §2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefcenter.domain.events import EVERYTHING, Cell, Scope
from prefcenter.domain.terms import AddressClass, Channel
from prefcenter.services.admission import Consent
from prefcenter.services.decisions import Question
from tests.factories import DAY, MINUTE, NOW
from tests.properties.promises import FIRST_PROMISES, policy_text
from tests.running_home import RunningHome

OFFERS, TIPS = Cell("offers", Channel.EMAIL), Cell("tips", Channel.EMAIL)
GAPS = (-DAY, -MINUTE - 1, -1, 0, 1, MINUTE - 1, MINUTE, MINUTE + 1, DAY)
SCOPES = (EVERYTHING, Scope("offers"), Scope("tips"), Scope(channel=Channel.EMAIL))
numbers = count()


@pytest.fixture(scope="module")
def home() -> Iterator[RunningHome]:
    opened = RunningHome({name: policy_text(name, FIRST_PROMISES) for name in ("north", "south")}, NOW)
    yield opened
    opened.close()


@dataclass(frozen=True)
class Pair:
    """A refusal at `NOW` and a consent some time after (or before) it, each live or stated."""

    name: str
    gap_ms: int
    is_refusal_stated: bool
    is_consent_stated: bool
    of_domain: bool

    @property
    def address(self) -> str:
        return f"pat@{self.name}.example"

    def refuse(self, home: RunningHome) -> None:
        home.now_ms = NOW
        text = f"@{self.name}.example" if self.of_domain else self.address
        at_ms = NOW if self.is_refusal_stated else None
        home.run(home.of("north").recording.opt_out(text, EVERYTHING, "page", at_ms))

    def consent(self, home: RunningHome) -> None:
        home.now_ms = NOW + self.gap_ms
        given_ms = home.now_ms if self.is_consent_stated else None
        consent = Consent(OFFERS, "form@1", "form", "person", given_ms)
        home.run(home.of("north").recording.record_consent(self.address, consent))

    def is_reopened(self, home: RunningHome) -> bool:
        home.now_ms = NOW + 2 * DAY
        question = Question(self.address, "offers", Channel.EMAIL, address_class=AddressClass.BUSINESS)
        (decision,) = home.answer("north", [question])
        return decision.is_allowed


def pairs(prefix: str, *, of_domain: bool) -> list[Pair]:
    cases = product(GAPS, (False, True), (False, True))
    return [Pair(f"{prefix}{number}", *case, of_domain) for number, case in enumerate(cases)]


def test_in_one_record_live_acts_order_as_they_came_and_stated_ones_by_their_times(home: RunningHome) -> None:
    for pair in pairs("same", of_domain=False):
        for act in (pair.refuse, pair.consent) if pair.gap_ms >= 0 else (pair.consent, pair.refuse):
            act(home)
        both_live = not pair.is_refusal_stated and not pair.is_consent_stated
        assert pair.is_reopened(home) is (pair.gap_ms >= 0 if both_live else pair.gap_ms > MINUTE), pair


def test_between_a_domain_and_a_mailbox_times_decide(home: RunningHome) -> None:
    for pair in pairs("whole", of_domain=True):
        for act in (pair.refuse, pair.consent) if pair.gap_ms >= 0 else (pair.consent, pair.refuse):
            act(home)
        assert pair.is_reopened(home) is (pair.gap_ms > MINUTE), pair


def test_between_records_of_two_keys_times_decide(home: RunningHome) -> None:
    rotated = pairs("rotated", of_domain=False)
    for pair in rotated:
        (pair.refuse if pair.gap_ms >= 0 else pair.consent)(home)
    home.rotate_keys()
    for pair in rotated:
        (pair.consent if pair.gap_ms >= 0 else pair.refuse)(home)
    for pair in rotated:
        assert pair.is_reopened(home) is (pair.gap_ms > MINUTE), pair


StatedAct = tuple[bool, str, int, int]
stated_acts = st.lists(
    st.tuples(
        st.booleans(),
        st.sampled_from(("", "+a")),
        st.integers(0, 3),
        st.integers(-8, 0).map(lambda steps: steps * (MINUTE // 2)),
    ),
    min_size=2,
    max_size=6,
)


def record(home: RunningHome, controller: str, name: str, act: StatedAct) -> None:
    is_consent, tag, pick, since_ms = act
    recording, address = home.of(controller).recording, f"{name}{tag}@acme.example"
    if not is_consent:
        home.run(recording.opt_out(address, SCOPES[pick], "page", NOW + since_ms))
        return
    ends_ms = NOW + DAY if pick > 1 else None
    consent = Consent((OFFERS, TIPS)[pick % 2], "form@1", "form", "person", NOW + since_ms, ends_ms)
    home.run(recording.record_consent(address, consent))


def reasons(home: RunningHome, controller: str, name: str, now_ms: int) -> list[str]:
    home.now_ms = now_ms
    questions = [
        Question(f"{name}{tag}@acme.example", cell.purpose, cell.channel, address_class=AddressClass.BUSINESS)
        for tag in ("", "+a", "+b")
        for cell in (OFFERS, TIPS)
    ]
    return [decision.reason.value for decision in home.answer(controller, questions)]


@given(stated_acts, st.randoms(use_true_random=False))
def test_stated_acts_mean_the_same_in_whatever_order_they_come(
    home: RunningHome, acts: list[StatedAct], random: Random
) -> None:
    home.now_ms = NOW
    name = f"person{next(numbers)}"
    for act in acts:
        record(home, "north", name, act)
    for act in random.sample(acts, len(acts)):
        record(home, "south", name, act)
    for now_ms in (NOW, NOW + DAY):
        assert reasons(home, "north", name, now_ms) == reasons(home, "south", name, now_ms)
