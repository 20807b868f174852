"""Decisions gather what is on record and let the domain answer, in order and in one round trip."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from prefcenter.domain.digest import Digest
from prefcenter.domain.events import EVERYTHING, Cell
from prefcenter.domain.record import Record
from prefcenter.domain.terms import AddressClass, AddressKind, Channel
from prefcenter.security.digests import Digester
from prefcenter.security.keyring import load_keyring
from prefcenter.services.decisions import Decisions, Question, address_kind
from prefcenter.storage.sqlite import SqliteStore
from tests.factories import DAY, NOW
from tests.running_home import RunningHome
from tests.unit.services.asking import BUSINESS, CONTROLLER, a_consent, reason, recording_of
from tests.unit.services.contested import store_path


def question(address: str, purpose: str = "client-marketing", audience: str | None = None) -> Question:
    return Question(address, purpose, Channel.EMAIL, address_class=AddressClass.BUSINESS, audience=audience)


def reasons(home: RunningHome, *questions: Question) -> list[str]:
    return [decision.reason.value for decision in home.answer(CONTROLLER, questions)]


def test_answers_stand_in_the_order_of_the_questions(home: RunningHome) -> None:
    home.run(recording_of(home).opt_out("kim@acme.example", EVERYTHING, "page"))
    asked = [question(address) for address in ("kim@acme.example", BUSINESS, "no address", "KIM+a@acme.example")]
    assert reasons(home, *asked) == ["opted_out", "permitted", "invalid_address", "opted_out"]
    assert reasons(home, *reversed(asked)) == ["opted_out", "invalid_address", "permitted", "opted_out"]
    assert reasons(home) == []


def test_a_personal_address_needs_consent_whatever_the_caller_says(home: RunningHome) -> None:
    (decision,) = home.answer(CONTROLLER, [question("pat@gmail.com")])
    assert (decision.reason.value, decision.clause, decision.basis) == ("no_consent", "OC-3", None)
    (decision,) = home.answer(CONTROLLER, [question(BUSINESS)])
    assert (decision.reason.value, decision.clause, decision.basis) == ("permitted", "OC-1", "legitimate_interests")


def test_without_a_class_the_policy_says_what_an_address_is(home: RunningHome) -> None:
    (decision,) = home.answer(CONTROLLER, [Question(BUSINESS, "client-marketing", Channel.EMAIL)])
    assert decision.reason.value == "no_consent"


def test_a_named_audience_has_to_be_covered(home: RunningHome) -> None:
    asked = (question(BUSINESS, audience="client"), question(BUSINESS, audience="candidate"))
    assert reasons(home, *asked) == ["permitted", "audience_not_covered"]


def test_an_answer_carries_policy_version_and_time(home: RunningHome) -> None:
    decision = home.run(home.of(CONTROLLER).decisions.decide(question(BUSINESS), NOW + 5))
    assert decision.policy_version == home.of(CONTROLLER).policy.version
    assert (decision.decided_at_ms, decision.valid_until_ms) == (NOW + 5, NOW + 5 + DAY)


def test_nothing_of_one_controller_answers_for_another(home: RunningHome) -> None:
    home.run(recording_of(home).opt_out(BUSINESS, EVERYTHING, "page"))
    marketing = Question(BUSINESS, "promotional-email", Channel.EMAIL)
    home.run(recording_of(home, "contact-center-1").record_consent(BUSINESS, a_consent(cell_of(marketing))))
    (decision,) = home.answer("contact-center-1", [marketing])
    assert decision.is_allowed
    assert reason(home) == "opted_out"


def cell_of(asked: Question) -> Cell:
    return Cell(asked.purpose, asked.channel)


def test_records_of_older_keys_and_whole_domains_are_looked_up(home: RunningHome) -> None:
    home.run(recording_of(home).opt_out("kim@acme.example", EVERYTHING, "page"))
    home.run(recording_of(home).opt_out("@partner.example", EVERYTHING, "page"))
    home.rotate_keys()
    asked = [question("kim@acme.example"), question("lee@it.partner.example"), question(BUSINESS)]
    assert reasons(home, *asked) == ["opted_out", "opted_out", "permitted"]


class CountingStore(SqliteStore):
    """A store that counts how often records are asked for."""

    round_trips = 0

    async def load(self, controller: str, subjects: Sequence[Digest]) -> Sequence[Record]:
        self.round_trips += 1
        return await super().load(controller, subjects)


def test_a_batch_is_one_round_trip(home: RunningHome) -> None:
    keyring = load_keyring(home.settings.keyring)
    store = CountingStore(store_path(home), keyring)
    decisions = Decisions(home.of(CONTROLLER).policy, Digester(keyring, CONTROLLER), store)
    asked = [question(f"person{number}@acme.example") for number in range(100)]
    assert len(home.run(decisions.decide_many(asked, NOW))) == 100
    assert store.round_trips == 1
    home.run(store.close())


def test_heads_say_how_far_the_ledger_goes(home: RunningHome) -> None:
    decisions = home.of(CONTROLLER).decisions
    before = home.run(decisions.heads())
    home.run(recording_of(home).opt_out(BUSINESS, EVERYTHING, "page"))
    after = home.run(decisions.heads())
    assert sum(head.position for head in after) == sum(head.position for head in before) + 1


@pytest.mark.parametrize(
    ("text", "channel", "kind"),
    [
        (BUSINESS, None, AddressKind.EMAIL),
        ("020 7946 0018", None, AddressKind.PHONE),
        ("push:abc", None, AddressKind.PUSH),
        ("Pat Doe, 1 High Street, AB1 2CD", None, AddressKind.POST),
        ("020 7946 0018", Channel.VOICE, AddressKind.PHONE),
        (BUSINESS, Channel.SMS, AddressKind.PHONE),
    ],
)
def test_a_channel_says_what_an_address_is_and_its_looks_where_none_is_named(
    text: str, channel: Channel | None, kind: AddressKind
) -> None:
    assert address_kind(text, channel) is kind
