"""The audit of a MongoDB store: every chain, every record against the fold of its events, every sealed document.

It reads beside writers and needs no snapshot: what it looks at first bounds what it looks for afterwards, events beyond
that are held against heads that are read later, and a record that does not fit its events is read again before it is
called wrong.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby, islice
from typing import Any

from pymongo.database import Database
from pymongo.errors import PyMongoError

from prefcenter.domain.errors import PrefcenterError
from prefcenter.domain.ledger import PARTITIONS, Head
from prefcenter.security.seals import Sealer
from prefcenter.services.ports import AuditReport
from prefcenter.storage.chain import EventRow, chain_faults
from prefcenter.storage.mongo_documents import event_id, event_row, in_chunks, owned_id, place_of
from prefcenter.storage.mongo_errors import as_store_error
from prefcenter.storage.mongo_ledger import Ledger, read_ledger
from prefcenter.storage.mongo_letters import holds_letter
from prefcenter.storage.mongo_receipts import holds_receipt
from prefcenter.storage.mongo_schema import schema_faults
from prefcenter.storage.mongo_sealed import holds_sealed
from prefcenter.storage.mongo_sends import holds_send
from prefcenter.storage.mongo_tables import (
    holds_controller,
    holds_key,
    read_api_key,
    read_import,
    read_policy,
    read_term,
)
from prefcenter.storage.refolding import UNREADABLE, first_findings, is_fold_of_events, stored_subject
from prefcenter.storage.sealers import WHOLE_STORE, SealerByController

DOCUMENTS_A_PAGE = 1_000
LOOKS_AT_A_RECORD = 3
"""How often a record that does not fit is read: somebody may have written to it between its reading and its events'."""

Document = Mapping[str, Any]

_OWNED = ("terms", "imports", "receipts", "sends", "sealed", "letters", "records", "events")
_OF_ONE = ("policies", "ledgers")
_SUBJECT_FIELDS = ("kind", "digest_key", "rules")


def audit_controller(
    database: Database[dict[str, Any]],
    sealers: SealerByController,
    controller: str,
    expected: Sequence[Sequence[Head]],
    per_query: int,
) -> AuditReport:
    """Verify everything that is kept for a controller.

    `expected` holds heads that were signed before, eight at a time: from the checkpoint, from manifests.
    """
    audit = _Audit(database, sealers, controller, per_query)
    findings = tuple(first_findings(_until_unreadable(audit.findings(expected))))
    return AuditReport(audit.events, audit.records, findings)


def _until_unreadable(findings: Iterator[str]) -> Iterator[str]:
    """Findings, the last of which says why there are no more where the rest cannot be read."""
    try:
        yield from findings
    except PyMongoError as error:
        yield str(as_store_error(error))
    except PrefcenterError as error:
        yield str(error)
    except UNREADABLE as error:
        yield f"a document cannot be read ({type(error).__name__})"


class _Audit:
    """One controller's audit."""

    def __init__(
        self, database: Database[dict[str, Any]], sealers: SealerByController, controller: str, per_query: int
    ) -> None:
        self._database = database
        self._sealers = sealers
        self._sealer: Sealer = sealers[controller]
        self._controller = controller
        self._per_query = per_query
        self._number = 0
        self._keys_used: set[int] = set()
        self._event_findings: list[str] = []
        self._lasts = [0] * PARTITIONS
        self.events = 0
        self.records = 0

    def findings(self, expected: Sequence[Sequence[Head]]) -> Iterator[str]:
        yield from schema_faults(self._database)
        yield from self._faults_of_the_store()
        numbers = {document["_id"]: int(document["number"]) for document in self._database["controllers"].find()}
        self._number = numbers.get(self._controller, 0)
        if not self._number:
            yield f"controller {self._controller} is not in the store"
            return
        yield from self._stray_documents(set(numbers.values()))
        yield from self._faults_of_small_documents()
        ledger = self._ledger()
        yield from self._chain_findings(ledger, expected)
        yield from self._missing_keys()
        yield from self._record_findings(ledger)

    def _faults_of_the_store(self) -> Iterator[str]:
        keys = list(self._database["keys"].find())
        controllers = list(self._database["controllers"].find())
        if controllers and not keys:
            yield "collection keys: it is empty"
        yield from _faults("keys: number {_id} was altered", keys, lambda key: holds_key(self._sealers, key))
        yield from _faults(
            "controllers: number {number} was altered", controllers, lambda item: holds_controller(self._sealers, item)
        )
        sealer = self._sealers[WHOLE_STORE]
        for document in self._database["api_keys"].find():
            yield from _complaint(partial(read_api_key, sealer, document))

    def _stray_documents(self, known: set[int]) -> Iterator[str]:
        owners = {name: self._database[name].distinct("controller") for name in _OWNED}
        owners |= {name: self._database[name].distinct("_id") for name in _OF_ONE}
        yield from (
            f"collection {name}: documents belong to no controller of this store"
            for name, numbers in owners.items()
            if set(numbers) - known
        )

    def _faults_of_small_documents(self) -> Iterator[str]:
        sealer, ours = self._sealer, {"controller": self._number}
        readers: Mapping[str, Callable[[Sealer, Document], object]] = {"terms": read_term, "imports": read_import}
        for name, read in readers.items():
            for document in self._database[name].find(ours):
                yield from _complaint(partial(read, sealer, document))
        policy = self._database["policies"].find_one({"_id": self._number})
        if policy is None:
            yield "collection policies: no policy is in force any more"
        else:
            yield from _complaint(partial(read_policy, sealer, policy))
        holds = {
            "receipts": holds_receipt,
            "sends": holds_send,
            "sealed": holds_sealed,
            "letters": holds_letter,
        }
        for name, is_as_sealed in holds.items():
            documents = self._database[name].find(ours)
            yield from _faults(f"{name}: a document was altered", documents, partial(is_as_sealed, sealer))
        yield from self._sealed_without_record()

    def _sealed_without_record(self) -> Iterator[str]:
        sealed = self._database["sealed"].find({"controller": self._number}, {"_id": 1})
        for page in _pages(sealed):
            lost = len(page) - len(self._existing_records([document["_id"] for document in page]))
            yield from ["collection sealed: a document belongs to no record"] * lost

    def _ledger(self) -> Ledger:
        document = self._database["ledgers"].find_one({"_id": self._number})
        return read_ledger(self._sealer, document or {})

    # Events

    def _chain_findings(self, ledger: Ledger, expected: Sequence[Sequence[Head]]) -> Iterator[str]:
        """One reading of all events, whose order is that of partitions and of positions in each."""
        query = {"_id": {"$gte": event_id(self._number, 0, 0), "$lt": event_id(self._number, PARTITIONS, 0)}}
        by_partition = _by_partition(self._database["events"].find(query).sort("_id", 1))
        for partition, (head, documents) in enumerate(zip(ledger.heads, by_partition, strict=True)):
            rows = self._chain(partition, self._until(partition, head.position, documents))
            signed = [head, *(heads[partition] for heads in expected)]
            yield from chain_faults(self._sealer, partition, rows, signed)
            yield from self._event_findings
            self._event_findings.clear()
        yield from self._unacknowledged()

    def _until(self, partition: int, position: int, documents: Iterable[Document]) -> Iterator[Document]:
        """The events up to a position; that of the very last one is noted."""
        for document in documents:
            self._lasts[partition] = _position(document)
            if self._lasts[partition] <= position:
                yield document

    def _unacknowledged(self) -> Iterator[str]:
        """Whoever wrote meanwhile moved the heads on, too."""
        for partition, head in enumerate(self._ledger().heads):
            if self._lasts[partition] > head.position:
                yield f"partition {partition}: events follow the last one that was acknowledged"

    def _chain(self, partition: int, documents: Iterable[Document]) -> Iterator[EventRow]:
        for page in _pages(documents):
            self.events += len(page)
            self._look_for_records(partition, page)
            for document in page:
                self._keys_used.add(int(document["key"]))
                subject = stored_subject(
                    document["kind"], document["digest_key"], document["rules"], document["digest"]
                )
                yield event_row(document, subject, _position(document))

    def _look_for_records(self, partition: int, page: Sequence[Document]) -> None:
        """Every record begins with an event, so an event of version 1 without a record is one that is gone."""
        firsts = {owned_id(event["digest"], self._number): event for event in page if event["version"] == 1}
        standing = self._existing_records(list(firsts))
        self._event_findings += [
            f"partition {partition}: the record of event {_position(event)} is gone"
            for its_id, event in firsts.items()
            if its_id not in standing
        ]
        self._event_findings += [
            f"partition {partition}: event {_position(event)} names another controller"
            for event in page
            if event["controller"] != self._number
        ]

    def _existing_records(self, ids: Sequence[bytes]) -> set[bytes]:
        return {
            document["_id"]
            for chunk in in_chunks(ids, self._per_query)
            for document in self._database["records"].find({"_id": {"$in": chunk}}, {"_id": 1})
        }

    def _missing_keys(self) -> Iterator[str]:
        """A key that sealed events and is not noted: an older keyring, which lacks it, would pass for the right one."""
        known = {document["_id"] for document in self._database["keys"].find()}
        for key in sorted(self._keys_used - known):
            yield f"collection keys: number {key}, which sealed events, is missing"

    # Records

    def _record_findings(self, ledger: Ledger) -> Iterator[str]:
        """Numbers decide what a scan meets, so records have to have all of them from 1 on, each once."""
        terms = dict(read_term(self._sealer, item) for item in self._database["terms"].find(self._ours()))
        if len(terms) < ledger.terms:
            yield "collection terms: a text is missing"
        query = {**self._ours(), "number": {"$lte": ledger.records}}
        numbers = 0
        for page in _pages(self._database["records"].find(query).sort("number", 1)):
            numbers += sum(document["number"] > 0 for document in page)
            self.records += len(page)
            yield from self._faults_of_records(page, terms)
        if numbers != ledger.records:
            yield f"collection records: {ledger.records} are numbered, {numbers} are found"

    def _ours(self) -> dict[str, Any]:
        return {"controller": self._number}

    def _faults_of_records(self, page: Sequence[Document], terms: Mapping[int, str]) -> Iterator[str]:
        id_by_text = {text: number for number, text in terms.items()}
        waiting = list(page)
        for _ in range(LOOKS_AT_A_RECORD):
            histories = self._histories(waiting)
            waiting = [
                record
                for record in waiting
                if not _is_told_by(record, histories.get(_value(record), ()), terms, id_by_text)
            ]
            if not waiting:
                return
            faulty = {record["_id"]: record["number"] for record in waiting}
            waiting = list(self._database["records"].find({"_id": {"$in": list(faulty)[: self._per_query]}}))
        yield from (f"record {number} is not what its events say" for number in faulty.values())

    def _histories(self, records: Sequence[Document]) -> Mapping[bytes, Sequence[Document]]:
        """All events of the records in their order, by digest."""
        found: list[Document] = []
        fields = dict.fromkeys(("digest", *_SUBJECT_FIELDS, "version", "salt", "body"), 1)
        for chunk in in_chunks([_value(record) for record in records], self._per_query):
            query = {"digest": {"$in": chunk}, "controller": self._number}
            found += self._database["events"].find(query, fields)
        found.sort(key=lambda event: (event["digest"], event["version"]))
        return {digest: list(events) for digest, events in groupby(found, key=lambda event: event["digest"])}


def _is_told_by(
    record: Document, events: Sequence[Document], terms: Mapping[int, str], id_by_text: Mapping[str, int]
) -> bool:
    """Whether a record is the fold of events that are all of its own subject."""
    subject = [record[name] for name in _SUBJECT_FIELDS]
    history = [(event["version"], event["salt"], event["body"]) for event in events]
    are_its_own = all([event[name] for name in _SUBJECT_FIELDS] == subject for event in events)
    return are_its_own and is_fold_of_events(_stored(record), history, terms, id_by_text)


def _stored(record: Document) -> tuple[Any, Any, Any, Any, Any, Any]:
    return (*(record[name] for name in _SUBJECT_FIELDS), _value(record), record["version"], record["state"])


def _value(record: Document) -> bytes:
    its_id: bytes = record["_id"]
    return its_id[: -len(owned_id(b"", 0))]


def _position(event: Document) -> int:
    """The position that an event's id says; one that is altered says 0, where no event is."""
    try:
        return place_of(event["_id"])[2]
    except struct.error:
        return 0


def _by_partition(events: Iterable[Document]) -> Iterator[Iterable[Document]]:
    """The events of each partition, which have to be read before the next ones are asked for."""
    chains = groupby(events, key=lambda event: place_of(event["_id"])[1])
    at_hand = next(chains, None)
    for partition in range(PARTITIONS):
        if at_hand is None or at_hand[0] != partition:
            yield ()
            continue
        yield at_hand[1]
        at_hand = next(chains, None)


def _pages(documents: Iterable[Document]) -> Iterator[list[Document]]:
    iterator = iter(documents)
    while page := list(islice(iterator, DOCUMENTS_A_PAGE)):
        yield page


def _faults(complaint: str, documents: Iterable[Document], holds: Callable[[Document], bool]) -> Iterator[str]:
    for document in documents:
        if not holds(document):
            yield "collection " + complaint.format_map(document)


def _complaint(read: Callable[[], object]) -> Iterator[str]:
    """What reading a document complains of, if of anything."""
    try:
        read()
    except PrefcenterError as error:
        yield str(error)
