"""The sheet of one address: every cell a person may choose about, answered by the one decision."""

from __future__ import annotations

import pytest

from prefcenter.domain.errors import ActRefused, InvalidAddress, InvalidInput, PrefcenterError
from prefcenter.domain.events import EVERYTHING, Cell, Scope
from prefcenter.domain.terms import AddressClass, Channel, RefusalReason
from prefcenter.services.acts import Outcome
from prefcenter.services.preferences import PreferenceSheet
from prefcenter.services.recording import Choice, Evidence
from tests.factories import DAY, NOW
from tests.running_home import RunningHome
from tests.unit.services.asking import (
    CONTROLLER,
    HOME,
    MARKETING,
    PHONE,
    a_consent,
    by_email,
    events_of,
    reason,
    recording_of,
    records_of,
    upsert,
)

US = "contact-center-1"
CANDIDATE = Cell("candidate-contact", Channel.EMAIL)
EVIDENCE = Evidence("page@3", "form", "person")


def sheet(
    home: RunningHome,
    address: str = HOME,
    channel: Channel | None = None,
    audiences: tuple[str, ...] = (),
    controller: str = CONTROLLER,
) -> PreferenceSheet:
    return home.run(home.of(controller).preferences.of(address, channel, home.now_ms, audiences))


def reasons(found: PreferenceSheet) -> dict[Cell, str]:
    return {row.cell: row.decision.reason.value for row in (*found.rows, *found.data_uses)}


def choose(home: RunningHome, *choices: tuple[Cell, bool], address: str = HOME) -> tuple[Outcome, ...]:
    wanted = [Choice(cell, is_wanted) for cell, is_wanted in choices]
    return home.run(recording_of(home).set_preferences(address, wanted, "page", EVIDENCE))


def test_a_sheet_holds_every_cell_of_the_address_and_no_other(home: RunningHome) -> None:
    rows = sheet(home).rows
    assert {row.cell.purpose for row in rows} == {"client-marketing", "candidate-contact", "contract-service"}
    assert [row.cell.channel for row in rows] == [Channel.EMAIL] * 3
    by_phone = {(row.cell.purpose, row.cell.channel) for row in sheet(home, PHONE).rows}
    assert ("client-marketing", Channel.SMS) in by_phone
    assert {channel for _, channel in by_phone} == {Channel.SMS, Channel.VOICE}


def test_data_uses_stand_on_their_own_prohibited_ones_too(home: RunningHome) -> None:
    found = sheet(home, controller=US)
    answers = {row.cell.data_use: row.decision.reason.value for row in found.data_uses}
    assert answers["sale"] == "prohibited"
    assert answers["sensitive-data"] == "no_consent"


def test_audiences_leave_out_what_is_for_none_of_them(home: RunningHome) -> None:
    assert {row.cell.purpose for row in sheet(home, audiences=("candidate",)).rows} == {"candidate-contact"}
    both = sheet(home, audiences=("candidate", "client"))
    assert {row.cell.purpose for row in both.rows} == {"client-marketing", "candidate-contact", "contract-service"}


def test_each_row_says_what_the_decision_says(home: RunningHome) -> None:
    upsert(home, by_email(HOME, AddressClass.BUSINESS))
    assert reasons(sheet(home))[MARKETING] == "permitted"
    home.run(recording_of(home).opt_out(HOME, Scope("client-marketing"), "page"))
    assert reasons(sheet(home))[MARKETING] == "opted_out"
    assert reasons(sheet(home))[CANDIDATE] == "permitted"


def test_a_sheet_masks_the_address(home: RunningHome) -> None:
    found = sheet(home)
    assert "pat" not in found.masked
    assert found.masked.endswith("home.example")


def test_a_sheet_says_what_waits_what_ends_and_until_when_there_is_quiet(home: RunningHome) -> None:
    recording = recording_of(home)
    home.run(recording.record_consent(HOME, a_consent(CANDIDATE, expires_ms=NOW + 9 * DAY)))
    home.run(recording.opt_out(HOME, Scope("client-marketing"), "page"))
    home.run(recording.record_consent(HOME, a_consent(given_ms=NOW), is_confirmed=False))
    home.run(recording.pause(HOME, NOW + DAY))
    found = sheet(home)
    rows = {row.cell: (row.is_pending, row.expires_ms) for row in found.rows}
    assert (rows[MARKETING], rows[CANDIDATE]) == ((True, None), (False, NOW + 9 * DAY))
    assert found.paused_until_ms == NOW + DAY
    other = sheet(home, "pat+x@home.example")
    assert [row.is_pending for row in other.rows] == [False] * 3


def test_a_consent_for_good_has_no_end_though_another_ends(home: RunningHome) -> None:
    for expires_ms in (NOW + DAY, None):
        consent = a_consent(CANDIDATE, given_ms=NOW - (0 if expires_ms else DAY), expires_ms=expires_ms)
        home.run(recording_of(home).record_consent(HOME, consent))
    assert {row.cell: row.expires_ms for row in sheet(home).rows}[CANDIDATE] is None


@pytest.mark.parametrize("address", ["nobody", "@home.example"])
def test_what_is_no_address_has_no_sheet(home: RunningHome, address: str) -> None:
    with pytest.raises(InvalidAddress):
        sheet(home, address, Channel.EMAIL)


def test_a_consent_from_between_two_nos_that_comes_in_late_opens_nothing(home: RunningHome) -> None:
    for day in range(2):
        home.now_ms = NOW + 2 * day * DAY
        assert choose(home, (CANDIDATE, False)) == (Outcome.RECORDED,)
    home.now_ms += DAY
    home.run(recording_of(home).record_consent(HOME, a_consent(CANDIDATE, given_ms=NOW + DAY)))
    assert reason(home, HOME, "candidate-contact") == "opted_out"


def test_choices_are_recorded_together_and_only_where_they_differ(home: RunningHome) -> None:
    choices = ((MARKETING, True), (CANDIDATE, True))
    assert choose(home, *choices) == (Outcome.RECORDED, Outcome.UNCHANGED)
    assert choose(home, *choices) == (Outcome.UNCHANGED, Outcome.UNCHANGED)
    assert choose(home, (MARKETING, False), (CANDIDATE, False)) == (Outcome.RECORDED, Outcome.RECORDED)
    before = events_of(home)
    assert choose(home, (MARKETING, False), (CANDIDATE, False)) == (Outcome.UNCHANGED, Outcome.UNCHANGED)
    assert events_of(home) == before
    assert {reason(home, HOME), reason(home, HOME, "candidate-contact")} == {"opted_out"}


def test_a_choice_is_back_as_soon_as_the_person_says_so(home: RunningHome) -> None:
    home.run(recording_of(home).opt_out(HOME, EVERYTHING, "page"))
    assert choose(home, (MARKETING, True)) == (Outcome.RECORDED,)
    assert (reason(home, HOME), reason(home, HOME, "candidate-contact")) == ("permitted", "opted_out")
    (grant,) = records_of(home, HOME)[0].grants
    assert (grant.wording, grant.method, grant.actor) == ("page@3", "form", "person")


def test_a_persons_own_no_stands_beside_an_operators(home: RunningHome) -> None:
    home.run(recording_of(home).suppress(HOME, RefusalReason.MANUAL, EVERYTHING, "desk"))
    assert choose(home, (CANDIDATE, False)) == (Outcome.RECORDED,)
    home.run(recording_of(home).lift(HOME, RefusalReason.MANUAL, "by-mistake"))
    assert reason(home, HOME, "candidate-contact") == "opted_out"


def test_one_choice_that_may_not_be_made_leaves_all_unmade(home: RunningHome) -> None:
    cells: tuple[tuple[Cell, type[PrefcenterError]], ...] = (
        (Cell("contract-service", Channel.EMAIL), ActRefused),
        (Cell("unheard-of", Channel.EMAIL), InvalidInput),
    )
    for cell, error in cells:
        with pytest.raises(error):
            choose(home, (MARKETING, False), (cell, False))
    assert events_of(home) == 0


@pytest.mark.parametrize("is_wanted", [True, False])
def test_a_choice_about_a_channel_that_the_address_does_not_have_is_an_error(
    home: RunningHome, is_wanted: bool
) -> None:
    with pytest.raises(InvalidInput, match=r"^channel: sms is not one of this address"):
        choose(home, (MARKETING, False), (Cell("client-marketing", Channel.SMS), is_wanted))
    assert events_of(home) == 0


def test_choices_across_a_rotation_of_keys_are_compared_with_all_that_stands(home: RunningHome) -> None:
    choose(home, (MARKETING, True), (CANDIDATE, False))
    home.rotate_keys()
    assert choose(home, (MARKETING, True), (CANDIDATE, False)) == (Outcome.UNCHANGED, Outcome.UNCHANGED)
    assert reasons(sheet(home)) == {
        MARKETING: "permitted",
        CANDIDATE: "opted_out",
        Cell("contract-service", Channel.EMAIL): "permitted",
    }
