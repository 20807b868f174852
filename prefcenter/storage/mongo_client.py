"""The one file that imports motor: a database, sessions and a change stream, as the rest of the store uses them.

Of collections only calls are used that pymongo's AsyncMongoClient has under the same names; where the two differ
(sessions, change streams, closing), the difference is in here (docs/decisions/0016).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient as Client
from motor.motor_asyncio import AsyncIOMotorClientSession as Session
from motor.motor_asyncio import AsyncIOMotorCursor as Cursor
from motor.motor_asyncio import AsyncIOMotorDatabase as Database
from pymongo import ReadPreference, WriteConcern
from pymongo.read_concern import ReadConcern

from prefcenter.storage.mongo_url import COMMIT_WAIT_MS, MongoUrl

__all__ = ["Database", "MongoConnection", "Session", "SessionId", "Stream", "all_of", "session_id"]

REPLY_DOCUMENTS_MAX = 1_000_000
"""More than a message of 16 MB holds. Where nothing is said, a first reply ends after 101 documents."""

Document = dict[str, Any]
SessionId = Mapping[str, Any]


async def all_of(cursor: Cursor[Document]) -> list[Document]:
    """Everything that a query finds: one reply, unless it is larger than a message can be."""
    found: list[Document] = await cursor.batch_size(REPLY_DOCUMENTS_MAX).to_list(None)
    return found


def session_id(session: Session) -> SessionId:
    """What the server knows a session by."""
    its_id: Any = session.session_id
    return dict(its_id)


class Stream:
    """A change stream that is asked for what has come, and never waited for."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def next_change(self) -> Mapping[str, Any] | None:
        """The next change, or None where there is none yet."""
        change: Mapping[str, Any] | None = await self._stream.try_next()
        return change

    @property
    def resume_token(self) -> Mapping[str, Any] | None:
        """Where another stream goes on after what this one gave."""
        token: Mapping[str, Any] | None = self._stream.resume_token
        return token

    async def close(self) -> None:
        await self._stream.close()


class MongoConnection:
    """A pool of connections. It belongs to the event loop that it is used in; another loop gets another pool."""

    def __init__(self, url: MongoUrl, **options: Any) -> None:
        self._url = url
        self._options = {**url.options, **options}
        self._client: Client[Document] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def database(self) -> Database[Document]:
        return self._of_this_loop().get_database(self._url.database, read_preference=ReadPreference.PRIMARY)

    def _of_this_loop(self) -> Client[Document]:
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            self.close()
            self._client, self._loop = Client(self._url.url, io_loop=loop, **self._options), loop
        return self._client

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        """A session in which a transaction was begun; one that is not ended on the way out is taken back."""
        async with await self._of_this_loop().start_session() as session:
            session.start_transaction(
                read_concern=ReadConcern("snapshot"),
                write_concern=WriteConcern("majority", COMMIT_WAIT_MS, j=True),
                read_preference=ReadPreference.PRIMARY,
            )
            yield session

    async def end_sessions(self, ids: Sequence[SessionId]) -> None:
        """Make the server end sessions, and take back the transactions that it still holds open for them."""
        await self._of_this_loop().admin.command("killSessions", list(ids))

    async def stream(
        self, pipeline: Sequence[Document], resume_after: Mapping[str, Any] | None, wait_ms: int
    ) -> Stream:
        """A change stream over the database, from now on or from where a token says."""
        database = self.database.with_options(read_concern=ReadConcern("majority"))  # streams take no other
        return Stream(database.watch(pipeline, resume_after=resume_after, max_await_time_ms=wait_ms))

    def close(self) -> None:
        """Let go of all connections."""
        if self._client is not None:
            self._client.close()
            self._client = self._loop = None
