"""A SQLite store as one end of a copy."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from prefcenter.domain.errors import StoreDamaged, StoreError
from prefcenter.domain.ledger import PARTITIONS, Head
from prefcenter.security.seals import Field, Sealer
from prefcenter.services.ports import ApiKey
from prefcenter.storage.copying import EVENTS, IMPORTS, LETTERS, POLICIES, RECEIPTS, RECORDS, SEALED, SENDS, TERMS, Row
from prefcenter.storage.sealers import WHOLE_STORE, SealerByController
from prefcenter.storage.sqlite_api_keys import api_keys, put_api_key
from prefcenter.storage.sqlite_ledger import last_head, row_partition
from prefcenter.storage.sqlite_letters import letter_rows, put_letter_rows
from prefcenter.storage.sqlite_schema import (
    APPLICATION_ID,
    COPYING_APPLICATION_ID,
    connect,
    create,
    prepare,
    store_errors,
)
from prefcenter.storage.sqlite_tables import (
    add_controller,
    check_controllers,
    check_keyring,
    controller_ids,
    known_keys,
    load_policy,
)

_OWNED = {
    TERMS: "SELECT id, text, key, mac FROM terms WHERE controller = ? ORDER BY id",
    IMPORTS: "SELECT fingerprint, begun_ms, key, mac FROM imports WHERE controller = ? ORDER BY fingerprint",
    RECEIPTS: "SELECT name, input, result, received_ms, key, mac FROM receipts WHERE controller = ? ORDER BY name",
    SENDS: (
        "SELECT purpose, digest, campaign, kind, digest_key, rules, sent_ms, key, mac FROM sends"
        " WHERE controller = ? ORDER BY digest, purpose, campaign"
    ),
}
_LABEL = {TERMS: "term", IMPORTS: "import", RECEIPTS: "receipt", SENDS: "send"}
_INSERT = {
    TERMS: "INSERT OR REPLACE INTO terms VALUES (?, ?, ?, ?, ?)",
    IMPORTS: "INSERT OR REPLACE INTO imports VALUES (?, ?, ?, ?, ?)",
    RECEIPTS: "INSERT OR REPLACE INTO receipts VALUES (?, ?, ?, ?, ?, ?, ?)",
    SENDS: (
        "INSERT OR REPLACE INTO sends (controller, purpose, digest, campaign, kind, digest_key, rules, sent_ms, key,"
        " mac) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    ),
}
_RECORDS = (
    "SELECT kind, key, rules, digest, version, state FROM records WHERE controller = ? ORDER BY id LIMIT -1 OFFSET ?"
)
_EVENTS = (
    "SELECT e.position, r.kind, r.key, r.rules, r.digest, e.version, e.key, e.salt, e.body, e.mac"
    " FROM events e JOIN records r ON r.id = e.subject WHERE e.partition = ? AND e.position > ? ORDER BY e.position"
)
_SEALED = (
    "SELECT r.id, r.kind, r.key, r.rules, r.digest, s.content, s.key, s.mac FROM records r CROSS JOIN sealed s"
    " ON s.record = r.id WHERE r.controller = ? ORDER BY r.id"
)


@contextmanager
def opened_archive(path: Path, sealers: SealerByController, *, is_target: bool) -> Iterator[SqliteArchive]:
    """A store as an end of a copy; a target is made where there is none."""
    if is_target and not path.exists():
        create(path)
        _mark(path, COPYING_APPLICATION_ID)
    with store_errors():
        connection = connect(path, mode="rw")
        try:
            prepare(connection, writable=True, while_copying=is_target)
            check_keyring(connection, sealers)
            yield SqliteArchive(connection, sealers)
        finally:
            connection.close()


def _mark(path: Path, application_id: int) -> None:
    with store_errors():
        connection = connect(path, mode="rw")
        try:
            connection.execute(f"PRAGMA application_id={application_id}")
        finally:
            connection.close()


class SqliteArchive:
    """Both a source and a target."""

    def __init__(self, connection: sqlite3.Connection, sealers: SealerByController) -> None:
        self._connection = connection
        self._sealers = sealers
        self._readers: Mapping[str, Callable[[str, int, Row], Iterator[Row]]] = {
            **{table: partial(self._owned, table) for table in _OWNED},
            POLICIES: self._policies,
            RECORDS: self._records,
            EVENTS: self._events,
            SEALED: self._sealed,
            LETTERS: self._letters,
        }

    # Source

    def keys(self) -> Sequence[int]:
        return sorted(known_keys(self._connection))

    def api_keys(self) -> Sequence[ApiKey]:
        return api_keys(self._connection, self._sealers[WHOLE_STORE])

    def controllers(self) -> Sequence[str]:
        check_controllers(self._connection, self._sealers)
        numbers = controller_ids(self._connection, self._sealers)
        return sorted(numbers, key=numbers.__getitem__)

    def heads(self, controller: str) -> tuple[Head, ...]:
        number = self._number(controller)
        return tuple(last_head(self._connection, row_partition(number, each)) for each in range(PARTITIONS))

    def count_records(self, controller: str) -> int:
        query = "SELECT count(*) FROM records WHERE controller = ?"
        (records,) = self._connection.execute(query, (self._number(controller),)).fetchone()
        return int(records)

    def rows(self, controller: str, table: str, after: Row) -> Iterator[Row]:
        return self._readers[table](controller, self._number(controller), after)

    def _owned(self, table: str, controller: str, number: int, _: Row) -> Iterator[Row]:
        for *content, key, mac in self._connection.execute(_OWNED[table], (number,)):
            self._require_seal(controller, table, key, mac, _LABEL[table], number, *content)
            yield content

    def _policies(self, controller: str, number: int, _: Row) -> Iterator[Row]:
        document = load_policy(self._connection, self._sealers[controller], number)
        if document is not None:
            yield (document,)

    def _records(self, _: str, number: int, after: Row) -> Iterator[Row]:
        (reached,) = after[:1]
        for place, row in enumerate(self._connection.execute(_RECORDS, (number, reached)), reached + 1):
            yield (place, *row)

    def _events(self, _: str, number: int, after: Row) -> Iterator[Row]:
        for partition, position in enumerate(after):
            for row in self._connection.execute(_EVENTS, (row_partition(number, partition), position)):
                yield (partition, *row)

    def _sealed(self, controller: str, number: int, _: Row) -> Iterator[Row]:
        for row_id, *subject, content, key, mac in self._connection.execute(_SEALED, (number,)):
            self._require_seal(controller, SEALED, key, mac, "sealed", row_id, *subject, content)
            yield (*subject, content)

    def _letters(self, controller: str, number: int, _: Row) -> Iterator[Row]:
        return letter_rows(self._connection, self._sealers[controller], number)

    def _require_seal(self, controller: str, table: str, key: int, mac: bytes, label: str, *fields: Field) -> None:
        if not self._sealers[controller].holds(key, mac, label, *fields):
            raise StoreDamaged(f"table {table}: a row was altered; run `prefcenter audit verify`")

    def _number(self, controller: str) -> int:
        return controller_ids(self._connection, self._sealers)[controller]

    # Target

    def begin(self) -> None:
        (application_id,) = self._connection.execute("PRAGMA application_id").fetchone()
        if application_id != COPYING_APPLICATION_ID:
            raise StoreError("the target is a store in use; a copy needs a place where there is none")

    def take_keys(self, keys: Sequence[int], api_keys: Sequence[ApiKey]) -> None:
        sealer = self._sealers[WHOLE_STORE]
        with self._transaction():
            for key in keys:
                self._connection.execute("INSERT OR IGNORE INTO keys VALUES (?, ?)", (key, _key_seal(sealer, key)))
            for api_key in api_keys:
                put_api_key(self._connection, sealer, api_key)

    def add(self, controller: str) -> None:
        if controller not in controller_ids(self._connection, self._sealers):
            with self._transaction():
                add_controller(self._connection, self._sealers, controller)

    def take(self, controller: str, table: str, rows: Sequence[Row]) -> None:
        number, sealer = self._number(controller), self._sealers[controller]
        takers: Mapping[str, Callable[[Sealer, int, Sequence[Row]], None]] = {
            POLICIES: self._take_policies,
            RECORDS: self._take_records,
            EVENTS: self._take_events,
            SEALED: self._take_sealed,
            LETTERS: partial(put_letter_rows, self._connection),
        }
        with self._transaction():
            if table in takers:
                takers[table](sealer, number, rows)
            else:
                self._connection.executemany(
                    _INSERT[table], [_with_seal(sealer, _LABEL[table], number, row) for row in rows]
                )

    def _take_policies(self, sealer: Sealer, number: int, rows: Sequence[Row]) -> None:
        sealed = [_with_seal(sealer, "policy", number, row) for row in rows]
        self._connection.executemany("INSERT OR REPLACE INTO policies VALUES (?, ?, ?, ?)", sealed)

    def _take_records(self, _: Sealer, number: int, rows: Sequence[Row]) -> None:
        insert = (
            "INSERT INTO records (controller, kind, key, rules, digest, version, state) VALUES (?, ?, ?, ?, ?, ?, ?)"
        )
        self._connection.executemany(insert, [(number, *row[1:]) for row in rows])

    def _take_events(self, _: Sealer, number: int, rows: Sequence[Row]) -> None:
        ids = self._row_ids(number, [row[5] for row in rows])
        events = []
        for partition, position, *_subject, value, version, key, salt, body, mac in rows:
            events.append((row_partition(number, partition), position, ids[value], version, key, salt, mac, body))
        self._connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", events)

    def _take_sealed(self, sealer: Sealer, number: int, rows: Sequence[Row]) -> None:
        ids = self._row_ids(number, [row[3] for row in rows])
        key = sealer.active_key_id
        sealed = [(ids[row[3]], key, sealer.seal(key, "sealed", ids[row[3]], *row), row[4]) for row in rows]
        self._connection.executemany("INSERT OR REPLACE INTO sealed VALUES (?, ?, ?, ?)", sealed)

    def _row_ids(self, number: int, values: Sequence[bytes]) -> dict[bytes, int]:
        """The rows of the records that a page names."""
        places = ",".join("?" * len(values))
        query = f"SELECT digest, id FROM records WHERE controller = ? AND digest IN ({places})"  # noqa: S608
        return dict(self._connection.execute(query, (number, *values)).fetchall())

    def close_ledger(self, controller: str, heads: Sequence[Head]) -> None:
        """Nothing: the last events are the heads."""

    def finish(self) -> None:
        self._connection.execute(f"PRAGMA application_id={APPLICATION_ID}")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


def _key_seal(sealer: Sealer, key: int) -> bytes:
    return sealer.seal(key, "key")


def _with_seal(sealer: Sealer, label: str, number: int, row: Row) -> tuple[Any, ...]:
    key = sealer.active_key_id
    return (number, *row, key, sealer.seal(key, label, number, *row))
