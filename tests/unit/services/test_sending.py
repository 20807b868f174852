"""Sends that tools tell of: each counts once a campaign, at its mailbox, for as long as the cap looks back."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from prefcenter.domain.errors import InvalidInput, InvalidTime
from prefcenter.domain.events import Cell
from prefcenter.domain.terms import Channel
from prefcenter.services.decisions import Question
from prefcenter.services.sending import ADDRESSES_MAX, SendReport
from tests.factories import DAY, MINUTE, NOW
from tests.running_home import RunningHome
from tests.unit.services.asking import HOME, OFFICE, a_consent

COMMUNITY = "contact-centre-community"
NEWS = "member-news"
EMAIL = Channel.EMAIL


def sent(
    home: RunningHome, campaign: str, addresses: Sequence[str] = (HOME,), sent_ms: int | None = None
) -> SendReport:
    return home.run(home.of(COMMUNITY).sending.record(NEWS, EMAIL, campaign, addresses, sent_ms))


def reasons(home: RunningHome, *addresses: str) -> list[str]:
    questions = [Question(address, NEWS, EMAIL) for address in addresses]
    return [decision.reason.value for decision in home.answer(COMMUNITY, questions)]


@pytest.fixture
def members(community: RunningHome) -> RunningHome:
    """Two members who asked for the news, of which the policy allows four in 30 days (TCC-2)."""
    for address in (HOME, OFFICE):
        consent = a_consent(Cell(NEWS, EMAIL))
        community.run(community.of(COMMUNITY).recording.record_consent(address, consent))
    return community


def test_the_cap_is_reached_by_recorded_sends_of_that_member_only(members: RunningHome) -> None:
    for number in range(4):
        assert reasons(members, HOME, OFFICE) == ["permitted", "permitted"]
        assert sent(members, f"issue-{number}") == SendReport(1, 0, is_capped=True, invalid=())
    assert reasons(members, HOME, OFFICE, "Pat+x@home.example") == ["frequency_cap", "permitted", "no_consent"]


def test_the_cap_opens_again_when_the_first_send_leaves_its_window(members: RunningHome) -> None:
    for number in range(4):
        sent(members, f"issue-{number}", sent_ms=NOW + number - 10)
    (decision,) = members.answer(COMMUNITY, [Question(HOME, NEWS, EMAIL)])
    assert decision.reason.value == "frequency_cap"
    members.now_ms = NOW - 10 + 30 * DAY - 1
    assert reasons(members, HOME) == ["frequency_cap"]
    members.now_ms += 1
    assert reasons(members, HOME) == ["permitted"]


def test_an_address_counts_once_a_campaign_in_whatever_spelling(members: RunningHome) -> None:
    assert sent(members, "spring", (HOME, "PAT@home.example", "pat+x@home.example", OFFICE)).recorded == 2
    assert sent(members, "spring", (HOME, OFFICE)) == SendReport(0, 2, is_capped=True, invalid=())
    assert sent(members, "summer", (HOME,)).recorded == 1


def test_what_does_not_parse_is_named_by_its_place_and_the_rest_counts(members: RunningHome) -> None:
    report = sent(members, "spring", ("nobody", HOME, "@home.example", OFFICE))
    assert report == SendReport(2, 0, is_capped=True, invalid=(0, 2))


def test_a_purpose_without_a_cap_keeps_nothing(members: RunningHome) -> None:
    sending = members.of(COMMUNITY).sending
    report = members.run(sending.record("membership", EMAIL, "welcome", (HOME, "nobody")))
    assert report == SendReport(0, 0, is_capped=False, invalid=(1,))


def test_a_send_from_before_the_window_is_not_kept(members: RunningHome) -> None:
    assert sent(members, "old", sent_ms=NOW - 31 * DAY).recorded == 0


def test_sends_still_count_after_a_rotation_of_keys(members: RunningHome) -> None:
    for number in range(2):
        sent(members, f"issue-{number}")
    members.rotate_keys()
    for number in range(2, 4):
        sent(members, f"issue-{number}")
    assert reasons(members, HOME) == ["frequency_cap"]


@pytest.mark.parametrize("campaign", ["", "two words", "x" * 101, "früh", "tab\t"])
def test_a_campaign_has_a_short_printable_name(members: RunningHome, campaign: str) -> None:
    with pytest.raises(InvalidInput, match=r"^campaign: "):
        sent(members, campaign)


def test_a_send_in_the_future_is_refused(members: RunningHome) -> None:
    with pytest.raises(InvalidTime):
        sent(members, "spring", sent_ms=NOW + MINUTE + 1)


@pytest.mark.parametrize(("purpose", "channel", "field"), [("news", EMAIL, "purpose"), (NEWS, Channel.SMS, "channel")])
def test_a_send_of_what_the_policy_does_not_offer_is_refused(
    members: RunningHome, purpose: str, channel: Channel, field: str
) -> None:
    with pytest.raises(InvalidInput, match=rf"^{field}: "):
        members.run(members.of(COMMUNITY).sending.record(purpose, channel, "spring", (HOME,)))


def test_addresses_are_limited(members: RunningHome) -> None:
    with pytest.raises(InvalidInput, match=rf"^addresses: {ADDRESSES_MAX} at most"):
        sent(members, "spring", [HOME] * (ADDRESSES_MAX + 1))
