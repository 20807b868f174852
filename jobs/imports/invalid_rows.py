"""The rows that could not be imported, in a file beside the list, so that they can be mended and imported again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from jobs.lists import OpenList, RawRecord
from prefcenter.domain.errors import InvalidAddress, InvalidTime, PrefcenterError

FAULTS_TOLD_MAX = 20
ADDED_HEADINGS = ("prefcenter_line", "prefcenter_fault")

_FIELDS = {InvalidAddress: "address: ", InvalidTime: "time: "}
"""The field that a fault is about, where its own message does not begin with it."""


class InvalidRows:
    """Collects rows that could not be imported, in a file that appears when it is whole and only if there are any."""

    def __init__(self, opened: OpenList) -> None:
        self._opened = opened
        self._final = opened.path.with_name(f"{opened.path.name}.invalid.csv")
        self._partial = opened.path.with_name(f".{opened.path.name}.invalid.csv.partial")
        self._descriptor: int | None = None
        self.count = 0
        self.faults: list[str] = []

    @property
    def path(self) -> Path | None:
        return self._final if self.count else None

    def add(self, record: RawRecord, error: PrefcenterError) -> None:
        """Keep a row and what is wrong with it. The fault names file, line and field, never what the cell holds."""
        fault = f"{_FIELDS.get(type(error), '')}{error}"
        self.count += 1
        if self.count <= FAULTS_TOLD_MAX:
            self.faults.append(f"{self._opened.name}:{record.line}: {fault}")
        if self._descriptor is None:
            self._begin()
        self._write(record, (str(record.line), fault))

    def _begin(self) -> None:
        self._descriptor = os.open(self._partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.fchmod(self._descriptor, 0o600)
        os.write(self._descriptor, self._opened.encoding.bom)
        if self._opened.header is not None:
            self._write(self._opened.header, ADDED_HEADINGS)

    def _write(self, record: RawRecord, added: Sequence[str]) -> None:
        encoding, dialect = self._opened.encoding, self._opened.dialect
        row = encoding.encode(record.text) + encoding.encode_added(dialect.appended(added))
        content = memoryview(row + encoding.encode(record.terminator or "\n"))
        while content and self._descriptor is not None:
            content = content[os.write(self._descriptor, content) :]

    def __enter__(self) -> InvalidRows:
        return self

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        if self._descriptor is None:
            # What a killed run left of the same list has been read anew.
            self._partial.unlink(missing_ok=True)
            return
        os.fsync(self._descriptor)
        os.close(self._descriptor)
        if failed is None:
            self._partial.replace(self._final)
        else:
            self._partial.unlink(missing_ok=True)
