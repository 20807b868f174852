"""What the cells of a record say, for a refusal and for a consent."""

from __future__ import annotations

from jobs.imports.plans import GrantImport, RefusalImport
from jobs.imports.sources import Record, Source
from jobs.lists import Column
from prefcenter.domain.address.blanks import stripped
from prefcenter.domain.errors import InvalidInput
from prefcenter.domain.time import parse_time
from prefcenter.services.admission import Consent
from prefcenter.services.importing import GrantRow, RefusalRow


class RefusalColumns:
    """Where the cells of a refusal stand."""

    def __init__(self, opened: Source, plan: RefusalImport) -> None:
        self._opened = opened
        self.time = None if plan.time_column is None else opened.column("--time-column", plan.time_column)

    def row(self, record: Record, begun_ms: int) -> RefusalRow:
        address = _address(self._opened, record)
        return RefusalRow(address, begun_ms if self.time is None else refused_at(_cell(record, self.time), begun_ms))


class GrantColumns:
    """Where the cells of a consent stand."""

    def __init__(self, opened: Source, plan: GrantImport) -> None:
        self._opened = opened
        self._plan = plan
        self._time = opened.column("--time-column", plan.time_column)
        self._wording = opened.column("--wording-column", plan.wording_column)
        self._method = opened.column("--method-column", plan.method_column)
        expires = plan.expires_column
        self._expires = None if expires is None else opened.column("--expires-column", expires)

    def row(self, record: Record) -> GrantRow:
        given_ms = parse_time(_cell(record, self._time), end_of_day=False)
        expires = "" if self._expires is None else _cell(record, self._expires).strip()
        consent = Consent(
            cell=self._plan.cell,
            wording=_cell(record, self._wording).strip(),
            method=_cell(record, self._method).strip(),
            actor=self._plan.source,
            given_ms=given_ms,
            expires_ms=parse_time(expires, end_of_day=False) if expires else None,
        )
        return GrantRow(_address(self._opened, record), consent, self._plan.channel)


def refused_at(text: str, begun_ms: int) -> int:
    """When a row of an import that began then was refused. Raises InvalidTime."""
    return parse_time(text, end_of_day=True, now_ms=begun_ms)


def ragged(expected: int, found: int) -> InvalidInput:
    """The fault of a row with more or fewer cells than the list has columns."""
    return InvalidInput(f"row: expected {expected} cells, found {found}")


def no_address() -> InvalidInput:
    return InvalidInput("address: the cell is empty")


def _address(opened: Source, record: Record) -> str:
    if len(record.cells) != opened.width:
        raise ragged(opened.width, len(record.cells))
    address = _cell(record, opened.address_column)
    if not stripped(address):
        raise no_address()
    return address


def _cell(record: Record, column: Column) -> str:
    return record.cells[column.index] if column.index < len(record.cells) else ""
