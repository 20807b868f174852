"""Times are whole milliseconds of UTC since 1970. Text is RFC 3339; a time without a zone is an error."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from prefcenter.domain.errors import InvalidTime

MS_PER_HOUR = 3_600_000
MS_PER_DAY = 24 * MS_PER_HOUR
EQUAL_WITHIN_MS = 60_000
"""Two times this close count as equal, for clocks and exports disagree; at equality a refusal stands."""

EARLIEST_ZONE_MS = 14 * MS_PER_HOUR
"""How far the date of the earliest time zone is ahead of UTC."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)? ?(Z|[+-]\d{2}:?\d{2})", re.ASCII)
_ZONE_APART = re.compile(r" (?=[Z+-])")
_EXPECTED = "expected a date (2026-11-21) or a time with its zone (2026-11-21T09:30:00Z)"


def parse_time(text: str, *, end_of_day: bool, now_ms: int | None = None) -> int:
    """Read a date or a zoned time; a bare date is its first or its last millisecond in UTC.

    With `now_ms` the end of a day that is not over yet is now: that day may have begun earlier in the writer's zone.
    Raises InvalidTime for anything else, a time without a zone above all.
    """
    text = text.strip()
    try:
        if _DATE.fullmatch(text):
            start = to_ms(datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC))
            return _end_of_day(start, now_ms) if end_of_day else start
        if _MOMENT.fullmatch(text.upper()):
            moment = datetime.fromisoformat(_ZONE_APART.sub("", text.upper().replace(",", ".")))
            return to_ms(moment.astimezone(UTC))
    except (ValueError, OverflowError):
        raise InvalidTime(_EXPECTED) from None
    raise InvalidTime(_EXPECTED)


def _end_of_day(start_ms: int, now_ms: int | None) -> int:
    end_ms = start_ms + MS_PER_DAY - 1
    if now_ms is None or start_ms > now_ms + EARLIEST_ZONE_MS:
        return end_ms
    return min(end_ms, now_ms)


def to_ms(moment: datetime) -> int:
    """Whole milliseconds since 1970 of an aware datetime, rounded down."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def format_time(time_ms: int) -> str:
    """RFC 3339 in UTC with milliseconds, as every output of ours writes a time."""
    moment = _EPOCH + timedelta(milliseconds=time_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def stated_time(time_ms: int, received_ms: int) -> int:
    """A time that somebody states for an act: never in the future, and never after its receipt.

    Raises InvalidTime when it lies more than a minute after the receipt.
    """
    if time_ms > received_ms + EQUAL_WITHIN_MS:
        raise InvalidTime("the time lies in the future")
    return min(time_ms, received_ms)
