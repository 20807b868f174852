"""The outbox in a MongoDB store: letters wait encrypted, and of one that was sent only its time is kept for an hour."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from prefcenter.domain.digest import Digest
from prefcenter.domain.errors import StoreDamaged
from prefcenter.security.seals import Field, Sealer
from prefcenter.services.ports import LETTERS_COUNTED_MS, WaitingLetter
from prefcenter.storage.mongo_client import all_of
from prefcenter.storage.mongo_documents import plain, subject_fields, subject_of
from prefcenter.storage.mongo_writing import Writing

ID_BITS = 62
"""As in the embedded store, so that a letter keeps its number when stores are copied."""

_DAMAGED = "collection letters: a document was altered; run `prefcenter audit verify`"
_FIELDS = ("_id", "controller", "digest", "kind", "digest_key", "rules", "queued_ms", "due_ms", "attempts", "content")


def holds_letter(sealer: Sealer, document: Mapping[str, Any]) -> bool:
    """Whether a letter is as it was sealed."""
    return sealer.holds(document["key"], document["mac"], "letter", *_sealed(document))


def letter_controller(letter_id: str) -> str:
    """The controller whose letter it is, which its id names."""
    return letter_id.partition("/")[0]


async def queue_letter(
    writing: Writing, controller: str, subject: Digest, content: bytes | None, now_ms: int, letters_max: int
) -> bool:
    """Keep a letter, unless the subject had as many as it may have in the last hour."""
    letters, session, since_ms = writing.database["letters"], writing.session, now_ms - LETTERS_COUNTED_MS
    recent = {"digest": subject.value, "controller": writing.number, "queued_ms": {"$gt": since_ms}}
    if await letters.count_documents(recent, session=session) >= letters_max:
        return False
    number = await writing.prepare()
    over = {"controller": number, "due_ms": None, "queued_ms": {"$lte": since_ms}}
    await letters.delete_many(over, session=session)
    made = {
        "_id": _id_of(controller, secrets.randbits(ID_BITS)),
        "controller": number,
        "digest": subject.value,
        **subject_fields(subject),
        "queued_ms": now_ms,
        "due_ms": None if content is None else now_ms,
        "attempts": 0,
        "content": content,
    }
    await writing.insert("letters", [_document(writing.sealer, made)])
    await writing.finish()
    return True


async def claim_letters(
    writing: Writing, controller: str, now_ms: int, until_ms: int, limit: int
) -> Sequence[WaitingLetter]:
    """A controller's letters that are due, put off until the claim on them ends."""
    due = {"controller": writing.number, "due_ms": {"$ne": None, "$lte": now_ms}}
    cursor = writing.database["letters"].find(due, session=writing.session)
    found = await all_of(cursor.sort([("due_ms", 1), ("queued_ms", 1)]).limit(limit))
    if not found:
        return ()
    await writing.prepare()
    letters = [_read(writing.sealer, controller, document) for document in found]
    for document, letter in zip(found, letters, strict=True):
        await _replace(writing, {**document, "due_ms": until_ms, "attempts": letter.attempts})
    await writing.finish()
    return letters


async def change_letter(writing: Writing, controller: str, letter_id: str, due_ms: int | None) -> None:
    """Put a letter off until it is due again, or drop its content where it never is; one that is over stays so."""
    found = await writing.database["letters"].find_one({"_id": letter_id}, session=writing.session)
    if found is None or found["content"] is None:
        return
    await writing.prepare()
    letter = _read(writing.sealer, controller, found)
    await _replace(writing, {**found, "due_ms": due_ms, "content": None if due_ms is None else letter.content})
    await writing.finish()


def letter_row(sealer: Sealer, document: Mapping[str, Any]) -> Sequence[Any]:
    """A letter as copies of stores carry it. Raises StoreDamaged for an altered one."""
    if not holds_letter(sealer, document):
        raise StoreDamaged(_DAMAGED)
    number = int(document["_id"].rpartition("/")[2], 16)
    subject = (document["kind"], document["digest_key"], document["rules"], document["digest"])
    times = (document["queued_ms"], document["due_ms"], document["attempts"])
    return [plain(field) for field in (number, *subject, *times, document["content"])]


def letter_document(sealer: Sealer, controller: str, controller_id: int, row: Sequence[Any]) -> dict[str, Any]:
    """The document of a letter that a copy of a store brought."""
    number, kind, digest_key, rules, value, *rest = row
    content = (_id_of(controller, number), controller_id, value, kind, digest_key, rules, *rest)
    return _document(sealer, dict(zip(_FIELDS, content, strict=True)))


def _id_of(controller: str, number: int) -> str:
    return f"{controller}/{number:016x}"


async def drop_letters_to(writing: Writing, subjects: Iterable[Digest]) -> None:
    """Drop all letters to a person who is erased."""
    theirs = {"digest": {"$in": [subject.value for subject in subjects]}, "controller": writing.number}
    await writing.database["letters"].delete_many(theirs, session=writing.session)


async def _replace(writing: Writing, document: Mapping[str, Any]) -> None:
    changed = _document(writing.sealer, document)
    await writing.database["letters"].replace_one({"_id": changed["_id"]}, changed, session=writing.session)


def _document(sealer: Sealer, content: Mapping[str, Any]) -> dict[str, Any]:
    key = sealer.active_key_id
    fields = {name: content[name] for name in _FIELDS}
    return {**fields, "key": key, "mac": sealer.seal(key, "letter", *_sealed(fields))}


def _sealed(document: Mapping[str, Any]) -> Sequence[Field]:
    """The fields of the MAC: what is not there has no bytes, which no number and no letter has."""
    return [b"" if document[name] is None else plain(document[name]) for name in _FIELDS]


def _read(sealer: Sealer, controller: str, document: Mapping[str, Any]) -> WaitingLetter:
    if not holds_letter(sealer, document):
        raise StoreDamaged(_DAMAGED)
    subject = subject_of(document, document["digest"])
    times = int(document["queued_ms"]), int(document["attempts"]) + 1
    return WaitingLetter(document["_id"], controller, subject, *times, document["content"])
