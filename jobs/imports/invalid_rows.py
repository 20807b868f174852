"""The rows that could not be imported, in a file beside the list, so that they can be mended and imported again."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Protocol, cast

from jobs.imports.sources import BatchRecord, BatchSource, NumberedList, Record, Source
from jobs.lists import OpenList, Placed, RawRecord
from jobs.scrub.outputs import HashedFile
from prefcenter.domain.errors import InvalidAddress, InvalidTime, PrefcenterError

FAULTS_TOLD_MAX = 20
ADDED_HEADINGS = ("prefcenter_line", "prefcenter_fault")
STANDARD_INPUT_NAME = "standard-input"
"""Beside what its invalid rows go: in the directory that the import is run in."""

_FIELDS = {InvalidAddress: "address: ", InvalidTime: "time: "}
"""The field that a fault is about, where its own message does not begin with it."""


class InvalidRows:
    """Collects rows that could not be imported, in a file that appears when it is whole and only if there are any."""

    def __init__(self, opened: Source) -> None:
        self._opened = opened
        content = opened.content
        path = content.path if content.spool is None else Path(STANDARD_INPUT_NAME)
        # Text keeps its dialect whatever it is called, and is not packed; all else is as the list is.
        suffix = opened.contacts.suffix if isinstance(opened, BatchSource) else ".csv"
        self._final = path.with_name(f"{path.name}.invalid{suffix}")
        self._partial = path.with_name(f".{self._final.name}.partial")
        self._file: HashedFile | None = None
        self._rows: _RowWriter | None = None
        self.count = 0
        self.faults: list[str] = []

    @property
    def path(self) -> Path | None:
        return self._final if self.count else None

    def add(self, record: Record, error: PrefcenterError) -> None:
        """Keep a row and what is wrong with it. The fault names file, line and field, never what the cell holds."""
        fault = f"{_FIELDS.get(type(error), '')}{error}"
        self.count += 1
        if self.count <= FAULTS_TOLD_MAX:
            self.faults.append(f"{self._opened.name}:{record.line}: {fault}")
        rows = self._begun() if self._rows is None else self._rows
        rows.write(record, (str(record.line), fault))

    def _begun(self) -> _RowWriter:
        _remove(self._partial)
        self._partial.mkdir(mode=0o700)
        self._file = HashedFile(self._partial / self._final.name)
        self._rows = _row_writer(self._opened, self._file)
        return self._rows

    def __enter__(self) -> InvalidRows:
        return self

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        try:
            if self._file is not None and self._rows is not None:
                self._end(self._file, self._rows, failed is None)
        finally:
            # So too what a killed run left of the same list, which has been read anew.
            _remove(self._partial)

    def _end(self, file: HashedFile, rows: _RowWriter, is_whole: bool) -> None:
        """Put the file in its place, or let go of it; the library of its format has to close what it holds."""
        if not is_whole:
            file.abandon()
        try:
            rows.finish()
            if is_whole:
                file.finish()
                (self._partial / self._final.name).replace(self._final)
        finally:
            file.abandon()


class _RowWriter(Protocol):
    """Rows on their way to a file, as they stand in their list, each with what is told of it."""

    def write(self, record: Record, told: Sequence[str]) -> None: ...

    def finish(self) -> None: ...


def _row_writer(opened: Source, file: HashedFile) -> _RowWriter:
    if isinstance(opened, BatchSource):
        return _BatchWriter(opened.contacts, file)
    return _TextWriter(cast(OpenList, opened), file)


class _TextWriter:
    """Records of text, with cells added in their dialect and encoding."""

    def __init__(self, opened: OpenList, file: HashedFile) -> None:
        self._encoding, self._dialect, self._file = opened.encoding, opened.dialect, file
        file.write(self._encoding.bom)
        if opened.header is not None:
            self.write(opened.header, ADDED_HEADINGS)

    def write(self, record: Record, told: Sequence[str]) -> None:
        encoding, of_text = self._encoding, cast(RawRecord, record)
        row = encoding.encode(of_text.text) + encoding.encode_added(self._dialect.appended(told))
        self._file.write(row + encoding.encode(of_text.terminator or "\n"))

    def finish(self) -> None:
        """All rows have been handed on."""


class _BatchWriter:
    """Rows of any other format, in a file of that format."""

    def __init__(self, contacts: NumberedList, file: HashedFile) -> None:
        self._sink = contacts.sink(file, [_untaken(heading, contacts.names) for heading in ADDED_HEADINGS])

    def write(self, record: Record, told: Sequence[str]) -> None:
        of_batch = cast(BatchRecord, record)
        self._sink.write(of_batch.batch, [Placed(of_batch.place, tuple(told))])

    def finish(self) -> None:
        self._sink.finish()


def _untaken(heading: str, names: Sequence[str]) -> str:
    """A heading that is not in the list, as ours are in one of invalid rows that were mended and failed again."""
    if heading not in names:
        return heading
    return next(other for number in count(2) if (other := f"{heading}_{number}") not in names)


def _remove(path: Path) -> None:
    """Remove what stands there, a directory or a file."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
