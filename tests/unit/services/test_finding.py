"""A person who lost the mail gets a link at their address, and nobody learns whether the address is known."""

from __future__ import annotations

import pytest

from prefcenter.domain.errors import InvalidAddress, MailUnavailable
from prefcenter.domain.events import EVERYTHING, Scope
from prefcenter.domain.terms import RefusalReason
from prefcenter.services.outbox import LETTERS_AN_HOUR_MAX, LetterKind
from prefcenter.services.site import Site
from tests.factories import HOUR
from tests.unit.services.people_desk import EMAIL, PAT, PeopleDesk


@pytest.fixture
def desk() -> PeopleDesk:
    return PeopleDesk()


async def know(desk: PeopleDesk) -> None:
    await desk.services.recording.opt_out(PAT, EVERYTHING, "form")


async def test_somebody_who_is_known_gets_a_fresh_link(desk: PeopleDesk) -> None:
    await know(desk)
    await desk.services.finding.ask(PAT, "de")
    (letter,) = await desk.letters()
    assert (letter.kind, letter.address, letter.language, letter.name) == (LetterKind.FRESH_LINK, PAT, "de", "Acme")
    assert (await desk.services.visits.of_link(desk.opened(letter.url), PAT)).sees_all


async def test_somebody_who_is_not_gets_nothing_and_the_same_is_written(desk: PeopleDesk) -> None:
    await know(desk)
    before = desk.cabinet.writes
    await desk.services.finding.ask(PAT, "en")
    between = desk.cabinet.writes
    await desk.services.finding.ask("kim@acme.example", "en")
    assert desk.cabinet.writes - between == between - before == 1
    assert [letter.address for letter in await desk.letters()] == [PAT]


@pytest.mark.parametrize("reason", ["bounced", "erased", "minor", "restricted", "legal"])
async def test_who_may_get_no_message_at_all_gets_no_link_either(desk: PeopleDesk, reason: str) -> None:
    scope = Scope(channel=EMAIL) if reason == "bounced" else EVERYTHING
    await desk.services.recording.suppress(PAT, RefusalReason(reason), scope, "operator")
    await desk.services.finding.ask(PAT, "en")
    assert await desk.letters() == []


async def test_a_whole_domain_that_may_get_none_counts_too(desk: PeopleDesk) -> None:
    await know(desk)
    await desk.services.recording.suppress("@acme.example", RefusalReason.LEGAL, EVERYTHING, "order")
    await desk.services.finding.ask(PAT, "en")
    assert await desk.letters() == []


async def test_nobody_is_told_that_a_mailbox_had_enough(desk: PeopleDesk) -> None:
    await know(desk)
    for _ in range(LETTERS_AN_HOUR_MAX + 3):
        await desk.services.finding.ask(PAT, "en")
    assert len(await desk.letters()) == LETTERS_AN_HOUR_MAX
    desk.now_ms += HOUR
    await desk.services.finding.ask(PAT, "en")
    assert len(await desk.letters()) == 1


@pytest.mark.parametrize("text", ["", "nobody", "@acme.example", "020 7946 0123"])
async def test_what_is_no_email_address_is_told_so(desk: PeopleDesk, text: str) -> None:
    with pytest.raises(InvalidAddress):
        await desk.services.finding.ask(text, "en")


async def test_without_a_mail_host_it_says_so_to_everybody() -> None:
    desk = PeopleDesk(site=Site())
    await know(desk)
    for address in (PAT, "kim@acme.example"):
        with pytest.raises(MailUnavailable):
            await desk.services.finding.ask(address, "en")
