"""The audit of a SQLite store: every chain, every record against the fold of its events, every sealed row."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import groupby

from prefcenter.domain.errors import PrefcenterError
from prefcenter.domain.ledger import PARTITIONS, Head
from prefcenter.services.ports import AuditReport
from prefcenter.storage.chain import EventRow, chain_faults
from prefcenter.storage.refolding import FINDINGS_MAX, UNREADABLE, first_findings, is_fold_of_events, stored_subject
from prefcenter.storage.sealers import WHOLE_STORE, SealerByController
from prefcenter.storage.sqlite_api_keys import api_key_faults
from prefcenter.storage.sqlite_letters import letter_faults
from prefcenter.storage.sqlite_receipts import receipt_faults
from prefcenter.storage.sqlite_schema import is_schema_as_made
from prefcenter.storage.sqlite_sealed import sealed_faults
from prefcenter.storage.sqlite_sends import send_faults
from prefcenter.storage.sqlite_tables import (
    controller_faults,
    controller_ids,
    known_keys,
    load_terms,
    stray_faults,
    table_faults,
)


def audit_controller(
    connection: sqlite3.Connection,
    sealers: SealerByController,
    controller: str,
    expected: Sequence[Sequence[Head]],
) -> AuditReport:
    """Verify everything that is kept for a controller, in one snapshot of the store.

    `expected` holds heads that were signed before, eight at a time: from the checkpoint, from manifests.
    """
    audit = _Audit(connection, sealers, controller)
    connection.execute("BEGIN")
    try:
        findings = tuple(first_findings(_until_unreadable(audit.findings(expected))))
        return AuditReport(audit.events, audit.records, findings)
    finally:
        if connection.in_transaction:
            connection.execute("COMMIT")


def _until_unreadable(findings: Iterator[str]) -> Iterator[str]:
    """Findings, the last of which says why there are no more where the rest cannot be read."""
    try:
        yield from findings
    except sqlite3.DatabaseError as error:
        yield f"the store's file is damaged ({getattr(error, 'sqlite_errorname', type(error).__name__)})"
    except PrefcenterError as error:
        yield str(error)
    except UNREADABLE as error:
        yield f"a row of the store cannot be read ({type(error).__name__})"


class _Audit:
    """One controller's audit inside one read transaction."""

    def __init__(self, connection: sqlite3.Connection, sealers: SealerByController, controller: str) -> None:
        self._connection = connection
        self._sealers = sealers
        self._sealer = sealers[controller]
        self._controller = controller
        self._controller_id = 0
        self._keys_used: set[int] = set()
        self.events = 0
        self.records = 0

    def findings(self, expected: Sequence[Sequence[Head]]) -> Iterator[str]:
        yield from self._file_faults()
        yield from controller_faults(self._connection, self._sealers)
        yield from api_key_faults(self._connection, self._sealers[WHOLE_STORE])
        ids = controller_ids(self._connection, self._sealers)
        self._controller_id = ids.get(self._controller, 0)
        if not self._controller_id:
            yield f"controller {self._controller} is not in the store"
            return
        self.events, self.records = self._count("events", "partition / 8"), self._count("records", "controller")
        yield from stray_faults(self._connection, set(ids.values()))
        for faults in (table_faults, receipt_faults, send_faults, sealed_faults, letter_faults):
            yield from faults(self._connection, self._sealer, self._controller_id)
        for partition in range(PARTITIONS):
            signed = [heads[partition] for heads in expected]
            yield from chain_faults(self._sealer, partition, self._chain(partition), signed)
        yield from self._missing_keys()
        yield from self._orphans()
        yield from self._record_faults()

    def _file_faults(self) -> Iterator[str]:
        """What SQLite itself finds wrong; an index that has lost an entry would hide a refusal from a look-up.

        The findings of the check quote values, so they are counted and not passed on.
        """
        found = [text for (text,) in self._connection.execute(f"PRAGMA integrity_check({FINDINGS_MAX})")]
        if found != ["ok"]:
            yield f"the store's file is damaged: SQLite's integrity check has {len(found)} findings"
        if not is_schema_as_made(self._connection):
            yield "the store's schema was altered; a trigger in it could drop what is acknowledged"

    def _count(self, table: str, owner: str) -> int:
        query = f"SELECT count(*) FROM {table} WHERE {owner} = ?"  # noqa: S608 - names of our own schema
        (rows,) = self._connection.execute(query, (self._controller_id,)).fetchone()
        return int(rows)

    def _chain(self, partition: int) -> Iterator[EventRow]:
        query = (
            "SELECT e.position, r.kind, r.key, r.rules, r.digest, e.version, e.key, e.salt, e.body, e.mac"
            " FROM events e LEFT JOIN records r ON r.id = e.subject WHERE e.partition = ? ORDER BY e.position"
        )
        for row in self._connection.execute(query, (self._controller_id * PARTITIONS + partition,)):
            position, kind, key, rules, value, version, sealed_with, *rest = row
            self._keys_used.add(sealed_with)
            yield EventRow(position, stored_subject(kind, key, rules, value), version, sealed_with, *rest)

    def _missing_keys(self) -> Iterator[str]:
        """A key that sealed events and is not noted: an older keyring, which lacks it, would pass for the right one."""
        for key in sorted(self._keys_used - known_keys(self._connection)):
            yield f"table keys: number {key}, which sealed events, is missing"

    def _orphans(self) -> Iterator[str]:
        query = (
            "SELECT e.partition % 8, e.position FROM events e LEFT JOIN records r ON r.id = e.subject"
            " WHERE e.partition / 8 = ? AND r.controller IS NOT ?"
        )
        for partition, position in self._connection.execute(query, (self._controller_id, self._controller_id)):
            yield f"partition {partition}: the record of event {position} is gone"

    def _record_faults(self) -> Iterator[str]:
        terms = load_terms(self._connection, self._sealer, self._controller_id)
        query = (
            "SELECT r.id, r.kind, r.key, r.rules, r.digest, r.version, r.state, e.version, e.salt, e.body"
            " FROM records r LEFT JOIN events e ON e.subject = r.id WHERE r.controller = ? ORDER BY r.id, e.version"
        )
        rows = self._connection.execute(query, (self._controller_id,))
        id_by_text = {text: term_id for term_id, text in terms.items()}
        for row_id, history in groupby(rows, key=lambda row: row[0]):
            events = list(history)
            record = tuple(events[0][1:7])
            if not is_fold_of_events(record, [event[7:] for event in events], terms, id_by_text):
                yield f"record {row_id} is not what its events say"
