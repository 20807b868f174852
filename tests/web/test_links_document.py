"""The requests that docs/links.md shows get the answers that stand there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import aiohttp
import pytest

from prefcenter.settings import Settings
from tests.web.serving_home import running
from tests.web.test_one_click import events, path_of

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "links.md"
TRANSCRIPTS = re.findall(r"```console\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
SHOWN = [
    (command, status) for text in TRANSCRIPTS for command, status in re.findall(r"\$ (curl .*)\nHTTP/1.1 (.*)\n", text)
]


def what_curl_sends(command: str) -> tuple[str, object]:
    """The method and body of a command, for the options that the document uses."""
    program, *arguments = shlex.split(command)
    assert program == "curl"
    method: str = "GET"
    body: object = None
    options = iter(arguments[:-1])
    for option in options:
        match option:
            case "--include":
                continue
            case "--head":
                method = "HEAD"
            case "--request":
                method = next(options)
            case "--data":
                method, body = "POST", dict([next(options).split("=")])
            case "--form":
                method, body = "POST", aiohttp.FormData(dict([next(options).split("=")]), default_to_multipart=True)
            case _:
                raise AssertionError(option)
    return method, body


def test_the_document_shows_both_forms_of_one_click_and_what_scanners_send() -> None:
    assert sum("Unsubscribe=One-Click" in command for command, _ in SHOWN) == 2
    assert len(SHOWN) == sum(text.count("$ curl") for text in TRANSCRIPTS) == 6


@pytest.mark.parametrize(("command", "status"), SHOWN)
async def test_a_request_of_the_document_gets_the_answer_beside_it(
    settings: Settings, command: str, status: str
) -> None:
    method, body = what_curl_sends(command)
    path = await path_of(settings)
    assert command.endswith(" http://127.0.0.1:8080/u/TOKEN")
    async with running(settings) as server:
        answered = await server.ask(path, method=method, body=body)
    assert str(answered.status) == status.split()[0]
    assert len(await events(settings)) == (1 if "One-Click" in command else 0)
