"""An idempotency key does an act once: the same again is told the same, anything else under it is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from prefcenter.domain.errors import ActRefused, IdempotencyConflict
from prefcenter.domain.events import EVERYTHING, Scope
from prefcenter.domain.terms import Channel, RefusalReason
from prefcenter.services.acts import Once, Outcome
from prefcenter.services.ports import RECEIPT_LIFE_MS
from prefcenter.services.recording import Choice, Evidence
from prefcenter.services.sending import SendReport
from tests.factories import DAY, NOW
from tests.running_home import RunningHome
from tests.unit.services.asking import (
    BUSINESS,
    CONTROLLER,
    HOME,
    MARKETING,
    OFFICE,
    a_consent,
    a_contact,
    by_email,
    events_of,
    once,
    reason,
    recording_of,
    upsert,
)
from tests.unit.services.contested import contested_store, recording_on

Act = Callable[[Once], Awaitable[object]]


def acts_of(home: RunningHome) -> dict[str, Act]:
    """Every act that takes an idempotency key, with the same input each time."""
    recording, contacts = recording_of(home), home.of(CONTROLLER).contacts
    choices, evidence = [Choice(MARKETING, is_wanted=False)], Evidence("page@1", "form", "person")
    return {
        "opt_out": lambda key: recording.opt_out(BUSINESS, EVERYTHING, "page", once=key),
        "suppress": lambda key: recording.suppress(BUSINESS, RefusalReason.LEGAL, EVERYTHING, "court", once=key),
        "erase": lambda key: recording.suppress(BUSINESS, RefusalReason.ERASED, EVERYTHING, "request", once=key),
        "bounce": lambda key: recording.bounce_permanently(BUSINESS, Channel.EMAIL, "mail-server", once=key),
        "consent": lambda key: recording.record_consent(BUSINESS, a_consent(), once=key),
        "choose": lambda key: recording.set_preferences(BUSINESS, choices, "page", evidence, once=key),
        "pause": lambda key: recording.pause(BUSINESS, NOW + DAY, once=key),
        "lift": lambda key: recording.lift(BUSINESS, RefusalReason.MANUAL, "by-mistake", once=key),
        "upsert": lambda key: contacts.upsert(a_contact(HOME), once=key),
        "add": lambda key: contacts.add_address("crm-7", by_email(OFFICE), once=key),
        "remove": lambda key: contacts.remove_address("crm-7", by_email(HOME), once=key),
    }


ACTS = ("opt_out", "suppress", "erase", "bounce", "consent", "choose", "pause", "lift", "upsert", "add", "remove")


async def result_of(work: Awaitable[object]) -> object:
    return await work


@pytest.mark.parametrize("name", ACTS)
def test_the_same_key_with_the_same_input_gives_the_first_result_and_writes_nothing(
    home: RunningHome, name: str
) -> None:
    upsert(home, HOME, contact_id="crm-7")
    act, key = acts_of(home)[name], once(home)
    first = home.run(result_of(act(key)))
    before = events_of(home)
    home.now_ms = NOW + DAY // 2
    assert home.run(result_of(act(key))) == first
    assert events_of(home) == before


@pytest.mark.parametrize("name", ACTS)
def test_the_same_key_with_another_input_is_refused_and_writes_nothing(home: RunningHome, name: str) -> None:
    upsert(home, HOME, contact_id="crm-7")
    home.run(recording_of(home).opt_out(HOME, EVERYTHING, "page", once=once(home, content=b"first")))
    before = events_of(home)
    with pytest.raises(IdempotencyConflict, match="another input") as raised:
        home.run(result_of(acts_of(home)[name](once(home, content=b"second"))))
    assert raised.value.code == "idempotency_conflict"
    assert isinstance(raised.value, ActRefused)
    assert events_of(home) == before


def test_a_retry_does_not_refuse_what_the_person_consented_to_meanwhile(home: RunningHome) -> None:
    act, key = acts_of(home)["opt_out"], once(home)
    home.run(result_of(act(key)))
    home.run(recording_of(home).record_consent(BUSINESS, a_consent()))
    home.run(result_of(act(key)))
    assert reason(home) == "permitted"


def test_a_retry_after_a_rotation_of_the_keyring_is_told_what_the_first_was(home: RunningHome) -> None:
    def opt_out(content: bytes) -> Outcome:
        return home.run(recording_of(home).opt_out(BUSINESS, EVERYTHING, "page", once=once(home, content=content)))

    assert opt_out(b"{}") is Outcome.RECORDED
    home.rotate_keys()
    written = events_of(home)
    home.now_ms = NOW + 1
    assert opt_out(b"{}") is Outcome.RECORDED
    with pytest.raises(IdempotencyConflict):
        opt_out(b"{...}")
    assert events_of(home) == written


def test_keys_of_two_callers_and_two_controllers_are_two(home: RunningHome) -> None:
    names = {
        once(home).name,
        once(home, caller="shop").name,
        once(home, key="key-2").name,
    }
    assert len(names) == 3
    home.run(recording_of(home).opt_out(BUSINESS, EVERYTHING, "page", once=once(home, content=b"first")))
    other = recording_of(home, "contact-center-1")
    second = once(home, content=b"second")
    assert home.run(other.opt_out(BUSINESS, EVERYTHING, "page", once=second)) is Outcome.RECORDED


@pytest.mark.parametrize(
    ("later_ms", "is_known"), [(RECEIPT_LIFE_MS - 1, True), (RECEIPT_LIFE_MS, True), (RECEIPT_LIFE_MS + 1, False)]
)
def test_a_key_stands_for_a_day(home: RunningHome, later_ms: int, is_known: bool) -> None:
    key = once(home, content=b"first")
    home.run(recording_of(home).opt_out(BUSINESS, EVERYTHING, "page", once=key))
    home.now_ms = NOW + later_ms
    again = recording_of(home).opt_out(HOME, EVERYTHING, "page", once=once(home, content=b"second"))
    if is_known:
        with pytest.raises(IdempotencyConflict):
            home.run(again)
    else:
        assert home.run(again) is Outcome.RECORDED
    assert reason(home, HOME) == ("permitted" if is_known else "opted_out")


def test_twins_at_the_same_moment_are_one_act(home: RunningHome) -> None:
    recording, key = recording_of(home), once(home)

    async def twins() -> list[Outcome]:
        acts = (recording.pause(BUSINESS, NOW + DAY + number, once=key) for number in range(8))
        return await asyncio.gather(*acts)

    assert home.run(twins()) == [Outcome.RECORDED] * 8
    assert events_of(home) == 1


def test_twins_with_different_inputs_are_one_act_and_an_error(home: RunningHome) -> None:
    recording = recording_of(home)

    async def twins() -> list[object]:
        acts = (
            recording.opt_out(address, EVERYTHING, "page", once=once(home, content=address.encode()))
            for address in (HOME, OFFICE)
        )
        return await asyncio.gather(*acts, return_exceptions=True)

    outcomes = home.run(twins())
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["IdempotencyConflict", "Outcome"]
    assert events_of(home) == 1


def test_an_act_that_changed_nothing_keeps_its_key_all_the_same(home: RunningHome) -> None:
    recording, key = recording_of(home), once(home)
    assert home.run(recording.lift(BUSINESS, RefusalReason.MANUAL, "by-mistake", once=key)) is Outcome.ABSENT
    home.run(recording.suppress(BUSINESS, RefusalReason.MANUAL, EVERYTHING, "desk"))
    assert home.run(recording.lift(BUSINESS, RefusalReason.MANUAL, "by-mistake", once=key)) is Outcome.ABSENT
    assert reason(home) == "manual"


def test_an_act_that_was_refused_leaves_its_key_free(home: RunningHome) -> None:
    recording = recording_of(home)
    with pytest.raises(ActRefused):
        home.run(recording.opt_out(BUSINESS, Scope("contract-service"), "page", once=once(home, content=b"first")))
    key = once(home, content=b"second")
    assert home.run(recording.opt_out(BUSINESS, EVERYTHING, "page", once=key)) is Outcome.RECORDED


def test_a_key_is_kept_only_with_the_act_that_other_writers_held_up(home: RunningHome) -> None:
    store, key = contested_store(home, conflicts=3), once(home)
    assert home.run(recording_on(home, store).opt_out(BUSINESS, EVERYTHING, "page", once=key)) is Outcome.RECORDED
    home.run(store.close())
    assert home.run(recording_of(home).opt_out(BUSINESS, EVERYTHING, "page", once=key)) is Outcome.RECORDED
    assert events_of(home) == 1


@pytest.mark.parametrize("controller", ["opencontact", "contact-centre-community"])
def test_sends_are_told_once_whether_a_cap_counts_them_or_not(community: RunningHome, controller: str) -> None:
    purpose = {"opencontact": "client-marketing", "contact-centre-community": "member-news"}[controller]
    sending = community.of(controller).sending
    key = once(community, content=b"first")

    def told(key: Once, *addresses: str) -> SendReport:
        return community.run(sending.record(purpose, Channel.EMAIL, "spring", addresses, once=key))

    first = told(key, HOME, OFFICE)
    assert told(key, HOME, OFFICE) == first
    with pytest.raises(IdempotencyConflict):
        told(once(community, content=b"second"), HOME)
