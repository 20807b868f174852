"""Receipts in a SQLite store: what an idempotency key was used for, kept in the transaction of the act itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace

from prefcenter.domain.errors import StoreDamaged, VersionConflict
from prefcenter.security.seals import Sealer
from prefcenter.services.ports import RECEIPT_LIFE_MS, Receipt

FORGOTTEN_A_WRITE_MAX = 1_000
"""Old receipts that one act clears away at most, so that the first act after a busy day does not wait for them all."""


def receipt_of(
    connection: sqlite3.Connection, sealer: Sealer, controller_id: int | None, name: bytes, since_ms: int
) -> Receipt | None:
    """The receipt of a name that is not older than `since_ms`. Raises StoreDamaged for an altered one."""
    query = "SELECT input, result, received_ms, key, mac FROM receipts WHERE controller = ? AND name = ?"
    row = connection.execute(query, (controller_id, name)).fetchone()
    if row is None:
        return None
    *content, key, mac = row
    if not sealer.holds(key, mac, "receipt", controller_id or 0, name, *content):
        raise StoreDamaged("table receipts: a row was altered; run `prefcenter audit verify`")
    receipt = Receipt(name, *content)
    return receipt if receipt.received_ms >= since_ms else None


def counted(receipt: Receipt | None, number: int) -> Receipt | None:
    """A receipt whose result is a number that only the write could tell."""
    return None if receipt is None else replace(receipt, result=str(number).encode())


def check_name_is_free(
    connection: sqlite3.Connection, sealer: Sealer, controller_id: int | None, receipt: Receipt
) -> None:
    """Raise VersionConflict where the name stands for another act that is not too old."""
    since_ms = receipt.received_ms - RECEIPT_LIFE_MS
    if receipt_of(connection, sealer, controller_id, receipt.name, since_ms) is not None:
        raise VersionConflict("the receipt's name is taken")


def put_receipt(connection: sqlite3.Connection, sealer: Sealer, controller_id: int, receipt: Receipt) -> None:
    """Keep a receipt, and clear away some of those that are too old to be asked for."""
    forget = (
        "DELETE FROM receipts WHERE (controller, name) IN"
        " (SELECT controller, name FROM receipts WHERE received_ms < ? ORDER BY received_ms LIMIT ?)"
    )
    connection.execute(forget, (receipt.received_ms - RECEIPT_LIFE_MS, FORGOTTEN_A_WRITE_MAX))
    content = (receipt.name, receipt.input, receipt.result, receipt.received_ms)
    key = sealer.active_key_id
    mac = sealer.seal(key, "receipt", controller_id, *content)
    connection.execute(
        "INSERT OR REPLACE INTO receipts VALUES (?, ?, ?, ?, ?, ?, ?)", (controller_id, *content, key, mac)
    )


def receipt_faults(connection: sqlite3.Connection, sealer: Sealer, controller_id: int) -> Iterator[str]:
    """A controller's receipts that are not as they were sealed."""
    query = "SELECT name, input, result, received_ms, key, mac FROM receipts WHERE controller = ?"
    for *content, key, mac in connection.execute(query, (controller_id,)):
        if not sealer.holds(key, mac, "receipt", controller_id, *content):
            yield "table receipts: a row was altered"
