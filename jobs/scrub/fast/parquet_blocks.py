"""Blocks of a Parquet file: its rows stay in columns from reading to writing, and no value becomes an object."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from jobs.lists import Column
from jobs.lists.parquet import ParquetBatch, ParquetList, ParquetSink, texts_of
from jobs.scrub.fast.blocks import Decided, Part
from jobs.scrub.fast.cells import Cells, Numbers, Octets
from jobs.scrub.tally import Output


@dataclass(frozen=True, slots=True)
class ParquetBlock:
    """Some rows of a file. `columns`: the places of those that are wanted."""

    batch: ParquetBatch
    columns: Sequence[int]
    bytes_read: int

    def __len__(self) -> int:
        return len(self.batch)

    def whole_rows(self) -> Numbers:
        return np.arange(len(self))

    def cells(self, wanted: int, rows: Numbers) -> Cells:
        index = self.columns[wanted]
        values = self.batch.rows.column(index)
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        cells = _cells_of(values)
        if cells is None:
            cells = Cells.of(texts_of(values, self.batch.name, Column(index)))
        return cells if len(rows) == len(cells) else cells.taken(rows)

    def part(self, sink: ParquetSink, output: Output, decided: Decided) -> Part:
        rows = decided.rows
        places = np.flatnonzero(decided.are_taken(output))
        kinds = decided.kinds[places]
        met = np.flatnonzero(np.bincount(kinds)).tolist()
        blanked = [{self.columns[wanted] for wanted in decided.blanked(row)} for row in rows]
        are_blank = {
            index: np.array([index in of_kind for of_kind in blanked], np.bool_)[kinds]
            for index in sorted(set().union(*(blanked[kind] for kind in met)))
        }
        texts = [row.added if row.outcome.output is output else ("",) * sink.columns_added for row in rows]
        added = [
            pa.array([each[column] for each in texts], pa.string()).take(pa.array(kinds))
            for column in range(sink.columns_added)
        ]
        return Part(self.batch.taken(places, are_blank, added), len(places))


@dataclass(frozen=True, slots=True)
class ParquetBlocks:
    """A file in blocks, which are the batches that the reference engine has: what is written depends on them."""

    contacts: ParquetList
    bytes_before: int = 0

    def of(self, columns: Sequence[int]) -> Iterator[ParquetBlock]:
        for batch in self.contacts.batches():
            yield ParquetBlock(batch, columns, self.bytes_before + self.contacts.bytes_read)


def _cells_of(values: pa.Array) -> Cells | None:
    """Texts as cells over the memory that they stand in, nulls as cells of nothing; None for what is no text."""
    if pa.types.is_string(values.type):
        width: type[np.signedinteger] = np.int32
    elif pa.types.is_large_string(values.type):
        width = np.int64
    else:
        return None
    _, ends, octets = values.buffers()
    if not len(values) or ends is None:
        return Cells.of([""] * len(values))
    places = np.frombuffer(ends, width)[values.offset : values.offset + len(values) + 1].astype(np.int64)
    starts, stops = places[:-1], places[1:]
    if values.null_count:
        stops = np.where(values.is_null().to_numpy(zero_copy_only=False), starts, stops)
    return Cells(_octets_of(octets), starts, stops)


def _octets_of(buffer: pa.Buffer | None) -> Octets:
    return np.empty(0, np.uint8) if buffer is None else np.frombuffer(buffer, np.uint8)
