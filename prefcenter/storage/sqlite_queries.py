"""What is read from a SQLite store. Texts and controllers' numbers are remembered, as neither ever changes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from prefcenter.domain.digest import Digest, DigestKind, Digests
from prefcenter.domain.errors import InvalidInput, StoreDamaged
from prefcenter.domain.ledger import PARTITIONS, Head
from prefcenter.domain.record import Record
from prefcenter.services.ports import AlikeRecords, LedgerEvent, Receipt, RecordColumns, RecordPage, Send
from prefcenter.storage.columns import StoredRecord, in_columns
from prefcenter.storage.feed import fair_shares
from prefcenter.storage.mapping import decode_event, decode_record
from prefcenter.storage.sealers import SealerByController
from prefcenter.storage.sqlite_ledger import last_head, row_partition, rows_of_digests, rows_of_values
from prefcenter.storage.sqlite_receipts import receipt_of
from prefcenter.storage.sqlite_sealed import load_sealed
from prefcenter.storage.sqlite_sends import Place, page_of_sends, send_times
from prefcenter.storage.sqlite_tables import (
    check_controllers,
    controller_ids,
    load_policy,
    load_terms,
    term_number,
)

SENDS_A_PAGE = 2_000
ROW_ID_DIGITS_MAX = 18
"""No row id has more; SQLite's numbers end in the nineteenth digit."""

T = TypeVar("T")
_UNREADABLE = (ValueError, KeyError, IndexError, TypeError, RecursionError)
_UNREADABLE_RECORD = "table records: a record cannot be read; run `prefcenter audit verify`"
_RECORD_COLUMNS = "kind, key, rules, digest, version, state"
_RECORDS_OF = f"SELECT {_RECORD_COLUMNS} FROM records WHERE controller = ? AND digest IN"  # noqa: S608 - our own names


class Queries:
    """The reading half of the store, on one connection that one thread uses at a time."""

    def __init__(self, connection: sqlite3.Connection, sealers: SealerByController) -> None:
        self._connection = connection
        self._sealers = sealers
        self._ids: dict[str, int] = {}
        self._terms: dict[str, dict[int, str]] = {}
        self._purposes: dict[tuple[str, str], int] = {}

    # Records

    def load(self, controller: str, subjects: Sequence[Digest]) -> list[Record]:
        rows = rows_of_digests(self._connection, _RECORDS_OF, (self._id_of(controller),), subjects)
        return [self._record(controller, row) for row in rows]

    def load_alike(self, controller: str, subjects: Sequence[Digests]) -> list[AlikeRecords]:
        """Records whose columns are the same but for their digests are read once."""
        values = {value for digests in subjects for value in digests.values}
        together: dict[tuple[Any, ...], list[bytes]] = {}
        for kind, key, rules, value, *columns in rows_of_values(
            self._connection, _RECORDS_OF, (self._id_of(controller),), values
        ):
            together.setdefault((kind, key, rules, *columns), []).append(value)
        return [self._alike(controller, columns, of_group) for columns, of_group in together.items()]

    def _alike(self, controller: str, columns: Sequence[Any], values: Sequence[bytes]) -> AlikeRecords:
        kind, key, rules, *others = columns
        first = self._record(controller, (kind, key, rules, values[0], *others))
        return AlikeRecords(first, Digests(first.subject.kind, key, rules, values))

    def load_sealed(self, controller: str, subjects: Sequence[Digest]) -> Mapping[Digest, bytes]:
        return load_sealed(self._connection, self._sealers[controller], self._id_of(controller), subjects)

    def page(self, controller: str, after: str | None, limit: int) -> RecordPage:
        rows = self._record_rows(controller, 0 if after is None else _row_id(after), limit + 1)
        records = [self._record(controller, row) for row in rows[:limit]]
        return RecordPage(records, str(rows[limit - 1][-1]) if len(rows) > limit else None)

    def scan_page(self, controller: str, after: int, limit: int) -> tuple[list[Record], int]:
        rows = self._record_rows(controller, after, limit)
        return [self._record(controller, row) for row in rows], rows[-1][-1] if rows else after

    def columns_page(self, controller: str, after: int, limit: int) -> tuple[RecordColumns, int]:
        rows = self._record_rows(controller, after, limit)
        stored: Sequence[StoredRecord] = [row[:-1] for row in rows]
        try:
            columns = self._with_terms(controller, lambda text: in_columns(stored, text.__getitem__))
        except _UNREADABLE:
            raise StoreDamaged(_UNREADABLE_RECORD) from None
        return columns, rows[-1][-1] if rows else after

    def _record_rows(self, controller: str, after: int, limit: int) -> list[tuple[Any, ...]]:
        """Rows in the order of their ids, which is the one they were first written in."""
        query = f"SELECT {_RECORD_COLUMNS}, id FROM records WHERE controller = ? AND id > ? ORDER BY id LIMIT ?"  # noqa: S608
        return self._connection.execute(query, (self._id_of(controller), after, limit)).fetchall()

    def _record(self, controller: str, row: Sequence[Any]) -> Record:
        kind, key, rules, value, version, state, *_ = row
        try:
            subject = Digest(DigestKind(kind), key, rules, value)
            return self._with_terms(controller, lambda text: decode_record(subject, version, state, text.__getitem__))
        except _UNREADABLE:
            raise StoreDamaged(_UNREADABLE_RECORD) from None

    # Ledger

    def since(self, controller: str, positions: Sequence[int], limit: int) -> list[LedgerEvent]:
        heads = self.heads(controller)
        waiting = [max(0, head.position - position) for head, position in zip(heads, positions, strict=True)]
        shares = fair_shares(waiting, limit, first=sum(positions) % PARTITIONS)
        return [
            event
            for partition, share in enumerate(shares)
            if share
            for event in self._events(controller, partition, positions[partition], share)
        ]

    def _events(self, controller: str, partition: int, after: int, limit: int) -> list[LedgerEvent]:
        query = (
            "SELECT e.position, r.kind, r.key, r.rules, r.digest, e.version, e.salt, e.body"
            " FROM events e JOIN records r ON r.id = e.subject"
            " WHERE e.partition = ? AND e.position > ? ORDER BY e.position LIMIT ?"
        )
        arguments = (row_partition(self._id_of(controller) or 0, partition), after, limit)
        rows = self._connection.execute(query, arguments).fetchall()
        return [self._ledger_event(controller, partition, row) for row in rows]

    def _ledger_event(self, controller: str, partition: int, row: Sequence[Any]) -> LedgerEvent:
        position, kind, key, rules, value, version, salt, body = row
        event = None
        try:
            subject = Digest(DigestKind(kind), key, rules, value)
            if salt is not None:
                event = self._with_terms(controller, lambda text: decode_event(body, text.__getitem__))
        except _UNREADABLE:
            raise StoreDamaged("table events: an event cannot be read; run `prefcenter audit verify`") from None
        return LedgerEvent(partition, position, subject, version, event)

    def history(self, controller: str, subjects: Sequence[Digest]) -> list[LedgerEvent]:
        query = (
            "SELECT e.partition, e.position, r.kind, r.key, r.rules, r.digest, e.version, e.salt, e.body"
            " FROM records r CROSS JOIN events e ON e.subject = r.id WHERE r.controller = ? AND r.digest IN"
        )
        rows = rows_of_digests(self._connection, query, (self._id_of(controller) or 0,), subjects)
        found = [self._ledger_event(controller, partition % PARTITIONS, row) for partition, *row in rows]
        return sorted(found, key=lambda item: (item.partition, item.position))

    def heads(self, controller: str) -> tuple[Head, ...]:
        controller_id = self._id_of(controller)
        if controller_id is None:
            return (Head(),) * PARTITIONS
        return tuple(last_head(self._connection, row_partition(controller_id, number)) for number in range(PARTITIONS))

    def holds_heads(self, controller: str, heads: Sequence[Head]) -> bool:
        controller_id = self._id_of(controller) or 0
        query = "SELECT mac FROM events WHERE partition = ? AND position = ?"
        macs = (
            self._connection.execute(query, (row_partition(controller_id, number), head.position)).fetchone()
            for number, head in enumerate(heads)
            if head.position
        )
        signed = [(head.mac,) for head in heads if head.position]
        return list(macs) == signed

    # Receipts and sends

    def receipt(self, controller: str, name: bytes, since_ms: int) -> Receipt | None:
        return receipt_of(self._connection, self._sealers[controller], self._id_of(controller), name, since_ms)

    def sends(
        self, controller: str, purpose: str, subjects: Sequence[Digest], since_ms: int
    ) -> Mapping[Digest, Sequence[int]]:
        controller_id, purpose_id = self._purpose(controller, purpose)
        if purpose_id is None:
            return {}
        sealer = self._sealers[controller]
        return send_times(self._connection, sealer, controller_id, purpose_id, subjects, since_ms)

    def page_of_sends(self, controller: str, purpose: str, after: Place | None) -> tuple[list[Send], Place | None]:
        controller_id, purpose_id = self._purpose(controller, purpose)
        if purpose_id is None:
            return [], None
        sealer = self._sealers[controller]
        return page_of_sends(self._connection, sealer, controller_id, purpose_id, after, SENDS_A_PAGE)

    def _purpose(self, controller: str, purpose: str) -> tuple[int, int | None]:
        """The numbers of a controller and of a purpose of it; None for a purpose that nothing here speaks of."""
        controller_id = self._id_of(controller) or 0
        if (controller, purpose) not in self._purposes:
            number = term_number(self._connection, self._sealers[controller], controller_id, purpose)
            if number is None:
                return controller_id, None
            self._purposes[controller, purpose] = number
        return controller_id, self._purposes[controller, purpose]

    # The rest

    def policy_in_force(self, controller: str) -> str | None:
        controller_id = self._id_of(controller)
        return (
            None if controller_id is None else load_policy(self._connection, self._sealers[controller], controller_id)
        )

    def records_per_key(self) -> Mapping[int, int]:
        return dict(self._connection.execute("SELECT key, count(*) FROM records GROUP BY key ORDER BY key").fetchall())

    def marker(self) -> int:
        """SQLite's own count of commits by other connections, of which the one that writes here is one."""
        (data_version,) = self._connection.execute("PRAGMA data_version").fetchone()
        return int(data_version)

    def _id_of(self, controller: str) -> int | None:
        """The number of a controller, which never changes once it is given; None for one that has nothing here."""
        if controller not in self._ids:
            self._ids = controller_ids(self._connection, self._sealers)
        if controller not in self._ids:
            check_controllers(self._connection, self._sealers)
        return self._ids.get(controller)

    def _with_terms(self, controller: str, use: Callable[[Mapping[int, str]], T]) -> T:
        """Use the interned texts as last read, and read them anew where a number is missing."""
        try:
            return use(self._terms.get(controller, {}))
        except KeyError:
            controller_id = self._id_of(controller) or 0
            terms = load_terms(self._connection, self._sealers[controller], controller_id)
            self._terms[controller] = terms
            return use(terms)


def _row_id(place: str) -> int:
    """The row that a place names. A place may come from a caller, so only what `page` itself writes is read."""
    if not (place.isascii() and place.isdigit() and len(place) <= ROW_ID_DIGITS_MAX):
        raise InvalidInput("after: not a place that a page of records gave")
    return int(place)
