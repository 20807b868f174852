"""The row files of a scrub, in the list's own format: original bytes, and two cells more where a row is not kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

from jobs.lists import OpenList, RawRecord
from jobs.scrub.outputs import HashedFile, PartialDirectory, WrittenFile
from jobs.scrub.tally import Outcome, Output

ADDED_HEADINGS = ("prefcenter_reason", "prefcenter_clause")

DecidedRow = tuple[RawRecord, Outcome]


class RowSink(Protocol):
    """Takes decided rows, in the list's order, and counts what it took."""

    written: Counter[Output]

    def write(self, rows: Sequence[DecidedRow]) -> None:
        """Take more rows."""

    def finish(self) -> Mapping[str, WrittenFile]:
        """The files, by name, once all rows are in them."""


class NoFiles:
    """The sink of a dry run."""

    def __init__(self) -> None:
        self.written: Counter[Output] = Counter()

    def write(self, rows: Sequence[DecidedRow]) -> None:
        self.written.update(outcome.output for _, outcome in rows)

    def finish(self) -> Mapping[str, WrittenFile]:
        return {}


class RowFiles:
    """`kept`, `suppressed` and `rejected`, each beginning as the list does."""

    def __init__(self, contacts: OpenList, partial: PartialDirectory) -> None:
        self.written: Counter[Output] = Counter()
        self._encoding = contacts.encoding
        self._dialect = contacts.dialect
        self._added: dict[Outcome, bytes] = {}
        self._files = {output: partial.create(f"{output}{contacts.path.suffix}") for output in Output}
        for output, file in self._files.items():
            self._begin(output, file, contacts)

    def write(self, rows: Sequence[DecidedRow]) -> None:
        content: dict[Output, list[bytes]] = {output: [] for output in Output}
        for record, outcome in rows:
            content[outcome.output].append(self._row(record, outcome))
        for output, parts in content.items():
            self._files[output].write(b"".join(parts))
            self.written[output] += len(parts)

    def finish(self) -> Mapping[str, WrittenFile]:
        return {file.name: file.finish() for file in self._files.values()}

    def _begin(self, output: Output, file: HashedFile, contacts: OpenList) -> None:
        file.write(self._encoding.bom + self._encoding.encode(contacts.prologue))
        header = contacts.header
        if header is not None:
            added = b"" if output is Output.KEPT else self._added_cells(ADDED_HEADINGS)
            file.write(self._with_added(header, added))

    def _row(self, record: RawRecord, outcome: Outcome) -> bytes:
        """A kept row is its input bytes; any other has its reason and clause before its own line end."""
        if outcome.output is Output.KEPT:
            return self._encoding.encode(record.whole)
        added = self._added.get(outcome)
        if added is None:
            added = self._added[outcome] = self._added_cells((outcome.reason, outcome.clause))
        return self._with_added(record, added)

    def _with_added(self, record: RawRecord, added: bytes) -> bytes:
        return self._encoding.encode(record.text) + added + self._encoding.encode(record.terminator)

    def _added_cells(self, cells: Sequence[str]) -> bytes:
        return self._encoding.encode_added(self._dialect.appended(cells))
