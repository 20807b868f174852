"""What a record comes to, apart from the times of its acts: few different ones stand for millions of records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, TypeVar

from prefcenter.domain.contact import Holder
from prefcenter.domain.digest import Digest, DigestKind
from prefcenter.domain.events import Moment, Refusal, Scope
from prefcenter.domain.record import Record, sets_aside
from prefcenter.domain.terms import AddressClass, Channel, PurposeClass, RefusalReason

Family = tuple[DigestKind, int, int]
"""Kind, key and rules version: what a digest is made of besides its form."""

Told = TypeVar("Told")
StandingRefusal = tuple[RefusalReason, Scope]
TOLD = frozenset({"subject", "version", "refusals", "grants", "holders", "description"})
"""What a state may tell of a record; one that has anything in another field, whichever fields there come to be, is not
plain."""

_UNTOLD = [field for field in fields(Record) if field.name not in TOLD]
NOTHING_UNTOLD = tuple(field.default for field in _UNTOLD)
_untold = attrgetter(*(field.name for field in _UNTOLD))
LONG_AGO = Moment(0, 1, is_stated=False)


@dataclass(frozen=True, slots=True)
class State:
    """The choices on a record, if it is plain: its refusals stand whatever the time, and nothing else tells times.

    `has_grants`: there are consents, none of which sets a refusal of the record aside. `held_as` are the classes
    that contacts say the address has, one for each that differs. Of a record that is not plain nothing is said.
    """

    family: Family
    refusals: tuple[StandingRefusal, ...] = ()
    has_grants: bool = False
    held_as: tuple[AddressClass | None, ...] = ()
    is_plain: bool = True

    def record(self) -> Record:
        """A record of this state without its consents; its times are of no consequence."""
        subject = Digest(*self.family, b"")
        refusals = tuple(Refusal(reason, scope, "", LONG_AGO) for reason, scope in self.refusals)
        holders = tuple(Holder(subject, held_as, 0) for held_as in self.held_as)
        return Record(subject, 1, refusals, holders=holders)


UNTOLD = State((DigestKind.MAILBOX, 0, 0), is_plain=False)
"""That of a digest which several records stand under, by rules that give an address the same form."""


def state_of(record: Record) -> State:
    """The state of a record. It is plain where its answer is the same for every time of its acts."""
    subject = record.subject
    family = (subject.kind, subject.key, subject.rules)
    if not _is_plain(record):
        return State(family, is_plain=False)
    refusals = _each_once((refusal.reason, refusal.scope) for refusal in record.refusals) if record.refusals else ()
    held_as = _each_once(holder.address_class for holder in record.holders) if record.holders else ()
    return State(family, refusals, bool(record.grants), held_as)


def _each_once(told: Iterable[Told]) -> tuple[Told, ...]:
    return tuple(sorted(set(told), key=repr))


def _is_plain(record: Record) -> bool:
    if _untold(record) != NOTHING_UNTOLD:
        return False
    if not record.grants and not record.holders:
        return True
    subject = record.subject
    if any((grant.exact.key, grant.exact.rules) != (subject.key, subject.rules) for grant in record.grants):
        return False
    if record.holders and any(refusal.reason is RefusalReason.ERASED for refusal in record.refusals):
        return False
    return not any(
        sets_aside(grant, refusal, same_record=True) for grant in record.grants for refusal in record.refusals
    )


def state_as_json(state: State) -> Mapping[str, Any]:
    return {
        "family": [int(part) for part in state.family],
        "refusals": [[reason.value, _scope_as_json(scope)] for reason, scope in state.refusals],
        "hasGrants": state.has_grants,
        "heldAs": state.held_as,
        "isPlain": state.is_plain,
    }


def state_from_json(document: Mapping[str, Any]) -> State:
    kind, key, rules = document["family"]
    return State(
        (DigestKind(kind), key, rules),
        tuple((RefusalReason(reason), _scope_from_json(scope)) for reason, scope in document["refusals"]),
        document["hasGrants"],
        tuple(None if held_as is None else AddressClass(held_as) for held_as in document["heldAs"]),
        document["isPlain"],
    )


def _scope_as_json(scope: Scope) -> Sequence[str | None]:
    return [scope.purpose, scope.purpose_class, scope.channel, scope.data_use]


def _scope_from_json(parts: Sequence[str | None]) -> Scope:
    purpose, purpose_class, channel, data_use = parts
    return Scope(
        purpose,
        None if purpose_class is None else PurposeClass(purpose_class),
        None if channel is None else Channel(channel),
        data_use,
    )
