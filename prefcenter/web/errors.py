"""Every error over HTTP, in one shape: `{"error": {"code", "message", "id"}}`. No message quotes what was sent.

People get a page instead, which `problem_pages` makes of the same.

The request's id stands in the log line of the request as well, so that whoever runs the server finds what happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
from aiohttp import web

from prefcenter.domain.errors import ActRefused, InvalidInput, KeyringError, PrefcenterError, StoreError

SERVER = "prefcenter"
"""What the `Server` field says (RFC 9110 section 10.2.4): no version, which only helps those who look for old ones."""

FIELDS: Mapping[str, str] = {
    "Server": SERVER,
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
"""Fields of every response. Answers speak about persons, so nothing on the way may keep them (UN-4)."""


@dataclass(frozen=True, slots=True)
class HttpError:
    """What goes on the wire, but for the id."""

    status: int
    code: str
    message: str
    fields: Mapping[str, str] = field(default_factory=dict)


class Unauthenticated(PrefcenterError):
    """No credentials, or none that are in force; which of the two is not told."""

    code = "unauthenticated"


class Forbidden(PrefcenterError):
    code = "forbidden"


class TooManyRequests(PrefcenterError):
    """A rate limit is used up for `retry_after_s` seconds."""

    code = "too_many_requests"

    def __init__(self, fields: Mapping[str, str], retry_after_s: int) -> None:
        super().__init__(f"too many requests; try again in {retry_after_s} s")
        self.fields = {**fields, "Retry-After": str(retry_after_s)}


class BodyTooSlow(TimeoutError):
    """The body of a request did not arrive in time."""


FAULT = HttpError(500, "fault", "something went wrong here; the log has more under this id")
MALFORMED = HttpError(400, "bad_request", "not a request that can be read as HTTP")
HEAD_TOO_LARGE = HttpError(431, "head_too_large", "the request line or a header field is too large")
HEAD_TOO_SLOW = HttpError(408, "request_timeout", "the head of the request did not arrive in time")
BODY_TOO_SLOW = HttpError(408, "request_timeout", "the body of the request did not arrive in time")

_OF_STATUS = {
    400: ("bad_request", "the request cannot be understood"),
    401: ("unauthenticated", "credentials are needed: an API key, or the token of a signed-in person"),
    403: ("forbidden", "these credentials do not allow that"),
    404: ("not_found", "there is nothing at this path"),
    405: ("method_not_allowed", "this path does not answer that method"),
    406: ("not_acceptable", "there is no answer in a form that the request accepts"),
    408: ("request_timeout", "the request did not arrive in time"),
    411: ("length_required", "the request must state its length"),
    413: ("too_large", "the body of the request is too large"),
    415: ("unsupported_media_type", "the body is not of a type that is read here"),
    417: ("expectation_failed", "that expectation cannot be met"),
    422: ("invalid_input", "the request is well formed, but what it says cannot be used"),
    426: ("upgrade_required", "this path speaks another protocol"),
    429: ("too_many_requests", "too many requests; try again later"),
    500: ("fault", FAULT.message),
    503: ("unavailable", "no answer can be given now; nothing was acknowledged"),
}
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="prefcenter"'}
"""RFC 9110 section 11.6.1 asks for a challenge with every 401; RFC 6750 section 3 says how it looks."""


def error_of(failure: BaseException) -> HttpError:
    """What a failure is over HTTP. Whatever is not foreseen is a fault without a reason."""
    match failure:
        case web.HTTPException():
            return _of_status(failure)
        case Unauthenticated():
            return HttpError(401, failure.code, str(failure), _CHALLENGE)
        case Forbidden():
            return HttpError(403, failure.code, str(failure))
        case TooManyRequests():
            return HttpError(429, failure.code, str(failure), failure.fields)
        case BodyTooSlow():
            return BODY_TOO_SLOW
        case InvalidInput() | ActRefused():
            return HttpError(422, failure.code, str(failure))
        case StoreError() | KeyringError():
            return HttpError(503, failure.code, _OF_STATUS[503][1])
    return FAULT


def _of_status(failure: web.HTTPException) -> HttpError:
    """The library's own words may quote the request, so only its status and its `Allow` field are taken over."""
    code, message = _OF_STATUS.get(failure.status, _OF_STATUS[500 if failure.status >= 500 else 400])
    fields = dict(_CHALLENGE) if failure.status == 401 else {}
    if allow := failure.headers.get("Allow"):
        fields["Allow"] = allow
    return HttpError(failure.status, code, message, fields)


def error_body(error: HttpError, request_id: str) -> bytes:
    """The one shape, as JSON in UTF-8."""
    return msgspec.json.encode({"error": {"code": error.code, "message": error.message, "id": request_id}})


def error_response(error: HttpError, request_id: str) -> web.Response:
    """The response that tells a caller of an error."""
    return web.Response(
        status=error.status,
        body=error_body(error, request_id),
        content_type="application/json",
        charset="utf-8",
        headers={**FIELDS, **error.fields, "X-Request-Id": request_id},
    )
