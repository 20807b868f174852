"""A store's records as Parquet that every node of a cluster reads: digests, states, and the records themselves.

Everybody's plain choices are told by a number; `decide` gets the record where that is not enough. The records are
those that the store holds: digests, scopes, reasons and times, no plaintext.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
from pyarrow.parquet import ParquetWriter

from jobs.scrub.fast.answers import Asked
from jobs.scrub.snapshot.snapshot import StateNumbers
from jobs.scrub.snapshot.state import Family, State, state_of
from prefcenter.domain.digest import Digest
from prefcenter.domain.events import Cell
from prefcenter.domain.policy import Policy
from prefcenter.domain.record import Grant, Record
from prefcenter.domain.time import MS_PER_DAY, MS_PER_HOUR
from prefcenter.services.ports import Store

SUBJECT = (("kind", pa.int32()), ("key", pa.int32()), ("rules", pa.int32()), ("digest", pa.binary()))
SCHEMA = pa.schema(
    [
        *SUBJECT,
        ("state", pa.int32()),
        ("lasting", pa.list_(pa.binary())),
        ("consented", pa.list_(pa.binary())),
        ("record", pa.binary()),
        ("sends_ms", pa.list_(pa.int64())),
    ]
)
"""`consented` are the exact addresses that ever consented to what is asked, `lasting` those who still do at the
horizon, both of plain records only. `sends_ms` are sends of the purpose within the window of its cap."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A store's records in a file. State 0 is that of an address without a record."""

    path: Path
    states: Sequence[State | None]
    families: frozenset[Family]


async def export_records(store: Store, policy: Policy, asked: Asked, path: Path) -> Exported:
    """Write every record of a controller to a file, a page at a time. Memory holds a page, and the sends of a cap."""
    rows = _Rows(asked, asked.at_ms + policy.decision_ttl_hours * MS_PER_HOUR)
    sends = await _sends(store, policy, asked)
    with ParquetWriter(path, SCHEMA) as writer:
        async for page in store.scan(policy.controller):
            written = [rows.row(record, sends.pop(record.subject, [])) for record in page]
            writer.write_table(pa.Table.from_pylist(written, SCHEMA))
        left = [rows.row(Record(subject), sends_ms) for subject, sends_ms in sends.items()]
        writer.write_table(pa.Table.from_pylist(left, SCHEMA))
    return Exported(path, rows.numbers.states, frozenset(rows.families))


def decoded_record(content: bytes) -> Record:
    """A record as it was exported."""
    return msgspec.msgpack.decode(content, type=Record)


class _Rows:
    """Makes a row of each record, and notes what states and families there are."""

    def __init__(self, asked: Asked, horizon_ms: int) -> None:
        self.numbers = StateNumbers()
        self.families: set[Family] = set()
        self._cell = Cell(asked.purpose, asked.channel)
        self._at_ms = asked.at_ms
        self._horizon_ms = horizon_ms

    def row(self, record: Record, sends_ms: Sequence[int]) -> dict[str, Any]:
        state = state_of(record)
        if sends_ms:
            state = State(state.family, is_plain=False)
        self.families.add(state.family)
        given = [grant for grant in record.grants if state.is_plain and grant.cell == self._cell]
        kind, key, rules = state.family
        return {
            "kind": int(kind),
            "key": key,
            "rules": rules,
            "digest": record.subject.value,
            "state": self.numbers.number_of(state),
            "lasting": [grant.exact.value for grant in given if self._lasts(grant)],
            "consented": [grant.exact.value for grant in given],
            "record": msgspec.msgpack.encode(record),
            "sends_ms": sends_ms,
        }

    def _lasts(self, grant: Grant) -> bool:
        return grant.at.time_ms <= self._at_ms and (grant.expires_ms is None or grant.expires_ms >= self._horizon_ms)


async def _sends(store: Store, policy: Policy, asked: Asked) -> dict[Digest, list[int]]:
    """When messages of the purpose went to whom within the window of its cap; nothing where it has none."""
    sends: dict[Digest, list[int]] = defaultdict(list)
    cap = policy.purpose_by_id[asked.purpose].cap
    if cap is None:
        return sends
    since_ms = asked.at_ms - cap.days * MS_PER_DAY
    async for page in store.scan_sends(policy.controller, asked.purpose):
        for send in page:
            if send.sent_ms >= since_ms:
                sends[send.subject].append(send.sent_ms)
    return sends
