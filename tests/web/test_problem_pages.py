"""Whatever goes wrong on the paths of people is a page in their language, and never a document for programs."""

from __future__ import annotations

import io
import json

import pytest

from prefcenter.settings import ServingLimits, ServingSettings, Settings
from tests.web.serving_home import Answer, put_store_back, running, take_store_away
from tests.web.test_one_click import BODY, FORM, PAT, click, path_of, reasons

GERMAN = {"Accept-Language": "de-CH, en;q=0.5"}
LENGTHY = ServingSettings(ServingLimits(body_bytes_max=1_000))


def check_page(answer: Answer, status: int, *texts: str) -> str:
    page = answer.body.decode()
    assert answer.status == status
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Robots-Tag"] == "noindex"
    for text in texts:
        assert text in page
    return page


async def test_somebody_who_asks_too_often_is_told_so_in_their_language(settings: Settings) -> None:
    path = await path_of(settings)
    async with running(settings, ServingSettings(ServingLimits(origin_requests_per_minute_max=1))) as server:
        assert (await server.ask(path)).status == 200
        answer = await server.ask(path, headers=GERMAN)
    check_page(answer, 429, '<html lang="de"', "Bitte warten Sie einen Moment")
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["RateLimit-Remaining"] == "0"


async def test_somebody_who_searches_too_often_is_told_so_in_their_language(settings: Settings) -> None:
    given = ServingSettings(ServingLimits(find_requests_per_minute_max=1))
    async with running(settings, given) as server:
        sent = [await server.ask("/find/opencontact", method="POST", body=b"address=x", headers={**FORM, **GERMAN})]
        sent += [await server.ask("/find/opencontact?lang=ar", method="POST", body=b"address=x", headers=FORM)]
    assert sent[0].status == 400
    check_page(sent[1], 429, '<html lang="ar" dir="rtl"')


async def test_a_store_that_does_not_answer_is_no_success_and_the_link_works_later(
    settings: Settings, logged: io.StringIO
) -> None:
    path = await path_of(settings)
    async with running(settings) as server:
        take_store_away(settings)
        for answer in (await server.ask(path), await click(server, path), await server.ask("/p/" + path[3:])):
            page = check_page(answer, 503, "That did not work", "try again in a few minutes")
            assert answer.headers["X-Request-Id"] in page
            assert answer.headers["X-Request-Id"] in logged.getvalue()
        put_store_back(settings)
        assert (await click(server, path)).status == 200
    assert await reasons(settings, ("client-marketing", "email")) == ["opted_out"]
    assert PAT not in logged.getvalue()
    assert path[3:] not in logged.getvalue()


@pytest.mark.parametrize("path", ["/u", "/u/", "/p/", "/c/half/a/link", "/find/nobody", "/find/nobody/else"])
async def test_a_path_that_leads_nowhere_is_a_page(settings: Settings, path: str) -> None:
    async with running(settings) as server:
        check_page(await server.ask(path), 404, "There is nothing here", 'href="?lang=de"')


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/p", "OPTIONS,POST"), ("DELETE", "/u/x", "GET,HEAD,OPTIONS,POST"), ("PUT", "/find", "GET,HEAD")],
)
async def test_another_method_is_a_page_that_says_which_are_answered(
    settings: Settings, method: str, path: str, allowed: str
) -> None:
    async with running(settings) as server:
        answer = await server.ask(path, method=method)
    check_page(answer, 405, "We could not read that")
    assert ",".join(sorted(answer.headers["Allow"].split(","))) == allowed


async def test_a_form_that_is_too_large_is_a_page_and_changes_nothing(settings: Settings) -> None:
    path = await path_of(settings)
    async with running(settings, LENGTHY) as server:
        body = b"List-Unsubscribe=One-Click&more=" + b"x" * 1_000
        check_page(await click(server, path, body=body), 413, "Nothing was changed")
    assert await reasons(settings, ("client-marketing", "email")) == ["permitted"]


async def test_a_form_that_is_longer_than_any_page_sends_is_not_read(settings: Settings) -> None:
    path = await path_of(settings)
    async with running(settings) as server:
        check_page(await click(server, path, body=BODY + b"&x=" + b"x" * 65_536), 413)
        check_page(await click(server, path, body=BODY + b"&x=" + b"x" * 60_000), 200)


@pytest.mark.parametrize("path", ["/graphql", "/who", "/static/none.css", "/brand/nobody/logo.svg", "/upp", "/"])
async def test_programs_still_get_the_one_shape(settings: Settings, path: str) -> None:
    async with running(settings, with_api=True) as server:
        answer = await server.ask(path)
    assert answer.status in (401, 404, 405)
    assert sorted(json.loads(answer.body)["error"]) == ["code", "id", "message"]
