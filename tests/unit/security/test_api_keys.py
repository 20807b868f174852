"""API keys as text: nobody guesses one, and whatever is not exactly one is none."""

from __future__ import annotations

import hashlib
import re

import pytest

from prefcenter.security.api_keys import new_api_key, read_api_key, same_secret


def test_a_key_is_its_id_and_a_secret_of_256_bits() -> None:
    made = new_api_key()
    match = re.fullmatch(r"pck_([0-9a-f]{12})_([A-Za-z0-9_-]{43})", made.text)
    assert match is not None
    assert match[1] == made.id
    assert made.secret_hash == hashlib.sha256(match[2].encode()).digest()


def test_each_key_is_another_one() -> None:
    made = [new_api_key() for _ in range(50)]
    assert len({key.id for key in made}) == len({key.secret_hash for key in made}) == 50


def test_a_key_is_read_as_it_was_made() -> None:
    made = new_api_key()
    read = read_api_key(made.text)
    assert read is not None
    assert (read.id, read.secret_hash) == (made.id, made.secret_hash)
    assert same_secret(read.secret_hash, made.secret_hash)


def test_the_text_of_a_key_is_not_in_what_is_shown_of_it() -> None:
    made = new_api_key()
    assert made.text not in repr(made)
    assert made.text.split("_", 2)[2] not in repr(made)


SECRET = "A" * 43


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pck",
        f"pck_0123456789ab{SECRET}",
        f"pck_0123456789AB_{SECRET}",
        f"pck_0123456789a_{SECRET}",
        f"pck_0123456789ab_{SECRET}A",
        f"pck_0123456789ab_{SECRET[1:]}",
        f"pck_0123456789ab_{SECRET[1:]}\n",
        f" pck_0123456789ab_{SECRET}",
        f"pck_0123456789ab_{SECRET[1:]}é",
        f"pck_٠123456789ab_{SECRET}",
        f"sk_0123456789ab_{SECRET}",
    ],
)
def test_what_is_not_exactly_a_key_is_none(text: str) -> None:
    assert read_api_key(text) is None
