"""What middlewares leave for handlers, on requests and on the application."""

from __future__ import annotations

from collections.abc import Mapping, MutableSet

from aiohttp import web

from prefcenter.services.callers import Caller
from prefcenter.web.authentication import Authenticator
from prefcenter.web.metrics import Metrics
from prefcenter.web.rate_limits import RateLimits

CALLER = web.RequestKey("caller", Caller)
"""Who asks. Absent on a WebSocket request that brought no credentials: they are then due in its first message."""

REQUEST_ID = web.RequestKey("request_id", str)
"""16 hex digits that this request's answer, errors and log lines share."""

WEB_SOCKETS = web.AppKey("web_sockets", MutableSet[web.WebSocketResponse])
"""Open WebSockets. Whoever opens one adds it, and it is closed with 1001 when the server stops."""

RATE_FIELDS = web.RequestKey("rate_fields", Mapping[str, str])
"""The `RateLimit-*` fields of the response."""

OPEN_PATHS = web.AppKey("open_paths", frozenset[str])
"""Templates of the paths that need no caller."""

AUTHENTICATOR = web.AppKey("authenticator", Authenticator)
"""Makes a caller of credentials; a WebSocket's first message brings its own."""

METRICS = web.AppKey("metrics", Metrics)
"""Counts what handlers tell it."""

ORIGIN = web.RequestKey("origin", str)
"""Where the request comes from, as limits count it; it is never logged or kept."""

RATE_LIMITS = web.AppKey("rate_limits", RateLimits)
"""For handlers with a limit of their own besides that of every request."""
