"""The requests that docs/links.md shows get the answers that stand there."""

from __future__ import annotations

import asyncio
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from prefcenter.settings import Settings
from tests.cli.test_docs import Shown, agrees, shown_in
from tests.web.serving_home import running
from tests.web.test_one_click import events, path_of

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "links.md"
SHOWN = list(shown_in(DOCUMENT))
CURL = shutil.which("curl")
MULTIPART = {"Content-Type": "multipart/form-data; boundary=part"}
PART = '--part\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n--part--\r\n'


def answer_to(url: str, arguments: Sequence[str]) -> str:
    """What comes back for a command: of curl itself, or where it is missing, for the request that it sends."""
    if CURL is None:
        return answer_to_request(url, *what_curl_sends(arguments))
    typed = [CURL, "--disable", "--silent", "--noproxy", "*", *arguments, url]
    return subprocess.run(typed, capture_output=True, check=True, timeout=30).stdout.decode()


def answer_to_request(url: str, method: str, body: str | None, headers: Mapping[str, str]) -> str:
    """The status line of an answer, and its fields."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=30)
    connection.request(method, parts.path, body, dict(headers))
    answer = connection.getresponse()
    fields = "".join(f"{name}: {value}\r\n" for name, value in answer.getheaders())
    told = f"HTTP/1.1 {answer.status} {answer.reason}\r\n{fields}\r\n{answer.read().decode()}"
    connection.close()
    return told


def what_curl_sends(arguments: Sequence[str]) -> tuple[str, str | None, Mapping[str, str]]:
    """The method, body and fields of a command, for the options that the document uses."""
    match arguments:
        case ["--include"]:
            return "GET", None, {}
        case ["--head"]:
            return "HEAD", None, {}
        case ["--include", "--request", method]:
            return method, None, {}
        case ["--include", "--data", text]:
            return "POST", text, {"Content-Type": "application/x-www-form-urlencoded"}
        case ["--include", "--form", text]:
            return "POST", PART.format(*text.split("=")), MULTIPART
    raise AssertionError(arguments)


def test_the_document_shows_both_forms_of_one_click_and_what_scanners_send() -> None:
    assert len(SHOWN) == 6
    assert sum("Unsubscribe=One-Click" in shown.typed for shown in SHOWN) == 2


@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize("shown", SHOWN, ids=lambda shown: shown.typed)
async def test_a_request_of_the_document_gets_the_answer_below_it(
    settings: Settings, shown: Shown, by_hand: bool
) -> None:
    program, *arguments, address = shlex.split(shown.typed)
    assert (program, address) == ("curl", "http://127.0.0.1:8080/u/TOKEN")
    path = await path_of(settings)
    async with running(settings) as server:
        url = server.url + path
        asked = (answer_to_request, url, *what_curl_sends(arguments)) if by_hand else (answer_to, url, arguments)
        told = await asyncio.to_thread(*asked)
    assert agrees(shown.output, "\n".join([*told.splitlines(), ""])), told
    assert not re.search(r"^(set-cookie|location):", told, re.IGNORECASE | re.MULTILINE)
    assert len(await events(settings)) == (1 if "One-Click" in shown.typed else 0)
