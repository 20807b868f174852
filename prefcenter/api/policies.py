"""A controller's policy as the API shows it: what was promised, clause by clause."""

from __future__ import annotations

import strawberry

from prefcenter.domain import policy as domain
from prefcenter.domain.terms import AddressClass, Basis, Channel, PurposeClass, RefusalReason


@strawberry.type(description="What a purpose rests on for one class of addresses.")
class PurposeRule:
    address_class: AddressClass = strawberry.field(description="The class of addresses that the rule is for.")
    basis: Basis = strawberry.field(description="The one legal basis (OCC-14).")
    clause: str = strawberry.field(description="The clause that says so.")


@strawberry.type(description="A frequency cap: at most so many messages in any so many days (TCC-2).")
class FrequencyCap:
    count: int = strawberry.field(description="Messages at most.")
    days: int = strawberry.field(description="The length of the window, in days of 24 hours.")
    clause: str = strawberry.field(description="The clause that promises it.")


@strawberry.type(description="A kind of message.")
class Purpose:
    id: strawberry.ID = strawberry.field(description="Its id, as decisions take it.")
    label: str = strawberry.field(description="What people are shown.")
    purpose_class: PurposeClass = strawberry.field(description="What kind of message it is, which says what stops it.")
    audiences: list[str] = strawberry.field(description="Whom it is meant for; `all`: everybody.")
    channels: list[Channel] = strawberry.field(description="The channels that it is offered on.")
    rules: list[PurposeRule] = strawberry.field(description="What it rests on, for each class of addresses.")
    cap: FrequencyCap | None = strawberry.field(description="Its frequency cap, where it has one.")
    succeeds: list[str] = strawberry.field(description="Removed purposes whose refusals it inherits.")


@strawberry.type(description="A use of data that is not a message.")
class DataUse:
    id: strawberry.ID = strawberry.field(description="Its id, as `dataUse` takes it.")
    label: str = strawberry.field(description="What people are shown.")
    basis: Basis | None = strawberry.field(description="Its legal basis; null where the use is prohibited.")
    audiences: list[str] = strawberry.field(description="Whose data it is about; empty or `all`: everybody's.")
    clause: str = strawberry.field(description="The clause that says so.")


@strawberry.type(description="The clause behind a reason to refuse.")
class RefusalClause:
    reason: RefusalReason = strawberry.field(description="The reason.")
    purpose_class: PurposeClass | None = strawberry.field(
        description="The class of purposes that it is cited for; null: every class that has none of its own."
    )
    clause: str = strawberry.field(description="The clause.")


@strawberry.type(description="What a controller promised, as it is in force.")
class Policy:
    controller: strawberry.ID = strawberry.field(description="The id of the controller.")
    name: str = strawberry.field(description="The controller's name.")
    country: str = strawberry.field(description="Its country, ISO 3166-1 alpha-2; national phone numbers are read so.")
    version: str = strawberry.field(description="16 hex digits of a SHA-256 of the policy; decisions name it.")
    unknown_class: AddressClass = strawberry.field(description="What an address counts as where nobody says.")
    decision_ttl_hours: int = strawberry.field(description="How long a decision holds at most, in hours.")
    bare_opt_out: str = strawberry.field(
        description="How far an opt-out in a message reaches that says nothing else: `everything` or `class`."
    )
    purposes: list[Purpose] = strawberry.field(description="All purposes, in the order of the policy.")
    data_uses: list[DataUse] = strawberry.field(description="All data uses, in the order of the policy.")
    refusal_clauses: list[RefusalClause] = strawberry.field(description="What is cited for each reason to refuse.")


def shown_policy(policy: domain.Policy) -> Policy:
    return Policy(
        controller=strawberry.ID(policy.controller),
        name=policy.name,
        country=policy.country,
        version=policy.version,
        unknown_class=policy.unknown_class,
        decision_ttl_hours=policy.decision_ttl_hours,
        bare_opt_out=policy.bare_opt_out,
        purposes=[_purpose(purpose) for purpose in policy.purposes],
        data_uses=[_data_use(data_use) for data_use in policy.data_uses],
        refusal_clauses=[
            clause for reason, found in policy.refusal_clauses.items() for clause in _refusal_clauses(reason, found)
        ],
    )


def _purpose(purpose: domain.Purpose) -> Purpose:
    cap = purpose.cap
    return Purpose(
        id=strawberry.ID(purpose.id),
        label=purpose.label,
        purpose_class=purpose.purpose_class,
        audiences=sorted(purpose.audiences),
        channels=[channel for channel in Channel if channel in purpose.channels],
        rules=[
            PurposeRule(address_class=each, basis=purpose.basis[each], clause=purpose.clause[each])
            for each in AddressClass
        ],
        cap=None if cap is None else FrequencyCap(count=cap.count, days=cap.days, clause=cap.clause),
        succeeds=sorted(purpose.succeeds),
    )


def _data_use(data_use: domain.DataUse) -> DataUse:
    return DataUse(
        id=strawberry.ID(data_use.id),
        label=data_use.label,
        basis=data_use.basis,
        audiences=sorted(data_use.audiences),
        clause=data_use.clause,
    )


def _refusal_clauses(reason: RefusalReason, found: domain.RefusalClause) -> list[RefusalClause]:
    by_class = [
        RefusalClause(reason=reason, purpose_class=purpose_class, clause=clause)
        for purpose_class, clause in found.by_class.items()
    ]
    return [RefusalClause(reason=reason, purpose_class=None, clause=found.default), *by_class]
