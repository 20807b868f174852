"""What the page's form says: which switches were moved, until when to pause, why somebody leaves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

from prefcenter.domain.errors import InvalidInput, InvalidTime
from prefcenter.domain.time import MS_PER_DAY, to_ms
from prefcenter.services.recording import Choice
from prefcenter.web.link_pages import Form
from prefcenter.web.page_rows import cell_of

PAUSE_DAYS_MAX = 366
SHOWN_ON, SHOWN_OFF, CHOSEN = "was-on", "was-off", "on"


def said(form: Form, name: str) -> str:
    """A field of a form as text; empty where it is not there, or is a file."""
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def moved(form: Form) -> Sequence[Choice]:
    """The switches that do not stand as they were shown: what somebody did not touch says nothing.

    Raises InvalidInput for a name that is none of a switch.
    """
    chosen = _names(form, CHOSEN)
    moves = [(name, False) for name in _names(form, SHOWN_ON) if name not in chosen]
    moves += [(name, True) for name in _names(form, SHOWN_OFF) if name in chosen]
    return [_choice(name, is_wanted) for name, is_wanted in dict(moves).items()]


def pause_end_ms(form: Form, now_ms: int) -> int:
    """The end of the last quiet day, in UTC. Raises InvalidTime for a day that is none, is over, or too far away."""
    try:
        last_day = date.fromisoformat(said(form, "until").strip())
    except ValueError:
        raise InvalidTime("until: expected a date, such as 2027-01-31") from None
    end_ms = to_ms(datetime.combine(last_day, time(), UTC)) + MS_PER_DAY
    if not now_ms < end_ms <= now_ms + (PAUSE_DAYS_MAX + 1) * MS_PER_DAY:
        raise InvalidTime(f"until: expected a day from today on, {PAUSE_DAYS_MAX} days ahead at most")
    return end_ms


def pause_days(now_ms: int) -> tuple[str, str, str]:
    """The first and the last day that may be chosen, and one that is offered."""
    today = datetime.fromtimestamp(now_ms / 1_000, UTC).date()
    first, last, offered = (today + timedelta(days=days) for days in (1, PAUSE_DAYS_MAX, 30))
    return first.isoformat(), last.isoformat(), offered.isoformat()


def _names(form: Form, field: str) -> Sequence[str]:
    return [value for value in form.getall(field, []) if isinstance(value, str)]


def _choice(name: str, is_wanted: bool) -> Choice:
    cell = cell_of(name)
    if cell is None:
        raise InvalidInput("choice: none that this page offers")
    return Choice(cell, is_wanted)
