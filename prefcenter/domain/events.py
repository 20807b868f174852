"""What can happen to a record. Events carry digests, slugs and times; never a plaintext address.

Every event has `received_ms`, the time it reached us. Acts that say when they happened (an import, a form filled
earlier) also have `stated_ms`, which is never after the receipt; an act without it is *live*.
"""

from __future__ import annotations

from dataclasses import dataclass

from prefcenter.domain.digest import Digest
from prefcenter.domain.terms import AddressClass, Channel, PurposeClass, RefusalReason


@dataclass(frozen=True, slots=True)
class Cell:
    """One purpose on one channel, or one data use: what a consent is given for."""

    purpose: str | None
    channel: Channel | None
    data_use: str | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """What a refusal covers; a part left out covers all of its kind. Nothing given: everything."""

    purpose: str | None = None
    purpose_class: PurposeClass | None = None
    channel: Channel | None = None
    data_use: str | None = None

    @property
    def is_everything(self) -> bool:
        return self == EVERYTHING

    def contains(self, other: Scope) -> bool:
        """Whether all that another scope covers lies in this one, as far as their parts say so."""
        return (
            self.purpose in (None, other.purpose)
            and self.purpose_class in (None, other.purpose_class)
            and self.channel in (None, other.channel)
            and self.data_use in (None, other.data_use)
        )


EVERYTHING = Scope()


@dataclass(frozen=True, slots=True)
class Moment:
    """When an act happened, as far as it can be compared: `version` orders live acts of one record."""

    time_ms: int
    version: int
    is_stated: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """A standing no: reason, scope, and where it came from."""

    reason: RefusalReason
    scope: Scope
    source: str
    at: Moment


@dataclass(frozen=True, slots=True)
class Refused:
    """A refusal arrived. `ends_grants_of`: the exact address whose mailbox is gone for good (a permanent bounce)."""

    received_ms: int
    stated_ms: int | None
    reason: RefusalReason
    scope: Scope
    source: str
    ends_grants_of: Digest | None = None


@dataclass(frozen=True, slots=True)
class Annulled:
    """A person takes back a refusal of their own within minutes, on the very page that recorded it.

    `version` says which: that of the record when it was refused. `restores` is the one alike that it had taken the
    place of, which stands again.
    """

    received_ms: int
    version: int
    restores: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Granted:
    """Consent for one cell by one exact address, with its evidence (OCC-15; ISO/IEC TS 27560)."""

    received_ms: int
    stated_ms: int | None
    exact: Digest
    cell: Cell
    wording: str
    method: str
    actor: str
    expires_ms: int | None


@dataclass(frozen=True, slots=True)
class Lifted:
    """An administrator's named act on refusals of one reason; a purpose or channel narrows it."""

    received_ms: int
    reason: RefusalReason
    cause: str
    purpose: str | None = None
    channel: Channel | None = None


@dataclass(frozen=True, slots=True)
class Delivered:
    """A verified delivery: the mailbox lives after all, so bounces on that channel are over."""

    received_ms: int
    channel: Channel
    source: str


@dataclass(frozen=True, slots=True)
class Delisted:
    """A registry's list was replaced in full and no longer names this address.

    It speaks of what its `scope` contains, and of refusals up to `stated_ms`, when that list first came: an older list
    sent again says nothing about whom a newer one named.
    """

    received_ms: int
    registry: str
    scope: Scope = EVERYTHING
    stated_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Paused:
    """The person asked for quiet until a time; None ends the pause."""

    received_ms: int
    until_ms: int | None


@dataclass(frozen=True, slots=True)
class Proposed:
    """A consent that somebody else reports over a standing refusal: it opens nothing until the person confirms it."""

    received_ms: int
    stated_ms: int | None
    exact: Digest
    cell: Cell
    wording: str
    method: str
    actor: str
    expires_ms: int | None


@dataclass(frozen=True, slots=True)
class Held:
    """A contact holds this address from now on, or says another class of it."""

    received_ms: int
    contact: Digest
    address_class: AddressClass | None


@dataclass(frozen=True, slots=True)
class Released:
    """A contact holds this address no more. What was refused for the address stays."""

    received_ms: int
    contact: Digest


@dataclass(frozen=True, slots=True)
class Described:
    """What a contact is, as a whole: its audiences, where it came from and who attests that (OCC-5, OCC-20)."""

    received_ms: int
    audiences: tuple[str, ...]
    source: str
    attested_by: str | None
    addresses: tuple[Digest, ...]


@dataclass(frozen=True, slots=True)
class Erased:
    """All but the minimum is gone; this event carries what survives, so that the fold can start from it."""

    received_ms: int
    source: str
    survivors: tuple[Refusal, ...]


Event = (
    Refused
    | Annulled
    | Granted
    | Proposed
    | Lifted
    | Delivered
    | Delisted
    | Paused
    | Held
    | Released
    | Described
    | Erased
)
