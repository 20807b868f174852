"""Letters go out over real SMTP, once, encrypted, and again and again until the host takes them."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from prefcenter.bootstrap import open_services, system_clock
from prefcenter.bootstrap.live import LiveHome, live_home
from prefcenter.domain.events import Cell
from prefcenter.domain.terms import Channel
from prefcenter.mail.host import MailHost
from prefcenter.mail.postman import CLAIM_MS, GIVEN_UP_AFTER_MS, Postman, posting
from prefcenter.services.acts import Outcome
from prefcenter.services.decisions import Question
from prefcenter.services.outbox import Letter, LetterKind
from prefcenter.services.recording import Choice
from prefcenter.services.targets import Targets
from prefcenter.settings import MailSettings, ServingSettings, Settings, read_serving_settings
from tests.mail.mail_host import PASSWORD, USER, Certificate, Mailbox, mail_host
from tests.web.serving_home import Running, running

PAT = "pat@example.com"
CONTROLLER = "contact-centre-community"
NEWS = Cell("member-news", Channel.EMAIL)
SENDER = "preferences@example.org"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass
class Clock:
    now_ms: int

    def __call__(self) -> int:
        return self.now_ms


@dataclass(frozen=True)
class Post:
    """A live home, its postman, and the clock that both look at."""

    home: LiveHome
    postman: Postman
    clock: Clock


@asynccontextmanager
async def post(settings: Settings, given: MailSettings) -> AsyncIterator[Post]:
    clock = Clock(system_clock())
    async with live_home(LiveHome(settings, clock)) as home:
        yield Post(home, Postman(home, MailHost(given), given.sender, look_seconds=0.01), clock)


def plain(mailbox: Mailbox) -> MailSettings:
    return MailSettings("127.0.0.1", mailbox.port, "none", SENDER)


async def switch_on(settings: Settings, address: str = PAT, language: str = "en") -> None:
    """Somebody comes by a bulk link and switches the news on, which queues a letter."""
    async with open_services(settings) as services:
        own = await services.controller(CONTROLLER)
        made = own.links.of_message(address, "member-news", Channel.EMAIL)
        link = own.links.open(made.manage_url.rpartition("/")[2])
        assert link is not None
        visit = await own.visits.of_link(link, address)
        saved = await own.visits.save(visit, [Choice(NEWS, is_wanted=True)], "preference-page@1", language)
        assert saved.outcomes == (Outcome.PENDING,)
        assert saved.is_mailed


async def reason(settings: Settings) -> str:
    async with open_services(settings) as services:
        decisions = (await services.deciding(CONTROLLER)).decisions
        question = Question(PAT, "member-news", Channel.EMAIL)
        return (await decisions.decide(question, services.clock())).reason.value


def text_of(mailbox: Mailbox, number: int = 0) -> str:
    body = mailbox.messages[number].get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def path_in(text: str) -> str:
    (token,) = re.findall(r"http://127\.0\.0\.1:8080(/c/[\w-]+)", text)
    return str(token)


async def press(server: Running, path: str) -> int:
    return (await server.ask(path, method="POST", body=b"confirm=yes", headers=FORM)).status


async def test_a_choice_is_mailed_opened_confirmed_and_then_in_force(settings: Settings) -> None:
    async with mail_host(Mailbox()) as mailbox:
        await switch_on(settings)
        assert await reason(settings) == "no_consent"
        async with post(settings, plain(mailbox)) as it:
            assert await it.postman.round()
            assert not await it.postman.round()
    assert mailbox.recipients == [PAT]
    async with running(settings) as server:
        assert await press(server, path_in(text_of(mailbox))) == 200
    assert await reason(settings) == "permitted"


async def test_the_message_says_the_same_in_text_and_html_and_can_be_refused_with_one_click(settings: Settings) -> None:
    async with mail_host(Mailbox()) as mailbox:
        await switch_on(settings)
        async with post(settings, plain(mailbox)) as it:
            await it.postman.round()
    (message,) = mailbox.messages
    assert str(message["From"]) == f"Contact Centre Community <{SENDER}>"
    assert (message["To"], message["Auto-Submitted"]) == (PAT, "auto-generated")
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    html = message.get_body(("html",))
    assert html is not None
    for part in (text_of(mailbox), str(html.get_content())):
        assert "News for members" in part
        assert path_in(part)
    assert "<script" not in html.get_content()
    path = message["List-Unsubscribe"].strip("<>").removeprefix("http://127.0.0.1:8080")
    async with running(settings) as server:
        answer = await server.ask(path, method="POST", body=b"List-Unsubscribe=One-Click", headers=FORM)
        assert answer.status == 200
    assert await reason(settings) == "opted_out"


@pytest.mark.parametrize("address", ["=?utf-8?q?kim?=@example.com", "=?utf-8?b?$=?=@example.com"])
async def test_an_address_that_programs_read_as_another_gets_no_letter_and_keeps_none_waiting(
    settings: Settings, address: str, logged: io.StringIO
) -> None:
    async with mail_host(Mailbox()) as mailbox:
        await switch_on(settings, address)
        await switch_on(settings)
        async with post(settings, plain(mailbox)) as it:
            assert await it.postman.round()
            assert not await it.postman.round()
    assert mailbox.recipients == [PAT]
    assert '"event":"letter_given_up"' in logged.getvalue()
    assert address not in logged.getvalue()


async def test_a_letter_that_cannot_be_made_is_given_up_and_keeps_no_other_waiting(
    settings: Settings, logged: io.StringIO
) -> None:
    async with open_services(settings) as services:
        own = await services.controller(CONTROLLER)
        target = Targets(own.policy.country, own.digester).of(PAT, Channel.EMAIL)
        broken = Letter(LetterKind.FRESH_LINK, PAT, "en", "https://example.org/p/x", "Two\nlines")
        await own.outbox.queue(target.write_to, broken)
    async with mail_host(Mailbox()) as mailbox:
        await switch_on(settings, "kim@example.com")
        async with post(settings, plain(mailbox)) as it:
            assert await it.postman.round()
            assert not await it.postman.round()
    assert mailbox.recipients == ["kim@example.com"]
    assert '"event":"letter_given_up"' in logged.getvalue()


async def test_letters_go_out_over_starttls_with_a_login(settings: Settings, trusted: Certificate) -> None:
    async with mail_host(Mailbox(), starttls=trusted) as mailbox:
        await switch_on(settings)
        environ = {
            "PREFCENTER_SMTP_URL": f"smtp+starttls://{USER}:p%40ss%2Fword@127.0.0.1:{mailbox.port}",
            "PREFCENTER_MAIL_FROM": SENDER,
        }
        given = read_serving_settings(environ).mail
        assert given is not None
        assert given.password == PASSWORD
        async with post(settings, given) as it:
            await it.postman.round()
    assert (mailbox.recipients, mailbox.users, mailbox.was_encrypted) == ([PAT], [USER], [True])


async def test_letters_go_out_over_tls_from_the_first_byte(settings: Settings, trusted: Certificate) -> None:
    async with mail_host(Mailbox(), tls=trusted) as mailbox:
        await switch_on(settings)
        given = MailSettings("127.0.0.1", mailbox.port, "tls", SENDER)
        async with post(settings, given) as it:
            await it.postman.round()
    assert mailbox.recipients == [PAT]


async def test_a_host_that_nobody_vouches_for_gets_nothing(settings: Settings, certificate: Certificate) -> None:
    async with mail_host(Mailbox(), starttls=certificate) as mailbox:
        await switch_on(settings)
        given = MailSettings("127.0.0.1", mailbox.port, "starttls", SENDER, USER, PASSWORD)
        async with post(settings, given) as it:
            await it.postman.round()
    assert (mailbox.messages, mailbox.users) == ([], [])


async def test_a_host_without_tls_gets_nothing_where_tls_is_asked_for(settings: Settings) -> None:
    async with mail_host(Mailbox()) as mailbox:
        await switch_on(settings)
        async with post(settings, MailSettings("127.0.0.1", mailbox.port, "starttls", SENDER, USER, PASSWORD)) as it:
            await it.postman.round()
    assert (mailbox.messages, mailbox.users) == ([], [])


@pytest.mark.parametrize("trouble", ["away", "busy", "greylisted"])
async def test_a_letter_that_is_not_taken_goes_out_later(settings: Settings, trouble: str, logged: io.StringIO) -> None:
    mailbox = Mailbox()
    async with mail_host(mailbox):
        await switch_on(settings)
        if trouble == "busy":
            mailbox.to_message = lambda: "451 try later"
        elif trouble == "greylisted":
            mailbox.answer = lambda address: f"450 {address} is greylisted"
        given = plain(mailbox) if trouble != "away" else MailSettings("127.0.0.1", 9, "none", SENDER)
        async with post(settings, given) as it:
            assert await it.postman.round()
            assert not await it.postman.round()
            assert mailbox.messages == []
            mailbox.to_message, mailbox.answer = (lambda: "250 OK"), (lambda _: "250 OK")
            now_ms = it.clock.now_ms
        async with post(settings, plain(mailbox)) as later:
            later.clock.now_ms = now_ms + 59_000
            assert not await later.postman.round()
            later.clock.now_ms = now_ms + 60_000
            assert await later.postman.round()
    assert mailbox.recipients == [PAT]
    assert "letter_put_off" in logged.getvalue()
    assert PAT not in logged.getvalue()


async def test_a_mailbox_that_is_not_there_ends_it_and_harms_no_other_letter(
    settings: Settings, logged: io.StringIO
) -> None:
    mailbox = Mailbox(answer=lambda address: f"550 {address}: no such user" if address == PAT else "250 OK")
    async with mail_host(mailbox):
        await switch_on(settings)
        await switch_on(settings, "kim@example.com")
        async with post(settings, plain(mailbox)) as it:
            await it.postman.round()
            it.clock.now_ms += GIVEN_UP_AFTER_MS
            assert not await it.postman.round()
    assert mailbox.recipients == ["kim@example.com"]
    assert "SMTPRecipientsRefused 550" in logged.getvalue()
    assert PAT not in logged.getvalue()


async def test_after_a_day_a_letter_is_given_up_and_nothing_of_it_is_kept(settings: Settings) -> None:
    mailbox = Mailbox(to_message=lambda: "451 try later")
    async with mail_host(mailbox):
        await switch_on(settings)
        async with post(settings, plain(mailbox)) as it:
            tries = 0
            while it.clock.now_ms < system_clock() + GIVEN_UP_AFTER_MS + 2 * 60 * 60_000:
                tries += await it.postman.round()
                it.clock.now_ms += 60_000
            assert 20 <= tries <= 40
            store = await it.home.store()
            assert not await store.claim_letters(it.clock.now_ms * 2, until_ms=it.clock.now_ms * 3, limit=10)


async def test_a_crash_while_sending_loses_nothing(settings: Settings) -> None:
    async with mail_host(Mailbox()) as mailbox:
        await switch_on(settings)
        async with post(settings, plain(mailbox)) as crashing:
            store, now_ms = await crashing.home.store(), crashing.clock.now_ms
            assert len(await store.claim_letters(now_ms, until_ms=now_ms + CLAIM_MS, limit=10)) == 1
        async with post(settings, plain(mailbox)) as it:
            it.clock.now_ms = now_ms + CLAIM_MS - 1
            assert not await it.postman.round()
            it.clock.now_ms = now_ms + CLAIM_MS
            assert await it.postman.round()
    assert mailbox.recipients == [PAT]


async def test_several_workers_send_each_letter_once(settings: Settings) -> None:
    people = [f"person{number}@example.com" for number in range(12)]
    async with mail_host(Mailbox()) as mailbox:
        for address in people:
            await switch_on(settings, address)
        async with post(settings, plain(mailbox)) as one, post(settings, plain(mailbox)) as two:
            await asyncio.gather(one.postman.round(), two.postman.round())
            await asyncio.gather(one.postman.round(), two.postman.round())
    assert sorted(mailbox.recipients) == sorted(people)


async def test_a_second_sending_after_a_crash_has_the_same_id(settings: Settings) -> None:
    async with mail_host(Mailbox()) as mailbox:
        await switch_on(settings)
        async with post(settings, plain(mailbox)) as it:
            store = await it.home.store()
            (letter,) = await store.claim_letters(it.clock.now_ms, until_ms=it.clock.now_ms, limit=1)
            await it.postman.round()
            await store.postpone_letter(letter.id, 0)
        await switch_on(settings)
        async with post(settings, plain(mailbox)) as it:
            await it.postman.round()
    ids = {str(message["Message-ID"]) for message in mailbox.messages}
    assert len(ids) == len(mailbox.messages) == 2
    assert letter.id not in "".join(ids)


async def test_the_postman_works_beside_the_server_and_stops_with_it(settings: Settings) -> None:
    async with mail_host(Mailbox()) as mailbox, post(settings, plain(mailbox)) as it:
        async with posting(it.postman):
            await switch_on(settings)
            it.clock.now_ms = system_clock()
            async with asyncio.timeout(20):
                await mailbox.came_in.wait()
        await switch_on(settings)
    assert mailbox.recipients == [PAT]


async def test_no_plaintext_address_is_in_the_store_before_or_after(settings: Settings) -> None:
    async with mail_host(Mailbox()) as mailbox:
        await switch_on(settings)
        held = [path.read_bytes() for path in settings.home.iterdir() if path.is_file()]
        async with post(settings, plain(mailbox)) as it:
            await it.postman.round()
        held += [path.read_bytes() for path in settings.home.iterdir() if path.is_file()]
    assert mailbox.recipients == [PAT]
    assert not any(PAT.encode() in content for content in held)


def test_a_server_without_a_mail_host_has_no_mail_settings() -> None:
    assert read_serving_settings({}).mail is ServingSettings().mail is None
