"""The reviewed cases of fixtures/addresses.toml, and that there are enough of them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from prefcenter.domain.address import Address, parse
from prefcenter.domain.errors import InvalidAddress
from prefcenter.domain.terms import AddressKind

FIXTURE = Path(__file__).resolve().parents[4] / "fixtures" / "addresses.toml"
RULES: list[dict[str, Any]] = tomllib.loads(FIXTURE.read_text(encoding="utf-8"))["rule"]
RULE_NAMES = [rule["name"] for rule in RULES]


def pairs(outcome: str) -> list[Any]:
    return [
        pytest.param(rule, left, right, id=f"{rule['name']}-{number}")
        for rule in RULES
        for number, (left, right) in enumerate(rule[outcome])
    ]


def invalid_texts() -> list[Any]:
    return [
        pytest.param(rule, text, id=f"{rule['name']}-{number}")
        for rule in RULES
        for number, text in enumerate(rule.get("invalid", []))
    ]


def read(rule: dict[str, Any], text: str) -> Address:
    return parse(text, AddressKind(rule["kind"]), country=rule["country"])


def forms(rule: dict[str, Any], text: str) -> list[str]:
    return [getattr(form, rule["form"]) for form in read(rule, text).forms]


@pytest.mark.parametrize(("rule", "left", "right"), pairs("match"))
def test_spellings_of_one_address_have_the_same_form(rule: dict[str, Any], left: str, right: str) -> None:
    assert forms(rule, left) == forms(rule, right)


@pytest.mark.parametrize(("rule", "left", "right"), pairs("differ"))
def test_different_addresses_have_different_forms(rule: dict[str, Any], left: str, right: str) -> None:
    assert not set(forms(rule, left)) & set(forms(rule, right))


@pytest.mark.parametrize(("rule", "text"), invalid_texts())
def test_what_is_no_address_is_refused_without_being_quoted(rule: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidAddress) as caught:
        read(rule, text)
    assert not text or text not in str(caught.value)
    assert "@" not in str(caught.value)


@pytest.mark.parametrize("rule", RULES, ids=RULE_NAMES)
def test_a_rule_has_at_least_five_pairs_that_match_and_three_that_do_not(rule: dict[str, Any]) -> None:
    assert len(rule["match"]) >= 5
    assert len(rule["differ"]) >= 3


def test_there_are_at_least_two_hundred_cases_under_distinct_rules() -> None:
    assert sum(len(rule["match"]) + len(rule["differ"]) for rule in RULES) >= 200
    assert len(set(RULE_NAMES)) == len(RULE_NAMES)


@pytest.mark.parametrize("rule", RULES, ids=RULE_NAMES)
def test_the_forms_of_every_case_are_idempotent(rule: dict[str, Any]) -> None:
    for text in {text for pair in [*rule["match"], *rule["differ"]] for text in pair}:
        for form in read(rule, text).forms:
            assert read(rule, form.exact).current.exact == form.exact
            assert read(rule, form.mailbox).current.mailbox == form.mailbox
