"""What one person gets and does not get, cell by cell, as they would see it (OCC-1). Answers come from `decide`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from prefcenter.domain.decision import Decision
from prefcenter.domain.digest import Digest
from prefcenter.domain.errors import InvalidAddress
from prefcenter.domain.events import Cell
from prefcenter.domain.policy import DataUse, Policy, Purpose
from prefcenter.domain.record import Record
from prefcenter.domain.terms import KIND_OF_CHANNEL, AddressClass, AddressKind, Channel
from prefcenter.security.digests import Digester
from prefcenter.services.decisions import Decisions, Question, address_kind
from prefcenter.services.ports import Store
from prefcenter.services.targets import Target, Targets


@dataclass(frozen=True, slots=True)
class PreferenceRow:
    """One purpose on one channel, or one data use. `expires_ms`: when the last consent for it ends, if one does.

    `is_pending`: somebody reported a consent that the person has not confirmed.
    """

    cell: Cell
    label: str
    decision: Decision
    is_pending: bool
    expires_ms: int | None


@dataclass(frozen=True, slots=True)
class PreferenceSheet:
    """Everything a person may choose about at one controller, for one address, which is told masked."""

    masked: str
    subject: Digest
    rows: tuple[PreferenceRow, ...]
    data_uses: tuple[PreferenceRow, ...]
    paused_until_ms: int | None


class Preferences:
    """The preferences of one controller's people."""

    def __init__(self, policy: Policy, digester: Digester, store: Store, decisions: Decisions) -> None:
        self._policy = policy
        self._store = store
        self._decisions = decisions
        self._targets = Targets(policy.country, digester)

    async def of(
        self,
        address: str,
        channel: Channel | None,
        now_ms: int,
        audiences: Sequence[str] = (),
        address_class: AddressClass | None = None,
    ) -> PreferenceSheet:
        """The sheet of an address; audiences, where any are named, leave out what is for none of them.

        `address_class` is whose address it is as far as the asker says; what is on record is stronger.

        Raises InvalidAddress, also for a whole domain, and StoreError where there is no answer.
        """
        target = self._targets.of(address, channel)
        if target.address is None:
            raise InvalidAddress("is a whole domain, which has no preferences")
        cells = list(self._cells(address_kind(address, channel), audiences))
        questions = [
            Question(address, cell.purpose, cell.channel or channel, cell.data_use, address_class) for cell, _ in cells
        ]
        decisions = await self._decisions.decide_many(questions, now_ms)
        records = await self._store.load(self._policy.controller, target.records_of)
        rows = [
            PreferenceRow(cell, label, decision, _is_pending(records, target, cell), _end(records, target, cell))
            for (cell, label), decision in zip(cells, decisions, strict=True)
        ]
        return PreferenceSheet(
            target.address.masked,
            target.write_to,
            tuple(row for row in rows if row.cell.data_use is None),
            tuple(row for row in rows if row.cell.data_use is not None),
            max((record.paused_until_ms or 0 for record in records), default=0) or None,
        )

    def _cells(self, kind: AddressKind, audiences: Sequence[str]) -> Iterator[tuple[Cell, str]]:
        for purpose in self._policy.purposes:
            for channel in sorted(purpose.channels):
                if KIND_OF_CHANNEL[channel] is kind and _is_for(purpose, audiences):
                    yield Cell(purpose.id, channel), purpose.label
        for data_use in self._policy.data_uses:
            if _is_for(data_use, audiences):
                yield Cell(None, None, data_use.id), data_use.label


def _is_for(what: Purpose | DataUse, audiences: Sequence[str]) -> bool:
    return not audiences or any(what.covers_audience(audience) for audience in audiences)


def _is_pending(records: Sequence[Record], target: Target, cell: Cell) -> bool:
    return any(grant.cell == cell and grant.exact in target.exacts for record in records for grant in record.pending)


def _end(records: Sequence[Record], target: Target, cell: Cell) -> int | None:
    """When the last consent of this address for a cell ends; None where one does not end, or there is none."""
    ends = [
        grant.expires_ms
        for record in records
        for grant in record.grants
        if grant.cell == cell and grant.exact in target.exacts
    ]
    return None if not ends or None in ends else max(end for end in ends if end is not None)
