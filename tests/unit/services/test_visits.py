"""Visits to the preference page: what a link shows and does, and what needs a fresh one or a session."""

from __future__ import annotations

import pytest

from prefcenter.domain.errors import ActRefused, InvalidAddress, InvalidInput, MailUnavailable
from prefcenter.domain.events import EVERYTHING, Cell, Granted, Refused
from prefcenter.domain.terms import AddressClass, Channel, RefusalReason
from prefcenter.services.acts import Outcome
from prefcenter.services.contact_files import Contact, ContactAddress
from prefcenter.services.links import CONFIRMED_CELLS_MAX
from prefcenter.services.outbox import LETTERS_AN_HOUR_MAX, LetterKind
from prefcenter.services.recording import Choice
from prefcenter.services.site import Site
from prefcenter.services.visits import Visit
from tests.factories import DATA_USES, DAY, HOUR, PURPOSES, a_policy, a_purpose
from tests.unit.services.people_desk import EMAIL, PAT, PeopleDesk

POLICY = a_policy([*PURPOSES, a_purpose("reunions", audiences=["alumni"]), a_purpose("notices", audiences=["all"])])
OFFERS, NEWS, REUNIONS = Cell("offers", EMAIL), Cell("news", EMAIL), Cell("reunions", EMAIL)
TRACKING, DIRECTORY = Cell(None, None, "tracking"), Cell(None, None, "directory")
WORDING = "preference-page@1"


@pytest.fixture
def desk() -> PeopleDesk:
    return PeopleDesk(POLICY)


async def hold(desk: PeopleDesk, *audiences: str, address: str = PAT, contact: str = "crm-1") -> None:
    held = ContactAddress(EMAIL, address, AddressClass.BUSINESS)
    await desk.services.contacts.upsert(Contact(contact, (held,), audiences, "crm"))


async def visit(desk: PeopleDesk, typed: str | None = PAT, purpose: str = "offers") -> Visit:
    return await desk.services.visits.of_link(desk.link(purpose=purpose), typed)


async def fresh_visit(desk: PeopleDesk, typed: str | None = PAT) -> Visit:
    target = desk.link().target
    return await desk.services.visits.of_link(desk.opened(desk.services.links.fresh(target, EMAIL)), typed)


async def shown(desk: PeopleDesk, of: Visit) -> set[str | None]:
    sheet = await desk.services.visits.sheet(of, desk.now_ms)
    return {row.cell.purpose or row.cell.data_use for row in (*sheet.rows, *sheet.data_uses)}


async def save(
    desk: PeopleDesk, of: Visit, *, on: tuple[Cell, ...] = (), off: tuple[Cell, ...] = ()
) -> tuple[str, ...]:
    choices = [*(Choice(cell, is_wanted=True) for cell in on), *(Choice(cell, is_wanted=False) for cell in off)]
    return (await desk.services.visits.save(of, choices, WORDING, "en")).outcomes


async def test_without_a_contact_on_file_the_address_has_to_be_typed(desk: PeopleDesk) -> None:
    unknown = await visit(desk, None)
    assert unknown.needs_address
    assert (unknown.address, unknown.masked) == (None, "")
    with pytest.raises(InvalidInput):
        await desk.services.visits.sheet(unknown, desk.now_ms)
    typed = await visit(desk, " PAT@acme.example ")
    assert not typed.needs_address
    assert typed.masked == "***@acme.example"


@pytest.mark.parametrize("typed", ["kim@acme.example", "pat+news@acme.example", "nobody", "@acme.example"])
async def test_an_address_that_the_link_is_not_for_is_refused_and_not_quoted(desk: PeopleDesk, typed: str) -> None:
    with pytest.raises(InvalidAddress) as raised:
        await visit(desk, typed)
    assert typed not in str(raised.value)


async def test_a_contact_on_file_knows_the_address(desk: PeopleDesk) -> None:
    await hold(desk, "client")
    assert (await visit(desk, None)).address == PAT


async def test_a_contact_with_another_spelling_does_not_answer_for_this_one(desk: PeopleDesk) -> None:
    await hold(desk, "client", address="pat+crm@acme.example")
    assert (await visit(desk, None)).needs_address


async def test_where_two_contacts_hold_the_address_nobody_knows_whose_visit_it_is(desk: PeopleDesk) -> None:
    await hold(desk, "client")
    await hold(desk, "client", contact="crm-2")
    assert (await visit(desk, None)).needs_address


async def test_a_bulk_link_shows_what_shares_an_audience_with_its_message(desk: PeopleDesk) -> None:
    everything = {purpose.id for purpose in POLICY.purposes} | {data_use.id for data_use in DATA_USES}
    assert await shown(desk, await visit(desk)) == everything - {"reunions", "directory", "sale"}
    assert await shown(desk, await visit(desk, purpose="reunions")) == {
        *("reunions", "notices", "service"),
        *("profiling", "tracking", "directory", "sale"),
    }
    assert await shown(desk, await visit(desk, purpose="notices")) == everything


async def test_a_bulk_link_of_a_purpose_that_is_no_more_shows_what_is_for_all(desk: PeopleDesk) -> None:
    link = desk.link(purpose="reunions")
    url = desk.services.links.of_message(PAT, "reunions", EMAIL).manage_url
    later = PeopleDesk(a_policy([*PURPOSES, a_purpose("notices", audiences=["all"])]), keyring=desk.keyring)
    assert link.purpose is not None
    of = await later.services.visits.of_link(later.opened(url), PAT)
    assert await shown(later, of) == {"service", "notices", "profiling", "tracking"}


async def test_a_fresh_link_shows_what_the_persons_own_audiences_get(desk: PeopleDesk) -> None:
    assert "reunions" in await shown(desk, await fresh_visit(desk))
    await hold(desk, "alumni")
    assert "offers" not in await shown(desk, await fresh_visit(desk, None))
    assert "reunions" in await shown(desk, await fresh_visit(desk, None))


async def test_choices_of_other_audiences_are_no_business_of_a_bulk_link(desk: PeopleDesk) -> None:
    bulk = await visit(desk)
    for choice in (
        Choice(REUNIONS, is_wanted=False),
        Choice(DIRECTORY, is_wanted=True),
        Choice(Cell("x", EMAIL), True),
    ):
        with pytest.raises(ActRefused):
            await desk.services.visits.save(bulk, [choice], WORDING, "en")
    assert await desk.events() == []


async def test_switching_off_binds_at_once_and_needs_no_address(desk: PeopleDesk) -> None:
    assert await save(desk, await visit(desk, None), off=(OFFERS,)) == ("recorded",)
    assert await desk.reasons(OFFERS, Cell("tips", EMAIL)) == ["opted_out", "permitted"]
    assert await desk.letters() == []


async def test_switching_on_waits_for_a_confirmation_by_mail(desk: PeopleDesk) -> None:
    assert await save(desk, await visit(desk), on=(NEWS, TRACKING)) == ("pending", "pending")
    assert await desk.reasons(NEWS, TRACKING) == ["no_consent", "no_consent"]
    (letter,) = await desk.letters()
    assert (letter.kind, letter.address, letter.labels) == (LetterKind.CONFIRMATION, PAT, ("News", "Tracking"))
    link = desk.opened(letter.url)
    assert set(await desk.services.confirmations.pending(link)) == {NEWS, TRACKING}
    assert await desk.services.confirmations.confirm(link) is Outcome.RECORDED
    assert await desk.reasons(NEWS, TRACKING) == ["permitted", "permitted"]
    assert await desk.services.confirmations.pending(link) == []
    assert await desk.services.confirmations.confirm(link) is Outcome.UNCHANGED


async def test_a_confirmation_works_across_a_rotation_of_keys(desk: PeopleDesk) -> None:
    await save(desk, await visit(desk), on=(NEWS,))
    (letter,) = await desk.letters()
    later = desk.with_rotated_keys()
    assert await later.services.confirmations.confirm(later.opened(letter.url)) is Outcome.RECORDED
    assert await later.reasons(NEWS) == ["permitted"]


async def test_the_last_letter_confirms_all_that_waits(desk: PeopleDesk) -> None:
    for cell in (NEWS, TRACKING):
        await save(desk, await visit(desk), on=(cell,))
    letters = await desk.letters()
    await desk.services.confirmations.confirm(desk.opened(letters[-1].url))
    assert await desk.reasons(NEWS, TRACKING) == ["permitted", "permitted"]


async def test_more_choices_than_a_link_can_hold_take_more_letters() -> None:
    names = [f"list-{number}" for number in range(CONFIRMED_CELLS_MAX + 1)]
    desk = PeopleDesk(
        a_policy(
            [a_purpose(name, business=POLICY.purpose_by_id["news"].basis[AddressClass.BUSINESS]) for name in names]
        )
    )
    cells = tuple(Cell(name, EMAIL) for name in names)
    of = await desk.services.visits.of_link(desk.link(purpose=names[0]), PAT)
    await save(desk, of, on=cells)
    letters = await desk.letters()
    assert [len(letter.labels) for letter in letters] == [CONFIRMED_CELLS_MAX, 1]
    for letter in letters:
        await desk.services.confirmations.confirm(desk.opened(letter.url))
    assert set(await desk.reasons(*cells)) == {"permitted"}


async def test_what_is_permitted_already_needs_no_confirmation(desk: PeopleDesk) -> None:
    await hold(desk, "client")
    assert await save(desk, await visit(desk), on=(OFFERS,)) == ("unchanged",)
    assert await desk.letters() == []


async def test_switching_on_and_off_in_one_save_keeps_their_order(desk: PeopleDesk) -> None:
    assert await save(desk, await visit(desk), on=(NEWS,), off=(OFFERS, TRACKING)) == (
        "pending",
        "recorded",
        "recorded",
    )


async def test_an_undo_of_a_save_leaves_what_waits(desk: PeopleDesk) -> None:
    choices = [Choice(NEWS, is_wanted=True), Choice(OFFERS, is_wanted=False)]
    saved = await desk.services.visits.save(await visit(desk), choices, WORDING, "en")
    assert saved.is_mailed
    assert saved.undo_token is not None
    assert await desk.services.visits.undo(await visit(desk), saved.undo_token) is Outcome.RECORDED
    assert await desk.reasons(OFFERS) != ["opted_out"]
    (letter,) = await desk.letters()
    assert await desk.services.confirmations.pending(desk.opened(letter.url)) == [NEWS]


async def test_there_is_nothing_to_undo_where_nothing_was_refused(desk: PeopleDesk) -> None:
    saved = await desk.services.visits.save(await visit(desk), [Choice(NEWS, is_wanted=True)], WORDING, "en")
    assert saved.undo_token is None


@pytest.mark.parametrize("token", ["", "nonsense", "x" * 95])
async def test_what_is_no_undo_token_undoes_nothing(desk: PeopleDesk, token: str) -> None:
    assert await desk.services.visits.undo(await visit(desk), token) is Outcome.ABSENT
    manage = desk.services.links.of_message(PAT, "offers", EMAIL).manage_url
    assert await desk.services.visits.undo(await visit(desk), manage.rpartition("/")[2]) is Outcome.ABSENT


async def test_nobody_takes_back_what_another_refused(desk: PeopleDesk) -> None:
    saved = await desk.services.visits.stop_everything(await visit(desk))
    kim = await desk.services.visits.of_link(desk.link("kim@acme.example"), "kim@acme.example")
    assert await desk.services.visits.undo(kim, saved.undo_token or "") is Outcome.ABSENT
    assert await desk.reasons(OFFERS) == ["opted_out"]


async def test_after_a_rotation_of_keys_it_is_taken_back_wherever_it_reached(desk: PeopleDesk) -> None:
    other = "pat@home.example"
    held = tuple(ContactAddress(EMAIL, address, AddressClass.BUSINESS) for address in (PAT, other))
    await desk.services.contacts.upsert(Contact("crm-1", held, ("client",), "crm"))
    later = desk.with_rotated_keys()
    saved = await later.services.visits.stop_everything(await visit(later))
    assert await later.reasons(OFFERS, address=other) == ["opted_out"]
    assert await later.services.visits.undo(await visit(later), saved.undo_token or "") is Outcome.RECORDED
    assert await later.reasons(OFFERS) == await later.reasons(OFFERS, address=other) == ["permitted"]


async def test_an_undo_token_is_over_after_ten_minutes(desk: PeopleDesk) -> None:
    saved = await desk.services.visits.stop_everything(await visit(desk))
    desk.now_ms += HOUR
    assert await desk.services.visits.undo(await visit(desk), saved.undo_token or "") is Outcome.ABSENT


async def test_stop_everything_stops_messages_and_uses_of_data_by_any_link(desk: PeopleDesk) -> None:
    saved = await desk.services.visits.stop_everything(await visit(desk, None))
    assert saved.outcomes == (Outcome.RECORDED,) * 4
    refused = await desk.reasons(OFFERS, REUNIONS, TRACKING, DIRECTORY, Cell(None, None, "profiling"))
    assert set(refused) == {"opted_out"}
    assert await desk.reasons(Cell("service", EMAIL), Cell(None, None, "sale")) == ["permitted", "prohibited"]
    assert await desk.services.visits.undo(await visit(desk), saved.undo_token or "") is Outcome.RECORDED
    assert "opted_out" not in await desk.reasons(OFFERS, REUNIONS, TRACKING, DIRECTORY)


async def test_a_pause_by_a_link_needs_no_address(desk: PeopleDesk) -> None:
    unknown = await visit(desk, None)
    assert await desk.services.visits.pause(unknown, desk.now_ms + DAY) is Outcome.RECORDED
    assert await desk.reasons(OFFERS) == ["paused"]
    assert await desk.services.visits.pause(unknown, None) is Outcome.RECORDED
    assert await desk.reasons(OFFERS) == ["permitted"]


async def test_somebody_who_is_signed_in_consents_at_once_and_sees_everything(desk: PeopleDesk) -> None:
    person = await desk.services.visits.of_person(PAT, EMAIL)
    assert await save(desk, person, on=(NEWS,), off=(OFFERS,)) == ("recorded", "recorded")
    assert await desk.reasons(NEWS, OFFERS) == ["permitted", "opted_out"]
    assert await desk.letters() == []
    assert [type(item.event) for item in await desk.services.visits.history(person)] == [Granted, Refused]
    assert "reunions" in await shown(desk, person)


async def test_the_history_needs_a_fresh_link(desk: PeopleDesk) -> None:
    await desk.services.recording.opt_out(PAT, EVERYTHING, "form")
    with pytest.raises(ActRefused):
        await desk.services.visits.history(await visit(desk))
    (entry,) = await desk.services.visits.history(await fresh_visit(desk, None))
    assert isinstance(entry.event, Refused)


async def test_a_bulk_link_can_have_a_fresh_one_mailed(desk: PeopleDesk) -> None:
    assert await desk.services.visits.mail_fresh_link(await visit(desk), "cy")
    (letter,) = await desk.letters()
    assert (letter.kind, letter.address, letter.language) == (LetterKind.FRESH_LINK, PAT, "cy")
    assert (await desk.services.visits.of_link(desk.opened(letter.url), PAT)).sees_all


async def test_a_mailbox_gets_only_so_many_letters_an_hour(desk: PeopleDesk) -> None:
    of = await visit(desk)
    sent = [await desk.services.visits.mail_fresh_link(of, "en") for _ in range(LETTERS_AN_HOUR_MAX + 1)]
    assert sent == [True] * LETTERS_AN_HOUR_MAX + [False]
    saved = await desk.services.visits.save(of, [Choice(NEWS, is_wanted=True)], WORDING, "en")
    assert (saved.outcomes, saved.is_mailed) == ((Outcome.PENDING,), False)


@pytest.mark.parametrize("reason", [RefusalReason.MINOR, RefusalReason.RESTRICTED, RefusalReason.LEGAL])
async def test_who_may_not_be_written_to_gets_no_confirmation(desk: PeopleDesk, reason: RefusalReason) -> None:
    await desk.services.recording.suppress(PAT, reason, EVERYTHING, "operator")
    saved = await desk.services.visits.save(await visit(desk), [Choice(NEWS, is_wanted=True)], WORDING, "en")
    assert not saved.is_mailed
    assert await desk.letters() == []


async def test_without_a_mail_host_nothing_can_be_switched_on_and_everything_off() -> None:
    desk = PeopleDesk(POLICY, Site())
    of = await visit(desk)
    with pytest.raises(MailUnavailable):
        await save(desk, of, on=(NEWS,), off=(OFFERS,))
    with pytest.raises(MailUnavailable):
        await desk.services.visits.mail_fresh_link(of, "en")
    assert await desk.events() == []
    assert await save(desk, of, off=(OFFERS,)) == ("recorded",)


async def test_only_an_email_address_can_confirm(desk: PeopleDesk) -> None:
    url = desk.services.links.of_message("+442079460123", "offers", Channel.SMS).manage_url
    of = await desk.services.visits.of_link(desk.opened(url), "020 7946 0123")
    with pytest.raises(ActRefused):
        await save(desk, of, on=(TRACKING,))
    with pytest.raises(ActRefused):
        await desk.services.visits.mail_fresh_link(of, "en")
    assert await save(desk, of, off=(Cell("offers", Channel.SMS),)) == ("recorded",)
