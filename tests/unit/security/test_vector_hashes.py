"""Hashes of many addresses at once are those that vendors make, one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefcenter.domain.digest import HASH_BYTES, HASH_KINDS, DigestKind
from prefcenter.security.digests import vendors_hash
from prefcenter.security.libcrypto import HASH_FUNCTIONS, register_functions
from prefcenter.security.vector_digests import Forms
from prefcenter.security.vector_hashes import one_by_one, vendors_hashes

texts = st.lists(st.text(st.characters(codec="utf-8"), max_size=300), max_size=20)


def all_of(forms: Forms) -> list[bytes]:
    spans = zip(forms.offsets[:-1], forms.offsets[1:], strict=True)
    return [forms.octets[start:end].tobytes() for start, end in spans]


@given(st.sampled_from(HASH_KINDS), texts, st.randoms())
def test_each_hash_is_the_vendors(kind: DigestKind, drawn: list[str], chance: np.random.Generator) -> None:
    forms = Forms.of([bytes((DigestKind.EXACT,)) + text.encode() for text in drawn])
    rows = [row for row in range(len(drawn)) if chance.random() < 0.7]
    expected = [bytes((kind,)) + vendors_hash(kind, drawn[row]).encode() for row in rows]
    for made in (vendors_hashes, one_by_one):
        assert all_of(made(kind, forms, np.array(rows, np.int64))) == expected


@pytest.mark.parametrize("kind", HASH_KINDS)
def test_texts_around_the_end_of_a_block_are_hashed_whole(kind: DigestKind) -> None:
    texts = ["x" * size for size in range(140)]
    made = vendors_hashes(kind, Forms.of([b"\1" + text.encode() for text in texts]), np.arange(140))
    assert [form[1:].decode() for form in all_of(made)] == [vendors_hash(kind, text) for text in texts]
    assert {len(form) for form in all_of(made)} == {1 + 2 * HASH_BYTES[kind]}


def test_the_hash_functions_are_found_through_python_itself() -> None:
    assert register_functions(HASH_FUNCTIONS)
