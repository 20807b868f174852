"""The fast engine: a list is cut, decided and copied in blocks, on several threads, and no value becomes an object.

A block is the unit of memory: as many are under way as the memory setting has room for, and outputs are written in
the list's order. Whatever this engine does not decide itself it hands back to the reference engine.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import cast

from jobs.lists import ContactList, OpenList
from jobs.lists.contacts import BlockSink, Found
from jobs.lists.ndjson import NdjsonList
from jobs.lists.parquet import ParquetList
from jobs.lists.several import SeveralLists
from jobs.scrub.c_library import keep_freed_memory
from jobs.scrub.deciding import Decider, class_of_column
from jobs.scrub.duplicates import SeenMailboxes
from jobs.scrub.engine import HandedBack, Progress, ProgressReport
from jobs.scrub.fast.answers import Asked
from jobs.scrub.fast.blocks import Blocks, LinkColumn, SeveralBlocks
from jobs.scrub.fast.choice import FEWEST_MIB, MEMORY_MIB
from jobs.scrub.fast.columns import FastColumns
from jobs.scrub.fast.delimited_blocks import ASCII_SUPERSETS, DelimitedBlocks
from jobs.scrub.fast.json_blocks import JsonBlocks
from jobs.scrub.fast.run import AskedCells, Run, Wanted, blocks_under_way
from jobs.scrub.fast.stamping import FastStamps
from jobs.scrub.fast.verdicts import FastDecider, sent_since
from jobs.scrub.fast.writing import BlockWriter
from jobs.scrub.links import LinksOf, email_place
from jobs.scrub.outputs import PartialDirectory
from jobs.scrub.plan import ScrubPlan
from jobs.scrub.result import RowsResult
from jobs.scrub.rows import BeginsOutputs, OutputSinks
from jobs.scrub.snapshot.export import SnapshotKeeper
from jobs.scrub.snapshot.snapshot_file import UnusableSnapshot
from prefcenter.domain.terms import Channel
from prefcenter.security.digests import Digester
from prefcenter.security.seals import Sealer
from prefcenter.services.links import Stamps
from prefcenter.services.ports import Store

ENGINE = "fast"
MIB = 1 << 20
RESIDENT_MIB = 256
"""What interpreter, compiled code and libraries take, before the first block."""

MIB_A_BLOCK_MIB = 14
"""How much memory a block takes at most while it is under way, for each of its own bytes."""

MIB_A_LINKED_BLOCK_MIB = 30
"""The same where rows get links, which are longer than many a row."""

MOST_BLOCK_MIB = 2


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

    @property
    def presumes(self) -> bool:
        """Whether rows can be told alone, so that lists of UTF-8 are cut."""
        return not (self.plan.audience_column or self.plan.business_domains)

    def cuts(self, contacts: ContactList) -> bool:
        """Text in an encoding of which ASCII is a part, or Parquet, if its rows can be told alone.

        Links are added to delimited text only.
        """
        if not self.presumes:
            return False
        if isinstance(contacts, SeveralLists):
            return all(map(self.cuts, contacts.lists))
        if isinstance(contacts, OpenList):
            return contacts.encoding.name in ASCII_SUPERSETS
        return not self.plan.links and isinstance(contacts, NdjsonList | ParquetList)

    async def decide_rows(
        self,
        contacts: ContactList,
        partial: PartialDirectory | None,
        at_ms: int,
        progress: ProgressReport,
        stamps: Stamps | None = None,
    ) -> RowsResult:
        keep_freed_memory()
        begun, sinks = cast(BeginsOutputs[BlockSink], contacts), None
        if partial is not None:
            sinks = OutputSinks(begun, partial, has_links=stamps is not None)
        wanted = Wanted.of(contacts.found)
        links = None if stamps is None else LinkColumn(FastStamps(stamps, self.digester), email_place(self.plan))
        seen = SeenMailboxes(self.decider.policy.country) if self.plan.dedupe else None
        run = Run(wanted, await self._asked_cells(contacts.found, at_ms), sinks, links, seen)
        async with BlockWriter(sinks) as writer:
            async for block in run.decided(self._blocks(contacts).of(wanted.columns), self._threads):
                await writer.put(block.parts)
                progress(Progress(run.tally.read, block.bytes_read, contacts.size))
            await writer.written()
        files = {} if sinks is None else sinks.finish()
        run.tally.require_balance()
        return RowsResult(run.tally, run.valid_until_ms, files)

    def _blocks(self, contacts: ContactList) -> Blocks:
        lists = contacts.lists if isinstance(contacts, SeveralLists) else [contacts]
        begins = accumulate((each.size for each in lists), initial=0)
        return SeveralBlocks(
            [
                self._blocks_of(each, bytes_before, is_followed=each is not lists[-1])
                for each, bytes_before in zip(lists, begins, strict=False)
            ]
        )

    def _blocks_of(self, contacts: ContactList, bytes_before: int, *, is_followed: bool) -> Blocks:
        if isinstance(contacts, ParquetList):
            # Its library takes longer to load than short lists of text to read.
            from jobs.scrub.fast.parquet_blocks import ParquetBlocks

            return ParquetBlocks(contacts, bytes_before)
        text = (self._block_octets, bytes_before, is_followed)
        if isinstance(contacts, NdjsonList):
            return JsonBlocks(contacts, *text)
        return DelimitedBlocks(cast(OpenList, contacts), *text)

    async def _asked_cells(self, found: Found, at_ms: int) -> list[AskedCells]:
        """The columns of addresses, of which those of one channel share a decider."""
        plan, deciders = self.plan, dict[Channel, FastDecider]()
        for channel in dict.fromkeys(choice.channel for choice in plan.choices):
            deciders[channel] = await self._decider_for(Asked(plan.purpose, channel, plan.audience, at_ms))
        return [
            AskedCells(choice.channel, deciders[choice.channel], class_of_column(plan, choice, column))
            for column, choice in zip(found.addresses, plan.choices, strict=True)
        ]

    def columns(self, at_ms: int) -> FastColumns:
        """Answers for lists whose rows come by the libraries of their formats."""
        return FastColumns(self.plan.purpose, at_ms, self._decider_for)

    def links_of(self, stamps: Stamps) -> LinksOf:
        """Links of addresses whose rows come by the libraries of their formats."""
        return FastStamps(stamps, self.digester).of

    async def _decider_for(self, asked: Asked) -> FastDecider:
        """A decider that knows every refusal acknowledged before this was called. Raises HandedBack."""
        keeper = SnapshotKeeper(self.decider.policy.controller, self.store, self.sealer, self.cache)
        try:
            snapshot = await keeper.current()
        except (OSError, UnusableSnapshot):
            # A cache without room, or that is somebody else's, is no reason not to scrub.
            raise HandedBack from None
        return FastDecider(
            asked, self.decider, self.digester, snapshot, await sent_since(self.store, self.decider, asked)
        )

    @property
    def _threads(self) -> int:
        return max(1, min(os.cpu_count() or 1, 8))

    @property
    def _block_octets(self) -> int:
        """So that the blocks under way fit beside all else."""
        room_mib = max(self.memory_mib, FEWEST_MIB) - RESIDENT_MIB
        mib_a_block = MIB_A_LINKED_BLOCK_MIB if self.plan.links else MIB_A_BLOCK_MIB
        mib = room_mib / mib_a_block / blocks_under_way(self._threads)
        return min(int(mib * MIB), self.block_octets_max)
