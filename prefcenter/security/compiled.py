"""Functions over arrays, compiled when they are first called and kept compiled beside their module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
from numba.core import event

_register: Any = event.register
Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """The function compiled by numba; it lets other threads run meanwhile.

    What is compiled is kept where `NUMBA_CACHE_DIR` says, else in `__pycache__`, else in the user's cache directory.
    Where none of them can be written it is made anew in each process. The cache looks at the function's own file only,
    so a compiled function calls none of another file.
    """
    try:
        return cast(Function, numba.njit(nogil=True, cache=True)(function))
    except RuntimeError:
        return cast(Function, numba.njit(nogil=True)(function))


def inlined(function: Function) -> Function:
    """A function for compiled ones of the same file to call from their loops, which becomes part of each of them.

    A call would put every word of every array on the stack.
    """
    return cast(Function, numba.njit(inline="always")(function))


def tell_of_compiling(tell: Callable[[], object]) -> None:
    """Call something when the first function has to be compiled in this process, for it and the rest take seconds."""
    _register("numba:compile", _FirstOnly(tell))


class _FirstOnly(event.Listener):
    """Listens to the beginning of the first event; those of functions that were kept compiled are none."""

    def __init__(self, tell: Callable[[], object]) -> None:
        self._tell: Callable[[], object] | None = tell

    def on_start(self, _: Any) -> None:
        tell, self._tell = self._tell, None
        if tell is not None:
            tell()

    def on_end(self, _: Any) -> None:
        """Nothing more is to be said."""
