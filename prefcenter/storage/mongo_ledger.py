"""A controller's ledger as one document: the eight heads, how many records and texts there are, and a seal.

Whoever writes for a controller changes this document first, in the transaction of the act, so that writers of one
controller take turns: positions have no gaps, and no two of them count from the same head.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from prefcenter.domain.errors import StoreDamaged
from prefcenter.domain.ledger import PARTITIONS, Head
from prefcenter.security.seals import Sealer
from prefcenter.storage.mongo_client import Database, Session

_DAMAGED = "collection ledgers: a ledger's heads were altered; run `prefcenter audit verify`"


@dataclass
class Ledger:
    """How far a controller's ledger goes, and how many records and texts it has ever given numbers to."""

    records: int = 0
    terms: int = 0
    heads: list[Head] = field(default_factory=lambda: [Head()] * PARTITIONS)


def read_ledger(sealer: Sealer, document: Mapping[str, Any]) -> Ledger:
    """The ledger of a document. Raises StoreDamaged for an altered one."""
    try:
        heads = [Head(int(head["position"]), head["mac"]) for head in document["heads"]]
        ledger = Ledger(int(document["records"]), int(document["terms"]), heads)
        fields = _fields(document["_id"], ledger)
        holds = len(heads) == PARTITIONS and sealer.holds(document["key"], document["mac"], "ledger", *fields)
    except (KeyError, TypeError, AttributeError, OverflowError, ValueError):
        holds = False
    if not holds:
        raise StoreDamaged(_DAMAGED)
    return ledger


def sealed_ledger(sealer: Sealer, controller_id: int, ledger: Ledger) -> dict[str, Any]:
    """The fields of a ledger's document beside its id and revision."""
    key = sealer.active_key_id
    return {
        "records": ledger.records,
        "terms": ledger.terms,
        "heads": [{"position": head.position, "mac": head.mac} for head in ledger.heads],
        "key": key,
        "mac": sealer.seal(key, "ledger", *_fields(controller_id, ledger)),
    }


async def load_ledger(database: Database[Any], sealer: Sealer, controller_id: int) -> Ledger:
    """The ledger of a controller. Raises StoreDamaged where it was altered or is gone."""
    return _found(sealer, await database["ledgers"].find_one({"_id": controller_id}))


async def lock_ledger(database: Database[Any], sealer: Sealer, controller_id: int, session: Session) -> Ledger:
    """The same, changed by this transaction, which other writers of the controller then wait for or collide with."""
    found = await database["ledgers"].find_one_and_update(
        {"_id": controller_id}, {"$inc": {"revision": 1}}, session=session
    )
    return _found(sealer, found)


async def save_ledger(
    database: Database[Any], sealer: Sealer, controller_id: int, ledger: Ledger, session: Session
) -> None:
    """Put a ledger in place of the one that was locked, or where there was none."""
    await database["ledgers"].update_one(
        {"_id": controller_id},
        {"$set": sealed_ledger(sealer, controller_id, ledger), "$inc": {"revision": 1}},
        upsert=True,
        session=session,
    )


def _found(sealer: Sealer, document: Mapping[str, Any] | None) -> Ledger:
    if document is None:
        raise StoreDamaged("collection ledgers: a controller's ledger is missing; run `prefcenter audit verify`")
    return read_ledger(sealer, document)


def _fields(controller_id: int, ledger: Ledger) -> Sequence[int | bytes]:
    heads = (part for head in ledger.heads for part in (head.position, head.mac))
    return [controller_id, ledger.records, ledger.terms, *heads]
