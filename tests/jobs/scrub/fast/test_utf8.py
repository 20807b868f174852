"""What compiled code takes for UTF-8 is what Python's decoder takes."""

from __future__ import annotations

from itertools import product
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.scrub.fast.utf8 import _following, is_utf8

EDGES = [
    0x00,
    0x7F,
    0x80,
    0x8F,
    0x90,
    0x9F,
    0xA0,
    0xBF,
    0xC0,
    0xC1,
    0xC2,
    0xDF,
    0xE0,
    0xE1,
    0xEC,
    0xED,
    0xEE,
    0xEF,
    0xF0,
]
EDGES += [0xF1, 0xF3, 0xF4, 0xF5, 0xFF]
"""The bytes at which the table of RFC 3629 section 4 changes what it says."""


def decodes(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def judged(content: bytes, offset: int = 0) -> bool:
    """The compiled judgement of bytes that stand at an offset in memory, for words are read where they are aligned."""
    return bool(is_utf8(np.frombuffer(b"#" * offset + content, np.uint8)[offset:]))


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_every_sequence_of_edges_is_judged_alike(length: int) -> None:
    sequences = [bytes(octets) for octets in product(EDGES, repeat=length)]

    assert [judged(each) for each in sequences] == [decodes(each) for each in sequences]


@given(st.lists(st.one_of(st.text().map(str.encode), st.binary(max_size=4), st.just(b"a" * 70))), st.integers(0, 8))
def test_texts_and_what_is_none_are_judged_alike(parts: list[bytes], offset: int) -> None:
    content = b"".join(parts)

    assert judged(content, offset) == decodes(content)


def test_a_character_that_is_cut_off_is_none() -> None:
    assert judged(b"a" * 63 + "é".encode())
    assert not judged(b"a" * 63 + "é".encode()[:1])
    assert not judged("😀".encode()[:3])


def test_no_byte_behind_the_text_is_looked_at() -> None:
    """Compiled code does not check its indexes: behind memory of the system's there may be none at all."""
    for start in range(256):
        at_the_end = np.array([start], np.uint8)
        assert cast(Any, _following).py_func(at_the_end, 0) == 0, start
