"""What is sealed beside records of a MongoDB store: encrypted plaintext, opaque here, gone with an erasure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from prefcenter.domain.digest import Digest
from prefcenter.domain.errors import StoreDamaged
from prefcenter.security.seals import Sealer
from prefcenter.storage.mongo_client import Database, all_of
from prefcenter.storage.mongo_documents import in_chunks, owned_id, subject_fields, subject_of


def holds_sealed(sealer: Sealer, document: Mapping[str, Any]) -> bool:
    """Whether content stands beside the record that it was sealed for, as it was sealed."""
    names = ("controller", "_id", "kind", "digest_key", "rules", "content")
    return sealer.holds(document["key"], document["mac"], "sealed", *(document[name] for name in names))


def sealed_document(sealer: Sealer, controller_id: int, subject: Digest, content: bytes) -> dict[str, Any]:
    """The document of content that stands beside a record; its seal binds it to that record."""
    key, its_id = sealer.active_key_id, owned_id(subject.value, controller_id)
    fields = subject_fields(subject)
    return {
        "_id": its_id,
        "controller": controller_id,
        **fields,
        "content": content,
        "key": key,
        "mac": sealer.seal(key, "sealed", controller_id, its_id, *fields.values(), content),
    }


async def load_sealed(
    database: Database[Any], sealer: Sealer, controller_id: int, subjects: Sequence[Digest], per_query: int
) -> Mapping[Digest, bytes]:
    """What stands beside the records of the subjects. Raises StoreDamaged for an altered document."""
    value_of = {owned_id(subject.value, controller_id): subject.value for subject in subjects}
    found = {}
    for ids in in_chunks(list(value_of), per_query):
        for document in await all_of(database["sealed"].find({"_id": {"$in": ids}})):
            if not holds_sealed(sealer, document):
                raise StoreDamaged("collection sealed: a document was altered; run `prefcenter audit verify`")
            found[subject_of(document, value_of[document["_id"]])] = document["content"]
    return found
