"""What is read from a MongoDB store. Texts and controllers' numbers are remembered, as neither ever changes."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from typing import Any, TypeVar

from prefcenter.domain.digest import Digest
from prefcenter.domain.errors import InvalidInput, StoreDamaged
from prefcenter.domain.ledger import PARTITIONS, Head
from prefcenter.domain.record import Record
from prefcenter.security.seals import Sealer
from prefcenter.services.ports import LedgerEvent, Receipt, RecordColumns, RecordPage, Send
from prefcenter.storage.columns import StoredRecord, in_columns
from prefcenter.storage.feed import fair_shares
from prefcenter.storage.mapping import decode_event, decode_record
from prefcenter.storage.mongo_client import Database, MongoConnection, all_of
from prefcenter.storage.mongo_documents import event_id, in_chunks, owned_id, place_of, subject_of
from prefcenter.storage.mongo_ledger import load_ledger
from prefcenter.storage.mongo_receipts import load_receipts
from prefcenter.storage.mongo_sealed import load_sealed
from prefcenter.storage.mongo_sends import Place, page_of_sends, send_times
from prefcenter.storage.mongo_tables import controller_numbers, load_policy, load_terms
from prefcenter.storage.sealers import SealerByController

SENDS_A_PAGE = 2_000
NUMBER_DIGITS_MAX = 18
"""No record's number has more; the database's numbers end in the nineteenth digit."""

Document = Mapping[str, Any]
T = TypeVar("T")
_UNREADABLE_RECORD = "collection records: a record cannot be read; run `prefcenter audit verify`"
_UNREADABLE = (ValueError, KeyError, IndexError, TypeError, RecursionError, struct.error)


class MongoQueries:
    """The reading half of the store."""

    def __init__(self, connection: MongoConnection, sealers: SealerByController, per_query: int) -> None:
        self._connection = connection
        self._sealers = sealers
        self._per_query = per_query
        self._numbers: dict[str, int] = {}
        self._terms: dict[str, dict[int, str]] = {}

    @property
    def _database(self) -> Database[dict[str, Any]]:
        return self._connection.database

    # Records

    async def load(self, controller: str, subjects: Sequence[Digest]) -> list[Record]:
        number = await self._number_of(controller)
        if number is None or not subjects:
            return []
        ids = list({owned_id(subject.value, number) for subject in subjects})
        documents: list[Document] = []
        for chunk in in_chunks(ids, self._per_query):
            documents += await all_of(self._database["records"].find({"_id": {"$in": chunk}}))
        return [await self._record(controller, number, document) for document in documents]

    async def load_sealed(self, controller: str, subjects: Sequence[Digest]) -> Mapping[Digest, bytes]:
        number = await self._number_of(controller)
        if number is None:
            return {}
        return await load_sealed(self._database, self._sealers[controller], number, subjects, self._per_query)

    async def page(self, controller: str, after: str | None, limit: int) -> RecordPage:
        documents = await self._record_documents(controller, 0 if after is None else _number(after), limit + 1)
        records = await self._records(controller, documents[:limit])
        return RecordPage(records, str(documents[limit - 1]["number"]) if len(documents) > limit else None)

    async def scan_page(self, controller: str, after: int, limit: int) -> tuple[list[Record], int]:
        documents = await self._record_documents(controller, after, limit)
        return await self._records(controller, documents), documents[-1]["number"] if documents else after

    async def columns_page(self, controller: str, after: int, limit: int) -> tuple[RecordColumns, int]:
        documents = await self._record_documents(controller, after, limit)
        owner = owned_id(b"", await self._number_of(controller) or 0)
        try:
            stored = [_stored(document, owner) for document in documents]
            columns = await self._with_terms(controller, lambda text: in_columns(stored, text.__getitem__))
        except _UNREADABLE:
            raise StoreDamaged(_UNREADABLE_RECORD) from None
        return columns, documents[-1]["number"] if documents else after

    async def _record_documents(self, controller: str, after: int, limit: int) -> Sequence[Document]:
        """Documents in the order of their numbers, which is the one they were first written in.

        Numbers have no gaps, so a page names both its ends, and no shard reads or sends more than its part of it. What
        is not full is the last page, or one where documents are gone: then whatever follows counts.
        """
        number = await self._number_of(controller)
        for follows in ({"$gt": after, "$lte": after + limit}, {"$gt": after}):
            cursor = self._database["records"].find({"controller": number, "number": follows}).sort("number", 1)
            found = await all_of(cursor.limit(limit))
            if len(found) == limit:
                break
        return found

    async def _records(self, controller: str, documents: Sequence[Document]) -> list[Record]:
        number = await self._number_of(controller) or 0
        return [await self._record(controller, number, document) for document in documents]

    async def _record(self, controller: str, number: int, document: Document) -> Record:
        try:
            subject = subject_of(document, document["_id"][: -len(owned_id(b"", number))])
            version, state = int(document["version"]), document["state"]
            return await self._with_terms(
                controller, lambda text: decode_record(subject, version, state, text.__getitem__)
            )
        except _UNREADABLE:
            raise StoreDamaged(_UNREADABLE_RECORD) from None

    # Ledger

    async def since(self, controller: str, positions: Sequence[int], limit: int) -> list[LedgerEvent]:
        heads = await self.heads(controller)
        waiting = [max(0, head.position - position) for head, position in zip(heads, positions, strict=True)]
        shares = fair_shares(waiting, limit, first=sum(positions) % PARTITIONS)
        number = await self._number_of(controller) or 0
        wanted = [
            [event_id(number, partition, position + 1 + step) for step in range(share)]
            for partition, (position, share) in enumerate(zip(positions, shares, strict=True))
        ]
        found = await self._events([its_id for ids in wanted for its_id in ids])
        return [
            await self._ledger_event(controller, found[its_id])
            for ids in wanted
            for its_id in takewhile(found.__contains__, ids)
        ]

    async def _events(self, ids: Sequence[bytes]) -> Mapping[bytes, Document]:
        """Events by id: positions have no gaps, so a page of all partitions is one look-up.

        On several shards a part of a transaction may show before the rest; what follows a gap comes when it is closed.
        """
        found: list[Document] = []
        for chunk in in_chunks(ids, self._per_query):
            found += await all_of(self._database["events"].find({"_id": {"$in": chunk}}))
        return {document["_id"]: document for document in found}

    async def history(self, controller: str, subjects: Sequence[Digest]) -> list[LedgerEvent]:
        number = await self._number_of(controller)
        if number is None or not subjects:
            return []
        documents: list[Document] = []
        for chunk in in_chunks(list({subject.value for subject in subjects}), self._per_query):
            query = {"digest": {"$in": chunk}, "controller": number}
            documents += await all_of(self._database["events"].find(query))
        documents.sort(key=lambda document: document["_id"])
        return [await self._ledger_event(controller, document) for document in documents]

    async def due_letters(self, now_ms: int) -> list[str]:
        """The controllers that have letters which are due."""
        numbers = await controller_numbers(self._database, self._sealers)
        due = {"due_ms": {"$ne": None, "$lte": now_ms}, "controller": {"$in": list(numbers.values())}}
        waiting = set(await self._database["letters"].distinct("controller", due))
        return sorted(name for name, number in numbers.items() if number in waiting)

    async def _ledger_event(self, controller: str, document: Document) -> LedgerEvent:
        event = None
        try:
            _, partition, position = place_of(document["_id"])
            subject = subject_of(document, document["digest"])
            if document["salt"] is not None:
                body = document["body"]
                event = await self._with_terms(controller, lambda text: decode_event(body, text.__getitem__))
        except _UNREADABLE:
            raise StoreDamaged("collection events: an event cannot be read; run `prefcenter audit verify`") from None
        return LedgerEvent(partition, position, subject, int(document["version"]), event)

    async def heads(self, controller: str) -> tuple[Head, ...]:
        number = await self._number_of(controller)
        if number is None:
            return (Head(),) * PARTITIONS
        return tuple((await load_ledger(self._database, self._sealers[controller], number)).heads)

    async def holds_heads(self, controller: str, heads: Sequence[Head]) -> bool:
        number = await self._number_of(controller) or 0
        signed = {
            event_id(number, partition, head.position): head.mac
            for partition, head in enumerate(heads)
            if head.position
        }
        query = {"_id": {"$in": list(signed)}}
        found = await all_of(self._database["events"].find(query, {"mac": 1}))
        return {document["_id"]: document["mac"] for document in found} == signed

    # Receipts and sends

    async def receipt(self, controller: str, name: bytes, since_ms: int) -> Receipt | None:
        number = await self._number_of(controller)
        if number is None:
            return None
        known = await load_receipts(self._database, self._sealers[controller], number, [name])
        receipt = known.get(name)
        return receipt if receipt is not None and receipt.received_ms >= since_ms else None

    async def sends(
        self, controller: str, purpose: str, subjects: Sequence[Digest], since_ms: int
    ) -> Mapping[Digest, Sequence[int]]:
        place = await self._purpose(controller, purpose)
        if place is None:
            return {}
        sealer: Sealer = self._sealers[controller]
        return await send_times(self._database, sealer, *place, subjects, since_ms, self._per_query)

    async def page_of_sends(
        self, controller: str, purpose: str, after: Place | None
    ) -> tuple[list[Send], Place | None]:
        place = await self._purpose(controller, purpose)
        if place is None:
            return [], None
        return await page_of_sends(self._database, self._sealers[controller], *place, after, SENDS_A_PAGE)

    async def _purpose(self, controller: str, purpose: str) -> tuple[int, int] | None:
        """The numbers of a controller and of a purpose of it; None for a purpose that nothing here speaks of."""
        number = await self._number_of(controller)
        if number is None:
            return None
        if purpose not in self._terms.get(controller, {}).values():
            self._terms[controller] = await load_terms(self._database, self._sealers[controller], number)
        found = [term for term, text in self._terms[controller].items() if text == purpose]
        return (number, found[0]) if found else None

    # The rest

    async def policy_in_force(self, controller: str) -> str | None:
        number = await self._number_of(controller)
        return None if number is None else await load_policy(self._database, self._sealers[controller], number)

    async def _number_of(self, controller: str) -> int | None:
        """The number of a controller, which never changes once it is given; None for one that has nothing here."""
        if controller not in self._numbers:
            self._numbers = await controller_numbers(self._database, self._sealers)
        return self._numbers.get(controller)

    async def _with_terms(self, controller: str, use: Callable[[Mapping[int, str]], T]) -> T:
        """Use the interned texts as last read, and read them anew where a number is missing."""
        try:
            return use(self._terms.get(controller, {}))
        except KeyError:
            number = await self._number_of(controller) or 0
            self._terms[controller] = await load_terms(self._database, self._sealers[controller], number)
            return use(self._terms[controller])


def _stored(document: Document, owner: bytes) -> StoredRecord:
    subject = subject_of(document, document["_id"][: -len(owner)])
    return subject.kind, subject.key, subject.rules, subject.value, int(document["version"]), document["state"]


def _number(place: str) -> int:
    """The record that a place names. A place may come from a caller, so only what `page` itself writes is read."""
    if not (place.isascii() and place.isdigit() and len(place) <= NUMBER_DIGITS_MAX):
        raise InvalidInput("after: not a place that a page of records gave")
    return int(place)
