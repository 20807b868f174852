"""Who is refused anything: the records that carry a refusal, page by page, as digests."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from prefcenter.domain.digest import DigestKind
from prefcenter.domain.errors import InvalidInput
from prefcenter.domain.events import Refusal
from prefcenter.domain.policy import Policy
from prefcenter.domain.record import Record
from prefcenter.security.digests import Digester
from prefcenter.services.feed import subject_id
from prefcenter.services.ports import Store

PAGE_ENTRIES_MAX = 1_000
STORE_PAGE_RECORDS = 2_000
SCANNED_RECORDS_MAX = 20_000
"""How many records one page may read at most, where few of them carry a refusal."""


@dataclass(frozen=True, slots=True)
class Suppression:
    """One mailbox, number, postal address, push token or domain that is refused something."""

    cursor: str
    subject_id: str
    kind: DigestKind
    refusals: tuple[Refusal, ...]
    paused_until_ms: int | None


@dataclass(frozen=True, slots=True)
class SuppressionPage:
    """Some suppressions, in the order in which their records were first written.

    A page may be short, even empty, although there are more: what it read without finding any is not read again.
    """

    entries: tuple[Suppression, ...]
    end_cursor: str | None
    has_more: bool


class Suppressions:
    """The suppressions of one controller."""

    def __init__(self, policy: Policy, digester: Digester, store: Store) -> None:
        self._controller = policy.controller
        self._store = store
        self._marks = frozenset(digester.hash_marks)

    async def page(self, after: str | None, first: int) -> SuppressionPage:
        """Up to `first` suppressions after a cursor. Raises InvalidInput for a cursor that no page gave."""
        limit = min(first, PAGE_ENTRIES_MAX)
        entries: list[Suppression] = []
        end, scanned = after, 0
        async with aclosing(self._records(after)) as records:
            async for cursor, record in records:
                if self._is_suppression(record):
                    if len(entries) == limit:
                        return SuppressionPage(tuple(entries), end, has_more=True)
                    entries.append(_suppression(record, cursor))
                end, scanned = cursor, scanned + 1
                if scanned == SCANNED_RECORDS_MAX:
                    return SuppressionPage(tuple(entries), end, has_more=True)
        return SuppressionPage(tuple(entries), end, has_more=False)

    async def _records(self, after: str | None) -> AsyncGenerator[tuple[str, Record], None]:
        """Each record after a cursor, with the cursor that comes after it."""
        place, skipped = _place(after)
        while True:
            page = await self._store.page(self._controller, place, STORE_PAGE_RECORDS)
            for number, record in enumerate(page.records[skipped:], skipped + 1):
                yield _cursor(place, number), record
            if page.next is None:
                return
            place, skipped = page.next, 0

    def _is_suppression(self, record: Record) -> bool:
        """Contacts carry refusals only to hand them on, and the mark of vendors' hashes is of nobody at all."""
        subject = record.subject
        return bool(record.refusals) and subject.kind is not DigestKind.CONTACT and subject not in self._marks


def _suppression(record: Record, cursor: str) -> Suppression:
    subject = record.subject
    return Suppression(cursor, subject_id(subject), subject.kind, record.refusals, record.paused_until_ms)


def _cursor(place: str | None, records: int) -> str:
    """A page of the store and how many of its records are done with."""
    return f"{place or ''}.{records}"


def _place(cursor: str | None) -> tuple[str | None, int]:
    if cursor is None:
        return None, 0
    place, dot, records = cursor.rpartition(".")
    if not (dot and records.isascii() and records.isdecimal() and len(records) <= 6):
        raise InvalidInput("after: not a cursor that this connection gave")
    return place or None, int(records)
