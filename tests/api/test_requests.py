"""Bodies that can be read in one way only, and values within bounds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefcenter.api.limits import LimitExceeded
from prefcenter.api.requests import LEVELS_MAX, VALUES_MAX, check_values, read_json

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@given(VALUES, st.booleans())
def test_any_value_of_json_is_read_as_it_is(value: Any, ascii_only: bool) -> None:
    assert read_json(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@pytest.mark.parametrize("text", ['{"a": 1, "a": 1}', '[{"b": {"a": 1, "\\u0061": 2}}]'])
def test_a_name_that_occurs_twice_is_refused_however_it_is_spelt(text: str) -> None:
    with pytest.raises(ValueError, match="one way only"):
        read_json(text.encode())


@given(st.binary(max_size=40))
def test_bytes_that_are_no_json_are_refused_without_being_quoted(body: bytes) -> None:
    if not is_json(body):
        with pytest.raises(ValueError, match=r"^the body is not JSON in UTF-8 that can be read in one way only$"):
            read_json(body)


def is_json(body: bytes) -> bool:
    try:
        json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        return False
    return True


def test_a_surrogate_pair_is_one_character() -> None:
    assert read_json(b'"\\ud83c\\udf4e"') == "\N{RED APPLE}"


def nested(levels: int) -> object:
    value: object = 1
    for _ in range(levels - 1):
        value = [value]
    return value


def test_values_may_be_as_deep_and_as_many_as_the_limits_say() -> None:
    check_values(nested(LEVELS_MAX))
    check_values([1] * (VALUES_MAX - 1))


@pytest.mark.parametrize("value", [nested(LEVELS_MAX + 1), [1] * VALUES_MAX, {"a": [[1] * 9_000] * 3}])
def test_deeper_or_more_values_are_refused(value: object) -> None:
    with pytest.raises(LimitExceeded):
        check_values(value)
