"""Facts about one policy following another: no change of policy reopens what a person refused."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from prefcenter.domain.errors import Fault
from prefcenter.domain.policy import DataUse, Policy, Purpose
from prefcenter.domain.succession import succession_faults
from prefcenter.domain.terms import AddressClass, Basis, Channel, PurposeClass

PROMOTIONAL, INFORMATIONAL = PurposeClass.PROMOTIONAL, PurposeClass.INFORMATIONAL
RECRUITMENT, ADMINISTRATIVE = PurposeClass.RECRUITMENT, PurposeClass.ADMINISTRATIVE


def purpose(its_id: str, purpose_class: PurposeClass = PROMOTIONAL, succeeds: Iterable[str] = ()) -> Purpose:
    return Purpose(
        id=its_id,
        label=its_id,
        purpose_class=purpose_class,
        audiences=frozenset({"client"}),
        channels=frozenset({Channel.EMAIL}),
        basis=dict.fromkeys(AddressClass, Basis.CONSENT),
        clause=dict.fromkeys(AddressClass, "AW-1"),
        succeeds=frozenset(succeeds),
    )


def policy(*purposes: Purpose) -> Policy:
    return Policy(
        controller="acme",
        name="Acme",
        country="GB",
        unknown_class=AddressClass.PERSONAL,
        decision_ttl_hours=24,
        bare_opt_out="everything",
        purposes=purposes,
        data_uses=(),
        refusal_clauses={},
        version="0123456789abcdef",
    )


def faults(last: Policy, new: Policy) -> list[tuple[str, str]]:
    found = succession_faults(last, new, "acme.toml")
    assert all(fault.file == "acme.toml" for fault in found)
    return [(fault.key, fault.expected) for fault in found]


GONE = "still a purpose, or named in what another purpose succeeds"
REUSED = "an id that no removed purpose had"
NEWS = purpose("news")
BULLETIN = purpose("bulletin", succeeds=["news"])


def data_use(basis: Basis | None) -> DataUse:
    return DataUse("profiling", "Profiling", basis, frozenset({"all"}), "AW-1")


ALLOWED: list[tuple[str, Policy, Policy]] = [
    ("the same policy", policy(NEWS), policy(NEWS)),
    ("a new purpose", policy(NEWS), policy(NEWS, purpose("events", ADMINISTRATIVE))),
    ("a successor", policy(NEWS), policy(BULLETIN)),
    ("two successors", policy(NEWS), policy(BULLETIN, purpose("letter", succeeds=["news"]))),
    ("a successor that stood already", policy(NEWS, purpose("letter")), policy(purpose("letter", succeeds=["news"]))),
    ("a successor of a successor", policy(BULLETIN), policy(purpose("letter", succeeds=["bulletin", "news"]))),
    ("more inheritance", policy(BULLETIN), policy(purpose("bulletin", succeeds=["news", "leaflet"]))),
    ("an order of purposes", policy(NEWS, purpose("jobs")), policy(purpose("jobs"), NEWS)),
    ("an administrative purpose that becomes another", policy(purpose("news", ADMINISTRATIVE)), policy(NEWS)),
    ("a successor of an administrative purpose", policy(purpose("news", ADMINISTRATIVE)), policy(BULLETIN)),
    ("another bare opt-out", policy(NEWS), replace(policy(NEWS), bare_opt_out="class")),
    ("a data use removed", replace(policy(), data_uses=(data_use(Basis.CONSENT),)), policy()),
    ("a data use come back", policy(), replace(policy(), data_uses=(data_use(Basis.LEGITIMATE_INTERESTS),))),
    (
        "a data use no longer prohibited",
        replace(policy(), data_uses=(data_use(None),)),
        replace(policy(), data_uses=(data_use(Basis.CONTRACT),)),
    ),
]


@pytest.mark.parametrize(("what", "last", "new"), ALLOWED, ids=[what for what, _, _ in ALLOWED])
def test_a_policy_may_bring(what: str, last: Policy, new: Policy) -> None:
    assert faults(last, new) == []


REFUSED: list[tuple[str, Policy, Policy, list[tuple[str, str]]]] = [
    ("a removed purpose that nothing succeeds", policy(NEWS), policy(), [("purpose[news]", GONE)]),
    (
        "an end of inheritance",
        policy(BULLETIN),
        policy(purpose("bulletin")),
        [("purpose[bulletin].succeeds", "`news` too, for `bulletin` succeeded it")],
    ),
    (
        "a successor that does not inherit what was inherited",
        policy(BULLETIN),
        policy(purpose("letter", succeeds=["bulletin"])),
        [("purpose[letter].succeeds", "`news` too, for `bulletin` succeeded it")],
    ),
    (
        "one of two successors that does not inherit what was inherited",
        policy(BULLETIN),
        policy(purpose("a", succeeds=["bulletin"]), purpose("b", succeeds=["bulletin", "news"])),
        [("purpose[a].succeeds", "`news` too, for `bulletin` succeeded it")],
    ),
    ("the id of a removed purpose", policy(BULLETIN), policy(BULLETIN, NEWS), [("purpose[news].id", REUSED)]),
    (
        "the id of a removed purpose that inherits in its successor's place",
        policy(BULLETIN),
        policy(purpose("news", succeeds=["bulletin"])),
        [
            ("purpose[news].id", REUSED),
            ("purpose[news].succeeds", "`news` too, for `bulletin` succeeded it"),
        ],
    ),
    (
        "another country",
        policy(NEWS),
        replace(policy(NEWS), country="DE"),
        [("controller.country", "`GB`, as in the policy in force")],
    ),
    (
        "another controller, and then nothing else is compared",
        policy(NEWS),
        replace(policy(), controller="zenith"),
        [("controller.id", "`acme`, as in the policy in force")],
    ),
    (
        "several faults at once",
        policy(NEWS, purpose("jobs", RECRUITMENT), BULLETIN),
        policy(purpose("jobs", ADMINISTRATIVE)),
        [
            ("purpose[news]", GONE),
            ("purpose[bulletin]", GONE),
            ("purpose[jobs].class", "`recruitment`, the class of `jobs` in the policy in force"),
        ],
    ),
]


@pytest.mark.parametrize(("what", "last", "new", "found"), REFUSED, ids=[what for what, _, _, _ in REFUSED])
def test_a_policy_may_not_bring(what: str, last: Policy, new: Policy, found: list[tuple[str, str]]) -> None:
    assert faults(last, new) == found


CLASS_CHANGES = [(before, after) for before in PurposeClass for after in PurposeClass]


@pytest.mark.parametrize(("before", "after"), CLASS_CHANGES)
def test_a_purpose_keeps_its_class_unless_it_was_administrative(before: PurposeClass, after: PurposeClass) -> None:
    expected = f"`{before}`, the class of `news` in the policy in force"
    refused = [] if before in (after, ADMINISTRATIVE) else [("purpose[news].class", expected)]
    assert faults(policy(purpose("news", before)), policy(purpose("news", after))) == refused


@pytest.mark.parametrize(("before", "after"), CLASS_CHANGES)
def test_a_successor_has_the_class_of_what_it_succeeds_unless_that_was_administrative(
    before: PurposeClass, after: PurposeClass
) -> None:
    expected = f"`{before}`, the class of `news` in the policy in force"
    refused = [] if before in (after, ADMINISTRATIVE) else [("purpose[bulletin].class", expected)]
    assert faults(policy(purpose("news", before)), policy(purpose("bulletin", after, ["news"]))) == refused


def test_faults_name_the_file() -> None:
    assert succession_faults(policy(NEWS), policy(), "acme.toml") == (Fault("acme.toml", "purpose[news]", GONE),)


IDS = ("a", "b", "c", "d", "e")
WAYS = ("keep", "keep", "keep", "rename", "rename", "drop", "forget", "reclass")


@st.composite
def changes_of(draw: st.DrawFn, last: Policy) -> Policy:
    """`last` edited, well or badly, as far as the loader lets pass: nothing succeeds what still stands."""
    edited: dict[str, Purpose] = {}
    for each in last.purposes:
        way = draw(st.sampled_from(WAYS))
        remembered = each.succeeds if draw(st.integers(0, 4)) else frozenset()
        if way == "rename":
            new_id = draw(st.sampled_from(IDS))
            edited[new_id] = replace(each, id=new_id, succeeds=remembered | {each.id})
        elif way == "forget":
            edited[each.id] = replace(each, succeeds=remembered)
        elif way == "reclass":
            edited[each.id] = replace(each, purpose_class=draw(st.sampled_from(PurposeClass)))
        elif way == "keep":
            edited[each.id] = each
    return policy(*(replace(each, succeeds=each.succeeds - edited.keys()) for each in edited.values()))


def descends(candidate: Purpose, lineage: set[str]) -> bool:
    return candidate.id in lineage or not candidate.succeeds.isdisjoint(lineage)


def assert_still_covered(root: Purpose, heirs: list[Purpose]) -> None:
    """What a refusal of the root covered, by its id or by its class, the same refusal covers in every heir."""
    assert heirs
    for heir in heirs:
        assert root.id in {heir.id, *heir.succeeds}
        assert root.is_administrative or heir.purpose_class is root.purpose_class


@given(st.data())
def test_what_was_refused_stays_covered_through_every_accepted_change(data: st.DataObject) -> None:
    first = in_force = policy(purpose("a"), purpose("b", INFORMATIONAL), purpose("c", ADMINISTRATIVE))
    lineage_of = {root.id: {root.id} for root in first.purposes}
    accepted = 0
    for _ in range(8):
        change = data.draw(changes_of(in_force))
        if succession_faults(in_force, change, "acme.toml"):
            continue
        in_force, accepted = change, accepted + 1
        for root in first.purposes:
            heirs = [heir for heir in change.purposes if descends(heir, lineage_of[root.id])]
            assert_still_covered(root, heirs)
            lineage_of[root.id] = {heir.id for heir in heirs}
    event(f"{accepted} changes accepted")
