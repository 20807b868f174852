"""The small sealed documents of a MongoDB store: keys, controllers, terms, policies, imports, API keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from prefcenter.domain.errors import KeyringError, StoreDamaged, VersionConflict
from prefcenter.security.seals import Sealer
from prefcenter.services.ports import ApiKey
from prefcenter.storage.api_key_content import api_key_from, content_of, merged, sealed_fields
from prefcenter.storage.mongo_client import Database, Session, all_of
from prefcenter.storage.mongo_documents import owned_id, plain, term_id
from prefcenter.storage.sealers import WHOLE_STORE, SealerByController, new_term_number

Document = Mapping[str, Any]
_API_KEY_FIELDS = (
    "_id", "label", "secret_hash", "scopes", "controllers", "created_ms", "expires_ms", "revoked_ms", "last_used_ms",
)  # fmt: skip


def holds_key(sealers: SealerByController, document: Document) -> bool:
    """Whether a key is noted as it was sealed, which a keyring without that key cannot tell."""
    return sealers[WHOLE_STORE].holds(document["_id"], document["mac"], "key")


def holds_controller(sealers: SealerByController, document: Document) -> bool:
    name, number = document["_id"], document["number"]
    return sealers[name].holds(document["key"], document["mac"], "controller", number, name)


def check_keyring(sealers: SealerByController, keys: Sequence[Document], controllers: Sequence[Document]) -> None:
    """Raise KeyringError where the store is sealed and none of its seals is of this keyring.

    One that does not hold among others that do is damage, which the audit names; it must not pass for a wrong keyring.
    """
    seals = [holds_key(sealers, document) for document in keys]
    seals += [holds_controller(sealers, document) for document in controllers]
    if seals and not any(seals):
        raise KeyringError("the keyring is not the one that this store was made with")


def numbers_of(sealers: SealerByController, controllers: Sequence[Document]) -> dict[str, int]:
    """The number of each controller. Raises StoreDamaged where one was altered."""
    for document in controllers:
        if not holds_controller(sealers, document):
            raise StoreDamaged(
                f"collection controllers: number {document['number']} was altered; run `prefcenter audit verify`"
            )
    return {document["_id"]: int(document["number"]) for document in controllers}


async def controller_numbers(
    database: Database[Any], sealers: SealerByController, session: Session | None = None
) -> dict[str, int]:
    """The same, as stored."""
    return numbers_of(sealers, await all_of(database["controllers"].find(session=session)))


async def add_controller(
    database: Database[Any], sealers: SealerByController, name: str, known: Mapping[str, int], session: Session
) -> int:
    """Give a controller the next number; of two that are given the same, one transaction is tried again."""
    number = max(known.values(), default=0) + 1
    await database["controllers"].insert_one(sealed_controller(sealers[name], number, name), session=session)
    return number


def sealed_controller(sealer: Sealer, number: int, name: str) -> dict[str, Any]:
    key = sealer.active_key_id
    return {"_id": name, "number": number, "key": key, "mac": sealer.seal(key, "controller", number, name)}


async def note_key(database: Database[Any], sealers: SealerByController, session: Session) -> None:
    """Note that the active key is one of this store's: a keyring without it would miss what it wrote."""
    sealer = sealers[WHOLE_STORE]
    key = sealer.active_key_id
    if await database["keys"].find_one({"_id": key}, session=session) is None:
        await database["keys"].insert_one({"_id": key, "mac": sealer.seal(key, "key")}, session=session)


async def unknown_keys(database: Database[Any], sealers: SealerByController) -> list[int]:
    """The keys that wrote here and are not in the keyring, as after an older backup of it was put back."""
    keys = await all_of(database["keys"].find().sort("_id", 1))
    return [int(document["_id"]) for document in keys if not holds_key(sealers, document)]


def read_term(sealer: Sealer, document: Document) -> tuple[int, str]:
    """Number and text. Raises StoreDamaged for an altered one."""
    owner, number, text = document["controller"], int(document["number"]), str(document["text"])
    is_at_home = document["_id"] == term_id(owner, number)
    if not is_at_home or not sealer.holds(document["key"], document["mac"], "term", owner, number, text):
        raise StoreDamaged(f"collection terms: number {number} was altered")
    return number, text


async def load_terms(
    database: Database[Any], sealer: Sealer, controller_id: int, session: Session | None = None
) -> dict[int, str]:
    """All interned texts of a controller. Raises StoreDamaged for an altered one."""
    documents = await all_of(database["terms"].find({"controller": controller_id}, session=session))
    return dict(read_term(sealer, document) for document in documents)


def new_term(sealer: Sealer, controller_id: int, text: str, taken: Mapping[str, int]) -> dict[str, Any]:
    """The document of a text that has no number yet."""
    number = new_term_number(sealer, controller_id, text, taken=taken.values())
    return sealed_term(sealer, controller_id, number, text)


def sealed_term(sealer: Sealer, controller_id: int, number: int, text: str) -> dict[str, Any]:
    key = sealer.active_key_id
    content: dict[str, bytes | str | int] = {"controller": controller_id, "number": number, "text": text}
    mac = sealer.seal(key, "term", *content.values())
    return {"_id": term_id(controller_id, number), **content, "key": key, "mac": mac}


def read_policy(sealer: Sealer, document: Document) -> str:
    """The policy's own document. Raises StoreDamaged for an altered one."""
    if not sealer.holds(document["key"], document["mac"], "policy", document["_id"], document["document"]):
        raise StoreDamaged("collection policies: the policy in force was altered")
    return str(document["document"])


async def load_policy(
    database: Database[Any], sealer: Sealer, controller_id: int, session: Session | None = None
) -> str | None:
    """The policy document in force. Raises StoreDamaged for an altered one."""
    found = await database["policies"].find_one({"_id": controller_id}, session=session)
    return None if found is None else read_policy(sealer, found)


def sealed_policy(sealer: Sealer, controller_id: int, document: str) -> dict[str, Any]:
    key = sealer.active_key_id
    mac = sealer.seal(key, "policy", controller_id, document)
    return {"_id": controller_id, "document": document, "key": key, "mac": mac}


def read_import(sealer: Sealer, document: Document) -> int:
    """When an import was first begun. Raises StoreDamaged for an altered document."""
    content = (document["controller"], document["fingerprint"], document["begun_ms"])
    is_at_home = document["_id"] == owned_id(document["fingerprint"], document["controller"])
    if not is_at_home or not sealer.holds(document["key"], document["mac"], "import", *content):
        raise StoreDamaged("collection imports: the time of an import was altered")
    return int(document["begun_ms"])


def sealed_import(sealer: Sealer, controller_id: int, fingerprint: bytes, begun_ms: int) -> dict[str, Any]:
    key = sealer.active_key_id
    content: dict[str, bytes | str | int] = {
        "controller": controller_id,
        "fingerprint": fingerprint,
        "begun_ms": begun_ms,
    }
    mac = sealer.seal(key, "import", *content.values())
    return {"_id": owned_id(fingerprint, controller_id), **content, "key": key, "mac": mac}


def read_api_key(sealer: Sealer, document: Document) -> ApiKey:
    """An API key. Raises StoreDamaged for an altered one."""
    content = [plain(document[field]) for field in _API_KEY_FIELDS]
    if not sealer.holds(document["key"], document["mac"], "api key", *sealed_fields(content)):
        raise StoreDamaged("collection api_keys: a key was altered; run `prefcenter audit verify`")
    return api_key_from(content)


async def put_api_key(database: Database[Any], sealers: SealerByController, new: ApiKey, session: Session) -> None:
    """Keep the state of an API key; a revocation and a last use that are on record are not taken back."""
    sealer = sealers[WHOLE_STORE]
    found = await database["api_keys"].find_one({"_id": new.id}, session=session)
    document = sealed_api_key(sealer, new if found is None else merged(read_api_key(sealer, found), new))
    await database["api_keys"].replace_one({"_id": new.id}, document, upsert=True, session=session)
    await note_key(database, sealers, session)


def sealed_api_key(sealer: Sealer, api_key: ApiKey) -> dict[str, Any]:
    content, key = content_of(api_key), sealer.active_key_id
    mac = sealer.seal(key, "api key", *sealed_fields(content))
    return {**dict(zip(_API_KEY_FIELDS, content, strict=True)), "key": key, "mac": mac}


async def adopt_policy(
    database: Database[Any], sealer: Sealer, controller_id: int, document: str, session: Session
) -> None:
    """Put a policy in the place of the last one."""
    await database["policies"].replace_one(
        {"_id": controller_id}, sealed_policy(sealer, controller_id, document), upsert=True, session=session
    )


def require_in_force(in_force: str | None, instead_of: str | None) -> None:
    """Raise VersionConflict where another policy is in force than the one that was read."""
    if in_force != instead_of:
        raise VersionConflict("another policy came into force meanwhile")
