"""A preference sheet as the page shows it: in groups, each row with a switch and the reason for its state.

There is no rule here. What is on or off comes from the decisions of the sheet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from prefcenter.domain.decision import Decision
from prefcenter.domain.events import Cell
from prefcenter.domain.policy import Cap, Policy
from prefcenter.domain.terms import Basis, Channel, Reason
from prefcenter.services.brand import Brand
from prefcenter.services.preferences import PreferenceRow, PreferenceSheet
from prefcenter.web.page_words import ALLOWED_BECAUSE, CHANNELS, CLASSES, OTHERWISE_STOPPED, STOPPED_BECAUSE

OPENED_BY_THE_PERSON = frozenset(
    {
        Reason.OPTED_OUT,
        Reason.COMPLAINED,
        Reason.ERASED,
        Reason.NO_CONSENT,
        Reason.CONSENT_EXPIRED,
        Reason.ON_REGISTRY,
    }
)
"""Stops that the person's own consent ends; the others are no matter of a switch."""

ON = frozenset({Reason.PERMITTED, Reason.FREQUENCY_CAP})


@dataclass(frozen=True, slots=True)
class PageRow:
    """One switch. `value` names its cell in the form; `language`: of the label; `is_fixed`: it cannot be moved."""

    value: str
    label: str
    language: str
    channel: str | None
    is_on: bool
    is_fixed: bool
    why: str
    cap: Cap | None
    is_pending: bool
    expires_ms: int | None


@dataclass(frozen=True, slots=True)
class PageGroup:
    title: str
    rows: Sequence[PageRow]


@dataclass(frozen=True, slots=True)
class RowMaker:
    """Makes rows in one language. `may_open`: the person can switch things on here."""

    policy: Policy
    brand: Brand
    language: str
    may_open: bool

    def message_groups(self, sheet: PreferenceSheet) -> Iterator[PageGroup]:
        """The messages by their class, those that go on whatever is chosen last."""
        for purpose_class, title in CLASSES.items():
            rows = [
                self._row(row)
                for row in sheet.rows
                if self.policy.purpose_by_id[row.cell.purpose or ""].purpose_class is purpose_class
            ]
            if rows:
                yield PageGroup(title, rows)

    def data_uses(self, sheet: PreferenceSheet) -> Sequence[PageRow]:
        return [self._row(row) for row in sheet.data_uses]

    def _row(self, row: PreferenceRow) -> PageRow:
        cell, decision = row.cell, row.decision
        label, language = self.brand.label(cell.purpose or cell.data_use or "", row.label, self.language)
        purpose = self.policy.purpose_by_id.get(cell.purpose or "")
        is_on = decision.reason in ON
        return PageRow(
            value=cell_value(cell),
            label=label,
            language=language,
            channel=None if cell.channel is None else CHANNELS[cell.channel],
            is_on=is_on,
            is_fixed=decision.basis is Basis.CONTRACT if is_on else not self._can_open(decision),
            why=_why(decision),
            cap=purpose.cap if purpose else None,
            is_pending=row.is_pending and not is_on,
            expires_ms=row.expires_ms if is_on else None,
        )

    def _can_open(self, decision: Decision) -> bool:
        return self.may_open and decision.reason in OPENED_BY_THE_PERSON


def cell_value(cell: Cell) -> str:
    """How a form names a cell: ids are slugs, so a slash parts them."""
    return f"use/{cell.data_use}" if cell.data_use is not None else f"{cell.channel}/{cell.purpose}"


def cell_of(value: str) -> Cell | None:
    """The cell that a form names; None for text that is no such name. Whether it is on the page is not asked here."""
    kind, slash, name = value.partition("/")
    if not slash or not name:
        return None
    if kind == "use":
        return Cell(None, None, name)
    return Cell(name, Channel(kind)) if kind in set(Channel) else None


def _why(decision: Decision) -> str:
    if decision.basis is not None:
        return ALLOWED_BECAUSE[decision.basis]
    return STOPPED_BECAUSE.get(decision.reason, OTHERWISE_STOPPED)
