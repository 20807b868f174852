"""Digests of many forms at once are those of Python's `hmac`, form by form."""

from __future__ import annotations

import hmac
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefcenter.domain.digest import DigestKind
from prefcenter.security.digests import Digester, digest
from prefcenter.security.keyring import new_keyring
from prefcenter.security.libcrypto import register_functions
from prefcenter.security.vector_digests import DigestArray, Forms, VectorKey, one_by_one

VECTORS = tomllib.loads(Path("fixtures/digests.toml").read_text(encoding="utf-8"))


def all_of(found: DigestArray) -> list[bytes]:
    return [found.value(index) for index in range(len(found))]


@given(st.binary(min_size=32, max_size=32), st.lists(st.binary(max_size=300), max_size=40))
def test_each_digest_is_the_start_of_its_hmac(match_key: bytes, forms: list[bytes]) -> None:
    expected = [hmac.digest(match_key, form, "sha256")[:16] for form in forms]
    assert all_of(VectorKey(match_key).digests(Forms.of(forms))) == expected
    assert all_of(one_by_one(match_key, Forms.of(forms))) == expected


@pytest.mark.parametrize("size", range(50, 70))
def test_forms_around_the_end_of_a_block_are_hashed_whole(size: int) -> None:
    form = bytes(range(size))
    (found,) = all_of(VectorKey(b"k" * 32).digests(Forms.of([form])))
    assert found == hmac.digest(b"k" * 32, form, "sha256")[:16]


def test_a_digester_lends_its_own_keys() -> None:
    keyring = new_keyring("2026-11-21T00:00:00Z").rotated("2026-11-22T00:00:00Z")
    keys = Digester(keyring, "acme").vector_keys()
    assert list(keys) == [2, 1]
    name = "acme.example"
    form = bytes((DigestKind.DOMAIN,)) + name.encode()
    found = [key.digests(Forms.of([form])).value(0) for key in keys.values()]
    assert found == [of_key.value for of_key in Digester(keyring, "acme").of_domain(name, (1,))]
    assert found == [digest(key.match_key, DigestKind.DOMAIN, name) for key in keys.values()]


def test_libcrypto_is_found_through_python_itself() -> None:
    assert register_functions()


def test_digests_keep_their_order_as_numbers_and_as_bytes() -> None:
    values = [bytes([index]) * 16 for index in (200, 3, 77)]
    array = DigestArray.of(values)
    order = np.lexsort((array.low, array.high))
    assert [array.value(index) for index in order] == sorted(values)


def test_a_key_shows_nothing_of_itself() -> None:
    assert repr(VectorKey(b"secret-of-thirty-two-bytes......")) == "VectorKey(***)"
