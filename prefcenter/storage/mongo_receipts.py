"""Receipts in a MongoDB store: what an idempotency key was used for, kept in the transaction of the act itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from prefcenter.domain.errors import StoreDamaged, VersionConflict
from prefcenter.security.seals import Sealer
from prefcenter.services.ports import RECEIPT_LIFE_MS, Receipt
from prefcenter.storage.mongo_client import Database, Session, all_of
from prefcenter.storage.mongo_documents import owned_id

FORGOTTEN_A_WRITE_MAX = 1_000
"""Old receipts that one act clears away at most, so that the first act after a busy day does not wait for them all."""


def holds_receipt(sealer: Sealer, document: Mapping[str, Any]) -> bool:
    """Whether a receipt is as it was sealed."""
    fields = (document["controller"], document["_id"], document["input"], document["result"], document["received_ms"])
    return sealer.holds(document["key"], document["mac"], "receipt", *fields)


def read_receipt(sealer: Sealer, document: Mapping[str, Any], name: bytes) -> Receipt:
    """The receipt of a name. Raises StoreDamaged for an altered one."""
    if not holds_receipt(sealer, document):
        raise StoreDamaged("collection receipts: a document was altered; run `prefcenter audit verify`")
    return Receipt(name, document["input"], document["result"], int(document["received_ms"]))


async def load_receipts(
    database: Database[Any],
    sealer: Sealer,
    controller_id: int,
    names: Iterable[bytes],
    session: Session | None = None,
) -> dict[bytes, Receipt]:
    """The receipts that the names have, by name, of whatever age."""
    name_of = {owned_id(name, controller_id): name for name in names}
    if not name_of:
        return {}
    found = await all_of(database["receipts"].find({"_id": {"$in": list(name_of)}}, session=session))
    return {name_of[document["_id"]]: read_receipt(sealer, document, name_of[document["_id"]]) for document in found}


def check_name_is_free(known: Mapping[bytes, Receipt], receipt: Receipt) -> None:
    """Raise VersionConflict where the name stands for another act that is not too old."""
    before = known.get(receipt.name)
    if before is not None and receipt.received_ms - before.received_ms <= RECEIPT_LIFE_MS:
        raise VersionConflict("the receipt's name is taken")


async def put_receipts(
    database: Database[Any], sealer: Sealer, controller_id: int, receipts: Sequence[Receipt], session: Session
) -> None:
    """Keep receipts, and clear away some of those that are too old to be asked for."""
    if not receipts:
        return
    oldest_ms = min(receipt.received_ms for receipt in receipts) - RECEIPT_LIFE_MS
    too_old = {"controller": controller_id, "received_ms": {"$lt": oldest_ms}}
    query = database["receipts"].find(too_old, {"_id": 1}, session=session)
    forgotten = await all_of(query.sort("received_ms", 1).limit(FORGOTTEN_A_WRITE_MAX))
    if forgotten:
        ids = [document["_id"] for document in forgotten]
        await database["receipts"].delete_many({"_id": {"$in": ids}}, session=session)
    for receipt in receipts:
        document = sealed_receipt(sealer, controller_id, receipt)
        await database["receipts"].replace_one({"_id": document["_id"]}, document, upsert=True, session=session)


def sealed_receipt(sealer: Sealer, controller_id: int, receipt: Receipt) -> dict[str, Any]:
    key, its_id = sealer.active_key_id, owned_id(receipt.name, controller_id)
    content = (receipt.input, receipt.result, receipt.received_ms)
    return {
        "_id": its_id,
        "controller": controller_id,
        "input": receipt.input,
        "result": receipt.result,
        "received_ms": receipt.received_ms,
        "key": key,
        "mac": sealer.seal(key, "receipt", controller_id, its_id, *content),
    }
