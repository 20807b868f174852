"""Subscriptions over a WebSocket, by the protocol `graphql-transport-ws`. The library speaks it; we bound it.

Who cannot name credentials when they open the socket, such as a browser, do so in the first message:
`{"type": "connection_init", "payload": {"authorization": "Bearer …"}}`.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import cast

import msgspec
from aiohttp import WSCloseCode, web
from graphql import GraphQLError
from strawberry.aiohttp.views import GraphQLView as StrawberryView
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler
from strawberry.subscriptions.protocols.graphql_transport_ws.types import (
    ConnectionInitMessage,
    Message,
    SubscribeMessage,
)

from prefcenter.api.context import Home, RequestContext
from prefcenter.api.errors import as_shown
from prefcenter.api.requests import read_json, read_request
from prefcenter.api.schema import PreferenceSchema
from prefcenter.domain.errors import InvalidInput, KeyringError, StoreError
from prefcenter.services.callers import Caller
from prefcenter.web.authentication import Authenticator
from prefcenter.web.errors import TooManyRequests, Unauthenticated
from prefcenter.web.keys import AUTHENTICATOR, CALLER, RATE_LIMITS, REQUEST_ID, WEB_SOCKETS
from prefcenter.web.languages import read_languages

OPERATION_ID_CHARACTERS_MAX = 128
MESSAGE_TYPES = frozenset({"connection_init", "ping", "pong", "subscribe", "complete"})
NOBODY = Caller("nobody", frozenset())
"""Who has not said yet who they are."""


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """What one WebSocket may do."""

    message_bytes_max: int = 256 * 1024
    init_seconds_max: float = 5.0
    operations_max: int = 10
    sockets_per_caller_max: int = 20
    heartbeat_seconds: float = 30.0


class SocketHandler(BaseGraphQLTransportWSHandler[RequestContext, None]):
    """The library's handler, for messages that are what the protocol says and callers that are known."""

    async def handle_message(self, message: Message) -> None:
        if not _is_message(message):
            await self.handle_invalid_message("not a message of graphql-transport-ws")
            return
        await super().handle_message(message)

    async def handle_connection_init(self, message: ConnectionInitMessage) -> None:
        payload = message.get("payload") or {}
        view = cast("SubscriptionView", self.view)
        caller = self.context.caller
        if caller is NOBODY:
            context = await view.authenticated(self.context, self.request, _credentials(payload))
            if context is None:
                await self.websocket.close(code=4403, reason="Forbidden")
                return
            self.context = context
        if not self.connection_init_received and not view.counts(self):
            await self.websocket.close(code=WSCloseCode.TRY_AGAIN_LATER, reason="Too many sockets")
            return
        await super().handle_connection_init({"type": "connection_init", "payload": {}})

    async def shutdown(self) -> None:
        cast("SubscriptionView", self.view).forget(self)
        await super().shutdown()

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        view = cast("SubscriptionView", self.view)
        if self.connection_acknowledged and not await self._is_admitted(message["id"]):
            return
        try:
            wanted = read_request(message["payload"], view.schema_with_desk.desk.trusted)
            view.schema_with_desk.check_operation(wanted.query, wanted.operation_name)
        except InvalidInput as error:
            await self._refuse(message["id"], GraphQLError(str(error), original_error=error))
            return
        except GraphQLError as error:
            await self._refuse(message["id"], error)
            return
        await super().handle_subscribe(
            {
                "id": message["id"],
                "type": "subscribe",
                "payload": {
                    "query": wanted.query,
                    "variables": wanted.variables,
                    "operationName": wanted.operation_name,
                },
            }
        )

    async def _is_admitted(self, operation_id: str) -> bool:
        """Whether the caller may still ask for anything, as often as this: each operation is what a request is."""
        if not await self.context.is_still_authorised():
            await self.websocket.close(code=4403, reason="Forbidden")
            return False
        try:
            await self.request.app[RATE_LIMITS].take_for_caller(self.context.caller.id)
        except TooManyRequests as error:
            await self._refuse(operation_id, GraphQLError(str(error), extensions={"code": error.code}))
            return False
        return True

    async def _refuse(self, operation_id: str, error: GraphQLError) -> None:
        shown = as_shown(error, self.context.request_id)
        await self.send_message({"id": operation_id, "type": "error", "payload": [shown.formatted]})

    @property
    def request(self) -> web.Request:
        return cast("web.Request", self.websocket.request)  # type: ignore[attr-defined]


class SubscriptionView(StrawberryView[RequestContext, None]):
    """The library's view, for WebSockets alone."""

    graphql_transport_ws_handler_class = SocketHandler

    def __init__(self, schema: PreferenceSchema, home: Home, limits: SocketLimits) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            allow_queries_via_get=False,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            connection_init_wait_timeout=timedelta(seconds=limits.init_seconds_max),
            max_subscriptions_per_connection=limits.operations_max,
        )
        self.schema_with_desk = schema
        self._home = home
        self._limits = limits
        self._begun: set[SocketHandler] = set()

    async def create_websocket_response(self, request: web.Request, subprotocol: str | None) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(
            protocols=[subprotocol] if subprotocol else [],
            max_msg_size=self._limits.message_bytes_max,
            heartbeat=self._limits.heartbeat_seconds,
        )
        await socket.prepare(request)
        request.app[WEB_SOCKETS].add(socket)
        return socket

    async def get_context(self, request: web.Request, response: object) -> RequestContext:  # noqa: ARG002
        languages = read_languages(request.headers.get("Accept-Language"))
        caller = request.get(CALLER, NOBODY)
        context = RequestContext(self._home, caller, request[REQUEST_ID], languages)
        if caller is NOBODY:
            return context
        return replace(
            context,
            is_still_authorised=_asking_again(request.app[AUTHENTICATOR], request.headers.get("Authorization"), caller),
        )

    async def authenticated(
        self, context: RequestContext, request: web.Request, authorization: str | None
    ) -> RequestContext | None:
        """The context with the caller behind credentials; None for credentials that are not in force."""
        authenticator = request.app[AUTHENTICATOR]
        try:
            caller = await authenticator.caller(authorization)
        except Unauthenticated:
            return None
        asking = _asking_again(authenticator, authorization, caller)
        return replace(context, caller=caller, is_still_authorised=asking)

    def counts(self, handler: SocketHandler) -> bool:
        """Take a socket into account that has begun; false where its caller has as many as they may."""
        caller_id = handler.context.caller.id
        if sum(other.context.caller.id == caller_id for other in self._begun) >= self._limits.sockets_per_caller_max:
            return False
        self._begun.add(handler)
        return True

    def forget(self, handler: SocketHandler) -> None:
        self._begun.discard(handler)

    def decode_json(self, data: str | bytes) -> object:
        try:
            return read_json(data)
        except ValueError:
            raise json.JSONDecodeError("not JSON that can be read in one way only", "", 0) from None

    def encode_json(self, data: object) -> str:
        return msgspec.json.encode(data).decode()


def _asking_again(
    authenticator: Authenticator, authorization: str | None, caller: Caller
) -> Callable[[], Awaitable[bool]]:
    async def is_still_authorised() -> bool:
        try:
            return await authenticator.caller(authorization) == caller
        except (Unauthenticated, StoreError, KeyringError):
            return False

    return is_still_authorised


def _credentials(payload: Mapping[str, object]) -> str | None:
    """What stands for the field `Authorization`, whose name may be spelt as in HTTP (RFC 9110 section 5.1)."""
    named = [value for name, value in payload.items() if name.casefold() == "authorization"]
    return named[0] if len(named) == 1 and isinstance(named[0], str) else None


def _is_message(message: object) -> bool:
    """Whether a message has the parts that its type has, of the types that they have."""
    if not isinstance(message, dict) or message.get("type") not in MESSAGE_TYPES:
        return False
    if message["type"] in ("subscribe", "complete"):
        operation_id = message.get("id")
        is_named = isinstance(operation_id, str) and 0 < len(operation_id) <= OPERATION_ID_CHARACTERS_MAX
        return is_named and (message["type"] == "complete" or isinstance(message.get("payload"), dict))
    return isinstance(message.get("payload"), dict | None)
