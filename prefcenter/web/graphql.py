"""GraphQL over HTTP: `POST /graphql`, and the WebSocket for subscriptions at the same path.

Statuses and media types are those that `graphql-http` audits; docs/decisions/0011 says where they differ from the
draft. What is no GraphQL request at all is answered in the shape that every other path uses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
from aiohttp import web
from graphql import GraphQLError
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.types.graphql import OperationType

from prefcenter.api.context import Home, RequestContext
from prefcenter.api.errors import as_shown
from prefcenter.api.requests import GraphQLRequest, read_json, read_request
from prefcenter.api.schema import PreferenceSchema
from prefcenter.domain.errors import InvalidInput
from prefcenter.web.data_signals import is_signalled
from prefcenter.web.errors import HttpError, Unauthenticated, error_response
from prefcenter.web.graphql_sockets import SocketLimits, SubscriptionView
from prefcenter.web.keys import CALLER, REQUEST_ID
from prefcenter.web.languages import read_languages

PATH = "/graphql"
JSON = "application/json"
RESPONSE_JSON = "application/graphql-response+json"
PARTIAL_SUCCESS = 294
"""What the draft has for an answer with data and errors; only beside its own media type, for HTTP knows no 294."""

RAN = frozenset({OperationType.QUERY, OperationType.MUTATION})
_BAD_JSON = HttpError(400, "bad_request", "the body is not JSON in UTF-8 that can be read in one way only")
_NOT_JSON = HttpError(415, "unsupported_media_type", "send application/json in UTF-8")
_NOT_ACCEPTABLE = HttpError(406, "not_acceptable", f"answers are {RESPONSE_JSON} or {JSON}")
_NOT_POST = HttpError(405, "method_not_allowed", "send a POST, or open a WebSocket", {"Allow": "POST"})
_TOO_SLOW = HttpError(503, "unavailable", "no answer in time; an act may have been recorded, so send its key again")


@dataclass(frozen=True, slots=True)
class GraphQLLimits:
    """How long a request may take, and what a WebSocket may do. Bodies are limited by the application."""

    request_seconds_max: float = 20.0
    sockets: SocketLimits = field(default_factory=SocketLimits)


class GraphQLView:
    """The view. Hand `routes` to the application."""

    def __init__(self, schema: PreferenceSchema, home: Home, limits: GraphQLLimits | None = None) -> None:
        self._schema = schema
        self._home = home
        self._limits = limits or GraphQLLimits()
        self._sockets = SubscriptionView(schema, home, self._limits.sockets)

    @property
    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [web.route("*", PATH, self.handle)]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request of whatever method."""
        if request.method == "GET" and request.headers.get("Upgrade", "").casefold() == "websocket":
            return await self._sockets(request)
        refused = _refused(request)
        if refused is not None:
            return error_response(refused, request[REQUEST_ID])
        if CALLER not in request:  # only a WebSocket may bring its credentials later
            raise Unauthenticated("credentials are needed: an API key, or the token of a signed-in person")
        return await self._answer(request, _chosen_type(request.headers.get("Accept")) or JSON)

    async def _answer(self, request: web.Request, media_type: str) -> web.Response:
        try:
            wanted = read_request(read_json(await request.read()), self._schema.desk.trusted)
        except InvalidInput as error:
            return error_response(HttpError(400, error.code, str(error)), request[REQUEST_ID])
        except ValueError:
            return error_response(_BAD_JSON, request[REQUEST_ID])
        context = RequestContext(
            self._home, request[CALLER], request[REQUEST_ID], read_languages(request.headers.get("Accept-Language"))
        )
        await self._honour_signal(request)
        try:
            async with asyncio.timeout(self._limits.request_seconds_max):
                result = await self._execute(wanted, context)
        except TimeoutError:
            return error_response(_TOO_SLOW, request[REQUEST_ID])
        return _response(result, media_type)

    async def _honour_signal(self, request: web.Request) -> None:
        """Global Privacy Control of a person's own request; a tool's speaks of nobody."""
        person = request[CALLER].person
        if person is None or not is_signalled(request):
            return
        signals = (await self._home.controller(person.controller)).data_signals
        if person.link is not None:
            await signals.honour(person.link.target)
        else:
            await signals.honour_of(person.address, person.channel)

    async def _execute(self, wanted: GraphQLRequest, context: RequestContext) -> ExecutionResult:
        try:
            self._schema.check_operation(wanted.query, wanted.operation_name)
            return await self._schema.execute(
                wanted.query,
                variable_values=wanted.variables,
                context_value=context,
                operation_name=wanted.operation_name,
                allowed_operation_types=RAN,
            )
        except GraphQLError as error:
            fault = error
        except InvalidOperationTypeError:
            fault = GraphQLError("subscriptions go over a WebSocket: graphql-transport-ws")
        return PreExecutionError(data=None, errors=[as_shown(fault, context.request_id)])


def _refused(request: web.Request) -> HttpError | None:
    """What keeps a request from being read at all."""
    if request.method != "POST":
        return _NOT_POST
    if request.content_type != JSON or (request.charset or "utf-8").casefold() not in ("utf-8", "utf8"):
        return _NOT_JSON
    return None if _chosen_type(request.headers.get("Accept")) else _NOT_ACCEPTABLE


def _chosen_type(accept: str | None) -> str | None:
    """The media type of the answer, by preference (RFC 9110 §12.5.1); None where neither of ours is acceptable."""
    if accept is None:
        return JSON
    weights: dict[str, float] = {}
    for offer in accept.split(","):
        name, *parameters = (part.strip().casefold() for part in offer.split(";"))
        weights[name] = max(weights.get(name, 0.0), _weight(parameters))
    default = max(weights.get("application/*", 0.0), weights.get("*/*", 0.0))
    ranked = {JSON: weights.get(JSON, default), RESPONSE_JSON: weights.get(RESPONSE_JSON, 0.0)}
    best = max(ranked, key=lambda name: (ranked[name], name == RESPONSE_JSON))
    return best if ranked[best] > 0 else None


def _weight(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0


def _response(result: ExecutionResult, media_type: str) -> web.Response:
    """The answer on the wire. Data that is null stands in it where the operation ran, and not otherwise."""
    is_request_error = isinstance(result, PreExecutionError) or _never_ran(result)
    body: dict[str, object] = {} if is_request_error else {"data": result.data}
    if result.errors:
        body = {"errors": [error.formatted for error in result.errors], **body}
    status = 200 if media_type == JSON else _status(is_request_error, bool(result.errors))
    reason = "Partial Success" if status == PARTIAL_SUCCESS else None
    return web.Response(
        body=msgspec.json.encode(body), status=status, reason=reason, content_type=media_type, charset="utf-8"
    )


def _never_ran(result: ExecutionResult) -> bool:
    """Variables that do not fit are a request error, which the library reports as one of execution, of no field."""
    return result.data is None and not any(error.path for error in result.errors or ())


def _status(is_request_error: bool, has_errors: bool) -> int:
    if is_request_error:
        return 400
    return PARTIAL_SUCCESS if has_errors else 200
