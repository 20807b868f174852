"""The database of a store: its collections, what a document of each must be, its indexes, its version.

They are made explicitly, by `prefcenter init` or `prefcenter store init`, and never by a server that happens to start.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pymongo import MongoClient, ReadPreference
from pymongo.database import Database

from prefcenter.domain.errors import StoreDamaged, StoreError, StoreTooNew
from prefcenter.storage.mongo_errors import mongo_errors
from prefcenter.storage.mongo_url import MongoUrl

SCHEMA_VERSION = 1
SCHEMA, COPY = "schema", "copy"
"""The documents of `meta`: the schema's version, and a copy into this store that is not finished."""

Document = dict[str, Any]
Index = tuple[tuple[str, ...], bool]
"""The fields of an index, and whether it is unique."""

_ALWAYS: Mapping[str, str] = {"validationLevel": "strict", "validationAction": "error"}
"""Every document is looked at, and what is none is refused."""

_NUMBER: Document = {"bsonType": ["int", "long"]}
_NUMBER_OR_NONE: Document = {"bsonType": ["int", "long", "null"]}
_BYTES: Document = {"bsonType": "binData"}
_BYTES_OR_NONE: Document = {"bsonType": ["binData", "null"]}
_TEXT: Document = {"bsonType": "string"}
_SEAL: Document = {"key": _NUMBER, "mac": _BYTES}
_SUBJECT: Document = {"kind": _NUMBER, "digest_key": _NUMBER, "rules": _NUMBER}


@dataclass(frozen=True)
class Collection:
    """One collection: the fields that every document has, no other ones, and its indexes beside that of `_id`."""

    fields: Mapping[str, Document]
    indexes: Sequence[Index] = ()
    plain_where_sharded: Sequence[tuple[str, ...]] = ()
    """Fields of unique indexes that do not begin with the shard key."""

    @property
    def validator(self) -> Document:
        return {
            "$jsonSchema": {
                "bsonType": "object",
                "required": list(self.fields),
                "additionalProperties": False,
                "properties": dict(self.fields),
            }
        }


COLLECTIONS: Mapping[str, Collection] = {
    "meta": Collection({"_id": _TEXT, "version": _NUMBER}),
    "keys": Collection({"_id": _NUMBER, "mac": _BYTES}),
    "controllers": Collection({"_id": _TEXT, "number": _NUMBER, **_SEAL}, [(("number",), True)]),
    "ledgers": Collection(
        {
            "_id": _NUMBER,
            "records": _NUMBER,
            "terms": _NUMBER,
            "heads": {"bsonType": "array"},
            "revision": _NUMBER,
            **_SEAL,
        }
    ),
    "terms": Collection(
        {"_id": _BYTES, "controller": _NUMBER, "number": _NUMBER, "text": _TEXT, **_SEAL},
        [(("controller", "text"), True)],
    ),
    "policies": Collection({"_id": _NUMBER, "document": _TEXT, **_SEAL}),
    "imports": Collection(
        {"_id": _BYTES, "controller": _NUMBER, "fingerprint": _BYTES, "begun_ms": _NUMBER, **_SEAL},
        [(("controller",), False)],
    ),
    "api_keys": Collection(
        {
            "_id": _TEXT,
            "label": _TEXT,
            "secret_hash": _BYTES,
            "scopes": _TEXT,
            "controllers": _TEXT,
            "created_ms": _NUMBER,
            "expires_ms": _NUMBER_OR_NONE,
            "revoked_ms": _NUMBER_OR_NONE,
            "last_used_ms": _NUMBER_OR_NONE,
            **_SEAL,
        }
    ),
    "records": Collection(
        {"_id": _BYTES, "controller": _NUMBER, "number": _NUMBER, **_SUBJECT, "version": _NUMBER, "state": _BYTES},
        [(("controller", "number"), True)],
        plain_where_sharded=[("controller", "number")],
    ),
    "sealed": Collection(
        {"_id": _BYTES, "controller": _NUMBER, **_SUBJECT, "content": _BYTES, **_SEAL}, [(("controller",), False)]
    ),
    "events": Collection(
        {
            "_id": _BYTES,
            "digest": _BYTES,
            "controller": _NUMBER,
            **_SUBJECT,
            "version": _NUMBER,
            "salt": _BYTES_OR_NONE,
            "body": _BYTES,
            **_SEAL,
        },
        [(("digest", "controller", "version"), True)],
    ),
    "receipts": Collection(
        {"_id": _BYTES, "controller": _NUMBER, "input": _BYTES, "result": _BYTES, "received_ms": _NUMBER, **_SEAL},
        [(("controller", "received_ms"), False)],
    ),
    "letters": Collection(
        {
            "_id": _TEXT,
            "controller": _NUMBER,
            "digest": _BYTES,
            **_SUBJECT,
            "queued_ms": _NUMBER,
            "due_ms": _NUMBER_OR_NONE,
            "attempts": _NUMBER,
            "content": _BYTES_OR_NONE,
            **_SEAL,
        },
        [(("digest", "controller", "queued_ms"), False), (("controller", "due_ms", "queued_ms"), False)],
    ),
    "sends": Collection(
        {
            "_id": _BYTES,
            "controller": _NUMBER,
            "purpose": _NUMBER,
            "digest": _BYTES,
            "campaign": _BYTES,
            **_SUBJECT,
            "sent_ms": _NUMBER,
            **_SEAL,
        },
        [(("digest", "controller", "purpose"), False), (("controller", "purpose", "sent_ms", "_id"), False)],
    ),
}


@contextmanager
def opened_database(url: MongoUrl, *, for_long: bool = False) -> Iterator[Database[Document]]:
    """A blocking connection, for what is done before a store serves or beside it. Raises our own errors only.

    `for_long`: for what reads or indexes whole collections, which keeps nobody waiting for a decision.
    """
    options = url.options_for_long if for_long else url.options
    with mongo_errors(), MongoClient[Document](url.url, **options) as client:
        yield client.get_database(url.database, read_preference=ReadPreference.PRIMARY)


def create(url: MongoUrl) -> None:
    """Make a store in a database that holds nothing. Raises StoreError where something stands."""
    with opened_database(url, for_long=True) as database:
        if not _holds_nothing(database):
            raise StoreError("the database is not empty, a store may stand there already; nothing was changed")
        _make_what_is_missing(database)


def complete(url: MongoUrl, *, while_copying: bool = False) -> bool:
    """Make what is missing of a store; gives whether all of it was there. Documents are left as they are."""
    with opened_database(url, for_long=True) as database:
        is_new = _holds_nothing(database)
        if not is_new:
            check_version(database, while_copying=while_copying)
        if not is_new and not list(schema_faults(database)):
            return True
        _make_what_is_missing(database)
        return False


def _holds_nothing(database: Database[Document]) -> bool:
    """Whether there is nothing, or what a making that was interrupted left: collections of ours without a document."""
    names = database.list_collection_names()
    return set(names) <= set(COLLECTIONS) and all(database[name].find_one() is None for name in names)


def _make_what_is_missing(database: Database[Document]) -> None:
    standing = {found["name"]: found.get("options", {}) for found in database.list_collections()}
    for name, collection in COLLECTIONS.items():
        if name not in standing:
            database.create_collection(name, validator=collection.validator)
        elif not _validates(standing[name], collection):
            database.command({"collMod": name, "validator": collection.validator, **_ALWAYS})
        for fields, is_unique in _missing_indexes(database, name, collection):
            database[name].create_index([(field, 1) for field in fields], unique=is_unique)
    # The version comes last: without it no store opens.
    database["meta"].update_one({"_id": SCHEMA}, {"$set": {"version": SCHEMA_VERSION}}, upsert=True)


def check_version(database: Database[Document], *, while_copying: bool = False) -> None:
    """Raise StoreError where there is no whole store of ours, or one of a newer version."""
    found = {document["_id"]: document for document in database["meta"].find()}
    if SCHEMA not in found:
        raise StoreDamaged("the database holds no whole prefcenter store; was `prefcenter store init` run?")
    version = found[SCHEMA]["version"]
    if version > SCHEMA_VERSION:
        raise StoreTooNew(f"the store has schema {version}, this version knows {SCHEMA_VERSION}; upgrade prefcenter")
    if COPY in found and not while_copying:
        raise StoreDamaged("a copy into this store was not finished; run `prefcenter store copy` again")


def schema_faults(database: Database[Document]) -> Iterator[str]:
    """Collections, validators and indexes that are not as they were made."""
    standing = {found["name"]: found for found in database.list_collections()}
    for name, collection in COLLECTIONS.items():
        if name not in standing:
            yield f"collection {name}: it is missing"
            continue
        if not _validates(standing[name].get("options", {}), collection):
            yield f"collection {name}: its validator was altered"
        for fields, _ in _missing_indexes(database, name, collection):
            yield f"collection {name}: the index by {', '.join(fields)} is missing"


def _validates(options: Mapping[str, Any], collection: Collection) -> bool:
    """Whether a collection refuses what is no document of it. Where level and action are not told, they are ours."""
    return options.get("validator") == collection.validator and {**_ALWAYS, **options}.items() >= _ALWAYS.items()


def _missing_indexes(database: Database[Document], name: str, collection: Collection) -> list[Index]:
    """The indexes that have to be made. One that a sharded cluster cannot have as unique is there without being so."""
    found = {
        (tuple(field for field, _ in index["key"]), bool(index.get("unique")))
        for index in database[name].index_information().values()
    }
    found |= {(fields, True) for fields in collection.plain_where_sharded if (fields, False) in found}
    return [index for index in collection.indexes if index not in found]
