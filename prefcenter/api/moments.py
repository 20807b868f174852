"""The scalar `DateTime`: milliseconds inside, RFC 3339 on the wire."""

from __future__ import annotations

from functools import lru_cache
from typing import NewType

import strawberry
from strawberry.types.scalar import ScalarDefinition

from prefcenter.domain.errors import InvalidTime
from prefcenter.domain.time import format_time, parse_time

DateTime = NewType("DateTime", int)
"""UTC milliseconds since 1970."""

RECENT_TIMES_MAX = 1024


@lru_cache(maxsize=RECENT_TIMES_MAX)
def written_time(time_ms: int) -> str:
    """A time as the wire shows it; a batch of decisions shows the same few times over and over."""
    return format_time(time_ms)


def read_time(text: object) -> DateTime:
    """Milliseconds of a time with its zone. Raises InvalidTime for anything else, a bare date above all."""
    if not isinstance(text, str) or "T" not in text.upper():
        raise InvalidTime("expected a time with its zone (2026-11-21T09:30:00Z)")
    return DateTime(parse_time(text, end_of_day=False))


DATE_TIME: ScalarDefinition = strawberry.scalar(
    name="DateTime",
    description=(
        "A moment: RFC 3339 with a zone (`2026-11-21T09:30:00.000Z`). Answers are in UTC with milliseconds; a bare date"
        " or a time without a zone is refused."
    ),
    specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
    serialize=written_time,
    parse_value=read_time,
)
