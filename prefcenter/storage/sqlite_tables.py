"""The sealed small tables of a SQLite store: keys, controllers, terms, policies, imports.

Each row carries a MAC, so that a changed name or number shows when it is read, not only at the next audit.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator

from prefcenter.domain.errors import KeyringError, StoreDamaged
from prefcenter.security.seals import Sealer
from prefcenter.storage.sealers import WHOLE_STORE, SealerByController, new_term_number


def check_keyring(connection: sqlite3.Connection, sealers: SealerByController) -> None:
    """Raise KeyringError where the store is sealed and none of its seals is of this keyring.

    One that does not hold among others that do is damage, which the audit names; it must not pass for a wrong keyring.
    """
    seals = [holds for _, holds in _checked_keys(connection, sealers)]
    seals += [holds for *_, holds in _checked_controllers(connection, sealers)]
    if seals and not any(seals):
        raise KeyringError("the keyring is not the one that this store was made with")


def controller_ids(connection: sqlite3.Connection, sealers: SealerByController) -> dict[str, int]:
    """The number of each controller whose row is as it was sealed."""
    return {name: number for number, name, holds in _checked_controllers(connection, sealers) if holds}


def check_controllers(connection: sqlite3.Connection, sealers: SealerByController) -> None:
    """Raise StoreDamaged where a controller was altered: one that is missing then may not pass for an unknown one."""
    for controller_id, _, holds in _checked_controllers(connection, sealers):
        if not holds:
            raise StoreDamaged(f"table controllers: number {controller_id} was altered; run `prefcenter audit verify`")


def controller_faults(connection: sqlite3.Connection, sealers: SealerByController) -> Iterator[str]:
    """Everything wrong with the store's own sealed rows, which belong to no single controller."""
    keys = list(_checked_keys(connection, sealers))
    controllers = list(_checked_controllers(connection, sealers))
    if controllers and not keys:
        yield "table keys: it is empty"
    yield from (f"table keys: number {key} was altered" for key, holds in keys if not holds)
    yield from (f"table controllers: number {number} was altered" for number, _, holds in controllers if not holds)


def _checked_keys(connection: sqlite3.Connection, sealers: SealerByController) -> Iterator[tuple[int, bool]]:
    for key, mac in connection.execute("SELECT id, mac FROM keys"):
        yield key, sealers[WHOLE_STORE].holds(key, mac, "key")


def _checked_controllers(
    connection: sqlite3.Connection, sealers: SealerByController
) -> Iterator[tuple[int, str, bool]]:
    for controller_id, name, key, mac in connection.execute("SELECT id, name, key, mac FROM controllers"):
        yield controller_id, name, sealers[name].holds(key, mac, "controller", controller_id, name)


def note_key(connection: sqlite3.Connection, sealers: SealerByController) -> None:
    """Note that the active key is one of this store's: a keyring without it would miss what it wrote."""
    sealer = sealers[WHOLE_STORE]
    key = sealer.active_key_id
    connection.execute("INSERT OR IGNORE INTO keys VALUES (?, ?)", (key, sealer.seal(key, "key")))


def known_keys(connection: sqlite3.Connection) -> set[int]:
    """The keys that are noted as having written here."""
    return {key for (key,) in connection.execute("SELECT id FROM keys")}


def unknown_keys(connection: sqlite3.Connection, sealers: SealerByController) -> list[int]:
    """The keys that wrote here and are not in the keyring, as after an older backup of it was put back."""
    return [key for key, holds in _checked_keys(connection, sealers) if not holds]


def add_controller(connection: sqlite3.Connection, sealers: SealerByController, name: str) -> int:
    """Give a controller the next number."""
    (controller_id,) = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM controllers").fetchone()
    sealer = sealers[name]
    key = sealer.active_key_id
    mac = sealer.seal(key, "controller", controller_id, name)
    connection.execute("INSERT INTO controllers VALUES (?, ?, ?, ?)", (controller_id, name, key, mac))
    return int(controller_id)


def load_terms(connection: sqlite3.Connection, sealer: Sealer, controller_id: int) -> dict[int, str]:
    """All interned texts of a controller. Raises StoreDamaged for an altered one."""
    rows = connection.execute("SELECT id, text, key, mac FROM terms WHERE controller = ?", (controller_id,))
    terms = {}
    for term_id, text, key, mac in rows:
        if not sealer.holds(key, mac, "term", controller_id, term_id, text):
            raise StoreDamaged(f"table terms: number {term_id} was altered")
        terms[term_id] = text
    return terms


def term_number(connection: sqlite3.Connection, sealer: Sealer, controller_id: int, text: str) -> int | None:
    """The number of one interned text, for a reader that knows the text. Raises StoreDamaged for an altered one."""
    query = "SELECT id, key, mac FROM terms WHERE controller = ? AND text = ?"
    row = connection.execute(query, (controller_id, text)).fetchone()
    if row is None:
        return None
    term_id, key, mac = row
    if not sealer.holds(key, mac, "term", controller_id, term_id, text):
        raise StoreDamaged(f"table terms: number {term_id} was altered")
    return int(term_id)


def add_term(
    connection: sqlite3.Connection, sealer: Sealer, controller_id: int, text: str, *, taken: Collection[int]
) -> int:
    """Store one more interned text, and give its number."""
    key = sealer.active_key_id
    term_id = new_term_number(sealer, controller_id, text, taken=taken)
    mac = sealer.seal(key, "term", controller_id, term_id, text)
    connection.execute("INSERT INTO terms VALUES (?, ?, ?, ?, ?)", (controller_id, term_id, text, key, mac))
    return term_id


def load_policy(connection: sqlite3.Connection, sealer: Sealer, controller_id: int) -> str | None:
    """The policy document in force. Raises StoreDamaged for an altered one."""
    query = "SELECT document, key, mac FROM policies WHERE controller = ?"
    row = connection.execute(query, (controller_id,)).fetchone()
    if row is None:
        return None
    document, key, mac = row
    if not sealer.holds(key, mac, "policy", controller_id, document):
        raise StoreDamaged("table policies: the policy in force was altered")
    return str(document)


def put_policy(connection: sqlite3.Connection, sealer: Sealer, controller_id: int, document: str) -> None:
    """Store the policy document in force, in the place of the last one."""
    key = sealer.active_key_id
    mac = sealer.seal(key, "policy", controller_id, document)
    connection.execute("INSERT OR REPLACE INTO policies VALUES (?, ?, ?, ?)", (controller_id, document, key, mac))


def first_import_ms(
    connection: sqlite3.Connection, sealer: Sealer, controller_id: int, fingerprint: bytes, now_ms: int
) -> int:
    """When an import was first begun, noting `now_ms` where this is the first time."""
    query = "SELECT begun_ms, key, mac FROM imports WHERE controller = ? AND fingerprint = ?"
    row = connection.execute(query, (controller_id, fingerprint)).fetchone()
    if row is not None:
        begun_ms, key, mac = row
        if not sealer.holds(key, mac, "import", controller_id, fingerprint, begun_ms):
            raise StoreDamaged("table imports: the time of an import was altered")
        return int(begun_ms)
    key = sealer.active_key_id
    mac = sealer.seal(key, "import", controller_id, fingerprint, now_ms)
    connection.execute("INSERT INTO imports VALUES (?, ?, ?, ?, ?)", (controller_id, fingerprint, now_ms, key, mac))
    return now_ms


def table_faults(connection: sqlite3.Connection, sealer: Sealer, controller_id: int) -> Iterator[str]:
    """Everything wrong with a controller's sealed rows."""
    try:
        load_terms(connection, sealer, controller_id)
        if load_policy(connection, sealer, controller_id) is None:
            yield "table policies: no policy is in force any more"
    except StoreDamaged as error:
        yield str(error)
    imports = connection.execute("SELECT controller, fingerprint, begun_ms, key, mac FROM imports")
    for owner, fingerprint, begun_ms, key, mac in imports:
        if owner == controller_id and not sealer.holds(key, mac, "import", owner, fingerprint, begun_ms):
            yield "table imports: the time of an import was altered"


def stray_faults(connection: sqlite3.Connection, known: set[int]) -> Iterator[str]:
    """Rows that say they belong to a controller which the store does not know."""
    for table, column in (
        ("terms", "controller"),
        ("policies", "controller"),
        ("imports", "controller"),
        ("receipts", "controller"),
        ("sends", "controller"),
        ("letters", "controller"),
        ("records", "controller"),
        ("events", "partition / 8"),
    ):
        query = f"SELECT DISTINCT {column} FROM {table}"  # noqa: S608 - names of our own schema
        owners = {owner for (owner,) in connection.execute(query)}
        if owners - known:
            yield f"table {table}: rows belong to no controller of this store"
