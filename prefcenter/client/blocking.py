"""The blocking client."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self, TypeVar

import httpx

from prefcenter.client.acts import Act
from prefcenter.client.calls import Calls, question_of
from prefcenter.client.exchange import ACCEPT, Exchange, NoReply, Post, Reply, Wait
from prefcenter.client.messages import Change, Decision, SendReport

TIMEOUT_SECONDS = 10.0
CHANGES_A_PAGE = 500

Result = TypeVar("Result")


class Client:
    """Asks a prefcenter server for one controller. Decisions fail closed: without a clear yes they are a no.

        with Client("http://127.0.0.1:8080", key, controller="opencontact") as client:
            decision = client.decide("client-marketing", "email", "pat@acme.example")
            if decision.allowed: ...

    Failures of the network, 429 and 5xx are tried again, acts with the same idempotency key. RequestRejected says that
    the key or the request is wrong; acts also raise ActRefused, and Unavailable where nothing was acknowledged.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        controller: str,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._endpoint = f"{url.rstrip('/')}/graphql"
        self._calls = Calls(controller)
        headers = {"Authorization": f"Bearer {api_key}", "Accept": ACCEPT, "Content-Type": "application/json"}
        self._http = httpx.Client(headers=headers, timeout=timeout_seconds, transport=transport)

    def decide(
        self,
        purpose: str,
        channel: str,
        address: str,
        *,
        address_class: str | None = None,
        audience: str | None = None,
    ) -> Decision:
        """May a message of a purpose go to an address on a channel, now, and why?"""
        question = question_of(purpose, channel, address_class, audience)
        return self._run(self._calls.decide({**question, "address": address}))

    def decide_many(
        self,
        purpose: str,
        channel: str,
        addresses: Sequence[str],
        *,
        address_class: str | None = None,
        audience: str | None = None,
    ) -> list[Decision]:
        """A decision for each address, in their order, a thousand a request."""
        question = question_of(purpose, channel, address_class, audience)
        return self._run(self._calls.decide_many(question, addresses))

    def permissions(
        self,
        purpose: str,
        channel: str,
        addresses: Sequence[str],
        *,
        address_class: str | None = None,
        audience: str | None = None,
    ) -> list[bool]:
        """Only whether, for each address in their order, ten thousand a request: the fast form."""
        question = question_of(purpose, channel, address_class, audience)
        return self._run(self._calls.permissions(question, addresses))

    def data_use(
        self, data_use: str, address: str, *, channel: str | None = None, audience: str | None = None
    ) -> Decision:
        """May this person's data be used in this way?"""
        question = {"dataUse": data_use, "address": address, "channel": channel, "audience": audience}
        return self._run(self._calls.data_use(question))

    def record(self, act: Act, *, idempotency_key: str | None = None) -> str:
        """Have an act recorded. Gives `recorded`, `unchanged`, `pending` or `absent`; anything else is raised."""
        return self._run(self._calls.record(act, idempotency_key or secrets.token_hex(16)))

    def report_sends(
        self,
        purpose: str,
        channel: str,
        campaign: str,
        addresses: Sequence[str],
        *,
        idempotency_key: str | None = None,
    ) -> SendReport:
        """Tell what was sent, for the frequency cap; an address counts once a campaign."""
        key = idempotency_key or secrets.token_hex(16)
        return self._run(self._calls.report_sends(purpose, channel, campaign, addresses, key))

    def subject_ids(self, channel: str, addresses: Sequence[str]) -> list[list[str]]:
        """What the change feed may call each of your own addresses, the newest key first."""
        return self._run(self._calls.subject_ids(channel, addresses))

    def changes(self, after: str | None = None) -> Iterator[Change]:
        """Everything that happened after a cursor, up to now. Keep the last cursor that you have dealt with."""
        cursor, has_more = after, True
        while has_more:
            page = self._run(self._calls.changes(cursor, CHANGES_A_PAGE))
            yield from page.changes
            cursor, has_more = page.end_cursor, page.has_more

    def _run(self, exchange: Exchange[Result]) -> Result:
        reply: Reply | NoReply | None = None
        while True:
            try:
                step = exchange.send(reply)
            except StopIteration as done:
                result: Result = done.value
                return result
            reply = None
            if isinstance(step, Wait):
                time.sleep(step.seconds)
            else:
                reply = self._post(step)

    def _post(self, post: Post) -> Reply | NoReply:
        try:
            response = self._http.post(self._endpoint, content=post.body)
        except httpx.RequestError as error:
            return NoReply(type(error).__name__)
        return Reply(response.status_code, response.headers, response.content)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
