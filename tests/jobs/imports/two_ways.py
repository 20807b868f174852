"""One list of refusals imported in two ways: row by row, and as a block whose plain addresses are read together."""

from __future__ import annotations

from collections.abc import Sequence

from jobs.imports.blocks import block_of
from prefcenter.domain.errors import PrefcenterError
from prefcenter.domain.events import EVERYTHING, Scope
from prefcenter.domain.terms import AddressKind, RefusalReason
from prefcenter.services.import_batches import RowOutcome
from prefcenter.services.importing import Importing, RefusalRow
from prefcenter.services.ports import Store
from tests.contract.acts import whole_feed

Outcomes = Sequence[RowOutcome | PrefcenterError]


def rows_of(addresses: Sequence[str], at_ms: int) -> list[RefusalRow]:
    return [RefusalRow(address, at_ms) for address in addresses]


async def refuse(
    importing: Importing,
    rows: Sequence[RefusalRow],
    reason: RefusalReason = RefusalReason.OPTED_OUT,
    scope: Scope = EVERYTHING,
    *,
    in_block: bool,
) -> Outcomes:
    if in_block:
        return await importing.refuse_block(block_of(rows), reason, scope, "old-system")
    return await importing.refuse(rows, reason, scope, "old-system", AddressKind.EMAIL)


def told(outcomes: Outcomes) -> list[str]:
    """What each row did, or what was wrong with it."""
    return [f"{type(outcome).__name__}: {outcome}" for outcome in outcomes]


async def records_and_events(store: Store, controller: str) -> tuple[object, object]:
    """Everything on record, and the events of every subject in their order."""
    records = {record.subject: record async for page in store.scan(controller) for record in page}
    events: dict[object, list[object]] = {}
    for item in await whole_feed(store, controller):
        events.setdefault(item.subject, []).append((item.partition, item.version, item.event))
    return records, events
