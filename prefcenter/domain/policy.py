"""What a controller promised, as frozen data: purposes, data uses, and the clause behind each rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from prefcenter.domain.terms import AddressClass, Basis, Channel, PurposeClass, RefusalReason

ALL_AUDIENCES = "all"
HARD_RULE_CLAUSE = "HOUSE-1"


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `count` messages of a purpose in any `days` days (TCC-2)."""

    count: int
    days: int
    clause: str


@dataclass(frozen=True, slots=True)
class Purpose:
    """A kind of message. `succeeds` names removed purposes whose refusals it inherits, never their grants."""

    id: str
    label: str
    purpose_class: PurposeClass
    audiences: frozenset[str]
    channels: frozenset[Channel]
    basis: Mapping[AddressClass, Basis]
    clause: Mapping[AddressClass, str]
    succeeds: frozenset[str] = frozenset()
    cap: Cap | None = None

    @property
    def is_administrative(self) -> bool:
        return self.purpose_class is PurposeClass.ADMINISTRATIVE

    def covers_audience(self, audience: str) -> bool:
        return ALL_AUDIENCES in self.audiences or audience in self.audiences


@dataclass(frozen=True, slots=True)
class DataUse:
    """A use of data that is not a message. `basis` is None where the use is prohibited."""

    id: str
    label: str
    basis: Basis | None
    audiences: frozenset[str]
    clause: str

    def covers_audience(self, audience: str) -> bool:
        """A data use that names no audience is for everybody."""
        return not self.audiences or ALL_AUDIENCES in self.audiences or audience in self.audiences


@dataclass(frozen=True, slots=True)
class RefusalClause:
    """The clause behind a refusal reason; some controllers cite another one for a class of purposes."""

    default: str
    by_class: Mapping[PurposeClass, str] = field(default_factory=dict)

    def for_class(self, purpose_class: PurposeClass | None) -> str:
        return self.default if purpose_class is None else self.by_class.get(purpose_class, self.default)


@dataclass(frozen=True)
class Policy:
    """One controller's policy. `version`: first 16 hex digits of SHA-256 over the canonical JSON."""

    controller: str
    name: str
    country: str
    unknown_class: AddressClass
    decision_ttl_hours: int
    bare_opt_out: str
    purposes: tuple[Purpose, ...]
    data_uses: tuple[DataUse, ...]
    refusal_clauses: Mapping[RefusalReason, RefusalClause]
    version: str

    @cached_property
    def purpose_by_id(self) -> Mapping[str, Purpose]:
        return {purpose.id: purpose for purpose in self.purposes}

    @cached_property
    def data_use_by_id(self) -> Mapping[str, DataUse]:
        return {data_use.id: data_use for data_use in self.data_uses}

    def refusal_clause(self, reason: RefusalReason, purpose: Purpose | None) -> str | None:
        clause = self.refusal_clauses.get(reason)
        return None if clause is None else clause.for_class(purpose.purpose_class if purpose else None)
