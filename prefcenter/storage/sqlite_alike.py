"""The same change of many records at once, in a few statements that SQLite works off without Python in between.

Digests, salts and MACs are handed over as one blob each; `json_each` counts the rows and brings the places of events.
Whatever stands there that should not, or does not, breaks a constraint: a record that moved on has an event of that
version already, and one that is not there has no row for its event to name.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

import msgspec

from prefcenter.domain.digest import Digests
from prefcenter.domain.ledger import PARTITIONS
from prefcenter.storage.chain import Links
from prefcenter.storage.sqlite_ledger import row_partition

_INSERT_RECORDS = (
    "INSERT INTO records (id, controller, kind, key, rules, version, digest, state)"
    " SELECT :first + row.key, :controller, :kind, :subject_key, :rules, :version,"
    " substr(:digests, 16 * row.key + 1, 16), :state FROM json_each(:places) AS row"
)
_UPDATE_RECORDS = (
    "UPDATE records SET version = :version, state = :state WHERE controller = :controller"
    " AND digest IN (SELECT substr(:digests, 16 * row.key + 1, 16) FROM json_each(:places) AS row)"
)
_EVENT_COLUMNS = (
    f":partition + row.value % {PARTITIONS}, row.value / {PARTITIONS}, {{subject}}, :version, :key,"
    " substr(:salts, 8 * row.key + 1, 8), substr(:macs, 16 * row.key + 1, 16), :body FROM json_each(:places) AS row"
)
_INSERT_FIRST_EVENTS = f"INSERT INTO events SELECT {_EVENT_COLUMNS.format(subject=':first + row.key')}"
_INSERT_EVENTS = (
    f"INSERT INTO events SELECT {_EVENT_COLUMNS.format(subject='records.id')} LEFT JOIN records"
    " ON records.digest = substr(:digests, 16 * row.key + 1, 16) AND records.controller = :controller"
)


@dataclass(frozen=True, slots=True)
class AlikeRows:
    """The rows of records that change alike. `first` is the row of the first where they are new, one after the other.

    `places` are those of their events in the ledger; before there are any, the rows are only counted.
    """

    connection: sqlite3.Connection
    controller_id: int
    subjects: Digests
    first: int | None

    def write_records(self, version: int, state: bytes) -> None:
        subjects = self.subjects
        bound = {
            "first": self.first,
            "controller": self.controller_id,
            "kind": int(subjects.kind),
            "subject_key": subjects.key,
            "rules": subjects.rules,
            "version": version,
            "digests": b"".join(subjects.values),
            "state": state,
            "places": _numbers([0] * len(subjects)),
        }
        self.connection.execute(_UPDATE_RECORDS if self.first is None else _INSERT_RECORDS, bound)

    def write_events(self, version: int, key: int, links: Links, body: bytes) -> None:
        bound = {
            "first": self.first,
            "controller": self.controller_id,
            "digests": b"".join(self.subjects.values),
            "partition": row_partition(self.controller_id, 0),
            "version": version,
            "key": key,
            "salts": links.salts,
            "macs": links.macs,
            "body": body,
            "places": _numbers(links.places),
        }
        self.connection.execute(_INSERT_EVENTS if self.first is None else _INSERT_FIRST_EVENTS, bound)


def _numbers(numbers: list[int]) -> str:
    return msgspec.json.encode(numbers).decode()
