"""A MongoDB store as one end of a copy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from pymongo import ReplaceOne
from pymongo.database import Database

from prefcenter.domain.digest import Digest, DigestKind
from prefcenter.domain.errors import StoreDamaged, StoreError
from prefcenter.domain.ledger import PARTITIONS, Head
from prefcenter.security.seals import Sealer
from prefcenter.services.ports import ApiKey, Receipt, Send
from prefcenter.storage.copying import EVENTS, IMPORTS, LETTERS, POLICIES, RECEIPTS, RECORDS, SEALED, SENDS, TERMS, Row
from prefcenter.storage.mongo_documents import (
    event_id,
    owned_id,
    place_of,
    plain,
    subject_fields,
)
from prefcenter.storage.mongo_ledger import Ledger, read_ledger, sealed_ledger
from prefcenter.storage.mongo_letters import letter_document, letter_row
from prefcenter.storage.mongo_receipts import holds_receipt, sealed_receipt
from prefcenter.storage.mongo_schema import COPY, check_version, complete, opened_database
from prefcenter.storage.mongo_sealed import holds_sealed, sealed_document
from prefcenter.storage.mongo_sends import holds_send, sealed_send
from prefcenter.storage.mongo_tables import (
    check_keyring,
    numbers_of,
    read_api_key,
    read_import,
    read_policy,
    read_term,
    sealed_api_key,
    sealed_controller,
    sealed_import,
    sealed_policy,
    sealed_term,
)
from prefcenter.storage.mongo_url import MongoUrl
from prefcenter.storage.sealers import WHOLE_STORE, SealerByController

Document = dict[str, Any]
_SUBJECT = ("kind", "digest_key", "rules")
_ID_TAIL = len(owned_id(b"", 0))


@contextmanager
def opened_archive(url: MongoUrl, sealers: SealerByController, *, is_target: bool) -> Iterator[MongoArchive]:
    """A store as an end of a copy; a target is made where there is none."""
    if is_target:
        complete(url, while_copying=True)
    with opened_database(url, for_long=True) as database:
        check_version(database, while_copying=is_target)
        check_keyring(sealers, list(database["keys"].find()), list(database["controllers"].find()))
        yield MongoArchive(database, sealers)


class MongoArchive:
    """Both a source and a target."""

    def __init__(self, database: Database[Document], sealers: SealerByController) -> None:
        self._database = database
        self._sealers = sealers
        self._readers: Mapping[str, tuple[Callable[[Sealer, Document], Row], str]] = {
            TERMS: (read_term, "number"),
            IMPORTS: (_import_row, "fingerprint"),
            RECEIPTS: (_receipt_row, "_id"),
            SENDS: (_send_row, "_id"),
            SEALED: (_sealed_row, "_id"),
            LETTERS: (letter_row, "_id"),
        }
        self._writers: Mapping[str, Callable[[Sealer, int, Row], Document]] = {
            TERMS: lambda sealer, number, row: sealed_term(sealer, number, *row),
            IMPORTS: lambda sealer, number, row: sealed_import(sealer, number, *row),
            POLICIES: lambda sealer, number, row: sealed_policy(sealer, number, *row),
            RECEIPTS: lambda sealer, number, row: sealed_receipt(sealer, number, Receipt(*row)),
            SENDS: _send_document,
            SEALED: lambda sealer, number, row: sealed_document(sealer, number, _subject(row), row[4]),
        }

    # Source

    def keys(self) -> Sequence[int]:
        return [int(document["_id"]) for document in self._database["keys"].find().sort("_id", 1)]

    def api_keys(self) -> Sequence[ApiKey]:
        sealer = self._sealers[WHOLE_STORE]
        documents = self._database["api_keys"].find().sort([("created_ms", 1), ("_id", 1)])
        return [read_api_key(sealer, document) for document in documents]

    def controllers(self) -> Sequence[str]:
        numbers = self._numbers()
        return sorted(numbers, key=numbers.__getitem__)

    def heads(self, controller: str) -> tuple[Head, ...]:
        number = self._numbers()[controller]
        ledger = self._database["ledgers"].find_one({"_id": number})
        if ledger is not None:
            return tuple(read_ledger(self._sealers[controller], ledger).heads)
        return tuple(self._last_event(number, partition) for partition in range(PARTITIONS))

    def _last_event(self, number: int, partition: int) -> Head:
        query = {"_id": {"$gt": event_id(number, partition, 0), "$lt": event_id(number, partition + 1, 0)}}
        for document in self._database["events"].find(query).sort("_id", -1).limit(1):
            return Head(place_of(document["_id"])[2], document["mac"])
        return Head()

    def count_records(self, controller: str) -> int:
        return self._database["records"].count_documents({"controller": self._numbers()[controller]})

    def rows(self, controller: str, table: str, after: Row) -> Iterator[Row]:
        number, sealer = self._numbers()[controller], self._sealers[controller]
        readers: Mapping[str, Callable[[], Iterator[Row]]] = {
            POLICIES: partial(self._policies, sealer, number),
            RECORDS: partial(self._records, number, after),
            EVENTS: partial(self._events, number, after),
        }
        return readers[table]() if table in readers else self._owned(table, sealer, number)

    def _owned(self, table: str, sealer: Sealer, number: int) -> Iterator[Row]:
        read, order = self._readers[table]
        for document in self._database[table].find({"controller": number}).sort(order, 1):
            yield read(sealer, document)

    def _policies(self, sealer: Sealer, number: int) -> Iterator[Row]:
        for document in self._database["policies"].find({"_id": number}):
            yield (read_policy(sealer, document),)

    def _records(self, number: int, after: Row) -> Iterator[Row]:
        query = {"controller": number, "number": {"$gt": after[0]}}
        for document in self._database["records"].find(query).sort("number", 1):
            subject = (*_plain(document, *_SUBJECT), document["_id"][:-_ID_TAIL])
            yield (*_plain(document, "number"), *subject, *_plain(document, "version", "state"))

    def _events(self, number: int, after: Row) -> Iterator[Row]:
        for first, last in _stretches(number, after):
            for document in self._database["events"].find({"_id": {"$gt": first, "$lt": last}}).sort("_id", 1):
                place = place_of(document["_id"])[1:]
                yield (*place, *_plain(document, *_SUBJECT, "digest", "version", "key", "salt", "body", "mac"))

    def _numbers(self) -> dict[str, int]:
        return numbers_of(self._sealers, list(self._database["controllers"].find()))

    # Target

    def begin(self) -> None:
        if self._database["meta"].find_one({"_id": COPY}) is None:
            if self._database["controllers"].find_one() or self._database["keys"].find_one():
                raise StoreError("the target is a store in use; a copy needs a place where there is none")
            self._database["meta"].insert_one({"_id": COPY, "version": 0})

    def take_keys(self, keys: Sequence[int], api_keys: Sequence[ApiKey]) -> None:
        sealer = self._sealers[WHOLE_STORE]
        self._put("keys", [{"_id": key, "mac": sealer.seal(key, "key")} for key in keys])
        self._put("api_keys", [sealed_api_key(sealer, api_key) for api_key in api_keys])

    def add(self, controller: str) -> None:
        numbers = self._numbers()
        if controller not in numbers:
            number = max(numbers.values(), default=0) + 1
            self._put("controllers", [sealed_controller(self._sealers[controller], number, controller)])

    def take(self, controller: str, table: str, rows: Sequence[Row]) -> None:
        number, sealer = self._numbers()[controller], self._sealers[controller]
        if table == RECORDS:
            self._database["records"].insert_many([_record_document(number, row) for row in rows])
        elif table == EVENTS:
            self._database["events"].insert_many([_event_document(number, row) for row in rows])
        elif table == LETTERS:
            self._put(table, [letter_document(sealer, controller, number, row) for row in rows])
        else:
            self._put(table, [self._writers[table](sealer, number, row) for row in rows])

    def _put(self, table: str, documents: Sequence[Document]) -> None:
        if documents:
            self._database[table].bulk_write(
                [ReplaceOne({"_id": document["_id"]}, document, upsert=True) for document in documents]
            )

    def close_ledger(self, controller: str, heads: Sequence[Head]) -> None:
        number = self._numbers()[controller]
        terms = self._database["terms"].count_documents({"controller": number})
        ledger = Ledger(self.count_records(controller), terms, list(heads))
        document = sealed_ledger(self._sealers[controller], number, ledger)
        self._put("ledgers", [{"_id": number, "revision": 0, **document}])

    def finish(self) -> None:
        self._database["meta"].delete_one({"_id": COPY})


def _stretches(number: int, after: Sequence[int]) -> Iterator[tuple[bytes, bytes]]:
    """What follows a position in each partition, as stretches of ids, each from one id to another, both left out.

    A partition that is read from its beginning goes on where the one before it ends, so a whole ledger is one stretch.
    """
    begins = [partition for partition, position in enumerate(after) if position or not partition]
    for partition, end in zip(begins, [*begins[1:], len(after)], strict=True):
        yield event_id(number, partition, after[partition]), event_id(number, end, 0)


def _plain(document: Mapping[str, Any], *names: str) -> list[Any]:
    return [plain(document[name]) for name in names]


def _subject(row: Row) -> Digest:
    kind, key, rules, value = row[:4]
    return Digest(DigestKind(kind), key, rules, value)


def _require(holds: bool, table: str) -> None:
    if not holds:
        raise StoreDamaged(f"collection {table}: a document was altered; run `prefcenter audit verify`")


def _import_row(sealer: Sealer, document: Document) -> Row:
    return document["fingerprint"], read_import(sealer, document)


def _receipt_row(sealer: Sealer, document: Document) -> Row:
    _require(holds_receipt(sealer, document), RECEIPTS)
    return document["_id"][:-_ID_TAIL], *_plain(document, "input", "result", "received_ms")


def _send_row(sealer: Sealer, document: Document) -> Row:
    _require(holds_send(sealer, document), SENDS)
    return _plain(document, "purpose", "digest", "campaign", *_SUBJECT, "sent_ms")


def _sealed_row(sealer: Sealer, document: Document) -> Row:
    _require(holds_sealed(sealer, document), SEALED)
    return *_plain(document, *_SUBJECT), document["_id"][:-_ID_TAIL], document["content"]


def _send_document(sealer: Sealer, number: int, row: Row) -> Document:
    purpose, value, campaign, kind, key, rules, sent_ms = row
    return sealed_send(sealer, number, purpose, Send(Digest(DigestKind(kind), key, rules, value), campaign, sent_ms))


def _record_document(number: int, row: Row) -> Document:
    place, *subject, version, state = row
    digest = _subject(subject)
    its_id = owned_id(digest.value, number)
    fields = {"controller": number, "number": place, **subject_fields(digest)}
    return {"_id": its_id, **fields, "version": version, "state": state}


def _event_document(number: int, row: Row) -> Document:
    partition, position, *subject, version, key, salt, body, mac = row
    digest = _subject(subject)
    return {
        "_id": event_id(number, partition, position),
        "digest": digest.value,
        "controller": number,
        **subject_fields(digest),
        "version": version,
        "salt": salt,
        "body": body,
        "key": key,
        "mac": mac,
    }
