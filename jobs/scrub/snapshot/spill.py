"""Sorting more digests than memory should hold: they are spread over nameless files by their first bits."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import numpy as np

from jobs.scrub.snapshot.table import Codes, DigestTable
from prefcenter.security.vector_digests import DigestArray

PART_BITS = 6
PARTS = 1 << PART_BITS
ENTRY = np.dtype([("high", "<u8"), ("low", "<u8"), ("code", "<u4")])


class SpilledDigests:
    """Digests and their numbers in any order, given back in ascending parts. A later number of a digest counts."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._stack = ExitStack()
        self._files: list[IO[bytes]] = []
        self.count = 0

    def __enter__(self) -> Self:
        for _ in range(PARTS):
            self._files.append(self._stack.enter_context(tempfile.TemporaryFile(dir=self._directory)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def add(self, digests: DigestArray, codes: Codes) -> None:
        entries = np.empty(len(codes), ENTRY)
        entries["high"], entries["low"], entries["code"] = digests.high, digests.low, codes
        parts = (digests.high >> np.uint64(64 - PART_BITS)).astype(np.intp)
        order = np.argsort(parts, kind="stable")
        bounds = np.searchsorted(parts[order], np.arange(PARTS + 1))
        for part in np.unique(parts).tolist():
            self._files[part].write(entries[order[bounds[part] : bounds[part + 1]]].tobytes())
        self.count += len(codes)

    def parts(self) -> Iterator[DigestTable]:
        """One sorted table after the other, in ascending order."""
        for file in self._files:
            file.seek(0)
            entries = np.frombuffer(file.read(), ENTRY)
            digests = DigestArray(entries["high"].copy(), entries["low"].copy())
            yield DigestTable.of(digests, entries["code"].copy())
