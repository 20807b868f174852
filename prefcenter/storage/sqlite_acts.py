"""What is written to a SQLite store, each act inside a transaction that the writer began and will commit."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from prefcenter.domain.digest import Digest
from prefcenter.domain.errors import VersionConflict
from prefcenter.domain.events import Refused
from prefcenter.domain.ledger import PARTITIONS, Head, partition_of
from prefcenter.domain.record import Record, fold
from prefcenter.security.seals import SALT_BYTES
from prefcenter.services.ports import Alike, AlikeChanges, ApiKey, Beginnings, Change, Receipt, Send, WaitingLetter
from prefcenter.storage.chain import EventRow, link, links
from prefcenter.storage.mapping import encode_event, encode_record
from prefcenter.storage.sealers import WHOLE_STORE, SealerByController
from prefcenter.storage.sqlite_alike import AlikeRows
from prefcenter.storage.sqlite_api_keys import put_api_key
from prefcenter.storage.sqlite_ledger import (
    UPSERT_RECORD,
    drop_bodies,
    last_head,
    row_partition,
    subject_columns,
    unmoved_row_ids,
)
from prefcenter.storage.sqlite_letters import change_letter, claim_letters, drop_letters_to, queue_letter
from prefcenter.storage.sqlite_receipts import check_name_is_free, counted, put_receipt
from prefcenter.storage.sqlite_sealed import drop_sealed, put_sealed
from prefcenter.storage.sqlite_sends import drop_sends_to, forget_sends, note_sends
from prefcenter.storage.sqlite_tables import (
    add_controller,
    add_term,
    check_controllers,
    controller_ids,
    first_import_ms,
    load_policy,
    load_terms,
    note_key,
    put_policy,
)


class Acts:
    """The writing half of the store, used by its one writer: each act checks before it writes.

    It remembers numbers, texts and heads until `forget` is called.
    """

    def __init__(self, connection: sqlite3.Connection, sealers: SealerByController) -> None:
        self._connection = connection
        self._sealers = sealers
        self.forget()

    def forget(self) -> None:
        """Drop what is remembered: another process wrote, or a transaction was rolled back."""
        self._terms: dict[str, dict[str, int]] = {}
        self._heads: dict[int, Head] = {}
        self._ids: dict[str, int] | None = None
        self._has_noted_key = False
        self._last_row_id: int | None = None

    def append(
        self,
        controller: str,
        changes: Sequence[Change],
        receipt: Receipt | None,
        alike: Sequence[Alike] = (),
    ) -> None:
        row_ids = unmoved_row_ids(self._connection, self._known_ids().get(controller), changes)
        self._check_receipt(controller, receipt)
        controller_id = self._controller_id(controller)
        intern = self._interner(controller, controller_id)
        records, events = [], []
        for change in changes:
            subject = change.after.subject
            row_id = row_ids.get(subject.value)
            if row_id is None:
                row_id = row_ids[subject.value] = self._next_row_id()
            state = encode_record(change.after, intern)
            records.append((row_id, controller_id, *subject_columns(subject), change.after.version, state))
            for version, event in enumerate(change.events, change.before.version + 1):
                body = encode_event(event, intern)
                events.append(self._event_columns(controller, controller_id, row_id, subject, version, body))
        self._connection.executemany(UPSERT_RECORD, records)
        self._connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", events)
        for change in changes:
            self._change_what_stands_beside(controller, controller_id, row_ids, change)
        for together in alike:
            if isinstance(together, Beginnings):
                self._begin(controller, controller_id, together)
            else:
                self._change_alike(controller, controller_id, together)
        self._keep_receipt(controller, controller_id, receipt)

    def _begin(self, controller: str, controller_id: int, beginnings: Beginnings) -> None:
        """Write records that are new, those at once whose states and bodies are of one length."""
        intern, subjects = self._interner(controller, controller_id), beginnings.subjects
        distinct = {id(event): event for event in beginnings.events}
        encoded = {number: _encoded(subjects.at(0), event, intern) for number, event in distinct.items()}
        together: dict[tuple[int, int], list[int]] = {}
        for index, event in enumerate(beginnings.events):
            state, body = encoded[id(event)]
            together.setdefault((len(state), len(body)), []).append(index)
        for indexes in together.values():
            written = [encoded[id(beginnings.events[index])] for index in indexes]
            states, bodies = zip(*(written if len(encoded) > 1 else written[:1]), strict=True)
            first = self._next_row_id(len(indexes))
            rows = AlikeRows(self._connection, controller_id, subjects.taken(indexes), first)
            rows.write_records(1, states)
            self._write_alike_events(controller, rows, 1, bodies)

    def _change_alike(self, controller: str, controller_id: int, alike: AlikeChanges) -> None:
        intern, change = self._interner(controller, controller_id), alike.first
        rows = AlikeRows(self._connection, controller_id, alike.subjects, None)
        rows.write_records(change.after.version, [encode_record(change.after, intern)])
        for version, event in enumerate(change.events, change.before.version + 1):
            self._write_alike_events(controller, rows, version, [encode_event(event, intern)])

    def _write_alike_events(self, controller: str, rows: AlikeRows, version: int, bodies: Sequence[bytes]) -> None:
        sealer = self._sealers[controller]
        partitions = [row_partition(rows.controller_id, number) for number in range(PARTITIONS)]
        salts = os.urandom(SALT_BYTES * len(rows.subjects))
        heads = [self._head(partition) for partition in partitions]
        chained = links(sealer, rows.subjects, version, bodies, heads, salts)
        rows.write_events(version, sealer.active_key_id, chained, bodies)
        self._heads |= zip(partitions, chained.heads, strict=True)

    def _head(self, partition: int) -> Head:
        return self._heads.get(partition) or last_head(self._connection, partition)

    def _change_what_stands_beside(
        self, controller: str, controller_id: int, row_ids: Mapping[bytes, int], change: Change
    ) -> None:
        """After an erasure nothing does; else what the change brings, if it brings anything."""
        subject = change.after.subject
        row_id = row_ids[subject.value]
        if change.erases_up_to:
            drop_bodies(self._connection, row_id, change.erases_up_to)
            drop_sealed(self._connection, row_id)
            drop_sends_to(self._connection, controller_id, change.forgotten)
            drop_letters_to(self._connection, controller_id, change.forgotten)
        elif change.sealed is not None:
            put_sealed(self._connection, self._sealers[controller], row_id, subject, change.sealed)

    def record_sends(
        self, controller: str, purpose: str, sends: Sequence[Send], forget_before_ms: int, receipt: Receipt | None
    ) -> int:
        self._check_receipt(controller, receipt)
        controller_id = self._controller_id(controller)
        purpose_id = self._interner(controller, controller_id)(purpose)
        forget_sends(self._connection, controller_id, purpose_id, forget_before_ms)
        remembered = [send for send in sends if send.sent_ms >= forget_before_ms]
        new = note_sends(self._connection, self._sealers[controller], controller_id, purpose_id, remembered)
        self._keep_receipt(controller, controller_id, counted(receipt, new))
        return new

    def queue_letter(
        self, controller: str, subject: Digest, content: bytes | None, now_ms: int, letters_max: int
    ) -> bool:
        controller_id = self._controller_id(controller)
        sealer = self._sealers[controller]
        return queue_letter(self._connection, sealer, controller_id, subject, content, now_ms, letters_max)

    def claim_letters(self, now_ms: int, until_ms: int, limit: int) -> Sequence[WaitingLetter]:
        return claim_letters(self._connection, self._sealers, self._names(), (now_ms, until_ms, limit))

    def change_letter(self, letter_id: str, due_ms: int | None) -> None:
        change_letter(self._connection, self._sealers, self._names(), int(letter_id), due_ms)

    def _names(self) -> Mapping[int, str]:
        return {number: name for name, number in self._known_ids().items()}

    def adopt_policy(self, controller: str, document: str, instead_of: str | None) -> None:
        known = self._known_ids().get(controller)
        sealer = self._sealers[controller]
        if (None if known is None else load_policy(self._connection, sealer, known)) != instead_of:
            raise VersionConflict("another policy came into force meanwhile")
        put_policy(self._connection, sealer, self._controller_id(controller), document)

    def first_import_ms(self, controller: str, fingerprint: bytes, now_ms: int) -> int:
        controller_id = self._controller_id(controller)
        return first_import_ms(self._connection, self._sealers[controller], controller_id, fingerprint, now_ms)

    def put_api_key(self, key: ApiKey) -> None:
        put_api_key(self._connection, self._sealers[WHOLE_STORE], key)
        self._note_key()

    def _check_receipt(self, controller: str, receipt: Receipt | None) -> None:
        if receipt is not None:
            known = self._known_ids().get(controller)
            check_name_is_free(self._connection, self._sealers[controller], known, receipt)

    def _keep_receipt(self, controller: str, controller_id: int, receipt: Receipt | None) -> None:
        if receipt is not None:
            put_receipt(self._connection, self._sealers[controller], controller_id, receipt)

    def _known_ids(self) -> dict[str, int]:
        if self._ids is None:
            check_controllers(self._connection, self._sealers)
            self._ids = controller_ids(self._connection, self._sealers)
        return self._ids

    def _controller_id(self, controller: str) -> int:
        """The number of a controller, a new one where it has none; so it comes after every check."""
        known = self._known_ids()
        if controller not in known:
            known[controller] = add_controller(self._connection, self._sealers, controller)
        self._note_key()
        return known[controller]

    def _note_key(self) -> None:
        if not self._has_noted_key:
            note_key(self._connection, self._sealers)
            self._has_noted_key = True

    def _next_row_id(self, rows: int = 1) -> int:
        """The first of as many row ids that follow each other."""
        if self._last_row_id is None:
            (self._last_row_id,) = self._connection.execute("SELECT coalesce(max(id), 0) FROM records").fetchone()
        first = self._last_row_id + 1
        self._last_row_id += rows
        return first

    def _interner(self, controller: str, controller_id: int) -> Callable[[str], int]:
        sealer = self._sealers[controller]
        if controller not in self._terms:
            stored = load_terms(self._connection, sealer, controller_id)
            self._terms[controller] = {text: term_id for term_id, text in stored.items()}
        terms = self._terms[controller]

        def intern(text: str) -> int:
            if text not in terms:
                terms[text] = add_term(self._connection, sealer, controller_id, text, taken=terms.values())
            return terms[text]

        return intern

    def _event_columns(
        self, controller: str, controller_id: int, row_id: int, subject: Digest, version: int, body: bytes
    ) -> tuple[Any, ...]:
        number = partition_of(subject.value)
        partition = row_partition(controller_id, number)
        head = self._head(partition)
        sealer = self._sealers[controller]
        key, salt = sealer.active_key_id, os.urandom(SALT_BYTES)
        row = EventRow(head.position + 1, subject, version, key, salt, body, b"")
        mac = link(sealer, key, number, row, head.mac)
        self._heads[partition] = Head(row.position, mac)
        return partition, row.position, row_id, version, key, salt, mac, body


def _encoded(subject: Digest, event: Refused, intern: Callable[[str], int]) -> tuple[bytes, bytes]:
    """The state of a record that begins with an event, whosever it is, and the body of the event."""
    return encode_record(fold(Record(subject), event), intern), encode_event(event, intern)
