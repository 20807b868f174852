"""A store that is timed: the port around another one, so that no service has to think of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import perf_counter

from prefcenter.domain.digest import Digest, Digests
from prefcenter.domain.errors import StoreError
from prefcenter.domain.ledger import Head
from prefcenter.domain.record import Record
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
    Store,
    WaitingLetter,
)
from prefcenter.web.metrics import Metrics


class TimedStore:
    """The `Store` port, told to the metrics call by call. Scans are handed through: whole tables are no requests."""

    def __init__(self, store: Store, metrics: Metrics) -> None:
        self._store = store
        self._metrics = metrics

    @contextmanager
    def _timed(self, operation: str) -> Iterator[None]:
        started_s = perf_counter()
        try:
            yield
        except StoreError as error:
            self._metrics.store_failures.labels(operation, error.code).inc()
            raise
        finally:
            self._metrics.store_seconds.labels(operation).observe(perf_counter() - started_s)

    @contextmanager
    def _written(self, operation: str) -> Iterator[None]:
        with self._metrics.waiting_writes.track_inprogress(), self._timed(operation):
            yield

    async def load(self, controller: str, subjects: Sequence[Digest]) -> Sequence[Record]:
        with self._timed("load"):
            return await self._store.load(controller, subjects)

    async def load_alike(self, controller: str, subjects: Sequence[Digests]) -> Sequence[AlikeRecords]:
        with self._timed("load_alike"):
            return await self._store.load_alike(controller, subjects)

    async def load_sealed(self, controller: str, subjects: Sequence[Digest]) -> Mapping[Digest, bytes]:
        with self._timed("load_sealed"):
            return await self._store.load_sealed(controller, subjects)

    async def append(
        self,
        controller: str,
        changes: Sequence[Change],
        *,
        bulk: bool = False,
        receipt: Receipt | None = None,
        alike: Sequence[Alike] = (),
    ) -> None:
        with self._written("append"):
            await self._store.append(controller, changes, bulk=bulk, receipt=receipt, alike=alike)

    async def receipt(self, controller: str, name: bytes, since_ms: int) -> Receipt | None:
        with self._timed("receipt"):
            return await self._store.receipt(controller, name, since_ms)

    async def record_sends(
        self,
        controller: str,
        purpose: str,
        sends: Sequence[Send],
        *,
        forget_before_ms: int,
        receipt: Receipt | None = None,
    ) -> int:
        with self._written("record_sends"):
            return await self._store.record_sends(
                controller, purpose, sends, forget_before_ms=forget_before_ms, receipt=receipt
            )

    async def sends(
        self, controller: str, purpose: str, subjects: Sequence[Digest], since_ms: int
    ) -> Mapping[Digest, Sequence[int]]:
        with self._timed("sends"):
            return await self._store.sends(controller, purpose, subjects, since_ms)

    def scan_sends(self, controller: str, purpose: str) -> AsyncIterator[Sequence[Send]]:
        return self._store.scan_sends(controller, purpose)

    async def page(self, controller: str, after: str | None, limit: int) -> RecordPage:
        with self._timed("page"):
            return await self._store.page(controller, after, limit)

    async def marker(self) -> int:
        with self._timed("marker"):
            return await self._store.marker()

    async def api_key(self, key_id: str) -> ApiKey | None:
        with self._timed("api_key"):
            return await self._store.api_key(key_id)

    async def api_keys(self) -> Sequence[ApiKey]:
        with self._timed("api_keys"):
            return await self._store.api_keys()

    async def history(self, controller: str, subjects: Sequence[Digest]) -> Sequence[LedgerEvent]:
        with self._timed("history"):
            return await self._store.history(controller, subjects)

    async def queue_letter(
        self, controller: str, subject: Digest, content: bytes | None, now_ms: int, *, letters_max: int
    ) -> bool:
        with self._written("queue_letter"):
            return await self._store.queue_letter(controller, subject, content, now_ms, letters_max=letters_max)

    async def claim_letters(self, now_ms: int, *, until_ms: int, limit: int) -> Sequence[WaitingLetter]:
        with self._timed("claim_letters"):
            return await self._store.claim_letters(now_ms, until_ms=until_ms, limit=limit)

    async def finish_letter(self, letter_id: str) -> None:
        with self._written("finish_letter"):
            await self._store.finish_letter(letter_id)

    async def postpone_letter(self, letter_id: str, due_ms: int) -> None:
        with self._written("postpone_letter"):
            await self._store.postpone_letter(letter_id, due_ms)

    async def put_api_key(self, key: ApiKey) -> None:
        with self._written("put_api_key"):
            await self._store.put_api_key(key)

    def scan(self, controller: str) -> AsyncIterator[Sequence[Record]]:
        return self._store.scan(controller)

    def scan_columns(self, controller: str) -> AsyncIterator[RecordColumns]:
        return self._store.scan_columns(controller)

    async def since(self, controller: str, positions: Sequence[int], limit: int) -> Sequence[LedgerEvent]:
        with self._timed("since"):
            return await self._store.since(controller, positions, limit)

    async def heads(self, controller: str) -> tuple[Head, ...]:
        with self._timed("heads"):
            return await self._store.heads(controller)

    async def holds_heads(self, controller: str, heads: Sequence[Head]) -> bool:
        with self._timed("holds_heads"):
            return await self._store.holds_heads(controller, heads)

    async def unknown_keys(self) -> Sequence[int]:
        with self._timed("unknown_keys"):
            return await self._store.unknown_keys()

    async def controllers(self) -> Sequence[str]:
        with self._timed("controllers"):
            return await self._store.controllers()

    async def policy_in_force(self, controller: str) -> str | None:
        with self._timed("policy_in_force"):
            return await self._store.policy_in_force(controller)

    async def adopt_policy(self, controller: str, document: str, *, instead_of: str | None) -> None:
        with self._written("adopt_policy"):
            await self._store.adopt_policy(controller, document, instead_of=instead_of)

    async def first_import_ms(self, controller: str, fingerprint: bytes, now_ms: int) -> int:
        with self._written("first_import_ms"):
            return await self._store.first_import_ms(controller, fingerprint, now_ms)

    async def records_per_key(self) -> Mapping[int, int]:
        with self._timed("records_per_key"):
            return await self._store.records_per_key()

    async def audit(self, controller: str, expected: Sequence[Sequence[Head]]) -> AuditReport:
        with self._timed("audit"):
            return await self._store.audit(controller, expected)

    async def close(self) -> None:
        await self._store.close()
