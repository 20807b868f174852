"""The distributed store: MongoDB as a replica set, or sharded by digest. Open it with `open_store`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from prefcenter.domain.digest import Digest, Digests
from prefcenter.domain.errors import StoreError
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
    alike_records,
    one_by_one,
)
from prefcenter.storage.mongo_acts import Append, first_import_ms, put_in_force, record_sends
from prefcenter.storage.mongo_changes import ChangeMarker
from prefcenter.storage.mongo_client import MongoConnection, all_of
from prefcenter.storage.mongo_errors import mongo_errors
from prefcenter.storage.mongo_letters import change_letter, claim_letters, letter_controller, queue_letter
from prefcenter.storage.mongo_queries import MongoQueries
from prefcenter.storage.mongo_schema import check_version, opened_database
from prefcenter.storage.mongo_tables import (
    check_keyring,
    controller_numbers,
    put_api_key,
    read_api_key,
    unknown_keys,
)
from prefcenter.storage.mongo_transactions import PATIENCE_S
from prefcenter.storage.mongo_url import MongoUrl
from prefcenter.storage.mongo_writer import Alone, MongoWriter
from prefcenter.storage.sealers import WHOLE_STORE, SealerByController

SCAN_PAGE_RECORDS = 2_000
SINGLE_SENDS_MAX = 100
"""More sends than this in one act let single acts go first, as a bulk append does."""

T = TypeVar("T")


class MongoStore:
    """The `Store` port on one MongoDB database. `options` go to the driver, as a test's listener does."""

    patience_s = PATIENCE_S

    def __init__(self, url: MongoUrl, keyring: Keyring, **options: object) -> None:
        self._url = url
        self._sealers = SealerByController(keyring)
        with opened_database(url) as database:
            check_version(database)
            check_keyring(self._sealers, list(database["keys"].find()), list(database["controllers"].find()))
        self._connection = MongoConnection(url, **options)
        self._queries = MongoQueries(self._connection, self._sealers, url.subjects_per_query)
        self._writer = MongoWriter(self._connection, self._sealers, url.subjects_per_query, self.patience_s)
        self._changes = ChangeMarker(self._connection)
        self._closed = False

    # Reading

    async def _read(self, query: Awaitable[T]) -> T:
        with mongo_errors():
            return await query

    def _require_open(self) -> None:
        if self._closed:
            raise StoreError("the store is closed")

    async def load(self, controller: str, subjects: Sequence[Digest]) -> Sequence[Record]:
        self._require_open()
        return await self._read(self._queries.load(controller, subjects))

    async def load_alike(self, controller: str, subjects: Sequence[Digests]) -> Sequence[AlikeRecords]:
        return alike_records(await self.load(controller, [subject for digests in subjects for subject in digests]))

    async def load_sealed(self, controller: str, subjects: Sequence[Digest]) -> Mapping[Digest, bytes]:
        self._require_open()
        return await self._read(self._queries.load_sealed(controller, subjects))

    async def receipt(self, controller: str, name: bytes, since_ms: int) -> Receipt | None:
        self._require_open()
        return await self._read(self._queries.receipt(controller, name, since_ms))

    async def sends(
        self, controller: str, purpose: str, subjects: Sequence[Digest], since_ms: int
    ) -> Mapping[Digest, Sequence[int]]:
        self._require_open()
        return await self._read(self._queries.sends(controller, purpose, subjects, since_ms))

    async def scan_sends(self, controller: str, purpose: str) -> AsyncIterator[Sequence[Send]]:
        after = None
        while True:
            self._require_open()
            page, after = await self._read(self._queries.page_of_sends(controller, purpose, after))
            if not page:
                return
            yield page

    async def page(self, controller: str, after: str | None, limit: int) -> RecordPage:
        self._require_open()
        return await self._read(self._queries.page(controller, after, limit))

    async def scan(self, controller: str) -> AsyncIterator[Sequence[Record]]:
        after = 0
        while True:
            self._require_open()
            page, after = await self._read(self._queries.scan_page(controller, after, SCAN_PAGE_RECORDS))
            if not page:
                return
            yield page

    async def scan_columns(self, controller: str) -> AsyncIterator[RecordColumns]:
        after = 0
        while True:
            self._require_open()
            page, after = await self._read(self._queries.columns_page(controller, after, SCAN_PAGE_RECORDS))
            if not page.digests:
                return
            yield page

    async def marker(self) -> int:
        self._require_open()
        return await self._read(self._changes.now())

    async def api_key(self, key_id: str) -> ApiKey | None:
        self._require_open()
        with mongo_errors():
            found = await self._connection.database["api_keys"].find_one({"_id": key_id})
        return None if found is None else read_api_key(self._sealers[WHOLE_STORE], found)

    async def api_keys(self) -> Sequence[ApiKey]:
        self._require_open()
        with mongo_errors():
            found = await all_of(self._connection.database["api_keys"].find().sort([("created_ms", 1), ("_id", 1)]))
        return [read_api_key(self._sealers[WHOLE_STORE], document) for document in found]

    async def since(self, controller: str, positions: Sequence[int], limit: int) -> Sequence[LedgerEvent]:
        self._require_open()
        return await self._read(self._queries.since(controller, positions, limit))

    async def history(self, controller: str, subjects: Sequence[Digest]) -> Sequence[LedgerEvent]:
        self._require_open()
        return await self._read(self._queries.history(controller, subjects))

    async def heads(self, controller: str) -> tuple[Head, ...]:
        self._require_open()
        return await self._read(self._queries.heads(controller))

    async def holds_heads(self, controller: str, heads: Sequence[Head]) -> bool:
        self._require_open()
        return await self._read(self._queries.holds_heads(controller, heads))

    async def unknown_keys(self) -> Sequence[int]:
        self._require_open()
        return await self._read(unknown_keys(self._connection.database, self._sealers))

    async def controllers(self) -> Sequence[str]:
        self._require_open()
        return sorted(await self._read(controller_numbers(self._connection.database, self._sealers)))

    async def policy_in_force(self, controller: str) -> str | None:
        self._require_open()
        return await self._read(self._queries.policy_in_force(controller))

    async def records_per_key(self) -> Mapping[int, int]:
        self._require_open()
        return await asyncio.to_thread(self._records_per_key)

    def _records_per_key(self) -> Mapping[int, int]:
        with opened_database(self._url, for_long=True) as database:
            by_key: list[dict[str, Any]] = [{"$group": {"_id": "$digest_key", "records": {"$sum": 1}}}]
            found = database["records"].aggregate([*by_key, {"$sort": {"_id": 1}}])
            return {int(group["_id"]): int(group["records"]) for group in found}

    async def audit(self, controller: str, expected: Sequence[Sequence[Head]]) -> AuditReport:
        self._require_open()
        return await asyncio.to_thread(self._audit, controller, expected)

    def _audit(self, controller: str, expected: Sequence[Sequence[Head]]) -> AuditReport:
        from prefcenter.storage.mongo_audit import audit_controller

        with opened_database(self._url, for_long=True) as database:
            return audit_controller(database, self._sealers, controller, expected, self._url.subjects_per_query)

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
        await self._write(controller, Append(one_by_one(changes, alike), receipt), bulk=bulk)

    async def record_sends(
        self,
        controller: str,
        purpose: str,
        sends: Sequence[Send],
        *,
        forget_before_ms: int,
        receipt: Receipt | None = None,
    ) -> int:
        per_query = self._url.subjects_per_query
        new: int = await self._write(
            controller,
            lambda writing: record_sends(writing, purpose, sends, forget_before_ms, receipt, per_query),
            bulk=len(sends) > SINGLE_SENDS_MAX,
        )
        return new

    async def queue_letter(
        self, controller: str, subject: Digest, content: bytes | None, now_ms: int, *, letters_max: int
    ) -> bool:
        is_queued: bool = await self._write(
            controller,
            lambda writing: queue_letter(writing, controller, subject, content, now_ms, letters_max),
        )
        return is_queued

    async def claim_letters(self, now_ms: int, *, until_ms: int, limit: int) -> Sequence[WaitingLetter]:
        self._require_open()
        claimed: list[WaitingLetter] = []
        for controller in await self._read(self._queries.due_letters(now_ms)):
            claim = partial(
                claim_letters,
                controller=controller,
                now_ms=now_ms,
                until_ms=until_ms,
                limit=limit - len(claimed),
            )
            claimed += await self._write(controller, claim) if len(claimed) < limit else ()
        return claimed

    async def finish_letter(self, letter_id: str) -> None:
        await self._change_letter(letter_id, None)

    async def postpone_letter(self, letter_id: str, due_ms: int) -> None:
        await self._change_letter(letter_id, due_ms)

    async def _change_letter(self, letter_id: str, due_ms: int | None) -> None:
        controller = letter_controller(letter_id)
        await self._write(controller, lambda writing: change_letter(writing, controller, letter_id, due_ms))

    async def put_api_key(self, key: ApiKey) -> None:
        self._require_open()
        sealers, connection = self._sealers, self._connection
        with mongo_errors():
            await self._writer.beside_ledgers(lambda session: put_api_key(connection.database, sealers, key, session))

    async def adopt_policy(self, controller: str, document: str, *, instead_of: str | None) -> None:
        await self._write(controller, lambda writing: put_in_force(writing, document, instead_of))

    async def first_import_ms(self, controller: str, fingerprint: bytes, now_ms: int) -> int:
        begun_ms: int = await self._write(controller, lambda writing: first_import_ms(writing, fingerprint, now_ms))
        return begun_ms

    async def _write(self, controller: str, act: Append | Alone, *, bulk: bool = False) -> T:
        self._require_open()
        with mongo_errors():
            outcome: T = await self._writer.write(controller, act, bulk=bulk)
            return outcome

    async def close(self) -> None:
        self._closed = True
        await self._writer.finish()
        await self._changes.close()
        self._connection.close()
