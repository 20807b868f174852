"""Transactions that are tried again while it helps, and acknowledged only when a majority has them on disk."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from pymongo.errors import ConnectionFailure, PyMongoError

from prefcenter.domain.errors import StoreError
from prefcenter.storage.mongo_client import MongoConnection, Session, SessionId, session_id
from prefcenter.storage.mongo_errors import DUPLICATE_KEY, as_store_error, error_code

PATIENCE_S = 14.0
"""How long an act is tried again over and over before its caller is told that the store is busy: longer than most
elections take, and short enough to tell a caller who waits for 20 seconds."""

PAUSE_MS_MAX = 50
DUPLICATES_MAX = 5
"""A document that another transaction made meanwhile is seen by the next attempt; if not so, it is damage."""

_UNKNOWN = "it is not known whether the act was kept; nothing was acknowledged, and the act may be sent again"

T = TypeVar("T")


class Transactions:
    """Runs work in transactions of one connection."""

    def __init__(self, connection: MongoConnection, patience_s: float) -> None:
        self._connection = connection
        self._patience_s = patience_s
        self._left: list[SessionId] = []

    async def run(self, work: Callable[[Session], Awaitable[T]]) -> T:
        """The outcome of the work once it is committed. Raises StoreError, and then nothing is acknowledged.

        An error of ours takes the transaction back. The work may run several times, so it changes nothing but the
        database.
        """
        deadline = asyncio.get_running_loop().time() + self._patience_s
        attempt = duplicates = 0
        while True:
            attempt += 1
            try:
                return await self._attempt(work, deadline)
            except PyMongoError as error:
                is_duplicate = error_code(error) == DUPLICATE_KEY
                duplicates += is_duplicate
                may_help = error.has_error_label("TransientTransactionError") or is_duplicate
                if not may_help or duplicates > DUPLICATES_MAX or self._is_over(deadline):
                    raise as_store_error(error) from None
            await asyncio.sleep(secrets.randbelow(min(PAUSE_MS_MAX, 2**attempt)) / 1_000)

    async def _attempt(self, work: Callable[[Session], Awaitable[T]], deadline: float) -> T:
        await self._end_what_was_left()
        async with self._connection.transaction() as session:
            try:
                outcome = await work(session)
            except BaseException as error:
                self._note_if_left(session, error)
                with suppress(PyMongoError):
                    await session.abort_transaction()
                raise
            await self._commit(session, deadline)
            return outcome

    async def _commit(self, session: Session, deadline: float) -> None:
        """Commit, and ask again as long as the outcome is not known: a commit that is repeated is done once."""
        while True:
            try:
                await session.commit_transaction()
                return
            except PyMongoError as error:
                if not error.has_error_label("UnknownTransactionCommitResult"):
                    raise
                if self._is_over(deadline):
                    self._note_if_left(session, error)
                    raise StoreError(_UNKNOWN) from None
            await asyncio.sleep(PAUSE_MS_MAX / 1_000)

    def _note_if_left(self, session: Session, error: BaseException) -> None:
        """A server that could not be told how a transaction ends may hold it and what it changed for a minute."""
        if isinstance(error, ConnectionFailure):
            self._left.append(session_id(session))

    async def _end_what_was_left(self) -> None:
        """End such transactions, so that their documents keep nobody waiting; one that was committed stays so."""
        left, self._left = self._left, []
        if left:
            try:
                await self._connection.end_sessions(left)
            except ConnectionFailure:
                self._left += left
            except PyMongoError:
                return  # a user who may not end them waits for the server to do so

    def _is_over(self, deadline: float) -> bool:
        return asyncio.get_running_loop().time() >= deadline
