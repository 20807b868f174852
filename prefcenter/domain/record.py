"""The record of one mailbox: the fold of its events, in whatever order they come.

Refusals and consents of a record keep only what later decisions can need. Two acts are compared by one rule,
`is_later`, and the fold drops an act only where another makes it redundant under that rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from prefcenter.domain.contact import Description, Holder
from prefcenter.domain.digest import Digest
from prefcenter.domain.events import (
    EVERYTHING,
    Annulled,
    Cell,
    Delisted,
    Delivered,
    Described,
    Erased,
    Event,
    Granted,
    Held,
    Lifted,
    Moment,
    Paused,
    Proposed,
    Refusal,
    Refused,
    Released,
)
from prefcenter.domain.terms import RefusalReason
from prefcenter.domain.time import EQUAL_WITHIN_MS

LIFTED_BY_LATER_CONSENT = frozenset({RefusalReason.OPTED_OUT, RefusalReason.COMPLAINED, RefusalReason.ERASED})
"""Refusals that the person's own later consent for the cell sets aside, while it is in force."""

LIFTED_BY_ADMINISTRATOR = frozenset(
    {
        RefusalReason.BOUNCED,
        RefusalReason.MANUAL,
        RefusalReason.MINOR,
        RefusalReason.RESTRICTED,
        RefusalReason.LEGAL,
    }
)
"""Refusals that an administrator's named act lifts and no consent does; an erasure leaves them standing."""


ANNULLED_WITHIN_MS = 10 * 60 * 1_000
PAGE_SOURCE = "preference-page"
"""The source of what people choose on their own page: the one place that can take a refusal back."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A consent on record; whether it is in force depends on the time and on withdrawals."""

    exact: Digest
    cell: Cell
    wording: str
    method: str
    actor: str
    at: Moment
    expires_ms: int | None


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """The end of every grant of one exact address that was not given later."""

    exact: Digest
    at: Moment


@dataclass(frozen=True, slots=True)
class Record:
    """What is kept of one mailbox, phone number, postal address, push token, domain or contact under one key.

    `pending` are consents that open nothing until the person confirms them. A contact's record has a description, and
    the refusals that are its own: a new address of it takes them over. Decisions read those of addresses only.
    """

    subject: Digest
    version: int = 0
    refusals: tuple[Refusal, ...] = ()
    grants: tuple[Grant, ...] = ()
    withdrawals: tuple[Withdrawal, ...] = ()
    paused_until_ms: int | None = None
    pending: tuple[Grant, ...] = ()
    holders: tuple[Holder, ...] = ()
    description: Description | None = None

    def has_same_choices(self, other: Record) -> bool:
        """Whether an event changed nothing but the version, so that it need not be written."""
        return self._all_but_version == other._all_but_version

    @property
    def _all_but_version(self) -> tuple[object, ...]:
        """Compared as they are, because a copy would take longer than everything else about a fold."""
        choices = (self.refusals, self.grants, self.withdrawals, self.paused_until_ms, self.pending)
        return self.subject, *choices, self.holders, self.description

    @property
    def latest_ms(self) -> int:
        """The latest time of any act on record; a clock that was set back must not write before it."""
        acts: tuple[Refusal | Grant | Withdrawal, ...] = (
            *self.refusals,
            *self.grants,
            *self.withdrawals,
            *self.pending,
        )
        return max((act.at.time_ms for act in acts), default=0)


def is_later(grant: Moment, refusal: Moment, *, same_record: bool) -> bool:
    """Whether a consent came after a refusal (DESIGN §2, Later).

    Two live acts on one record order by version. Otherwise times decide, those within 60 s are equal, and at equality
    the refusal stands. Records of one address under two keys share no versions, so between them times decide.
    """
    if same_record and not grant.is_stated and not refusal.is_stated:
        return grant.version > refusal.version
    return grant.time_ms > refusal.time_ms + EQUAL_WITHIN_MS


def sets_aside(grant: Grant, refusal: Refusal, *, same_record: bool) -> bool:
    """Whether a consent for its cell sets a refusal aside while it is in force (DESIGN §2, Reasons)."""
    if refusal.reason is RefusalReason.ON_REGISTRY:
        return True
    return refusal.reason in LIFTED_BY_LATER_CONSENT and is_later(grant.at, refusal.at, same_record=same_record)


def may_be_annulled(refusal: Refusal, now_ms: int) -> bool:
    """Whether the person may still take a refusal back: their own, made on the page itself a few minutes ago."""
    is_own = refusal.reason is RefusalReason.OPTED_OUT and refusal.source == PAGE_SOURCE and not refusal.at.is_stated
    return is_own and now_ms - refusal.at.time_ms <= ANNULLED_WITHIN_MS


def lasting(record: Record, now_ms: int) -> Record:
    """The record without the refusals that the person may still take back."""
    kept = tuple(refusal for refusal in record.refusals if not may_be_annulled(refusal, now_ms))
    return replace(record, refusals=kept)


def fold(record: Record, event: Event) -> Record:
    """The record after one more event. Total; the result's version is one higher."""
    if isinstance(event, Refused):
        return _refused(record, event)
    after = replace(record, version=record.version + 1)
    match event:
        case Granted():
            return _granted(after, event)
        case Proposed():
            return replace(after, pending=(*_other_pending(after, event), _grant(after, event)))
        case Annulled() | Lifted() | Delivered() | Delisted():
            return replace(after, refusals=_refusals_left(after.refusals, event))
        case Paused():
            return replace(after, paused_until_ms=event.until_ms)
        case Held() | Released():
            return replace(after, holders=_holders_after(after, event))
        case Described():
            return replace(after, description=_description(after, event))
    return _erased(after, event)


def written_by(
    record: Record, event: Event, dossier: Sequence[Record] = (), exacts: frozenset[Digest] = frozenset()
) -> Record | None:
    """The record that an act has to write, or None where it says nothing new.

    The same grant again is a no-op, whatever end it names: same exact address, cell, wording and time of giving
    (CONTRACTS: Same grant). It may stand in another record of the `dossier`, under the digest in `exacts` that an older
    key gave. So is the same proposal while it waits, or once it is a grant.
    """
    if isinstance(event, Granted | Proposed):
        same = exacts | {event.exact}
        holders = (record, *dossier)
        known = [grant for holder in holders for grant in holder.grants]
        if isinstance(event, Proposed):
            known += [grant for holder in holders for grant in holder.pending]
        if any(_is_same_grant(grant, event, same) for grant in known):
            return None
    after = fold(record, event)
    return None if after.has_same_choices(record) else after


def fold_all(subject: Digest, events: Iterable[Event]) -> Record:
    """The record of a subject from all its events, in the order of their versions."""
    record = Record(subject)
    for event in events:
        record = fold(record, event)
    return record


def erasure_survivors(record: Record) -> tuple[Refusal, ...]:
    """The refusals that an erasure has to carry on besides its own."""
    return tuple(refusal for refusal in record.refusals if refusal.reason in LIFTED_BY_ADMINISTRATOR)


def _moment(version: int, event: Refused | Granted | Proposed) -> Moment:
    if event.stated_ms is None:
        return Moment(event.received_ms, version, is_stated=False)
    return Moment(min(event.stated_ms, event.received_ms), version, is_stated=True)


def _refused(record: Record, event: Refused) -> Record:
    """Copied once: imports fold more refusals than all else together."""
    version = record.version + 1
    at = _moment(version, event)
    refusals = _with_refusal(record.refusals, Refusal(event.reason, event.scope, event.source, at))
    if event.ends_grants_of is None:
        return replace(record, version=version, refusals=refusals)
    withdrawals = _with_withdrawal(record.withdrawals, Withdrawal(event.ends_grants_of, at))
    return replace(record, version=version, refusals=refusals, withdrawals=withdrawals)


def _with_refusal(refusals: tuple[Refusal, ...], new: Refusal) -> tuple[Refusal, ...]:
    """Of refusals alike, the newest live and the newest stated one are all that a decision can ever need."""
    alike = alike_among(refusals, new)
    if alike is None:
        return _ordered((*refusals, new))
    if new.at.is_stated and new.at.time_ms <= alike.at.time_ms:
        return refusals
    return _ordered((*(old for old in refusals if old is not alike), new))


def _refusals_left(
    refusals: tuple[Refusal, ...], event: Annulled | Lifted | Delivered | Delisted
) -> tuple[Refusal, ...]:
    match event:
        case Annulled():
            return _without_annulled(refusals, event)
        case Lifted():
            return tuple(refusal for refusal in refusals if not _is_lifted(refusal, event))
        case Delivered():
            return tuple(refusal for refusal in refusals if not _is_disproved(refusal, event))
    return tuple(refusal for refusal in refusals if not _is_delisted(refusal, event))


def _without_annulled(refusals: tuple[Refusal, ...], event: Annulled) -> tuple[Refusal, ...]:
    """What stood before the refusal that is taken back; all as it is where it may not be, or stands no more."""
    annulled = next((old for old in refusals if old.at.version == event.version), None)
    if annulled is None or not may_be_annulled(annulled, event.received_ms):
        return refusals
    restored = () if event.restores is None else (event.restores,)
    return _ordered((*(old for old in refusals if old is not annulled), *restored))


def alike_among(refusals: Iterable[Refusal], refusal: Refusal) -> Refusal | None:
    """The one of the refusals whose place another one takes, or would take."""
    return next((old for old in refusals if _identity(old) == _identity(refusal)), None)


def _identity(refusal: Refusal) -> tuple[object, ...]:
    registry = refusal.source if refusal.reason is RefusalReason.ON_REGISTRY else None
    return refusal.reason, refusal.scope, refusal.at.is_stated, registry


def _ordered(refusals: tuple[Refusal, ...]) -> tuple[Refusal, ...]:
    return tuple(sorted(refusals, key=lambda refusal: refusal.at.version))


def _with_withdrawal(withdrawals: tuple[Withdrawal, ...], new: Withdrawal) -> tuple[Withdrawal, ...]:
    for old in withdrawals:
        if old.exact == new.exact and old.at.is_stated == new.at.is_stated:
            if new.at.is_stated and new.at.time_ms <= old.at.time_ms:
                return withdrawals
            return (*(other for other in withdrawals if other is not old), new)
    return (*withdrawals, new)


def _grant(record: Record, event: Granted | Proposed) -> Grant:
    at = _moment(record.version, event)
    return Grant(event.exact, event.cell, event.wording, event.method, event.actor, at, event.expires_ms)


def _granted(record: Record, event: Granted) -> Record:
    grant = _grant(record, event)
    record = replace(record, pending=_other_pending(record, event))
    if any(_makes_redundant(old, grant) for old in record.grants):
        return record
    kept = tuple(old for old in record.grants if not _makes_redundant(grant, old))
    return replace(record, grants=(*kept, grant))


def _other_pending(record: Record, event: Granted | Proposed) -> tuple[Grant, ...]:
    """What waits for the person besides the consent that an event is about."""
    return tuple(item for item in record.pending if (item.exact, item.cell) != (event.exact, event.cell))


def _holders_after(record: Record, event: Held | Released) -> tuple[Holder, ...]:
    """The holders, each once; who holds an address already has held it since then."""
    before = next((holder for holder in record.holders if holder.contact == event.contact), None)
    if isinstance(event, Released):
        return tuple(holder for holder in record.holders if holder is not before)
    if before is None:
        return (*record.holders, Holder(event.contact, event.address_class, event.received_ms))
    now = replace(before, address_class=event.address_class)
    return tuple(now if holder is before else holder for holder in record.holders)


def _description(record: Record, event: Described) -> Description:
    return Description(event.audiences, event.source, event.attested_by, event.addresses, record.version)


def _is_same_grant(grant: Grant, event: Granted | Proposed, exacts: frozenset[Digest]) -> bool:
    if event.stated_ms is None or not grant.at.is_stated or grant.exact not in exacts:
        return False
    given_ms = min(event.stated_ms, event.received_ms)
    return (grant.cell, grant.wording, grant.at.time_ms) == (event.cell, event.wording, given_ms)


def _makes_redundant(other: Grant, grant: Grant) -> bool:
    """Whether whatever `grant` could ever open, `other` opens for at least as long."""
    if (other.exact, other.cell, other.at.is_stated) != (grant.exact, grant.cell, grant.at.is_stated):
        return False
    if other.at.time_ms < grant.at.time_ms or (not grant.at.is_stated and other.at.version < grant.at.version):
        return False
    return other.expires_ms is None or (grant.expires_ms is not None and other.expires_ms >= grant.expires_ms)


def _is_lifted(refusal: Refusal, lift: Lifted) -> bool:
    return (
        refusal.reason is lift.reason
        and refusal.reason in LIFTED_BY_ADMINISTRATOR
        and lift.purpose in (None, refusal.scope.purpose)
        and lift.channel in (None, refusal.scope.channel)
    )


def _is_disproved(refusal: Refusal, delivery: Delivered) -> bool:
    return refusal.reason is RefusalReason.BOUNCED and refusal.scope.channel is delivery.channel


def _is_delisted(refusal: Refusal, replacement: Delisted) -> bool:
    return (
        refusal.reason is RefusalReason.ON_REGISTRY
        and refusal.source == replacement.registry
        and replacement.scope.contains(refusal.scope)
        and (replacement.stated_ms is None or refusal.at.time_ms <= replacement.stated_ms)
    )


def _erased(record: Record, event: Erased) -> Record:
    erased = Refusal(
        RefusalReason.ERASED, EVERYTHING, event.source, Moment(event.received_ms, record.version, is_stated=False)
    )
    return Record(record.subject, record.version, refusals=(*event.survivors, erased))
