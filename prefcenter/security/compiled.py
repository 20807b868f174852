"""Functions over arrays, compiled when they are first called and kept compiled beside their module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """The function compiled by numba; it lets other threads run meanwhile.

    What is compiled is kept in `__pycache__` or the user's cache directory. Where neither can be written it is made
    anew in each process. The cache looks at the function's own file only, so a compiled function calls none of another
    file.
    """
    try:
        return cast(Function, numba.njit(nogil=True, cache=True)(function))
    except RuntimeError:
        return cast(Function, numba.njit(nogil=True)(function))
