"""Facts about times: zoned or refused, whole milliseconds, never in the future (CONTRACTS: Time)."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefcenter.domain.errors import InvalidTime
from prefcenter.domain.time import MS_PER_DAY, format_time, parse_time, stated_time, to_ms

MIDNIGHT = to_ms(datetime(2026, 11, 21, tzinfo=UTC))
HALF_PAST_NINE = MIDNIGHT + (9 * 60 + 30) * 60_000
RECEIVED = HALF_PAST_NINE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-21T09:30:00Z", HALF_PAST_NINE),
        ("2026-11-21t09:30:00z", HALF_PAST_NINE),
        ("2026-11-21 09:30:00Z", HALF_PAST_NINE),
        ("2026-11-21 09:30:00 Z", HALF_PAST_NINE),
        ("2026-11-21T09:30Z", HALF_PAST_NINE),
        ("  2026-11-21T09:30:00Z\n", HALF_PAST_NINE),
        ("2026-11-21T10:30:00+01:00", HALF_PAST_NINE),
        ("2026-11-21T04:30:00-05:00", HALF_PAST_NINE),
        ("2026-11-21T15:15:00+0545", HALF_PAST_NINE),
        ("2026-11-21 10:30:00 +01:00", HALF_PAST_NINE),
        ("2026-11-21T09:30:00.5Z", HALF_PAST_NINE + 500),
        ("2026-11-21T09:30:00,25Z", HALF_PAST_NINE + 250),
        ("2026-11-21T09:30:00.123999Z", HALF_PAST_NINE + 123),
        ("2026-11-21T09:30:00.123456789Z", HALF_PAST_NINE + 123),
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.999Z", -1),
    ],
)
def test_a_zoned_time_is_read(text: str, expected: int) -> None:
    assert parse_time(text, end_of_day=False) == expected
    assert parse_time(text, end_of_day=True) == expected


def test_a_date_is_its_first_millisecond_or_its_last() -> None:
    assert parse_time(" 2026-11-21 ", end_of_day=False) == MIDNIGHT
    assert parse_time("2026-11-21", end_of_day=True) == MIDNIGHT + MS_PER_DAY - 1
    assert parse_time("2026-11-22", end_of_day=False) == MIDNIGHT + MS_PER_DAY


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-11-21T09:30:00",
        "2026-11-21 09:30",
        "2026-11-21T09:30:00 Europe/London",
        "2026-11-21T09Z",
        "2026-11-21T09:30:00.Z",
        "2026-11-21T09:30:00.1234567890Z",
        "2026-11-21T24:30:00Z",
        "2026-11-21T09:60:00Z",
        "2026-11-21T23:59:60Z",
        "2026-11-21T09:30:00+25:00",
        "2026-02-29",
        "2026-13-01",
        "26-11-21",
        "21.11.2026",
        "11/21/2026",
        "20261121",
        "2026-W47-6",
        "1795253400",
        "２０２６-11-21",
        "2026-11-21\t09:30:00Z",
        "2026-11-21T09:30:00Z2026-11-21T09:30:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:00-00:01",
    ],
)
@pytest.mark.parametrize("end_of_day", [False, True])
def test_anything_else_is_an_error_that_does_not_quote_it(text: str, end_of_day: bool) -> None:
    with pytest.raises(InvalidTime) as caught:
        parse_time(text, end_of_day=end_of_day)
    assert str(caught.value) == "expected a date (2026-11-21) or a time with its zone (2026-11-21T09:30:00Z)"
    assert caught.value.code == "invalid_time"


@given(st.text(max_size=40))
def test_every_text_is_read_or_refused(text: str) -> None:
    with suppress(InvalidTime):
        assert isinstance(parse_time(text, end_of_day=False), int)


# A day away from either end of the calendar, so that no zone leads out of it.
FIRST, LAST = (to_ms(datetime(*day, tzinfo=UTC)) for day in ((1, 1, 2), (9999, 12, 30)))
ZONES = st.integers(-1_439, 1_439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.integers(FIRST, LAST), ZONES)
def test_a_written_time_is_read_back_in_any_zone(time_ms: int, zone: timezone) -> None:
    assert parse_time(format_time(time_ms), end_of_day=False) == time_ms
    elsewhere = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)).astimezone(zone)
    assert parse_time(elsewhere.isoformat(), end_of_day=True) == time_ms


@pytest.mark.parametrize(
    ("time_ms", "expected"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (HALF_PAST_NINE + 7, "2026-11-21T09:30:00.007Z"),
        (to_ms(datetime(812, 3, 4, tzinfo=UTC)), "0812-03-04T00:00:00.000Z"),
    ],
)
def test_a_time_is_written_in_utc_with_milliseconds(time_ms: int, expected: str) -> None:
    assert format_time(time_ms) == expected


def test_a_moment_is_rounded_down_to_its_millisecond() -> None:
    assert to_ms(datetime(1970, 1, 1, microsecond=1_999, tzinfo=UTC)) == 1
    assert to_ms(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)) == -1


@pytest.mark.parametrize(
    ("time_ms", "expected"),
    [
        (RECEIVED - MS_PER_DAY, RECEIVED - MS_PER_DAY),
        (RECEIVED - 1, RECEIVED - 1),
        (RECEIVED, RECEIVED),
        (RECEIVED + 1, RECEIVED),
        (RECEIVED + 60_000, RECEIVED),
    ],
)
def test_a_stated_time_is_never_after_its_receipt(time_ms: int, expected: int) -> None:
    assert stated_time(time_ms, RECEIVED) == expected


def test_a_stated_time_more_than_a_minute_ahead_is_an_error() -> None:
    with pytest.raises(InvalidTime, match=r"^the time lies in the future$"):
        stated_time(RECEIVED + 60_001, RECEIVED)


HOUR = 3_600_000


@pytest.mark.parametrize(
    ("now_ms", "expected"),
    [
        (MIDNIGHT + 3 * MS_PER_DAY, MIDNIGHT + MS_PER_DAY - 1),
        (MIDNIGHT + MS_PER_DAY, MIDNIGHT + MS_PER_DAY - 1),
        (MIDNIGHT + MS_PER_DAY - 2, MIDNIGHT + MS_PER_DAY - 2),
        (HALF_PAST_NINE, HALF_PAST_NINE),
        (MIDNIGHT, MIDNIGHT),
        (MIDNIGHT - 14 * HOUR, MIDNIGHT - 14 * HOUR),
        (MIDNIGHT - 14 * HOUR - 1, MIDNIGHT + MS_PER_DAY - 1),
    ],
)
def test_a_day_that_has_begun_in_some_zone_and_is_not_over_ends_now(now_ms: int, expected: int) -> None:
    assert parse_time("2026-11-21", end_of_day=True, now_ms=now_ms) == expected


@pytest.mark.parametrize("now_ms", [MIDNIGHT - MS_PER_DAY, MIDNIGHT, HALF_PAST_NINE, MIDNIGHT + MS_PER_DAY])
def test_now_moves_neither_the_start_of_a_day_nor_a_time(now_ms: int) -> None:
    assert parse_time("2026-11-21", end_of_day=False, now_ms=now_ms) == MIDNIGHT
    assert parse_time("2026-11-21T09:30:00Z", end_of_day=True, now_ms=now_ms) == HALF_PAST_NINE


def test_a_refusal_of_today_that_names_only_its_date_happened_by_its_receipt() -> None:
    assert stated_time(parse_time("2026-11-21", end_of_day=True, now_ms=RECEIVED), RECEIVED) == RECEIVED
    with pytest.raises(InvalidTime, match=r"^the time lies in the future$"):
        stated_time(parse_time("2026-11-23", end_of_day=True, now_ms=RECEIVED), RECEIVED)
