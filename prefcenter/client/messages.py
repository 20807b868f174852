"""What the client gives back: plain frozen data. An answer that cannot be understood is never a yes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from prefcenter.client.errors import Unavailable

CHECK_FAILED = "check_failed"


class Decision(msgspec.Struct, frozen=True, rename="camel"):
    """May it be sent, and why. `allowed` is true for a clear yes only.

    `reason` is `permitted`, the test that refused, or `check_failed` where there was no answer; then no time is told.
    """

    allowed: bool
    reason: str
    basis: str | None = None
    clause: str | None = None
    explanation: str = ""
    policy_version: str | None = None
    decided_at: datetime | None = None
    valid_until: datetime | None = None


NO_ANSWER = Decision(False, CHECK_FAILED, explanation="It may not be sent: there was no answer.")


class SendReport(msgspec.Struct, frozen=True, rename="camel"):
    """What came of a report of sends. `invalid`: positions of addresses that do not parse, the first is 0."""

    recorded: int
    already: int
    is_capped: bool
    invalid: list[int]


class Scope(msgspec.Struct, frozen=True, rename="camel"):
    """What a refusal covers; a part of None covers all of its kind."""

    purpose: str | None = None
    purpose_class: str | None = None
    channel: str | None = None
    data_use: str | None = None


class Cell(msgspec.Struct, frozen=True, rename="camel"):
    """What a consent is for: a purpose on a channel, or a data use."""

    purpose: str | None = None
    channel: str | None = None
    data_use: str | None = None


class Change(msgspec.Struct, frozen=True, rename="camel"):
    """One event of the change feed. Keep `cursor` once it is dealt with, and go on after it next time."""

    cursor: str
    kind: str
    subject_id: str
    contact_id: str | None = None
    version: int = 0
    at: datetime | None = None
    stated_at: datetime | None = None
    reason: str | None = None
    scope: Scope | None = None
    cell: Cell | None = None
    channel: str | None = None
    purpose: str | None = None
    source: str | None = None
    wording: str | None = None
    method: str | None = None
    actor: str | None = None
    expires_at: datetime | None = None
    paused_until: datetime | None = None
    address_class: str | None = None
    audiences: list[str] | None = None
    attested_by: str | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """An address of a contact. `address_class`: `business`, `personal`, or None where nobody knows."""

    channel: str
    address: str
    address_class: str | None = None


@dataclass(frozen=True, slots=True)
class ChangePage:
    """Some changes, and where to go on."""

    changes: Sequence[Change]
    end_cursor: str | None
    has_more: bool


def decision_of(document: Any) -> Decision:
    """A decision of the server; one that makes no sense is no answer."""
    try:
        decision = msgspec.convert(document, Decision)
    except msgspec.ValidationError:
        return NO_ANSWER
    return decision if decision.allowed is (decision.reason == "permitted") else NO_ANSWER


def decisions_of(documents: Any, count: int) -> list[Decision]:
    """As many decisions as addresses were asked about; another number is no answer to any of them."""
    if not isinstance(documents, list) or len(documents) != count:
        return [NO_ANSWER] * count
    return [decision_of(document) for document in documents]


def permissions_of(columns: Any, count: int) -> list[bool]:
    """One yes or no an address; columns that do not agree are a no to all."""
    allowed = columns.get("allowed") if isinstance(columns, dict) else None
    reasons = columns.get("reasons") if isinstance(columns, dict) else None
    if not isinstance(allowed, list) or not isinstance(reasons, list) or not len(allowed) == len(reasons) == count:
        return [False] * count
    return [may is True and reason == "permitted" for may, reason in zip(allowed, reasons, strict=True)]


def change_page_of(connection: Any) -> ChangePage:
    """A part of the feed. Raises Unavailable where it makes no sense: a reader may not skip what it cannot read."""
    try:
        changes = [msgspec.convert({"cursor": edge["cursor"], **edge["node"]}, Change) for edge in connection["edges"]]
        place: Mapping[str, Any] = connection["pageInfo"]
        return ChangePage(changes, place["endCursor"], place["hasNextPage"])
    except (KeyError, TypeError, msgspec.ValidationError):
        raise Unavailable("the change feed cannot be understood; is the client older than the server?") from None
