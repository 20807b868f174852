"""The demo's server: started on this machine, asked over HTTP with a key of its own, and stopped."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from jobs.demo.questions import Sample
from prefcenter.api.documents import document_id, graphql_directory
from prefcenter.bootstrap import open_services
from prefcenter.cli.server_process import Listeners, serve_home
from prefcenter.logs import configure_logs
from prefcenter.services.callers import ApiKeys, CallerScope
from prefcenter.services.decisions import Question
from prefcenter.settings import ServingSettings, Settings
from prefcenter.web.listening import listening_socket

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class ServedAnswer:
    """One answer as the server gives it."""

    is_allowed: bool
    reason: str
    clause: str | None


async def make_demo_key(settings: Settings) -> str:
    """An API key that may ask and is told true reasons, as `prefcenter apikey create` makes one."""
    async with open_services(settings) as services:
        _, text = await ApiKeys(services.store, services.clock).create("demo", [CallerScope.DECIDE, CallerScope.READ])
        return text


async def ask_server(settings: Settings, samples: Sequence[Sample]) -> Sequence[ServedAnswer]:
    """The answers of a running server to the questions, each asked by itself over GraphQL."""
    token = await make_demo_key(settings)
    async with _running(settings) as url, aiohttp.ClientSession() as session:
        return [await _ask(session, url, token, sample) for sample in samples]


@asynccontextmanager
async def _running(settings: Settings) -> AsyncIterator[str]:
    """A server of the home on a free port, whose log nobody reads; gives its URL."""
    configure_logs(io.StringIO())
    stop, ready = asyncio.Event(), asyncio.Event()
    bound = listening_socket(HOST, 0)
    serving = asyncio.create_task(serve_home(settings, ServingSettings(), Listeners([bound]), ready.set, stop))
    serving.add_done_callback(lambda _: ready.set())
    await ready.wait()
    try:
        yield f"http://{HOST}:{bound.getsockname()[1]}/graphql"
    finally:
        stop.set()
        await serving


async def _ask(session: aiohttp.ClientSession, url: str, token: str, sample: Sample) -> ServedAnswer:
    body = request_body(sample.controller, sample.question)
    async with session.post(url, json=body, headers={"Authorization": f"Bearer {token}"}) as response:
        response.raise_for_status()
        decision = (await response.json())["data"]["decision"]
    return ServedAnswer(decision["allowed"], decision["reason"], decision["clause"])


def request_body(controller: str, question: Question) -> Mapping[str, Any]:
    """What a tool sends to ask one question: the document that ships, by its id, and its input."""
    document = (graphql_directory() / "operations" / "decision.graphql").read_text(encoding="utf-8")
    asked = {
        "controller": controller,
        "purpose": question.purpose,
        "channel": question.channel,
        "address": question.address,
        "addressClass": question.address_class,
    }
    return {
        "documentId": document_id(document),
        "variables": {"input": {name: value for name, value in asked.items() if value is not None}},
    }
