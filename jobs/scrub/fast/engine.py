"""The fast engine for delimited text: the bytes of a list are cut, decided and copied in blocks, on several threads.

A block is the unit of memory: as many are under way as the memory setting has room for, and outputs are written in
the list's order. Whatever this engine does not decide itself it hands back to the reference engine.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jobs.lists import OpenList
from jobs.lists.faults import list_fault
from jobs.lists.records import MAX_RECORD_BYTES
from jobs.scrub.deciding import Decider
from jobs.scrub.engine import HandedBack, Progress, ProgressReport
from jobs.scrub.fast.answers import STATED, Answered, Asked, Classes
from jobs.scrub.fast.cells import Cells, Numbers
from jobs.scrub.fast.choice import FEWEST_MIB, MEMORY_MIB
from jobs.scrub.fast.columns import FastColumns
from jobs.scrub.fast.gathering import Taken, gathered, gathered_each
from jobs.scrub.fast.splitting import Records, split
from jobs.scrub.fast.stamping import FastStamps
from jobs.scrub.fast.verdicts import FastDecider, Verdicts, sent_since
from jobs.scrub.links import LINK_HEADINGS, LinksOf
from jobs.scrub.outputs import HashedFile, PartialDirectory, WrittenFile
from jobs.scrub.plan import ScrubPlan
from jobs.scrub.result import RowsResult
from jobs.scrub.rows import ADDED_HEADINGS
from jobs.scrub.snapshot.export import SnapshotKeeper
from jobs.scrub.tally import UNSTATED, Output, Tally
from prefcenter.domain.address import read_address_class
from prefcenter.security.digests import Digester
from prefcenter.security.seals import Sealer
from prefcenter.services.links import Stamps
from prefcenter.services.ports import Store

ENGINE = "fast"
ASCII_SUPERSETS = frozenset(
    {
        "utf-8", "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "iso8859_2", "koi8_r",
        "mac_roman",
    }
)  # fmt: skip
"""Encodings in which every byte below 128 is that character, wherever it stands."""

MIB = 1 << 20
RESIDENT_MIB = 256
"""What interpreter, compiled code and libraries take, before the first block."""

MIB_A_BLOCK_MIB = 9
"""How much memory a block takes at most while it is under way, for each of its own bytes."""

MIB_A_LINKED_BLOCK_MIB = 30
"""The same where rows get links, which are longer than many a row."""

MOST_BLOCK_MIB = 4
ADDRESS, CLASS = 0, 1


@dataclass(frozen=True)
class FastEngine:
    """A row engine over a store's snapshot. `cache` is where snapshots are kept."""

    plan: ScrubPlan
    decider: Decider
    digester: Digester
    store: Store
    sealer: Sealer
    cache: Path | None = None
    memory_mib: int = MEMORY_MIB
    block_octets_max: int = MOST_BLOCK_MIB * MIB
    name: str = ENGINE

    async def decide_rows(
        self,
        contacts: OpenList,
        partial: PartialDirectory | None,
        at_ms: int,
        progress: ProgressReport,
        stamps: Stamps | None = None,
    ) -> RowsResult:
        if contacts.encoding.name not in ASCII_SUPERSETS:
            raise HandedBack
        decider = await self.decider_at(at_ms)
        links = None if stamps is None else FastStamps(stamps, self.digester)
        files = _Files(contacts, partial, () if links is None else LINK_HEADINGS)
        run = _Run(contacts, decider, self.plan, files, links)
        async for block in run.decided(self._block_octets, self._threads):
            files.write(block)
            progress(Progress(run.tally.read, run.octets_read, contacts.size))
        result = RowsResult(run.tally, run.valid_until_ms, files.finish())
        run.tally.require_balance()
        return result

    async def decider_at(self, at_ms: int) -> FastDecider:
        """A decider that knows every refusal acknowledged before this was called."""
        return await self._decider_for(Asked(self.plan.purpose, self.plan.channel, self.plan.audience, at_ms))

    def columns(self, at_ms: int) -> FastColumns:
        """Answers for lists whose rows come by the libraries of their formats."""
        return FastColumns(self.plan.purpose, at_ms, self._decider_for)

    def links_of(self, stamps: Stamps) -> LinksOf:
        """Links of addresses whose rows come by the libraries of their formats."""
        return FastStamps(stamps, self.digester).of

    async def _decider_for(self, asked: Asked) -> FastDecider:
        keeper = SnapshotKeeper(self.decider.policy.controller, self.store, self.sealer, self.cache)
        snapshot = await keeper.current()
        return FastDecider(
            asked, self.decider, self.digester, snapshot, await sent_since(self.store, self.decider, asked)
        )

    @property
    def _threads(self) -> int:
        return max(1, min(os.cpu_count() or 1, 8))

    @property
    def _block_octets(self) -> int:
        """So that the blocks under way, one a thread and one besides, fit beside all else."""
        room_mib = max(self.memory_mib, FEWEST_MIB) - RESIDENT_MIB
        mib_a_block = MIB_A_LINKED_BLOCK_MIB if self.plan.links else MIB_A_BLOCK_MIB
        mib = room_mib / mib_a_block / (self._threads + 1)
        return min(int(mib * MIB), self.block_octets_max)


@dataclass(frozen=True, slots=True)
class _Block:
    """A block of records and what came of it: outcome and class codes, and the bytes for each output."""

    octets_read: int
    codes: Answered
    classes: Classes
    contents: Mapping[Output, bytes]
    written: Mapping[Output, int]


class _Files:
    """The three row files, or none in a dry run; `of_kept` are the headings of what kept rows get."""

    def __init__(self, contacts: OpenList, partial: PartialDirectory | None, of_kept: Sequence[str] = ()) -> None:
        self._files: dict[Output, HashedFile] = {}
        if partial is None:
            return
        self._files = {output: partial.create(f"{output}{contacts.suffix}") for output in Output}
        for output, file in self._files.items():
            contacts.sink(file, of_kept if output is Output.KEPT else ADDED_HEADINGS)

    @property
    def is_needed(self) -> bool:
        return bool(self._files)

    def write(self, block: _Block) -> None:
        for output, file in self._files.items():
            file.write(block.contents[output])

    def finish(self) -> Mapping[str, WrittenFile]:
        return {file.name: file.finish() for file in self._files.values()}


class _Run:
    """One reading of a list."""

    def __init__(
        self, contacts: OpenList, decider: FastDecider, plan: ScrubPlan, files: _Files, links: FastStamps | None
    ) -> None:
        self._contacts = contacts
        self._decider = decider
        self._plan = plan
        self._files = files
        self._links = links
        self.tally = Tally()
        self.valid_until_ms = decider.horizon_ms
        self.octets_read = 0
        column = contacts.class_column
        self._columns = (contacts.address_column.index, *(() if column is None else (column.index,)))

    async def decided(self, block_octets: int, threads: int) -> AsyncIterator[_Block]:
        """Decided blocks in the list's order."""
        under_way: deque[asyncio.Task[_Block]] = deque()
        with ThreadPoolExecutor(threads) as pool:
            try:
                for records, octets_read in self._records(block_octets):
                    under_way.append(asyncio.create_task(self._decide(pool, records, octets_read)))
                    await asyncio.sleep(0)
                    if len(under_way) > threads:
                        yield self._counted(await under_way.popleft())
                while under_way:
                    yield self._counted(await under_way.popleft())
            finally:
                for task in under_way:
                    task.cancel()
                await asyncio.gather(*under_way, return_exceptions=True)

    def _counted(self, block: _Block) -> _Block:
        tally, outcomes = self.tally, self._decider.outcomes
        counts = np.bincount(block.codes.astype(np.int64) * len(STATED) + block.classes)
        for place in np.flatnonzero(counts).tolist():
            code, stated = divmod(place, len(STATED))
            outcome, count, address_class = outcomes[code], int(counts[place]), STATED[stated]
            is_asked = code not in (self._decider.answers.empty, self._decider.answers.ragged)
            word = address_class.value if address_class and is_asked else UNSTATED
            tally.read += count
            tally.reasons[outcome.output, outcome.reason] += count
            tally.cells[self._plan.channel, word, outcome.output] += count
        tally.written.update(block.written)
        self.octets_read += block.octets_read
        return block

    async def _decide(self, pool: ThreadPoolExecutor, records: Records, octets_read: int) -> _Block:
        loop = asyncio.get_running_loop()
        whole = np.flatnonzero(records.widths == self._contacts.width)
        cells, classes, verdicts = await loop.run_in_executor(pool, self._verdicts, records, whole)
        decided, valid_until_ms = await self._decider.settled(verdicts, cells, classes)
        self.valid_until_ms = min(self.valid_until_ms, valid_until_ms)
        codes = np.full(len(records), self._decider.answers.ragged, np.uint16)
        codes[whole] = decided
        all_classes = np.zeros(len(records), np.uint8)
        all_classes[whole] = classes
        contents, written = await loop.run_in_executor(pool, self._contents, records, codes)
        return _Block(octets_read, codes, all_classes, contents, written)

    def _verdicts(self, records: Records, whole: Numbers) -> tuple[Cells, Classes, Verdicts]:
        decode = _decoder(self._contacts)
        cells = records.cells(ADDRESS, whole, decode)
        classes = np.zeros(len(whole), np.uint8)
        if len(self._columns) > 1:
            stated = records.cells(CLASS, whole, decode)
            first, like = stated.distinct()
            of_each = [STATED.index(read_address_class(stated.text(row))) for row in first.tolist()]
            classes = np.array(of_each, np.uint8)[like]
        return cells, classes, self._decider.verdicts(cells, classes)

    def _contents(self, records: Records, codes: Answered) -> tuple[Mapping[Output, bytes], Mapping[Output, int]]:
        outcomes = list(self._decider.outcomes)
        encode, appended = self._contacts.encoding.encode_added, self._contacts.dialect.appended
        added = [
            b"" if outcome.output is Output.KEPT else encode(appended((outcome.reason, outcome.clause)))
            for outcome in outcomes
        ]
        contents, written = dict[Output, bytes](), Counter[Output]()
        counts = np.bincount(codes, minlength=len(outcomes))
        for output in Output:
            is_taken = [outcome.output is output for outcome in outcomes]
            written[output] = int(counts[np.flatnonzero(is_taken)].sum())
            if self._files.is_needed and output is Output.KEPT and self._links is not None:
                contents[output] = self._with_links(self._links, records, np.array(is_taken)[codes])
            elif self._files.is_needed:
                contents[output] = gathered(records, codes, is_taken, added)
        return contents, written

    def _with_links(self, links: FastStamps, records: Records, is_taken: Taken) -> bytes:
        kept = records.cells(ADDRESS, np.flatnonzero(is_taken), _decoder(self._contacts))
        return gathered_each(records, is_taken, links.appended(kept, self._contacts))

    def _records(self, block_octets: int) -> Iterator[tuple[Records, int]]:
        """The list in blocks of whole records. Raises HandedBack for a record that the lists' reader refuses."""
        contacts, before = self._contacts, self._octets_before_rows()
        digest = hashlib.sha256()
        with contacts.path.open("rb", buffering=0) as file:
            digest.update(_exactly(file.read, before))
            rest = b""
            while True:
                chunk = _exactly(file.read, block_octets)
                digest.update(chunk)
                octets, is_last = np.frombuffer(rest + chunk, np.uint8), len(chunk) < block_octets
                records = split(octets, contacts.dialect.delimiter, self._columns, is_last=is_last)
                _require_readable(records)
                if len(records):
                    yield records, records.used + before
                    before = 0
                rest = octets[records.used :].tobytes()
                if is_last:
                    break
        if digest.hexdigest() != contacts.sha256:
            raise list_fault(contacts.name, 1, "list", "changed while it was being read")

    def _octets_before_rows(self) -> int:
        contacts, encode = self._contacts, self._contacts.encoding.encode
        header = b"" if contacts.header is None else encode(contacts.header.whole)
        return len(contacts.encoding.bom) + len(encode(contacts.prologue)) + len(header)


def _require_readable(records: Records) -> None:
    starts = np.concatenate([np.zeros(1, np.int64), records.ends[:-1]]) if len(records) else records.ends
    longest = (records.text_ends - starts).max(initial=len(records.octets) - records.used)
    if records.is_left_open or longest > MAX_RECORD_BYTES:
        raise HandedBack


def _decoder(contacts: OpenList) -> Callable[[bytes], str]:
    encoding = contacts.encoding
    return lambda cell: cell.decode(encoding.name, encoding.errors)


def _exactly(read: Callable[[int], bytes], size: int) -> bytes:
    """That many bytes, fewer only at the end of the file."""
    parts = []
    while size and (part := read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
