"""What people do by a link: refuse, choose, confirm and take back, known by digests only."""

from __future__ import annotations

import pytest

from prefcenter.domain.errors import ActRefused, InvalidInput
from prefcenter.domain.events import EVERYTHING, Annulled, Cell, Delivered, Granted, Proposed, Refused, Scope
from prefcenter.domain.terms import AddressClass, Channel, RefusalReason
from prefcenter.services.acts import Outcome
from prefcenter.services.admission import Consent
from prefcenter.services.contact_files import Contact, ContactAddress
from prefcenter.services.links import cell_tag
from prefcenter.services.recording import Choice, Evidence, scope_of
from tests.factories import DAY, MINUTE, SECOND
from tests.unit.services.people_desk import EMAIL, PAT, PeopleDesk

OFFERS, TIPS, NEWS = Cell("offers", EMAIL), Cell("tips", EMAIL), Cell("news", EMAIL)
TRACKING = Cell(None, None, "tracking")
OTHER = "pat@home.example"
WORDING = "preference-page@1"


@pytest.fixture
def desk() -> PeopleDesk:
    return PeopleDesk()


async def choose(desk: PeopleDesk, *refused: Scope, wanted: tuple[Cell, ...] = ()) -> str | None:
    """Save choices on the page; gives the token that takes them back."""
    target = desk.link().target
    chosen = await desk.services.own_acts.choose(target, refused, wanted, WORDING, is_confirmed=False)
    if chosen.versions is None:
        return None
    return desk.services.links.undo(target, EMAIL, *chosen.versions)


async def undo(desk: PeopleDesk, token: str | None) -> Outcome:
    return await desk.services.own_acts.undo(desk.link().target, desk.opened(f"/{token}"))


async def hold_both(desk: PeopleDesk) -> None:
    """A contact that holds both addresses."""
    addresses = tuple(ContactAddress(EMAIL, one, AddressClass.BUSINESS) for one in (PAT, OTHER))
    await desk.services.contacts.upsert(Contact("crm-1", addresses, ("client",), "crm"))


async def consent(desk: PeopleDesk, cell: Cell = OFFERS) -> None:
    await desk.services.recording.record_consent(PAT, Consent(cell, "form@1", "form", "person"))


async def test_what_was_refused_on_the_page_is_open_again_after_it_was_taken_back(desk: PeopleDesk) -> None:
    token = await choose(desk, scope_of(OFFERS), scope_of(TIPS))
    assert await desk.reasons(OFFERS, TIPS) == ["opted_out", "opted_out"]
    assert await undo(desk, token) is Outcome.RECORDED
    assert await desk.reasons(OFFERS, TIPS) == ["permitted", "permitted"]
    assert await undo(desk, token) is Outcome.ABSENT


async def test_it_is_taken_back_wherever_it_reached(desk: PeopleDesk) -> None:
    await hold_both(desk)
    token = await choose(desk, EVERYTHING)
    assert await desk.reasons(OFFERS, address=OTHER) == ["opted_out"]
    await undo(desk, token)
    assert await desk.reasons(OFFERS) == await desk.reasons(OFFERS, address=OTHER) == ["permitted"]
    records = [record async for page in desk.store.scan("acme") for record in page]
    assert [record.refusals for record in records] == [()] * 3


async def test_what_was_refused_before_stays_refused_when_the_page_is_taken_back(desk: PeopleDesk) -> None:
    await hold_both(desk)
    await desk.services.recording.opt_out(PAT, EVERYTHING, "form")
    await consent(desk)
    desk.now_ms += MINUTE
    token = await choose(desk, EVERYTHING)
    assert await desk.reasons(OFFERS, TIPS) == ["opted_out", "opted_out"]
    assert await undo(desk, token) is Outcome.RECORDED
    assert await desk.reasons(OFFERS, TIPS) == ["permitted", "opted_out"]
    assert await desk.reasons(TIPS, address=OTHER) == ["opted_out"]


async def test_what_survived_an_erasure_stands_again_too(desk: PeopleDesk) -> None:
    await desk.services.recording.suppress(PAT, RefusalReason.LEGAL, EVERYTHING, "order")
    await desk.services.recording.suppress(PAT, RefusalReason.ERASED, EVERYTHING, "request")
    before = await desk.reasons(OFFERS)
    token = await choose(desk, EVERYTHING)
    await undo(desk, token)
    assert await desk.reasons(OFFERS) == before == ["legal"]
    await desk.services.recording.lift(PAT, RefusalReason.LEGAL, "order-over")
    assert await desk.reasons(OFFERS) == ["erased"]


@pytest.mark.parametrize(("age_ms", "outcome"), [(10 * MINUTE - SECOND, "recorded"), (10 * MINUTE + SECOND, "absent")])
async def test_it_can_be_taken_back_for_ten_minutes(desk: PeopleDesk, age_ms: int, outcome: str) -> None:
    link = desk.opened(f"/{await choose(desk, EVERYTHING)}")
    desk.now_ms += age_ms
    assert await desk.services.own_acts.undo(link.target, link) == outcome


async def test_one_click_meanwhile_is_not_taken_back_with_the_page(desk: PeopleDesk) -> None:
    token = await choose(desk, EVERYTHING)
    await desk.services.own_acts.opt_out(desk.link().target, [EVERYTHING], "one-click")
    await undo(desk, token)
    assert await desk.reasons(OFFERS) == ["opted_out"]


async def test_what_the_api_refuses_meanwhile_is_not_taken_back_with_the_page(desk: PeopleDesk) -> None:
    token = await choose(desk, EVERYTHING)
    evidence = Evidence("form@1", "form", "crm")
    choices = [Choice(OFFERS, is_wanted=False)]
    for expected in (Outcome.RECORDED, Outcome.UNCHANGED):
        outcomes = await desk.services.recording.set_preferences(PAT, choices, "crm", evidence, EMAIL)
        assert outcomes == (expected,)
    await undo(desk, token)
    assert await desk.reasons(OFFERS, TIPS) == ["opted_out", "permitted"]


async def test_only_what_that_save_refused_is_taken_back(desk: PeopleDesk) -> None:
    await choose(desk, scope_of(OFFERS))
    token = await choose(desk, scope_of(TIPS))
    await undo(desk, token)
    assert await desk.reasons(OFFERS, TIPS) == ["opted_out", "permitted"]


async def test_the_same_choice_again_writes_nothing(desk: PeopleDesk) -> None:
    assert await choose(desk, scope_of(OFFERS)) is not None
    assert await choose(desk, scope_of(OFFERS)) is None
    assert len(await desk.events()) == 1


async def test_the_page_does_not_take_the_place_of_one_click(desk: PeopleDesk) -> None:
    await desk.services.own_acts.opt_out(desk.link().target, [EVERYTHING], "one-click")
    token = await choose(desk, EVERYTHING)
    await undo(desk, token)
    assert await desk.reasons(OFFERS) == ["opted_out"]
    assert [type(event) for event in await desk.events()] == [Refused, Refused, Annulled]


async def test_what_is_wanted_opens_nothing_before_it_is_confirmed(desk: PeopleDesk) -> None:
    await choose(desk, scope_of(OFFERS))
    await choose(desk, wanted=(OFFERS, NEWS))
    assert await desk.reasons(OFFERS, NEWS) == ["opted_out", "no_consent"]
    target = desk.link().target
    assert {grant.cell for grant in await desk.services.own_acts.waiting(target)} == {OFFERS, NEWS}


async def test_a_confirmation_is_the_persons_own_consent_to_what_it_names(desk: PeopleDesk) -> None:
    await choose(desk, scope_of(OFFERS))
    await choose(desk, wanted=(OFFERS, NEWS, TRACKING))
    desk.now_ms += MINUTE
    target, tags = desk.link().target, {cell_tag(OFFERS), cell_tag(TRACKING)}
    assert await desk.services.own_acts.confirm(target, tags, EMAIL) is Outcome.RECORDED
    assert await desk.reasons(OFFERS, NEWS, TRACKING) == ["permitted", "no_consent", "permitted"]
    granted = [event for event in await desk.events() if isinstance(event, Granted)]
    assert {(event.cell, event.wording, event.method, event.actor) for event in granted} == {
        (OFFERS, WORDING, "double-opt-in", "person"),
        (TRACKING, WORDING, "double-opt-in", "person"),
    }
    assert {(event.received_ms, event.stated_ms) for event in granted} == {(desk.now_ms, None)}
    assert [grant.cell for grant in await desk.services.own_acts.waiting(target)] == [NEWS]


async def test_a_confirmation_that_comes_twice_changes_nothing(desk: PeopleDesk) -> None:
    await choose(desk, wanted=(NEWS,))
    target = desk.link().target
    outcomes = [await desk.services.own_acts.confirm(target, {cell_tag(NEWS)}, EMAIL) for _ in range(2)]
    assert outcomes == [Outcome.RECORDED, Outcome.UNCHANGED]
    assert [type(event) for event in await desk.events()] == [Proposed, Granted]


async def test_nobody_is_told_that_what_they_confirmed_holds_when_they_refused_since(desk: PeopleDesk) -> None:
    await choose(desk, wanted=(NEWS,))
    target = desk.link().target
    assert await desk.services.own_acts.confirm(target, {cell_tag(NEWS)}, EMAIL) is Outcome.RECORDED
    await desk.services.own_acts.opt_out(target, [EVERYTHING], "one-click")
    assert await desk.services.own_acts.confirm(target, {cell_tag(NEWS)}, EMAIL) is Outcome.ABSENT
    assert [type(event) for event in await desk.events()] == [Proposed, Granted, Refused]


async def test_what_nobody_asked_for_cannot_be_confirmed(desk: PeopleDesk) -> None:
    target = desk.link().target
    assert await desk.services.own_acts.confirm(target, {cell_tag(NEWS)}, EMAIL) is Outcome.ABSENT
    assert await desk.events() == []


async def test_after_an_erasure_nothing_is_left_to_confirm(desk: PeopleDesk) -> None:
    await choose(desk, wanted=(NEWS,))
    await desk.services.recording.suppress(PAT, RefusalReason.ERASED, EVERYTHING, "request")
    target = desk.link().target
    assert await desk.services.own_acts.confirm(target, {cell_tag(NEWS)}, EMAIL) is Outcome.ABSENT


async def test_a_confirmed_link_is_a_verified_delivery(desk: PeopleDesk) -> None:
    bounced = Scope(channel=EMAIL)
    await desk.services.recording.suppress(PAT, RefusalReason.BOUNCED, bounced, "mail-host")
    await choose(desk, wanted=(NEWS,))
    await desk.services.own_acts.confirm(desk.link().target, {cell_tag(NEWS)}, EMAIL)
    assert await desk.reasons(OFFERS, NEWS) == ["permitted", "permitted"]
    assert [event for event in await desk.events() if isinstance(event, Delivered)] == [
        Delivered(desk.now_ms, EMAIL, "confirmed-link")
    ]


async def test_a_consent_that_a_tool_reported_is_confirmed_alike(desk: PeopleDesk) -> None:
    await desk.services.recording.opt_out(PAT, EVERYTHING, "form")
    reported = Consent(OFFERS, "stand@2", "fair", "crm", desk.now_ms - MINUTE)
    await desk.services.recording.record_consent(PAT, reported, is_confirmed=False)
    assert await desk.reasons(OFFERS) == ["opted_out"]
    assert await desk.services.own_acts.confirm(desk.link().target, {cell_tag(OFFERS)}, EMAIL) is Outcome.RECORDED
    assert await desk.reasons(OFFERS, TIPS) == ["permitted", "opted_out"]


async def test_a_scope_that_binds_nothing_is_refused(desk: PeopleDesk) -> None:
    target = desk.link().target
    with pytest.raises(InvalidInput):
        await desk.services.own_acts.opt_out(target, [Scope("unheard-of")], "one-click")
    with pytest.raises(ActRefused):
        await choose(desk, Scope("service", channel=Channel.EMAIL))
    with pytest.raises(InvalidInput):
        await desk.services.own_acts.choose(target, [EVERYTHING], [], "No Wording!", is_confirmed=False)
    assert await desk.events() == []


@pytest.mark.parametrize(("later_ms", "outcome"), [(MINUTE, Outcome.UNCHANGED), (MINUTE + 1, Outcome.RECORDED)])
async def test_the_same_no_is_a_new_one_after_a_minute(desk: PeopleDesk, later_ms: int, outcome: Outcome) -> None:
    opted_out = [EVERYTHING], "one-click"
    await desk.services.own_acts.opt_out(desk.link().target, *opted_out)
    desk.now_ms += later_ms
    assert await desk.services.own_acts.opt_out(desk.link().target, *opted_out) is outcome


async def test_a_consent_from_between_two_nos_that_comes_in_late_opens_nothing(desk: PeopleDesk) -> None:
    given_ms = desk.now_ms + DAY
    for _ in range(2):
        await desk.services.own_acts.opt_out(desk.link().target, [EVERYTHING], "one-click")
        desk.now_ms += 2 * DAY
    late = Consent(OFFERS, "form@1", "form", "person", given_ms)
    assert await desk.services.recording.record_consent(PAT, late) is Outcome.RECORDED
    assert await desk.reasons(OFFERS) == ["opted_out"]
