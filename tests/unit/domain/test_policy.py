"""Facts about a policy as frozen data: whom a purpose or a data use covers, which clause a refusal cites."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from prefcenter.domain.policy import ALL_AUDIENCES, DataUse, Policy, Purpose, RefusalClause
from prefcenter.domain.terms import AddressClass, Basis, Channel, PurposeClass, RefusalReason


def purpose(purpose_class: PurposeClass, *audiences: str) -> Purpose:
    return Purpose(
        id=f"some-{purpose_class}",
        label="Some",
        purpose_class=purpose_class,
        audiences=frozenset(audiences),
        channels=frozenset({Channel.EMAIL}),
        basis=dict.fromkeys(AddressClass, Basis.CONSENT),
        clause=dict.fromkeys(AddressClass, "AW-1"),
    )


PURPOSE_OF_CLASS = {purpose_class: purpose(purpose_class, "client") for purpose_class in PurposeClass}
TRACKING = DataUse("tracking", "Tracking", Basis.CONSENT, frozenset({ALL_AUDIENCES}), "AW-1")
SALE = DataUse("sale", "Sale", None, frozenset({ALL_AUDIENCES}), "AW-2")
POLICY = Policy(
    controller="acme",
    name="Acme",
    country="GB",
    unknown_class=AddressClass.PERSONAL,
    decision_ttl_hours=24,
    bare_opt_out="everything",
    purposes=tuple(PURPOSE_OF_CLASS.values()),
    data_uses=(TRACKING, SALE),
    refusal_clauses={
        RefusalReason.OPTED_OUT: RefusalClause("AW-1", {PurposeClass.RECRUITMENT: "AW-2"}),
        RefusalReason.MINOR: RefusalClause("AW-3"),
    },
    version="0123456789abcdef",
)


@pytest.mark.parametrize("purpose_class", PurposeClass)
def test_only_administrative_purposes_are_administrative(purpose_class: PurposeClass) -> None:
    assert PURPOSE_OF_CLASS[purpose_class].is_administrative is (purpose_class == "administrative")


@pytest.mark.parametrize(
    ("audiences", "covered"), [(("client",), True), (("client", "prospect"), True), (("prospect",), False), ((), False)]
)
def test_a_purpose_covers_the_audiences_it_names(audiences: tuple[str, ...], covered: bool) -> None:
    assert purpose(PurposeClass.PROMOTIONAL, *audiences).covers_audience("client") is covered


def test_a_purpose_for_all_covers_every_audience() -> None:
    assert purpose(PurposeClass.ADMINISTRATIVE, ALL_AUDIENCES).covers_audience("client")


def test_a_purpose_succeeds_nothing_and_has_no_cap_unless_it_says_so() -> None:
    some = purpose(PurposeClass.PROMOTIONAL, "client")
    assert (some.succeeds, some.cap) == (frozenset(), None)


@pytest.mark.parametrize(
    ("audiences", "covered"), [((), True), ((ALL_AUDIENCES,), True), (("client",), True), (("alumni",), False)]
)
def test_a_data_use_covers_the_audiences_it_names_or_else_everybody(audiences: tuple[str, ...], covered: bool) -> None:
    assert DataUse("sharing", "Sharing", None, frozenset(audiences), "AW-1").covers_audience("client") is covered


def test_purposes_and_data_uses_are_found_by_id() -> None:
    assert POLICY.purpose_by_id["some-recruitment"] is PURPOSE_OF_CLASS[PurposeClass.RECRUITMENT]
    assert POLICY.data_use_by_id == {"tracking": TRACKING, "sale": SALE}
    assert "some-other" not in POLICY.purpose_by_id


@pytest.mark.parametrize(
    ("reason", "purpose_class", "clause"),
    [
        (RefusalReason.OPTED_OUT, None, "AW-1"),
        (RefusalReason.OPTED_OUT, PurposeClass.PROMOTIONAL, "AW-1"),
        (RefusalReason.OPTED_OUT, PurposeClass.RECRUITMENT, "AW-2"),
        (RefusalReason.MINOR, PurposeClass.RECRUITMENT, "AW-3"),
        (RefusalReason.BOUNCED, PurposeClass.PROMOTIONAL, None),
        (RefusalReason.BOUNCED, None, None),
    ],
)
def test_a_refusal_cites_the_clause_of_its_reason_and_class(
    reason: RefusalReason, purpose_class: PurposeClass | None, clause: str | None
) -> None:
    refused = None if purpose_class is None else PURPOSE_OF_CLASS[purpose_class]
    assert POLICY.refusal_clause(reason, refused) == clause


def test_a_policy_cannot_be_altered() -> None:
    with pytest.raises(FrozenInstanceError):
        POLICY.country = "DE"  # type: ignore[misc]
