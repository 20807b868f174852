"""Decided blocks on their way to the outputs, one after the other, on a thread of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Self

from jobs.lists.contacts import BlockSink
from jobs.scrub.fast.blocks import Part
from jobs.scrub.rows import OutputSinks
from jobs.scrub.tally import Output


class BlockWriter:
    """Writes a block while the next ones are cut and decided. Leaving the context waits for the last one."""

    def __init__(self, sinks: OutputSinks[BlockSink] | None) -> None:
        self._sinks = sinks
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="prefcenter-output")
        self._under_way: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._under_way is not None:
            await asyncio.gather(self._under_way, return_exceptions=True)
        self._pool.shutdown()

    async def put(self, parts: Mapping[Output, Part]) -> None:
        """Begin to write a block as soon as the one before is written. Raises what writing that one raised."""
        await self.written()
        if self._sinks is not None:
            loop = asyncio.get_running_loop()
            self._under_way = loop.run_in_executor(self._pool, _put, self._sinks, parts)

    async def written(self) -> None:
        """Wait until all blocks so far are written. Raises what writing the last one raised."""
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            await under_way


def _put(sinks: OutputSinks[BlockSink], parts: Mapping[Output, Part]) -> None:
    for output, part in parts.items():
        sinks[output].put(part.content)
