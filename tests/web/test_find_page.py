"""`/find`: a lost link comes by mail, and nobody learns who is known here."""

from __future__ import annotations

from ipaddress import ip_network
from urllib.parse import urlencode

from prefcenter.bootstrap import open_services
from prefcenter.domain.events import EVERYTHING
from prefcenter.settings import ServingLimits, ServingSettings, Settings, read_settings
from tests.web.serving_home import CONTROLLER, Answer, Running, running

PAT = "pat@acme.example"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MAIL = {"PREFCENTER_SMTP_URL": "smtp://127.0.0.1:9", "PREFCENTER_MAIL_FROM": "choices@acme.example"}


def with_mail(settings: Settings) -> Settings:
    """The same home, from which letters go out."""
    return read_settings(MAIL, settings.home)


async def ask(server: Running, address: str, origin: str = "203.0.113.9") -> Answer:
    body = urlencode({"address": address}).encode()
    headers = {**FORM, "X-Forwarded-For": origin}
    return await server.ask(f"/find/{CONTROLLER}", method="POST", body=body, headers=headers)


async def test_the_answer_is_the_same_whether_or_not_the_address_is_known(settings: Settings) -> None:
    async with open_services(settings) as services:
        await (await services.controller(CONTROLLER)).recording.opt_out(PAT, EVERYTHING, "form")
    async with running(with_mail(settings)) as server:
        known, unknown = await ask(server, PAT), await ask(server, "nobody@acme.example")
    assert known.status == unknown.status == 200
    assert known.body == unknown.body
    assert b"a link is on its way" in known.body
    assert PAT.encode() not in known.body


async def test_text_that_is_no_address_is_told(settings: Settings) -> None:
    async with running(with_mail(settings)) as server:
        for text in ("", "pat", "@acme.example"):
            answer = await ask(server, text)
            assert answer.status == 400
            assert b"This is not an email address" in answer.body


async def test_without_a_mail_host_it_says_so(settings: Settings) -> None:
    async with running(settings) as server:
        answer = await ask(server, PAT)
    assert answer.status == 503
    assert b"No email can be sent from here" in answer.body


async def test_an_origin_may_ask_a_few_times_a_minute(settings: Settings) -> None:
    async with running(with_mail(settings)) as server:
        answers = [await ask(server, PAT) for _ in range(7)]
        assert (await server.ask("/find/opencontact")).status == 200
    assert [answer.status for answer in answers] == [200] * 6 + [429]
    assert answers[0].headers["RateLimit-Policy"] == "6;w=60"
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60


async def test_each_origin_behind_a_trusted_proxy_may_ask_as_often_as_the_setting_says(settings: Settings) -> None:
    given = ServingSettings(ServingLimits(find_requests_per_minute_max=2), (ip_network("127.0.0.0/8"),))
    async with running(with_mail(settings), given) as server:
        for origin in ("203.0.113.1", "203.0.113.2"):
            statuses = [(await ask(server, PAT, origin=origin)).status for _ in range(3)]
            assert statuses == [200, 200, 429]


async def test_whoever_wrote_is_chosen_by_name(settings: Settings) -> None:
    async with running(settings) as server:
        page = (await server.ask("/find?lang=es")).body.decode()
        form = await server.ask("/find/opencontact")
        unknown = await server.ask("/find/nobody")
    assert '<a href="./find/opencontact?lang=es">' in page
    assert b"<form" in form.body
    assert unknown.status == 404


async def test_a_controller_s_colour_comes_as_a_stylesheet_of_its_own(settings: Settings) -> None:
    async with running(settings) as server:
        sheet = await server.ask("/brand/opencontact/colour.css")
        logo = await server.ask("/brand/opencontact/logo.svg")
        unknown = await server.ask("/brand/nobody/colour.css")
        no_file = await server.ask("/static/page.html")
    assert sheet.headers["Content-Type"].startswith("text/css")
    assert sheet.body.startswith(b":root{--accent:#0f6b5c}@media(prefers-color-scheme:dark)")
    assert {logo.status, unknown.status, no_file.status} == {404}
