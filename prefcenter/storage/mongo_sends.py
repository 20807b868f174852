"""Sends in a MongoDB store: which messages of a capped purpose went to whom, for as long as the cap looks back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from prefcenter.domain.digest import Digest
from prefcenter.domain.errors import StoreDamaged
from prefcenter.security.seals import Sealer
from prefcenter.services.ports import Send
from prefcenter.storage.mongo_client import Database, Session, all_of
from prefcenter.storage.mongo_documents import in_chunks, send_id, subject_fields, subject_of

Place = tuple[int, bytes]
"""Where a page of sends ends: time and id of its last one."""


def holds_send(sealer: Sealer, document: Mapping[str, Any]) -> bool:
    """Whether a send is as it was sealed, and its id is that of its content."""
    names = ("controller", "purpose", "digest", "campaign", "kind", "digest_key", "rules", "sent_ms")
    fields = [document[name] for name in names]
    is_at_home = document["_id"] == send_id(*fields[:4])
    return is_at_home and sealer.holds(document["key"], document["mac"], "send", *fields)


def read_send(sealer: Sealer, document: Mapping[str, Any]) -> Send:
    """A send. Raises StoreDamaged for an altered one."""
    if not holds_send(sealer, document):
        raise StoreDamaged("collection sends: a document was altered; run `prefcenter audit verify`")
    return Send(subject_of(document, document["digest"]), document["campaign"], int(document["sent_ms"]))


def sealed_send(sealer: Sealer, controller_id: int, purpose: int, send: Send) -> dict[str, Any]:
    key, subject = sealer.active_key_id, send.subject
    content = {
        "controller": controller_id,
        "purpose": purpose,
        "digest": subject.value,
        "campaign": send.campaign,
        **subject_fields(subject),
        "sent_ms": send.sent_ms,
    }
    mac = sealer.seal(key, "send", *content.values())
    its_id = send_id(controller_id, purpose, subject.value, send.campaign)
    return {"_id": its_id, **content, "key": key, "mac": mac}


async def note_sends(
    database: Database[Any],
    sealer: Sealer,
    controller_id: int,
    purpose: int,
    sends: Sequence[Send],
    session: Session,
    per_query: int,
) -> int:
    """Keep the sends that are not noted yet, each once; gives how many those are."""
    documents: dict[bytes, dict[str, Any]] = {}
    for send in sends:
        document = sealed_send(sealer, controller_id, purpose, send)
        documents.setdefault(document["_id"], document)
    for ids in in_chunks(list(documents), per_query):
        query = database["sends"].find({"_id": {"$in": ids}}, {"_id": 1}, session=session)
        for noted in await all_of(query):
            del documents[noted["_id"]]
    if documents:
        await database["sends"].insert_many(documents.values(), session=session)
    return len(documents)


async def send_times(
    database: Database[Any],
    sealer: Sealer,
    controller_id: int,
    purpose: int,
    subjects: Sequence[Digest],
    since_ms: int,
    per_query: int,
) -> Mapping[Digest, Sequence[int]]:
    """When sends went to the subjects after a time, in order. Raises StoreDamaged for an altered document."""
    times: dict[Digest, list[int]] = defaultdict(list)
    values = list({subject.value for subject in subjects})
    for chunk in in_chunks(values, per_query):
        query = {
            "digest": {"$in": chunk},
            "controller": controller_id,
            "purpose": purpose,
            "sent_ms": {"$gt": since_ms},
        }
        for document in await all_of(database["sends"].find(query)):
            send = read_send(sealer, document)
            times[send.subject].append(send.sent_ms)
    return {subject: sorted(sent) for subject, sent in times.items()}


async def page_of_sends(
    database: Database[Any], sealer: Sealer, controller_id: int, purpose: int, after: Place | None, limit: int
) -> tuple[list[Send], Place | None]:
    """Some sends, oldest first, and where the next page begins. Raises StoreDamaged for an altered document."""
    documents: list[dict[str, Any]] = []
    for follows in _what_follows(after):
        if len(documents) < limit:
            query = {"controller": controller_id, "purpose": purpose, **follows}
            cursor = database["sends"].find(query).sort([("sent_ms", 1), ("_id", 1)])
            documents += await all_of(cursor.limit(limit - len(documents)))
    reached = (documents[-1]["sent_ms"], documents[-1]["_id"]) if documents else None
    return [read_send(sealer, document) for document in documents], reached


def _what_follows(after: Place | None) -> Sequence[Mapping[str, Any]]:
    """What comes after a place, in order: each is one stretch of the index by time and id."""
    if after is None:
        return [{}]
    sent_ms, its_id = after
    return [{"sent_ms": sent_ms, "_id": {"$gt": its_id}}, {"sent_ms": {"$gt": sent_ms}}]
