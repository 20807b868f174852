"""Sorting more digests than memory should hold: they are spread over nameless files by their first bits."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from prefcenter.security.vector_digests import DigestArray

PART_BITS = 6
PARTS = 1 << PART_BITS
STATE_ENTRY = np.dtype([("high", "<u8"), ("low", "<u8"), ("code", "<u4")])
CONSENT_ENTRY = np.dtype([("high", "<u8"), ("low", "<u8"), ("cell", "<u4"), ("given_ms", "<i8"), ("expires_ms", "<i8")])

Entries: TypeAlias = NDArray[Any]
"""Rows of one of the types above."""


class Spilled:
    """Entries in any order, given back in parts of which each has the digests that follow on those of the one before.

    Within a part they stand as they were added.
    """

    def __init__(self, entry: np.dtype[Any], directory: Path | None) -> None:
        self._entry = entry
        self._stack = ExitStack()
        self._files: dict[int, IO[bytes]] = {}
        self._directory = directory
        self.count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def add(self, digests: DigestArray, **columns: NDArray[Any]) -> None:
        """Take more digests, with a column for each other field of the entries."""
        entries = np.empty(len(digests), self._entry)
        entries["high"], entries["low"] = digests.high, digests.low
        for name, column in columns.items():
            entries[name] = column
        parts = (digests.high >> np.uint64(64 - PART_BITS)).astype(np.intp)
        order = np.argsort(parts, kind="stable")
        bounds = np.searchsorted(parts[order], np.arange(PARTS + 1))
        for part in np.unique(parts).tolist():
            self._file(part).write(entries[order[bounds[part] : bounds[part + 1]]].tobytes())
        self.count += len(entries)

    def parts(self) -> Iterator[Entries]:
        """One part after the other, in ascending order."""
        for part in sorted(self._files):
            file = self._files[part]
            file.seek(0)
            yield np.frombuffer(file.read(), self._entry)

    def _file(self, part: int) -> IO[bytes]:
        """The file of a part, made when there is something to put into it: small stores fill few."""
        if part not in self._files:
            file = tempfile.TemporaryFile(dir=self._directory)  # noqa: SIM115 - the stack closes it
            self._files[part] = self._stack.enter_context(file)
        return self._files[part]


def digests_of(entries: Entries) -> DigestArray:
    return DigestArray(np.ascontiguousarray(entries["high"]), np.ascontiguousarray(entries["low"]))
