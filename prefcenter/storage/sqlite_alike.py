"""What many records undergo together, in a few statements that SQLite works off without Python in between.

Digests, salts, MACs, states and bodies are handed over as one blob each; `json_each` counts the rows and brings the
places of events. Whatever stands there that should not, or does not, breaks a constraint: a record that moved on has an
event of that version already, and one that is not there has no row for its event to name.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from prefcenter.domain.digest import Digests
from prefcenter.domain.ledger import PARTITIONS
from prefcenter.storage.chain import Links
from prefcenter.storage.sqlite_ledger import row_partition


def _each(blob: str, size: int | str) -> str:
    """The part of a blob that belongs to a row, where each has one of that size."""
    return f"substr(:{blob}, {size} * row.key + 1, {size})"


def _each_or_all(blob: str) -> str:
    """The same where all rows may share the only one."""
    return f"substr(:{blob}, :{blob}_size * (row.key % :{blob}_count) + 1, :{blob}_size)"


_ROWS = "FROM json_each(:places) AS row"
_DIGEST = _each("digests", 16)
_INSERT_RECORDS = (
    "INSERT INTO records (id, controller, kind, key, rules, version, digest, state)"
    f" SELECT :first + row.key, :controller, :kind, :subject_key, :rules, :version, {_DIGEST}, {_each_or_all('states')}"
    f" {_ROWS}"
)
_OF_SUBJECTS = f"controller = :controller AND digest IN (SELECT {_DIGEST} {_ROWS})"
_UPDATE_RECORDS = f"UPDATE records SET version = :version, state = :states WHERE {_OF_SUBJECTS}"  # noqa: S608 - our own
_EVENT = (
    f"SELECT :partition + row.value % {PARTITIONS}, row.value / {PARTITIONS}, {{subject}}, :version, :key,"
    f" {_each('salts', 8)}, {_each('macs', 16)}, {_each_or_all('bodies')} {_ROWS}"
)
_INSERT_FIRST_EVENTS = f"INSERT INTO events {_EVENT.format(subject=':first + row.key')}"
_INSERT_EVENTS = (
    f"INSERT INTO events {_EVENT.format(subject='records.id')} LEFT JOIN records"
    f" ON records.digest = {_DIGEST} AND records.controller = :controller"
)


@dataclass(frozen=True, slots=True)
class AlikeRows:
    """The rows of records that change together. `first` is the row of the first where they are new, one by one.

    States and bodies are one for each record, all of one length, or one for all.
    """

    connection: sqlite3.Connection
    controller_id: int
    subjects: Digests
    first: int | None

    def write_records(self, version: int, states: Sequence[bytes]) -> None:
        subjects = self.subjects
        bound = {
            **self._bound(version),
            "kind": int(subjects.kind),
            "subject_key": subjects.key,
            "rules": subjects.rules,
            "places": _numbers([0] * len(subjects)),
            **_parts("states", states),
        }
        self.connection.execute(_UPDATE_RECORDS if self.first is None else _INSERT_RECORDS, bound)

    def write_events(self, version: int, key: int, links: Links, bodies: Sequence[bytes]) -> None:
        bound = {
            **self._bound(version),
            "partition": row_partition(self.controller_id, 0),
            "key": key,
            "salts": links.salts,
            "macs": links.macs,
            "places": _numbers(links.places),
            **_parts("bodies", bodies),
        }
        self.connection.execute(_INSERT_EVENTS if self.first is None else _INSERT_FIRST_EVENTS, bound)

    def _bound(self, version: int) -> dict[str, Any]:
        digests = b"".join(self.subjects.values)
        return {"first": self.first, "controller": self.controller_id, "version": version, "digests": digests}


def _parts(name: str, parts: Sequence[bytes]) -> dict[str, Any]:
    return {name: b"".join(parts), f"{name}_size": len(parts[0]), f"{name}_count": len(parts)}


def _numbers(numbers: list[int]) -> str:
    return msgspec.json.encode(numbers).decode()
