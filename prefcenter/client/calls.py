"""Everything a tool can ask of the server, as exchanges that either client drives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefcenter.client.acts import Act
from prefcenter.client.errors import ActRefused, Unavailable
from prefcenter.client.exchange import Exchange, ask
from prefcenter.client.messages import (
    NO_ANSWER,
    ChangePage,
    Decision,
    SendReport,
    change_page_of,
    decision_of,
    decisions_of,
    permissions_of,
)

ADDRESSES_MAX = 1_000
"""Addresses a request for decisions, or a report of sends, takes at most."""

COLUMN_ADDRESSES_MAX = 10_000
TRIES = 4
DECISION_TRIES = 2
"""A decision that does not come soon is a no, so it is not waited for as long as an act."""


class Calls:
    """The calls for one controller."""

    def __init__(self, controller: str) -> None:
        self._controller = controller

    def decide(self, question: dict[str, Any]) -> Exchange[Decision]:
        """One decision about a message."""
        return self._decision("decision", question)

    def data_use(self, question: dict[str, Any]) -> Exchange[Decision]:
        """One decision about a use of data."""
        return self._decision("dataUse", question)

    def _decision(self, field: str, question: dict[str, Any]) -> Exchange[Decision]:
        operation = "data-use" if field == "dataUse" else "decision"
        try:
            data = yield from ask(operation, self._input(question), DECISION_TRIES)
        except Unavailable:
            return NO_ANSWER
        return decision_of(data.get(field))

    def decide_many(self, question: dict[str, Any], addresses: Sequence[str]) -> Exchange[list[Decision]]:
        """Decisions in the order of the addresses. Those of a batch without an answer are all a no."""
        decisions: list[Decision] = []
        for batch in _batches(addresses, ADDRESSES_MAX):
            try:
                data = yield from ask("decisions", self._input({**question, "addresses": batch}), DECISION_TRIES)
            except Unavailable:
                decisions += [NO_ANSWER] * len(batch)
                continue
            decisions += decisions_of(data.get("decisions"), len(batch))
        return decisions

    def permissions(self, question: dict[str, Any], addresses: Sequence[str]) -> Exchange[list[bool]]:
        """The same as plain yes and no, in larger batches: the fast form."""
        permissions: list[bool] = []
        for batch in _batches(addresses, COLUMN_ADDRESSES_MAX):
            wanted = self._input({**question, "addresses": batch})
            try:
                data = yield from ask("decision-columns", wanted, DECISION_TRIES)
            except Unavailable:
                permissions += [False] * len(batch)
                continue
            permissions += permissions_of(data.get("decisionColumns"), len(batch))
        return permissions

    def record(self, act: Act, idempotency_key: str) -> Exchange[str]:
        """What an act came to: `recorded`, `unchanged`, `pending` or `absent`."""
        wanted = {**act.to_input(), "idempotencyKey": idempotency_key}
        result = yield from self._act(act.operation, act.field, wanted)
        return str(result["outcome"])

    def report_sends(
        self, purpose: str, channel: str, campaign: str, addresses: Sequence[str], idempotency_key: str
    ) -> Exchange[SendReport]:
        """Note that messages went out, batch by batch; what is told twice counts once."""
        recorded = already = 0
        is_capped, invalid = False, list[int]()
        for number, batch in enumerate(_batches(addresses, ADDRESSES_MAX)):
            wanted = {
                "purpose": purpose,
                "channel": channel,
                "campaign": campaign,
                "addresses": batch,
                "idempotencyKey": f"{idempotency_key}-{number}",
            }
            result = yield from self._act("record-sends", "recordSends", wanted)
            recorded, already = recorded + result["recorded"], already + result["already"]
            is_capped = result["isCapped"]
            invalid += [number * ADDRESSES_MAX + position for position in result["invalid"]]
        return SendReport(recorded, already, is_capped, invalid)

    def changes(self, after: str | None, first: int) -> Exchange[ChangePage]:
        """A part of the change feed."""
        wanted = {"controller": self._controller, "after": after, "first": first}
        data = yield from ask("changes", wanted, TRIES)
        return change_page_of(data.get("changes"))

    def subject_ids(self, channel: str, addresses: Sequence[str]) -> Exchange[list[list[str]]]:
        """What the change feed may call each address, newest first; nothing for text that is no address."""
        ids: list[list[str]] = []
        for batch in _batches(addresses, ADDRESSES_MAX):
            wanted = {"controller": self._controller, "channel": channel, "addresses": batch}
            data = yield from ask("subject-ids", wanted, TRIES)
            ids += [list(item["ids"]) for item in data["subjectIds"]]
        return ids

    def _act(self, operation: str, field: str, wanted: dict[str, Any]) -> Exchange[dict[str, Any]]:
        key = wanted["idempotencyKey"]
        try:
            data = yield from ask(operation, self._input(wanted), TRIES)
        except Unavailable as error:
            raise Unavailable(str(error), key) from None
        result = data.get(field)
        if not isinstance(result, dict):
            raise Unavailable("the answer cannot be understood", key)
        if result.get("__typename") == "RefusedAct":
            raise ActRefused(str(result["code"]), str(result["message"]), result.get("field"))
        return result

    def _input(self, wanted: dict[str, Any]) -> dict[str, Any]:
        given = {name: value for name, value in wanted.items() if value is not None}
        return {"input": {"controller": self._controller, **given}}


def _batches(addresses: Sequence[str], size: int) -> list[Sequence[str]]:
    return [addresses[start : start + size] for start in range(0, len(addresses), size)]


def question_of(purpose: str, channel: str, address_class: str | None, audience: str | None) -> dict[str, Any]:
    """What is asked about each address."""
    return {"purpose": purpose, "channel": channel, "addressClass": address_class, "audience": audience}
