"""One reading of a list by the fast engine: its blocks are decided on several threads, and written in their order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from jobs.lists.contacts import BlockSink, Found
from jobs.scrub.duplicates import SeenMailboxes
from jobs.scrub.fast.answers import STATED, Answered, Classes
from jobs.scrub.fast.blocks import Block, Decided, LinkColumn, Part
from jobs.scrub.fast.cells import Cells, Numbers
from jobs.scrub.fast.repeats import Repeats
from jobs.scrub.fast.row_kinds import Kinds, RowKinds
from jobs.scrub.fast.verdicts import FastDecider, Verdicts
from jobs.scrub.rows import OutputSinks
from jobs.scrub.tally import UNSTATED, Output, Tally
from prefcenter.domain.address import read_address_class
from prefcenter.domain.terms import AddressClass, Channel

Number = TypeVar("Number", np.uint8, np.uint16)


def blocks_under_way(threads: int) -> int:
    """One a thread, and two that wait, so that no thread does while another block is cut or written."""
    return threads + 2


@dataclass(frozen=True, slots=True)
class AskedCells:
    """A column of addresses: what decides them, and the class of all of them where that is known."""

    channel: Channel
    decider: FastDecider
    address_class: AddressClass | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """The columns whose cells are wanted, each once, and where the asked ones are among them."""

    columns: tuple[int, ...]
    addresses: tuple[int, ...]
    stated: int | None

    @classmethod
    def of(cls, found: Found) -> Wanted:
        asked = [column.index for column in found.addresses]
        others = [] if found.class_column is None else [found.class_column.index]
        columns = tuple(dict.fromkeys([*asked, *others]))
        stated = columns.index(others[0]) if others else None
        return cls(columns, tuple(columns.index(index) for index in asked), stated)


@dataclass(frozen=True, slots=True)
class _Cells:
    """The cells of one column in the whole rows of a block, and what came of them so far."""

    cells: Cells
    classes: Classes
    verdicts: Verdicts


@dataclass(frozen=True, slots=True)
class DecidedBlock:
    """What came of a block: outcome and class codes by column, the kinds of its rows, and what each output gets."""

    bytes_read: int
    codes: Sequence[Answered]
    classes: Sequence[Classes]
    kinds: Kinds
    parts: Mapping[Output, Part]


@dataclass(frozen=True, slots=True)
class Turn:
    """What is to be done for one block after the other: the context waits for that of the block before to be left."""

    begins: asyncio.Event
    ends: asyncio.Event

    @classmethod
    def first(cls) -> Turn:
        begins = asyncio.Event()
        begins.set()
        return cls(begins, asyncio.Event())

    def next(self) -> Turn:
        return Turn(self.ends, asyncio.Event())

    async def __aenter__(self) -> None:
        await self.begins.wait()

    async def __aexit__(self, *_: object) -> None:
        self.ends.set()


class Run:
    """Decides the blocks of a list, and keeps count."""

    def __init__(
        self,
        wanted: Wanted,
        asked: Sequence[AskedCells],
        sinks: OutputSinks[BlockSink] | None,
        links: LinkColumn | None = None,
        seen: SeenMailboxes | None = None,
    ) -> None:
        self._wanted = wanted
        self._repeats = None if seen is None else Repeats([column.decider for column in asked], seen)
        self._links = links
        self._asked = asked
        self._sinks = sinks
        self._kinds = RowKinds()
        self.tally = Tally()
        self.valid_until_ms = min(column.decider.horizon_ms for column in asked)

    async def decided(self, blocks: Iterator[Block], threads: int) -> AsyncIterator[DecidedBlock]:
        """Decided blocks in the list's order."""
        under_way: deque[asyncio.Task[DecidedBlock]] = deque()
        turn = Turn.first()
        with ThreadPoolExecutor(threads) as pool:
            try:
                for block in blocks:
                    under_way.append(asyncio.create_task(self._decide(pool, block, turn)))
                    turn = turn.next()
                    await asyncio.sleep(0)
                    if len(under_way) >= blocks_under_way(threads):
                        yield self._counted(await under_way.popleft())
                while under_way:
                    yield self._counted(await under_way.popleft())
            finally:
                for task in under_way:
                    task.cancel()
                await asyncio.gather(*under_way, return_exceptions=True)

    async def _decide(self, pool: ThreadPoolExecutor, block: Block, turn: Turn) -> DecidedBlock:
        """Decide a block in one go, unless there are rows that the decider must be asked about, or that may repeat."""
        loop = asyncio.get_running_loop()
        rows, columns, decided = await loop.run_in_executor(pool, self._decided_at_once, block)
        if decided is not None:
            return decided
        settled = list[Answered]()
        for asked, column in zip(self._asked, columns, strict=True):
            codes, valid_until_ms = await asked.decider.settled(column.verdicts, column.cells, column.classes)
            self.valid_until_ms = min(self.valid_until_ms, valid_until_ms)
            settled.append(codes)
        if self._repeats is not None:
            cells = [column.cells for column in columns]
            usable = await loop.run_in_executor(pool, self._repeats.usable, cells, settled)
            async with turn:
                settled = await loop.run_in_executor(pool, self._repeats.marked, usable, settled)
        return await loop.run_in_executor(pool, self._with_parts, block, rows, columns, settled)

    def _decided_at_once(self, block: Block) -> tuple[Numbers, Sequence[_Cells], DecidedBlock | None]:
        rows, columns = self._verdicts(block)
        if self._repeats is not None or any(len(column.verdicts.undecided) for column in columns):
            return rows, columns, None
        return rows, columns, self._with_parts(block, rows, columns, [column.verdicts.codes for column in columns])

    def _with_parts(
        self, block: Block, rows: Numbers, columns: Sequence[_Cells], settled: Sequence[Answered]
    ) -> DecidedBlock:
        codes, classes = [], []
        for asked, column, codes_of_rows in zip(self._asked, columns, settled, strict=True):
            codes.append(_spread(codes_of_rows, rows, len(block), asked.decider.answers.ragged))
            classes.append(_spread(column.classes, rows, len(block), 0))
        kinds, parts = self._parts(block, codes)
        return DecidedBlock(block.bytes_read, codes, classes, kinds, parts)

    def _verdicts(self, block: Block) -> tuple[Numbers, Sequence[_Cells]]:
        rows = block.whole_rows()
        stated = self._stated(block, rows)
        columns = []
        for asked, wanted in zip(self._asked, self._wanted.addresses, strict=True):
            cells, classes = block.cells(wanted, rows), stated
            if asked.address_class is not None:
                classes = np.full(len(rows), STATED.index(asked.address_class), np.uint8)
            columns.append(_Cells(cells, classes, asked.decider.verdicts(cells, classes)))
        return rows, columns

    def _stated(self, block: Block, rows: Numbers) -> Classes:
        """What the class column says of each row."""
        if self._wanted.stated is None:
            return np.zeros(len(rows), np.uint8)
        cells = block.cells(self._wanted.stated, rows)
        first, like = cells.distinct()
        of_each = [STATED.index(read_address_class(cells.text(row))) for row in first.tolist()]
        return np.array(of_each, np.uint8)[like]

    def _parts(self, block: Block, codes: Sequence[Answered]) -> tuple[Kinds, Mapping[Output, Part]]:
        kinds = self._kinds.of(codes, [list(asked.decider.outcomes) for asked in self._asked])
        decided = Decided(kinds, list(self._kinds.rows), self._wanted.addresses, self._links)
        if self._sinks is None:
            return kinds, {output: Part(None, int(decided.are_taken(output).sum())) for output in Output}
        return kinds, {output: block.part(self._sinks[output], output, decided) for output in Output}

    def _counted(self, block: DecidedBlock) -> DecidedBlock:
        for asked, codes, classes in zip(self._asked, block.codes, block.classes, strict=True):
            self._count_cells(asked, codes, classes)
        counts = np.bincount(block.kinds)
        for kind in np.flatnonzero(counts).tolist():
            outcome = self._kinds.rows[kind].outcome
            self.tally.reasons[outcome.output, outcome.reason] += int(counts[kind])
        self.tally.read += len(block.kinds)
        self.tally.written.update({output: part.rows for output, part in block.parts.items()})
        return block

    def _count_cells(self, asked: AskedCells, codes: Answered, classes: Classes) -> None:
        answers, outcomes = asked.decider.answers, asked.decider.outcomes
        counts = np.bincount(codes.astype(np.int64) * len(STATED) + classes)
        for place in np.flatnonzero(counts).tolist():
            code, stated = divmod(place, len(STATED))
            address_class = STATED[stated] if code not in (answers.empty, answers.ragged) else None
            word = UNSTATED if address_class is None else address_class.value
            self.tally.cells[asked.channel, word, outcomes[code].output] += int(counts[place])


def _spread(codes: NDArray[Number], rows: Numbers, size: int, otherwise: int) -> NDArray[Number]:
    """Codes of some rows as codes of all, with another one for the rest."""
    if len(rows) == size:
        return codes
    spread = np.full(size, otherwise, codes.dtype)
    spread[rows] = codes
    return spread
