"""A home on real SQLite with the API over it: asked in process, or over HTTP on the loopback interface."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request
from graphql import GraphQLError

from prefcenter.api.context import RequestContext
from prefcenter.api.errors import as_shown
from prefcenter.api.schema import ApiSettings, PreferenceSchema
from prefcenter.bootstrap import init_home
from prefcenter.bootstrap.live import LiveHome, live_home
from prefcenter.domain.terms import Channel
from prefcenter.services.callers import Caller, CallerScope, Person
from prefcenter.services.controller import ControllerServices
from prefcenter.settings import ServingLimits, ServingSettings, Settings, read_settings
from prefcenter.web.app import Surroundings, create_app
from prefcenter.web.authentication import Authenticator
from prefcenter.web.graphql import GraphQLLimits, GraphQLView
from prefcenter.web.log import web_log
from prefcenter.web.metrics import new_metrics
from prefcenter.web.rate_limits import RateLimits

ROOT = Path(__file__).resolve().parents[2]
POLICIES = ROOT / "fixtures" / "policies"
OPERATIONS = ROOT / "graphql" / "operations"
NOW = 1_795_000_000_000
CONTROLLER = "opencontact"
OTHER_CONTROLLER = "one-contact-center"
ANY_DOCUMENT = ApiSettings(any_document=True)
REQUEST_ID = "0123456789abcdef"
NO_OTHER_LIMITS = ServingLimits()


def operation(name: str) -> str:
    """A document that ships, by its file's name."""
    return (OPERATIONS / f"{name}.graphql").read_text(encoding="utf-8")


def caller_with(*scopes: CallerScope, controllers: Sequence[str] = (CONTROLLER,)) -> Caller:
    """A tool with an API key."""
    return Caller("key:test", frozenset(scopes), frozenset(controllers))


def person_at(address: str, controller: str = CONTROLLER) -> Caller:
    """Somebody who signed in at a portal with their email address."""
    return Caller("person:test", frozenset(), frozenset({controller}), Person(controller, address, Channel.EMAIL))


EVERYTHING = caller_with(*CallerScope)


@dataclass
class Api:
    """The schema over an open home. `now_ms` is the time, which the test turns."""

    settings: Settings
    home: LiveHome
    schema: PreferenceSchema
    times: dict[str, int]

    async def run(
        self,
        document: str,
        variables: Mapping[str, Any] | None = None,
        caller: Caller = EVERYTHING,
        languages: Sequence[str] = ("en",),
    ) -> dict[str, Any]:
        """The answer to a document, as it goes on the wire."""
        context = RequestContext(self.home, caller, REQUEST_ID, languages)
        try:
            self.schema.check_operation(document, None)
        except GraphQLError as error:
            return {"data": None, "errors": [as_shown(error, REQUEST_ID).formatted]}
        result = await self.schema.execute(document, dict(variables or {}), context)
        answer: dict[str, Any] = {"data": result.data}
        if result.errors:
            answer["errors"] = [error.formatted for error in result.errors]
        return answer

    async def ask(self, name: str, caller: Caller = EVERYTHING, **variables: Any) -> Any:
        """What a document that ships answers; it must have no errors."""
        answer = await self.run(operation(name), variables, caller)
        assert "errors" not in answer, answer["errors"]
        (value,) = answer["data"].values()
        return value

    async def act(self, name: str, caller: Caller = EVERYTHING, **wanted: Any) -> Any:
        """What an act with this input answers, at the controller of the tests where it names none."""
        given = wanted if caller.person else {"controller": CONTROLLER, **wanted}
        return await self.ask(name, caller, input=given)

    async def services(self, controller: str = CONTROLLER) -> ControllerServices:
        return await self.home.controller(controller)


@asynccontextmanager
async def open_api(home: Path, settings: ApiSettings = ANY_DOCUMENT) -> AsyncIterator[Api]:
    """The API over a home, in process."""
    times = {"now": NOW}
    opened = LiveHome(read_settings({}, home), lambda: times["now"])
    async with live_home(opened) as live:
        yield Api(read_settings({}, home), live, PreferenceSchema(settings), times)


async def make_home(home: Path) -> None:
    """A home with the five controllers."""
    await init_home(read_settings({}, home), POLICIES, lambda: NOW)


@dataclass
class Answer:
    """A response, read to its end."""

    status: int
    media_type: str
    body: Any
    headers: Mapping[str, str]


@dataclass
class Served:
    """The API behind a running server, with a key that may do everything at the controller of the tests."""

    api: Api
    client: TestClient[Request, Application]
    key: str
    headers: dict[str, str] = field(default_factory=dict)

    async def post(self, body: object, **headers: str) -> Answer:
        """Send JSON (or bytes as they are) with the key."""
        content: dict[str, Any] = {"data": BytesIO(body)} if isinstance(body, bytes) else {"json": body}
        fields = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json", **headers}
        async with self.client.post("/graphql", headers=fields, **content) as response:
            return await _read(response)

    async def graphql(self, query: str, variables: Mapping[str, Any] | None = None, **headers: str) -> Answer:
        return await self.post({"query": query, "variables": variables}, **headers)

    async def new_key(self, *scopes: CallerScope, controllers: Sequence[str] = (CONTROLLER,)) -> str:
        keys = await self.api.home.api_keys()
        _, text = await keys.create("test", scopes, controllers)
        return text


async def _read(response: ClientResponse) -> Answer:
    body = await response.json(content_type=None) if await response.read() else None
    return Answer(response.status, response.content_type, body, response.headers)


@asynccontextmanager
async def serve_api(
    home: Path,
    settings: ApiSettings = ANY_DOCUMENT,
    limits: GraphQLLimits | None = None,
    serving_limits: ServingLimits = NO_OTHER_LIMITS,
) -> AsyncIterator[Served]:
    """The API over a home, served on 127.0.0.1."""
    async with open_api(home, settings) as api:
        log, given = web_log(), ServingSettings(limits=serving_limits)
        authenticator = Authenticator(api.home, log)
        around = Surroundings(given, authenticator, RateLimits(given.limits), new_metrics(), log)
        app = create_app(api.home, around, GraphQLView(api.schema, api.home, limits).routes)
        async with TestClient(TestServer(app, host="127.0.0.1")) as client:
            served = Served(api, client, "")
            served.key = await served.new_key(*CallerScope)
            yield served
        await authenticator.close()
