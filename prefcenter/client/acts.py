"""What a tool can have recorded. Each act is sent with an idempotency key, so that a retry records it once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

import msgspec

from prefcenter.client.messages import Address, Cell, Scope


class Act(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One act. Slugs (`source`, `method`, `actor`, `cause`) are short lower-case words, never free text."""

    operation: ClassVar[str]
    field: ClassVar[str]

    def to_input(self) -> dict[str, Any]:
        """The input of the mutation, without the parts that were left out."""
        parts = {name: value for name, value in msgspec.to_builtins(self).items() if value is not None}
        address, contact = parts.pop("address", None), parts.pop("contact", None)
        whom = {"address": address} if contact is None else {"contact": contact}
        return {**parts, "whom": whom}


class OptOut(Act, frozen=True, kw_only=True, rename="camel"):
    """The person's own no, by an address or by your own id of a contact. Without a scope: all but administrative."""

    operation: ClassVar[str] = "opt-out"
    field: ClassVar[str] = "optOut"

    source: str
    address: str | None = None
    contact: str | None = None
    scope: Scope | None = None
    channel: str | None = None
    at: datetime | None = None


class Suppress(Act, frozen=True, kw_only=True, rename="camel"):
    """A suppression for another reason: `bounced`, `complained`, `manual` and the others that the schema lists."""

    operation: ClassVar[str] = "suppress"
    field: ClassVar[str] = "suppress"

    reason: str
    source: str
    address: str | None = None
    contact: str | None = None
    scope: Scope | None = None
    channel: str | None = None
    at: datetime | None = None


class RecordConsent(Act, frozen=True, kw_only=True, rename="camel"):
    """A consent that the person gave to you, for one cell, with its evidence. Over a refusal it stays `pending`."""

    operation: ClassVar[str] = "record-consent"
    field: ClassVar[str] = "recordConsent"

    address: str
    cell: Cell
    wording: str
    method: str
    actor: str
    given_at: datetime
    channel: str | None = None
    expires_at: datetime | None = None

    def to_input(self) -> dict[str, Any]:
        cell = self.cell
        message = {"purpose": cell.purpose, "channel": cell.channel}
        wire = {"dataUse": cell.data_use} if cell.data_use else {"message": message}
        return {**super().to_input(), "cell": wire}


class Pause(Act, frozen=True, kw_only=True, rename="camel"):
    """Quiet until a time; None ends the pause."""

    operation: ClassVar[str] = "pause"
    field: ClassVar[str] = "pause"

    address: str | None = None
    contact: str | None = None
    until: datetime | None = None
    channel: str | None = None


class Lift(Act, frozen=True, kw_only=True, rename="camel"):
    """An administrator's named act; needs a key of the scope `admin`."""

    operation: ClassVar[str] = "lift"
    field: ClassVar[str] = "lift"

    reason: str
    cause: str
    address: str | None = None
    contact: str | None = None
    purpose: str | None = None
    channel: str | None = None


class UpsertContact(Act, frozen=True, kw_only=True, rename="camel"):
    """A contact as a whole: addresses and audiences that are left out are gone from it."""

    operation: ClassVar[str] = "upsert-contact"
    field: ClassVar[str] = "upsertContact"

    contact: str
    addresses: Sequence[Address]
    source: str
    audiences: Sequence[str] = ()
    attested_by: str | None = None

    def to_input(self) -> dict[str, Any]:
        parts = {name: value for name, value in msgspec.to_builtins(self).items() if value is not None}
        return {**parts, "addresses": [_address(item) for item in self.addresses]}


def _address(address: Address) -> dict[str, Any]:
    parts = {"channel": address.channel, "address": address.address, "addressClass": address.address_class}
    return {name: value for name, value in parts.items() if value is not None}
