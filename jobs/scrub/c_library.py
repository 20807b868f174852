"""Functions of the C library that Python has no names for. Where there is none, nothing is lost but time."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's `mallopt`."""

KEPT_BYTES, LARGEST_KEPT_BYTES = 1 << 28, 1 << 25
"""How much is kept in all, and of how large arrays; more than the latter glibc does not take."""

SYNC_FILE_RANGE_WRITE = 2


def keep_freed_memory() -> None:
    """Have the memory of one block serve the next.

    Otherwise glibc gives each large array back to the system, which clears every page of it again for the next one.
    """
    mallopt = _function("mallopt")
    if mallopt is not None:
        mallopt(MMAP_THRESHOLD, LARGEST_KEPT_BYTES)
        mallopt(TRIM_THRESHOLD, KEPT_BYTES)


def begin_to_put_on_disk(descriptor: int, offset: int, size: int) -> None:
    """Have the system begin to write a part of a file, so that a later `fsync` has less to wait for (Linux only)."""
    sync_file_range = _function("sync_file_range")
    if sync_file_range is not None:
        sync_file_range(descriptor, ctypes.c_int64(offset), ctypes.c_int64(size), SYNC_FILE_RANGE_WRITE)


@cache
def _function(name: str) -> Any:
    try:
        return getattr(ctypes.CDLL(None), name, None)
    except OSError:
        return None
