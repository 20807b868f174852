"""The rows of a list in chunks, each of which is one commit: short, so that single acts go first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

from jobs.imports.sources import Record, Source
from prefcenter.domain.errors import InvalidInput, PrefcenterError
from prefcenter.services.import_batches import RowOutcome

BATCH_ROWS = 1_000

Content = TypeVar("Content")
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Chunk(Generic[Content]):
    """Some rows of a list, in its order.

    `faults` are those of rows that could not be read, by their places; the importer takes the `content` of all others
    and has an outcome for each. `record` gives a row as it stands in the list. `bytes_read`: of the list, so far.
    """

    count: int
    content: Content
    faults: Mapping[int, PrefcenterError]
    record: Callable[[int], Record]
    bytes_read: int

    def all_faults(self, outcomes: Sequence[RowOutcome | PrefcenterError]) -> Mapping[int, PrefcenterError]:
        """What is wrong with rows, by their places, where it showed while they were read and where it did later."""
        readable = (place for place in range(self.count) if place not in self.faults)
        found = zip(readable, outcomes, strict=True)
        return {**self.faults, **{place: fault for place, fault in found if isinstance(fault, PrefcenterError)}}


def record_chunks(
    opened: Source, read_row: Callable[[Record], Item], *, skipped: int = 0
) -> Iterator[Chunk[Sequence[Item]]]:
    """Chunks of a list of any kind, record by record, after some that are skipped."""
    records = islice(opened.records(), skipped, None)
    while batch := list(islice(records, BATCH_ROWS)):
        faults: dict[int, PrefcenterError] = {}
        rows: list[Item] = []
        for place, record in enumerate(batch):
            try:
                rows.append(read_row(record))
            except InvalidInput as error:
                faults[place] = error
        yield Chunk(len(batch), rows, faults, batch.__getitem__, opened.bytes_read)
