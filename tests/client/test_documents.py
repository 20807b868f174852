"""What the documents show is run: every request of graphql.md in its order, the client's example, both programs."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

from prefcenter.api.documents import document_id
from prefcenter.api.schema import ApiSettings
from tests.api.served_api import OPERATIONS, ROOT, serve_api
from tests.node_programs import run_in_node

DOCS = ROOT / "docs"
GRAPHQL = (DOCS / "graphql.md").read_text(encoding="utf-8")
CLIENT = (DOCS / "client.md").read_text(encoding="utf-8")
REQUEST_AND_ANSWER = re.compile(r"```sh\n(curl .*?)```\n\n```json\n(.*?)```", re.DOTALL)
OPERATION_ROW = re.compile(r"^\| `([a-z-]+)` \| .*? \| `(sha256:[0-9a-f]{64})` \|$", re.MULTILINE)
ANYTHING = "…"


def is_shown(shown: Any, told: Any) -> bool:
    """Whether an answer is the one in the document, where `…` stands for whatever differs each time."""
    if shown == ANYTHING:
        return told is not None
    if isinstance(shown, dict) and isinstance(told, dict):
        return shown.keys() == told.keys() and all(is_shown(shown[name], told[name]) for name in shown)
    if isinstance(shown, list) and isinstance(told, list):
        return len(shown) == len(told) and all(map(is_shown, shown, told))
    return bool(shown == told)


async def test_every_request_of_the_document_is_answered_as_it_shows(home: Path) -> None:
    pairs = REQUEST_AND_ANSWER.findall(GRAPHQL)
    assert len(pairs) == GRAPHQL.count("```sh\ncurl")
    async with serve_api(home, ApiSettings()) as served:
        for command, shown in pairs:
            words = shlex.split(command)
            answer = await served.post(words[words.index("-d") + 1].encode())
            assert is_shown(json.loads(shown), answer.body), answer.body


def test_the_document_names_every_operation_that_ships() -> None:
    ids = {path.stem: document_id(path.read_text(encoding="utf-8")) for path in OPERATIONS.glob("*.graphql")}
    assert dict(OPERATION_ROW.findall(GRAPHQL)) == ids


async def test_the_example_of_the_client_runs(home: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", CLIENT, flags=re.DOTALL)
    async with serve_api(home, ApiSettings()) as served:
        code = example.replace("http://127.0.0.1:8080", str(served.client.make_url("/")))
        printed: list[str] = []
        names = {"key": served.key, "print": lambda *words: printed.append(" ".join(map(str, words)))}
        await asyncio.to_thread(exec, code, names)
    assert printed == [
        "True permitted",
        "pat@acme.example True",
        "kim@initech.example True",
        "recorded",
    ]


async def test_both_programs_print_what_the_document_shows(home: Path) -> None:
    (shown,) = re.findall(r"Both print:\n\n```\n(.*?)```", GRAPHQL, flags=re.DOTALL)
    assert await printed_by_gql(home) == shown
    async with serve_api(home, ApiSettings()) as served:
        url = str(served.client.make_url("/graphql"))
        program = DOCS / "examples" / "ask-with-graphql-request.mjs"
        assert await run_in_node(program, url, served.key, str(OPERATIONS)) == shown


async def printed_by_gql(home: Path) -> str:
    program = DOCS / "examples" / "ask_with_gql.py"
    async with serve_api(home, ApiSettings()) as served:
        url = str(served.client.make_url("/graphql"))
        arguments = (program, url, served.key, OPERATIONS)
        process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        assert process.returncode == 0
        return out.decode()
