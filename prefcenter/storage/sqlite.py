"""The embedded store: SQLite in WAL mode, one writer thread that commits in groups, one reader thread."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from prefcenter.domain.digest import Digest, Digests
from prefcenter.domain.errors import PrefcenterError, StoreError, StoreReadOnly
from prefcenter.domain.ledger import Head
from prefcenter.domain.record import Record
from prefcenter.security.keyring import Keyring
from prefcenter.services.ports import (
    Alike,
    AlikeRecords,
    ApiKey,
    AuditReport,
    Change,
    LedgerEvent,
    Receipt,
    RecordColumns,
    RecordPage,
    Send,
    WaitingLetter,
)
from prefcenter.storage.sealers import WHOLE_STORE, SealerByController
from prefcenter.storage.sqlite_acts import Acts
from prefcenter.storage.sqlite_api_keys import api_key, api_keys
from prefcenter.storage.sqlite_letters import has_due_letters
from prefcenter.storage.sqlite_queries import Queries
from prefcenter.storage.sqlite_schema import BUSY_TIMEOUT_S, connect, prepare, store_errors
from prefcenter.storage.sqlite_tables import (
    check_keyring,
    controller_ids,
    unknown_keys,
)
from prefcenter.storage.sqlite_writer import GroupCommitWriter

SCAN_PAGE_RECORDS = 2_000
COLUMNS_PAGE_RECORDS = 20_000
WRITER_CACHE_KIB = 64 << 10
"""What the writer keeps of the file in memory at most: digests fall all over their index, and each page that was put
out of the cache within a transaction is written once more."""

SINGLE_SENDS_MAX = 100
"""More sends than this in one act let single acts go first, as a bulk append does."""

T = TypeVar("T")


class SqliteStore:
    """The `Store` port on one SQLite file. Open it with `open_store`; a read-only store refuses every write."""

    writer_type = GroupCommitWriter
    busy_timeout_s = BUSY_TIMEOUT_S

    def __init__(self, path: Path, keyring: Keyring, *, read_only: bool = False) -> None:
        self._path = path
        self._sealers = SealerByController(keyring)
        self._read_only = read_only
        self._closed = False
        self._writer: GroupCommitWriter | None = None
        self._writer_lock = threading.Lock()
        self._reader = self._open(writable=not read_only)
        self._queries = Queries(self._reader, self._sealers)
        self._reading = ThreadPoolExecutor(max_workers=1, thread_name_prefix="prefcenter-reader")

    def _open(self, *, writable: bool) -> sqlite3.Connection:
        with store_errors():
            connection = connect(self._path, mode="rw" if writable else "ro", busy_timeout_s=self.busy_timeout_s)
            try:
                prepare(connection, writable=writable)
                check_keyring(connection, self._sealers)
            except (sqlite3.Error, PrefcenterError):
                connection.close()
                raise
        return connection

    # Reading

    async def _read(self, query: Callable[[], T]) -> T:
        def run() -> T:
            with store_errors():
                return query()

        if self._closed:
            raise StoreError("the store is closed")
        return await asyncio.get_running_loop().run_in_executor(self._reading, run)

    async def load(self, controller: str, subjects: Sequence[Digest]) -> Sequence[Record]:
        return await self._read(lambda: self._queries.load(controller, subjects))

    async def load_alike(self, controller: str, subjects: Sequence[Digests]) -> Sequence[AlikeRecords]:
        return await self._read(lambda: self._queries.load_alike(controller, subjects))

    async def load_sealed(self, controller: str, subjects: Sequence[Digest]) -> Mapping[Digest, bytes]:
        return await self._read(lambda: self._queries.load_sealed(controller, subjects))

    async def receipt(self, controller: str, name: bytes, since_ms: int) -> Receipt | None:
        return await self._read(lambda: self._queries.receipt(controller, name, since_ms))

    async def sends(
        self, controller: str, purpose: str, subjects: Sequence[Digest], since_ms: int
    ) -> Mapping[Digest, Sequence[int]]:
        return await self._read(lambda: self._queries.sends(controller, purpose, subjects, since_ms))

    async def scan_sends(self, controller: str, purpose: str) -> AsyncIterator[Sequence[Send]]:
        after = None
        while True:
            page, after = await self._read(partial(self._queries.page_of_sends, controller, purpose, after))
            if not page:
                return
            yield page

    async def page(self, controller: str, after: str | None, limit: int) -> RecordPage:
        return await self._read(lambda: self._queries.page(controller, after, limit))

    async def scan(self, controller: str) -> AsyncIterator[Sequence[Record]]:
        after = 0
        while True:
            page, after = await self._read(partial(self._queries.scan_page, controller, after, SCAN_PAGE_RECORDS))
            if not page:
                return
            yield page

    async def scan_columns(self, controller: str) -> AsyncIterator[RecordColumns]:
        after = 0
        while True:
            page, after = await self._read(partial(self._queries.columns_page, controller, after, COLUMNS_PAGE_RECORDS))
            if not page.digests:
                return
            yield page

    async def marker(self) -> int:
        return await self._read(self._queries.marker)

    async def api_key(self, key_id: str) -> ApiKey | None:
        return await self._read(lambda: api_key(self._reader, self._sealers[WHOLE_STORE], key_id))

    async def api_keys(self) -> Sequence[ApiKey]:
        return await self._read(lambda: api_keys(self._reader, self._sealers[WHOLE_STORE]))

    async def since(self, controller: str, positions: Sequence[int], limit: int) -> Sequence[LedgerEvent]:
        return await self._read(lambda: self._queries.since(controller, positions, limit))

    async def history(self, controller: str, subjects: Sequence[Digest]) -> Sequence[LedgerEvent]:
        return await self._read(lambda: self._queries.history(controller, subjects))

    async def heads(self, controller: str) -> tuple[Head, ...]:
        return await self._read(lambda: self._queries.heads(controller))

    async def holds_heads(self, controller: str, heads: Sequence[Head]) -> bool:
        return await self._read(lambda: self._queries.holds_heads(controller, heads))

    async def unknown_keys(self) -> Sequence[int]:
        return await self._read(lambda: unknown_keys(self._reader, self._sealers))

    async def controllers(self) -> Sequence[str]:
        return await self._read(lambda: sorted(controller_ids(self._reader, self._sealers)))

    async def policy_in_force(self, controller: str) -> str | None:
        return await self._read(lambda: self._queries.policy_in_force(controller))

    async def records_per_key(self) -> Mapping[int, int]:
        return await self._read(self._queries.records_per_key)

    async def audit(self, controller: str, expected: Sequence[Sequence[Head]]) -> AuditReport:
        from prefcenter.storage.sqlite_audit import audit_controller

        return await self._read(lambda: audit_controller(self._reader, self._sealers, controller, expected))

    # Writing

    async def append(
        self,
        controller: str,
        changes: Sequence[Change],
        *,
        bulk: bool = False,
        receipt: Receipt | None = None,
        alike: Sequence[Alike] = (),
    ) -> None:
        await self._act(lambda acts: acts.append(controller, changes, receipt, alike), bulk=bulk)

    async def record_sends(
        self,
        controller: str,
        purpose: str,
        sends: Sequence[Send],
        *,
        forget_before_ms: int,
        receipt: Receipt | None = None,
    ) -> int:
        return await self._act(
            lambda acts: acts.record_sends(controller, purpose, sends, forget_before_ms, receipt),
            bulk=len(sends) > SINGLE_SENDS_MAX,
        )

    async def queue_letter(
        self, controller: str, subject: Digest, content: bytes | None, now_ms: int, *, letters_max: int
    ) -> bool:
        return await self._act(lambda acts: acts.queue_letter(controller, subject, content, now_ms, letters_max))

    async def claim_letters(self, now_ms: int, *, until_ms: int, limit: int) -> Sequence[WaitingLetter]:
        if not await self._read(partial(has_due_letters, self._reader, now_ms)):
            return ()
        return await self._act(lambda acts: acts.claim_letters(now_ms, until_ms, limit))

    async def finish_letter(self, letter_id: str) -> None:
        await self._act(lambda acts: acts.change_letter(letter_id, None))

    async def postpone_letter(self, letter_id: str, due_ms: int) -> None:
        await self._act(lambda acts: acts.change_letter(letter_id, due_ms))

    async def put_api_key(self, key: ApiKey) -> None:
        await self._act(lambda acts: acts.put_api_key(key))

    async def adopt_policy(self, controller: str, document: str, *, instead_of: str | None) -> None:
        await self._act(lambda acts: acts.adopt_policy(controller, document, instead_of))

    async def first_import_ms(self, controller: str, fingerprint: bytes, now_ms: int) -> int:
        return await self._act(lambda acts: acts.first_import_ms(controller, fingerprint, now_ms))

    async def durability(self) -> str:
        """The `synchronous` level of the very connection that acknowledges, as SQLite itself reports it."""

        def query(connection: sqlite3.Connection) -> str:
            (level,) = connection.execute("PRAGMA synchronous").fetchone()
            return ("OFF", "NORMAL", "FULL", "EXTRA")[level]

        return await self._write(query)

    async def _act(self, act: Callable[[Acts], T], *, bulk: bool = False) -> T:
        return await self._write(lambda _: act(self._acts), bulk=bulk)

    async def _write(self, work: Callable[[sqlite3.Connection], T], *, bulk: bool = False) -> T:
        if self._read_only:
            raise StoreReadOnly("the store was opened read-only; nothing was acknowledged")
        writer, connection = self._writing()
        result: T = await writer.submit(lambda: work(connection), bulk=bulk)
        return result

    def _writing(self) -> tuple[GroupCommitWriter, sqlite3.Connection]:
        with self._writer_lock:
            if self._closed:
                raise StoreError("the store is closed")
            if self._writer is None:
                self._write_connection = self._open(writable=True)
                self._write_connection.execute(f"PRAGMA cache_size={-WRITER_CACHE_KIB}")
                self._acts = Acts(self._write_connection, self._sealers)
                self._writer = self.writer_type(self._write_connection, self._acts.forget)
            return self._writer, self._write_connection

    async def close(self) -> None:
        with self._writer_lock:
            writer, self._writer, self._closed = self._writer, None, True
        if writer is not None:
            await asyncio.to_thread(writer.close)
        await asyncio.to_thread(self._reading.shutdown)
        self._reader.close()
