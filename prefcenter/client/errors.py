"""What a call of the client can raise. Decisions raise only the first: whatever else goes wrong with one is a no."""

from __future__ import annotations


class ClientError(Exception):
    """The root of the client's errors."""


class RequestRejected(ClientError):
    """The server understood and will not do it: the key, its scopes or the request are wrong. Sending again is no use.

    `code` is the server's word for it, `request_id` finds it in the server's log.
    """

    def __init__(self, status: int, code: str, message: str, request_id: str | None = None) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.status = status
        self.code = code
        self.request_id = request_id


class ActRefused(ClientError):
    """The rules do not allow the act, or its input is wrong. Nothing was changed. `field` is the part it is about."""

    def __init__(self, code: str, message: str, field: str | None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.field = field


class Unavailable(ClientError):
    """No answer after all tries: the act may or may not have been recorded, and is not acknowledged.

    Send it again with the same idempotency key, `idempotency_key`, and it is recorded once.
    """

    def __init__(self, why: str, idempotency_key: str | None = None) -> None:
        super().__init__(why)
        self.idempotency_key = idempotency_key
