"""Whether anything was written to a MongoDB store, by whatever process: one change stream tells.

Everything that is written changes a ledger's document or that of an API key, so the stream is over these alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from pymongo.errors import PyMongoError

from prefcenter.storage.mongo_client import MongoConnection, Stream

WAIT_MS = 1
"""How long the server waits for a change where none has come: as short as it can be told."""

_PIPELINE: list[dict[str, Any]] = [
    {"$match": {"ns.coll": {"$in": ["ledgers", "api_keys"]}}},
    {"$project": {"_id": 1, "ns": 1}},
]


class ChangeMarker:
    """A number that goes up with the changes that the stream has told of.

    A stream that broke goes on after the last change that it gave. Where the server has forgotten that place, a new one
    begins, and the number goes up, for something may have been missed.
    """

    def __init__(self, connection: MongoConnection) -> None:
        self._connection = connection
        self._number = 0
        self._stream: Stream | None = None
        self._token: Mapping[str, Any] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turn = asyncio.Lock()

    async def now(self) -> int:
        """The number after all changes that were acknowledged before this was asked. Raises the driver's errors."""
        self._forget_other_loop()
        async with self._turn:
            try:
                await self._read_all()
            except PyMongoError:
                await self._drop()
                await self._begin_anew()
                await self._read_all()
            return self._number

    async def close(self) -> None:
        if self._loop is asyncio.get_running_loop():
            await self._drop()

    def _forget_other_loop(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._stream, self._turn = loop, None, asyncio.Lock()

    async def _read_all(self) -> None:
        if self._stream is None:
            self._stream = await self._connection.stream(_PIPELINE, self._token, WAIT_MS)
        while await self._stream.next_change() is not None:
            self._number += 1
            self._token = self._stream.resume_token
        self._token = self._stream.resume_token

    async def _begin_anew(self) -> None:
        """Go on where the last stream stopped, and if that fails from now on."""
        self._number += 1
        try:
            self._stream = await self._connection.stream(_PIPELINE, self._token, WAIT_MS)
            await self._read_all()
        except PyMongoError:
            await self._drop()
            self._token = None

    async def _drop(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            with suppress(PyMongoError):
                await stream.close()
