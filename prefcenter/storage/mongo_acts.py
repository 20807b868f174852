"""What is written to a MongoDB store, each act, or each group of appends, inside one transaction."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pymongo import DeleteOne, InsertOne, ReplaceOne, UpdateOne

from prefcenter.domain.errors import StoreDamaged, VersionConflict
from prefcenter.security.seals import SALT_BYTES, salted_hash
from prefcenter.services.ports import Change, Receipt, Send
from prefcenter.storage.mapping import encode_event, encode_record
from prefcenter.storage.mongo_client import all_of
from prefcenter.storage.mongo_documents import in_chunks, owned_id, subject_fields
from prefcenter.storage.mongo_letters import drop_letters_to
from prefcenter.storage.mongo_receipts import check_name_is_free, load_receipts, put_receipts
from prefcenter.storage.mongo_sealed import sealed_document
from prefcenter.storage.mongo_sends import note_sends
from prefcenter.storage.mongo_tables import (
    adopt_policy,
    load_policy,
    read_import,
    require_in_force,
    sealed_import,
)
from prefcenter.storage.mongo_writing import Writing


@dataclass(frozen=True, slots=True)
class Append:
    """An append that waits for its group."""

    changes: Sequence[Change]
    receipt: Receipt | None = None


Outcome = VersionConflict | None
"""What became of one append of a group; None: it was done."""


@dataclass
class _Stored:
    """Records as they are, and as they will be after the appends of the group that were accepted so far."""

    versions: dict[bytes, int] = field(default_factory=dict)
    numbers: dict[bytes, int] = field(default_factory=dict)
    receipts: dict[bytes, Receipt] = field(default_factory=dict)

    def take(self, append: Append) -> None:
        """Accept an append. Raises VersionConflict, and then nothing of it counts."""
        befores = [(change.before.subject.value, change.before.version) for change in append.changes]
        moved_on = any(self.versions.get(value, 0) != version for value, version in befores)
        if moved_on or len({value for value, _ in befores}) != len(befores):
            raise VersionConflict("a record moved on since it was read")
        if append.receipt is not None:
            check_name_is_free(self.receipts, append.receipt)
            self.receipts[append.receipt.name] = append.receipt
        self.versions |= {change.after.subject.value: change.after.version for change in append.changes}


async def append_group(writing: Writing, appends: Sequence[Append], per_query: int) -> list[Outcome]:
    """Do the appends of one controller in their order; one that conflicts leaves nothing and harms no other."""
    stored = await _stored(writing, appends, per_query)
    outcomes = [_taken(stored, append) for append in appends]
    accepted = [append for append, outcome in zip(appends, outcomes, strict=True) if outcome is None]
    if accepted:
        await writing.prepare()
        await _write(writing, stored, accepted)
        await writing.finish()
    return outcomes


def _taken(stored: _Stored, append: Append) -> Outcome:
    try:
        stored.take(append)
    except VersionConflict as conflict:
        return conflict
    return None


async def _stored(writing: Writing, appends: Sequence[Append], per_query: int) -> _Stored:
    stored, number = _Stored(), writing.number
    if number is None:
        return stored
    values = {change.before.subject.value for append in appends for change in append.changes}
    value_of = {owned_id(value, number): value for value in values}
    for ids in in_chunks(list(value_of), per_query):
        query = {"_id": {"$in": ids}}
        cursor = writing.database["records"].find(query, {"version": 1, "number": 1}, session=writing.session)
        for document in await all_of(cursor):
            value = value_of[document["_id"]]
            stored.versions[value], stored.numbers[value] = int(document["version"]), int(document["number"])
    names = [append.receipt.name for append in appends if append.receipt is not None]
    stored.receipts = await load_receipts(writing.database, writing.sealer, number, names, writing.session)
    return stored


async def _write(writing: Writing, stored: _Stored, appends: Sequence[Append]) -> None:
    changes = [change for append in appends for change in append.changes]
    events = [document for change in changes for document in _events(writing, change)]
    last = {change.after.subject.value: change for change in changes}
    await _write_records(writing, stored, list(last.values()))
    await writing.insert("events", events)
    for change in changes:
        if change.erases_up_to:
            await _erase(writing, change)
    await _write_sealed(writing, changes)
    receipts = [append.receipt for append in appends if append.receipt is not None]
    await put_receipts(writing.database, writing.sealer, writing.number or 0, receipts, writing.session)


def _events(writing: Writing, change: Change) -> list[dict[str, Any]]:
    return [
        writing.event(change.after.subject, version, os.urandom(SALT_BYTES), encode_event(event, writing.intern))
        for version, event in enumerate(change.events, change.before.version + 1)
    ]


async def _write_records(writing: Writing, stored: _Stored, changes: Sequence[Change]) -> None:
    """Insert records that are new and update those that are not, each exactly once."""
    writes: list[InsertOne[dict[str, Any]] | UpdateOne] = []
    for change in changes:
        subject, number = change.after.subject, writing.number or 0
        its_id = owned_id(subject.value, number)
        moving = {"version": change.after.version, "state": encode_record(change.after, writing.intern)}
        if subject.value in stored.numbers:
            writes.append(UpdateOne({"_id": its_id}, {"$set": moving}))
            continue
        writing.ledger.records += 1
        place = {"controller": number, "number": writing.ledger.records, **subject_fields(subject)}
        writes.append(InsertOne({"_id": its_id, **place, **moving}))
    if writes:
        done = await writing.database["records"].bulk_write(writes, ordered=False, session=writing.session)
        if done.inserted_count + done.matched_count != len(writes):
            raise StoreDamaged("collection records: a record is gone; run `prefcenter audit verify`")


async def _erase(writing: Writing, change: Change) -> None:
    """Replace bodies by their salted hashes, drop the salts, so that the chain still verifies; and forget sends."""
    query = {
        "digest": change.after.subject.value,
        "controller": writing.number,
        "version": {"$lt": change.erases_up_to},
        "salt": {"$ne": None},
    }
    found = await all_of(writing.database["events"].find(query, {"salt": 1, "body": 1}, session=writing.session))
    drops = [
        UpdateOne({"_id": event["_id"]}, {"$set": {"salt": None, "body": salted_hash(event["salt"], event["body"])}})
        for event in found
    ]
    if drops:
        await writing.database["events"].bulk_write(drops, session=writing.session)
    sends = {"digest": {"$in": [subject.value for subject in change.forgotten]}, "controller": writing.number}
    await writing.database["sends"].delete_many(sends, session=writing.session)
    await drop_letters_to(writing, change.forgotten)


async def _write_sealed(writing: Writing, changes: Sequence[Change]) -> None:
    """After an erasure nothing stands beside a record; else what the change brings, if it brings anything."""
    writes: dict[bytes, DeleteOne | ReplaceOne[dict[str, Any]]] = {}
    for change in changes:
        subject = change.after.subject
        its_id = owned_id(subject.value, writing.number or 0)
        if change.erases_up_to:
            writes[its_id] = DeleteOne({"_id": its_id})
        elif change.sealed is not None:
            document = sealed_document(writing.sealer, writing.number or 0, subject, change.sealed)
            writes[its_id] = ReplaceOne({"_id": its_id}, document, upsert=True)
    if writes:
        await writing.database["sealed"].bulk_write(list(writes.values()), session=writing.session)


async def record_sends(
    writing: Writing,
    purpose: str,
    sends: Sequence[Send],
    forget_before_ms: int,
    receipt: Receipt | None,
    per_query: int,
) -> int:
    """Note the sends that are new, and give how many they are."""
    receipts = [] if receipt is None else [receipt]
    if receipt is not None and writing.number is not None:
        known = await load_receipts(writing.database, writing.sealer, writing.number, [receipt.name], writing.session)
        check_name_is_free(known, receipt)
    number = await writing.prepare()
    purpose_number = writing.intern(purpose)
    forgotten = {"controller": number, "purpose": purpose_number, "sent_ms": {"$lt": forget_before_ms}}
    await writing.database["sends"].delete_many(forgotten, session=writing.session)
    remembered = [send for send in sends if send.sent_ms >= forget_before_ms]
    new = await note_sends(
        writing.database, writing.sealer, number, purpose_number, remembered, writing.session, per_query
    )
    counted = [replace(item, result=str(new).encode()) for item in receipts]
    await put_receipts(writing.database, writing.sealer, number, counted, writing.session)
    await writing.finish()
    return new


async def put_in_force(writing: Writing, document: str, instead_of: str | None) -> None:
    """Put a policy in force. Raises VersionConflict when another than `instead_of` is by now."""
    database, sealer, session = writing.database, writing.sealer, writing.session
    in_force = None if writing.number is None else await load_policy(database, sealer, writing.number, session)
    require_in_force(in_force, instead_of)
    await adopt_policy(database, sealer, await writing.prepare(), document, session)
    await writing.finish()


async def first_import_ms(writing: Writing, fingerprint: bytes, now_ms: int) -> int:
    """When an import was first begun, noting `now_ms` where this is the first time."""
    if writing.number is not None:
        query = {"_id": owned_id(fingerprint, writing.number)}
        found = await writing.database["imports"].find_one(query, session=writing.session)
        if found is not None:
            return read_import(writing.sealer, found)
    number = await writing.prepare()
    await writing.insert("imports", [sealed_import(writing.sealer, number, fingerprint, now_ms)])
    await writing.finish()
    return now_ms
