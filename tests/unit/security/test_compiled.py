"""Compiled code that has to be compiled first says so, once."""

from __future__ import annotations

import numba

from prefcenter.security.compiled import compiled, tell_of_compiling


def test_that_something_is_compiled_is_told_once_and_only_when_it_is() -> None:
    told: list[str] = []
    tell_of_compiling(lambda: told.append("compiling"))
    assert told == []
    one, other = numba.njit(lambda number: number + 1), numba.njit(lambda number: number + 2)
    assert (one(1), one(2), told) == (2, 3, ["compiling"])
    assert (other(1), told) == (3, ["compiling"])


def twice(number: int) -> int:
    return number + number


def test_what_was_kept_compiled_is_not_told() -> None:
    assert compiled(twice)(2) == 4
    told: list[str] = []
    tell_of_compiling(lambda: told.append("compiling"))
    assert (compiled(twice)(3), told) == (6, [])
