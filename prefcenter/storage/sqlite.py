"""The embedded store: SQLite in WAL mode, one writer thread that commits in groups, one reader thread."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from prefcenter.domain.digest import Digest, DigestKind
from prefcenter.domain.errors import PrefcenterError, StoreDamaged, StoreError, StoreReadOnly, VersionConflict
from prefcenter.domain.ledger import PARTITIONS, Head, partition_of
from prefcenter.domain.record import Record
from prefcenter.security.keyring import Keyring
from prefcenter.security.seals import SALT_BYTES
from prefcenter.services.ports import AuditReport, Change, LedgerEvent
from prefcenter.storage.chain import EventRow, link
from prefcenter.storage.mapping import decode_event, decode_record, encode_event, encode_record
from prefcenter.storage.sqlite_ledger import (
    SUBJECTS_PER_QUERY,
    UPSERT_RECORD,
    drop_bodies,
    last_head,
    row_partition,
    subject_columns,
    unmoved_row_ids,
)
from prefcenter.storage.sqlite_schema import BUSY_TIMEOUT_S, connect, prepare, store_errors
from prefcenter.storage.sqlite_tables import (
    SealerByController,
    add_controller,
    add_term,
    check_controllers,
    check_keyring,
    controller_ids,
    first_import_ms,
    load_policy,
    load_terms,
    note_key,
    put_policy,
    unknown_keys,
)
from prefcenter.storage.sqlite_writer import GroupCommitWriter

SCAN_PAGE_RECORDS = 5_000

T = TypeVar("T")
_UNREADABLE = (ValueError, KeyError, IndexError, TypeError, RecursionError)
_RECORD_COLUMNS = "kind, key, rules, digest, version, state"


class SqliteStore:
    """The `Store` port on one SQLite file. Open it with `open_store`; a read-only store refuses every write."""

    writer_type = GroupCommitWriter
    busy_timeout_s = BUSY_TIMEOUT_S

    def __init__(self, path: Path, keyring: Keyring, *, read_only: bool = False) -> None:
        self._path = path
        self._sealers = SealerByController(keyring)
        self._read_only = read_only
        self._closed = False
        self._read_ids: dict[str, int] = {}
        self._read_terms: dict[str, dict[int, str]] = {}
        self._write_terms: dict[str, dict[str, int]] = {}
        self._write_heads: dict[int, Head] = {}
        self._write_ids: dict[str, int] | None = None
        self._has_noted_key = False
        self._last_row_id: int | None = None
        self._writer: GroupCommitWriter | None = None
        self._writer_lock = threading.Lock()
        self._reader = self._open(writable=not read_only)
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

    async def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        def run() -> T:
            with store_errors():
                return query(self._reader)

        if self._closed:
            raise StoreError("the store is closed")
        return await asyncio.get_running_loop().run_in_executor(self._reading, run)

    async def load(self, controller: str, subjects: Sequence[Digest]) -> Sequence[Record]:
        return await self._read(lambda connection: self._load(connection, controller, subjects))

    def _load(self, connection: sqlite3.Connection, controller: str, subjects: Sequence[Digest]) -> list[Record]:
        controller_id = self._id_of(connection, controller)
        values = list({subject.value for subject in subjects})
        records = []
        for start in range(0, len(values), SUBJECTS_PER_QUERY):
            chunk = values[start : start + SUBJECTS_PER_QUERY]
            marks = ",".join("?" * len(chunk))
            query = f"SELECT {_RECORD_COLUMNS} FROM records WHERE controller = ? AND digest IN ({marks})"  # noqa: S608 - marks only
            rows = connection.execute(query, (controller_id, *chunk))
            records += [self._record(connection, controller, row) for row in rows]
        return records

    def _id_of(self, connection: sqlite3.Connection, controller: str) -> int | None:
        """The number of a controller, which never changes once it is given; None for one that has nothing here."""
        if controller not in self._read_ids:
            self._read_ids = controller_ids(connection, self._sealers)
        if controller not in self._read_ids:
            check_controllers(connection, self._sealers)
        return self._read_ids.get(controller)

    def _record(self, connection: sqlite3.Connection, controller: str, row: Sequence[Any]) -> Record:
        kind, key, rules, value, version, state, *_ = row
        try:
            subject = Digest(DigestKind(kind), key, rules, value)
            return self._with_terms(
                connection, controller, lambda text: decode_record(subject, version, state, text.__getitem__)
            )
        except _UNREADABLE:
            raise StoreDamaged("table records: a record cannot be read; run `prefcenter audit verify`") from None

    def _with_terms(self, connection: sqlite3.Connection, controller: str, use: Callable[[Mapping[int, str]], T]) -> T:
        """Use the interned texts as last read, and read them anew where a number is missing."""
        try:
            return use(self._read_terms.get(controller, {}))
        except KeyError:
            controller_id = self._id_of(connection, controller) or 0
            terms = load_terms(connection, self._sealers[controller], controller_id)
            self._read_terms[controller] = terms
            return use(terms)

    async def scan(self, controller: str) -> AsyncIterator[Sequence[Record]]:
        after = 0
        while True:
            page, after = await self._read(partial(self._page, controller, after))
            if not page:
                return
            yield page

    def _page(self, controller: str, after: int, connection: sqlite3.Connection) -> tuple[list[Record], int]:
        controller_id = self._id_of(connection, controller)
        query = f"SELECT {_RECORD_COLUMNS}, id FROM records WHERE controller = ? AND id > ? ORDER BY id LIMIT ?"  # noqa: S608
        rows = connection.execute(query, (controller_id, after, SCAN_PAGE_RECORDS)).fetchall()
        return [self._record(connection, controller, row) for row in rows], rows[-1][-1] if rows else after

    async def since(self, controller: str, positions: Sequence[int], limit: int) -> Sequence[LedgerEvent]:
        return await self._read(lambda connection: self._since(connection, controller, positions, limit))

    def _since(
        self, connection: sqlite3.Connection, controller: str, positions: Sequence[int], limit: int
    ) -> list[LedgerEvent]:
        controller_id = self._id_of(connection, controller)
        feed: list[LedgerEvent] = []
        if controller_id is None:
            return feed
        query = (
            "SELECT e.position, r.kind, r.key, r.rules, r.digest, e.version, e.salt, e.body"
            " FROM events e JOIN records r ON r.id = e.subject"
            " WHERE e.partition = ? AND e.position > ? ORDER BY e.position LIMIT ?"
        )
        for partition, position in enumerate(positions):
            arguments = (row_partition(controller_id, partition), position, limit - len(feed))
            rows = connection.execute(query, arguments).fetchall()
            feed += [self._ledger_event(connection, controller, partition, row) for row in rows]
        return feed

    def _ledger_event(
        self, connection: sqlite3.Connection, controller: str, partition: int, row: Sequence[Any]
    ) -> LedgerEvent:
        position, kind, key, rules, value, version, salt, body = row
        event = None
        try:
            subject = Digest(DigestKind(kind), key, rules, value)
            if salt is not None:
                event = self._with_terms(connection, controller, lambda text: decode_event(body, text.__getitem__))
        except _UNREADABLE:
            raise StoreDamaged("table events: an event cannot be read; run `prefcenter audit verify`") from None
        return LedgerEvent(partition, position, subject, version, event)

    async def heads(self, controller: str) -> tuple[Head, ...]:
        return await self._read(lambda connection: self._heads(connection, controller))

    def _heads(self, connection: sqlite3.Connection, controller: str) -> tuple[Head, ...]:
        controller_id = self._id_of(connection, controller)
        if controller_id is None:
            return (Head(),) * PARTITIONS
        return tuple(last_head(connection, row_partition(controller_id, number)) for number in range(PARTITIONS))

    async def holds_heads(self, controller: str, heads: Sequence[Head]) -> bool:
        return await self._read(lambda connection: self._holds_heads(connection, controller, heads))

    def _holds_heads(self, connection: sqlite3.Connection, controller: str, heads: Sequence[Head]) -> bool:
        controller_id = self._id_of(connection, controller) or 0
        query = "SELECT mac FROM events WHERE partition = ? AND position = ?"
        macs = (
            connection.execute(query, (row_partition(controller_id, number), head.position)).fetchone()
            for number, head in enumerate(heads)
            if head.position
        )
        signed = [(head.mac,) for head in heads if head.position]
        return list(macs) == signed

    async def unknown_keys(self) -> Sequence[int]:
        return await self._read(lambda connection: unknown_keys(connection, self._sealers))

    async def controllers(self) -> Sequence[str]:
        return await self._read(lambda connection: sorted(controller_ids(connection, self._sealers)))

    async def policy_in_force(self, controller: str) -> str | None:
        def query(connection: sqlite3.Connection) -> str | None:
            controller_id = self._id_of(connection, controller)
            return None if controller_id is None else load_policy(connection, self._sealers[controller], controller_id)

        return await self._read(query)

    async def records_per_key(self) -> Mapping[int, int]:
        query = "SELECT key, count(*) FROM records GROUP BY key ORDER BY key"
        return await self._read(lambda connection: dict(connection.execute(query).fetchall()))

    async def audit(self, controller: str, expected: Sequence[Sequence[Head]]) -> AuditReport:
        from prefcenter.storage.sqlite_audit import audit_controller

        return await self._read(lambda connection: audit_controller(connection, self._sealers, controller, expected))

    # Writing

    async def append(self, controller: str, changes: Sequence[Change], *, bulk: bool = False) -> None:
        await self._write(lambda connection: self._append(connection, controller, changes), bulk=bulk)

    async def adopt_policy(self, controller: str, document: str, *, instead_of: str | None) -> None:
        await self._write(lambda connection: self._adopt(connection, controller, document, instead_of))

    async def first_import_ms(self, controller: str, fingerprint: bytes, now_ms: int) -> int:
        def write(connection: sqlite3.Connection) -> int:
            controller_id = self._controller_id(connection, controller)
            return first_import_ms(connection, self._sealers[controller], controller_id, fingerprint, now_ms)

        return await self._write(write)

    async def durability(self) -> str:
        """The `synchronous` level of the very connection that acknowledges, as SQLite itself reports it."""

        def query(connection: sqlite3.Connection) -> str:
            (level,) = connection.execute("PRAGMA synchronous").fetchone()
            return ("OFF", "NORMAL", "FULL", "EXTRA")[level]

        return await self._write(query)

    async def _write(self, work: Callable[[sqlite3.Connection], T], *, bulk: bool = False) -> T:
        if self._read_only:
            raise StoreReadOnly("the store was opened read-only; nothing was acknowledged")
        writer, connection = self._writing()
        return await asyncio.wrap_future(writer.submit(lambda: work(connection), bulk=bulk))

    def _writing(self) -> tuple[GroupCommitWriter, sqlite3.Connection]:
        with self._writer_lock:
            if self._closed:
                raise StoreError("the store is closed")
            if self._writer is None:
                self._write_connection = self._open(writable=True)
                self._writer = self.writer_type(self._write_connection, self._forget)
            return self._writer, self._write_connection

    def _forget(self) -> None:
        """Drop what the writer remembers: another process wrote, or a transaction was rolled back."""
        self._write_terms.clear()
        self._write_heads.clear()
        self._write_ids = None
        self._has_noted_key = False
        self._last_row_id = None

    def _known_ids(self, connection: sqlite3.Connection) -> dict[str, int]:
        if self._write_ids is None:
            check_controllers(connection, self._sealers)
            self._write_ids = controller_ids(connection, self._sealers)
        return self._write_ids

    def _controller_id(self, connection: sqlite3.Connection, controller: str) -> int:
        """The number of a controller, a new one where it has none; so it comes after every check."""
        known = self._known_ids(connection)
        if controller not in known:
            known[controller] = add_controller(connection, self._sealers, controller)
        if not self._has_noted_key:
            note_key(connection, self._sealers)
            self._has_noted_key = True
        return known[controller]

    def _adopt(self, connection: sqlite3.Connection, controller: str, document: str, instead_of: str | None) -> None:
        known = self._known_ids(connection).get(controller)
        sealer = self._sealers[controller]
        if (None if known is None else load_policy(connection, sealer, known)) != instead_of:
            raise VersionConflict("another policy came into force meanwhile")
        put_policy(connection, sealer, self._controller_id(connection, controller), document)

    def _append(self, connection: sqlite3.Connection, controller: str, changes: Sequence[Change]) -> None:
        row_ids = unmoved_row_ids(connection, self._known_ids(connection).get(controller), changes)
        controller_id = self._controller_id(connection, controller)
        intern = self._interner(connection, controller, controller_id)
        records, events, erased = [], [], []
        for change in changes:
            subject = change.after.subject
            row_id = row_ids.get(subject.value)
            if row_id is None:
                row_id = self._next_row_id(connection)
            state = encode_record(change.after, intern)
            records.append((row_id, controller_id, *subject_columns(subject), change.after.version, state))
            for version, event in enumerate(change.events, change.before.version + 1):
                body = encode_event(event, intern)
                events.append(
                    self._event_columns(connection, controller, controller_id, row_id, subject, version, body)
                )
            if change.erases_up_to:
                erased.append((row_id, change.erases_up_to))
        connection.executemany(UPSERT_RECORD, records)
        connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", events)
        for row_id, version in erased:
            drop_bodies(connection, row_id, version)

    def _next_row_id(self, connection: sqlite3.Connection) -> int:
        if self._last_row_id is None:
            (self._last_row_id,) = connection.execute("SELECT coalesce(max(id), 0) FROM records").fetchone()
        self._last_row_id += 1
        return self._last_row_id

    def _interner(self, connection: sqlite3.Connection, controller: str, controller_id: int) -> Callable[[str], int]:
        sealer = self._sealers[controller]
        if controller not in self._write_terms:
            stored = load_terms(connection, sealer, controller_id)
            self._write_terms[controller] = {text: term_id for term_id, text in stored.items()}
        terms = self._write_terms[controller]

        def intern(text: str) -> int:
            if text not in terms:
                terms[text] = add_term(connection, sealer, controller_id, text, taken=terms.values())
            return terms[text]

        return intern

    def _event_columns(
        self,
        connection: sqlite3.Connection,
        controller: str,
        controller_id: int,
        row_id: int,
        subject: Digest,
        version: int,
        body: bytes,
    ) -> tuple[Any, ...]:
        number = partition_of(subject.value)
        partition = row_partition(controller_id, number)
        head = self._write_heads.get(partition) or last_head(connection, partition)
        sealer = self._sealers[controller]
        key, salt = sealer.active_key_id, os.urandom(SALT_BYTES)
        row = EventRow(head.position + 1, subject, version, key, salt, body, b"")
        mac = link(sealer, key, number, row, head.mac)
        self._write_heads[partition] = Head(row.position, mac)
        return partition, row.position, row_id, version, key, salt, mac, body

    async def close(self) -> None:
        with self._writer_lock:
            writer, self._writer, self._closed = self._writer, None, True
        if writer is not None:
            await asyncio.to_thread(writer.close)
        await asyncio.to_thread(self._reading.shutdown)
        self._reader.close()
