"""The plain path: email-validator gives the same answer to every text that is taken for plain."""

from __future__ import annotations

import random

import email_validator
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefcenter.domain.address.plain import MAX_PLAIN_CHARACTERS, SPECIAL_USE_LABELS, plain_parts
from prefcenter.domain.address.syntax import validated_by_library

FUZZED_TEXTS = 20_000
PIECES = (
    *"aZ09.-_+@!#$%&'*/=?^{|}~` \t\"<>()[]:;,\\\u00fc\u0130\u212a\u200d\x00\x7f\n",
    "..", "--", ".-", "-.", "@.", ".@", "@@", "xn--", "xn--bcher-kva", "a" * 30, "com", "example", "co.uk", "mailto:",
    "test", "LOCAL", "localhost", "arpa", "onion", "invalid", "1", "x1", "1x", "postmaster", "Pat <",
)  # fmt: skip

around_the_rule = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
near_addresses = st.builds("{}@{}.{}".format, around_the_rule, around_the_rule, around_the_rule)


@given(st.one_of(st.text(max_size=70), around_the_rule, near_addresses))
def test_the_library_agrees_on_every_plain_address(text: str) -> None:
    parts = plain_parts(text)
    assert parts is None or parts == validated_by_library(text)


def test_the_library_agrees_on_addresses_with_small_defects() -> None:
    chance, plain = random.Random(7), 0
    for _ in range(FUZZED_TEXTS):
        text = f"John.Smith{chance.randrange(99)}@mail-{chance.randrange(9)}.Example.com"
        for _ in range(chance.randrange(3)):
            place = chance.randrange(len(text))
            text = text[:place] + chance.choice(PIECES) + text[place + chance.randrange(3) :]
        parts = plain_parts(text)
        plain += parts is not None
        assert parts is None or parts == validated_by_library(text)
    assert plain > FUZZED_TEXTS / 4


def test_the_special_labels_are_those_of_the_library() -> None:
    assert set(email_validator.SPECIAL_USE_DOMAIN_NAMES) == SPECIAL_USE_LABELS


@pytest.mark.parametrize("label", sorted(SPECIAL_USE_LABELS))
def test_a_special_label_is_left_to_the_library(label: str) -> None:
    assert plain_parts(f"pat@acme.{label.upper()}") is None


def test_a_plain_address_is_at_most_64_characters_long() -> None:
    longest = "a@" + "b" * (MAX_PLAIN_CHARACTERS - len("a@.com")) + ".com"
    assert plain_parts(longest) is not None
    assert plain_parts(f"a{longest}") is None


def test_the_case_of_the_local_part_is_left_to_the_forms() -> None:
    assert plain_parts("Pat.O@ACME.Example") == ("Pat.O", "acme.example")
