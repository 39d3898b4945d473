"""Dates, times, timestamps and durations between text and numbers."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvs_graphql.formats import moments
from kvs_graphql.formats.errors import Undecodable

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@given(st.datetimes(timezones=st.just(UTC)))
def test_timestamp_is_the_one_of_pythons_calendar(moment: datetime) -> None:
    micros = (moment - EPOCH) // timedelta(microseconds=1)
    text = moments.timestamp_shower(6)(micros)
    assert text == moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
    assert moments.parse_timestamp(text, 6) == micros
    local = moments.timestamp_shower(6, zone="")(micros)
    assert moments.parse_local_timestamp(local, 6) == micros


@given(st.dates())
def test_date_is_the_one_of_pythons_calendar(day: date) -> None:
    days = (day - EPOCH.date()).days
    assert moments.date_text(days) == day.isoformat()
    assert moments.parse_date(day.isoformat()) == days


@pytest.mark.parametrize(
    ("digits", "value", "text"),
    [
        (3, 0, "1970-01-01T00:00:00.000Z"),
        (3, -1, "1969-12-31T23:59:59.999Z"),
        (9, 1_234_567_890_123_456_789, "2009-02-13T23:31:30.123456789Z"),
        (3, -62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
        (3, -62_135_596_800_001, "0000-12-31T23:59:59.999Z"),
        (3, 253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_timestamp_has_all_its_digits(digits: int, value: int, text: str) -> None:
    assert moments.timestamp_shower(digits)(value) == text
    assert moments.parse_timestamp(text, digits) == value


@pytest.mark.parametrize("value", [-62_167_219_200_001, 253_402_300_800_000, 2**63 - 1, -(2**63)])
def test_timestamp_without_a_year_of_four_digits_is_undecodable(value: int) -> None:
    with pytest.raises(Undecodable, match="RFC 3339"):
        moments.timestamp_shower(3)(value)


@given(st.integers(0, 86_400_000_000 - 1))
def test_time_is_read_back(micros: int) -> None:
    assert moments.parse_time(moments.time_shower(6)(micros), 6) == micros


@pytest.mark.parametrize("value", [-1, 86_400_000])
def test_time_outside_of_a_day_is_undecodable(value: int) -> None:
    with pytest.raises(Undecodable, match="no time of a day"):
        moments.time_shower(3)(value)


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (lambda text: moments.parse_time(text, 3), "23:59", 86_340_000),
        (lambda text: moments.parse_time(text, 3), "00:00:01.5000000", 1_500),
        (lambda text: moments.parse_timestamp(text, 3), "1970-01-01t01:00:00+01:00", 0),
        (lambda text: moments.parse_timestamp(text, 3), "1970-01-01 00:00:00.1-00:30", 1_800_100),
        (moments.parse_date, "0000-02-29", -719_469),
    ],
)
def test_other_forms_of_iso_8601(parse: Callable[[str], int], text: str, value: int) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text", "reason"),
    [
        (moments.parse_date, "2026-02-30", "does not exist"),
        (moments.parse_date, "26-02-03", "is not a date"),
        (moments.parse_date, "\uff12\uff10\uff12\uff16-02-03", "is not a date"),
        (lambda text: moments.parse_time(text, 3), "24:00", "does not exist"),
        (lambda text: moments.parse_time(text, 3), "00:00:00.0001", "more than 3 digits"),
        (lambda text: moments.parse_timestamp(text, 3), "2026-01-01T00:00:00", "with an offset"),
        (lambda text: moments.parse_timestamp(text, 3), "2026-01-01T00:00:60Z", "does not exist"),
        (lambda text: moments.parse_timestamp(text, 3), "2026-01-01T00:00:00+24:00", "offset that does not exist"),
        (lambda text: moments.parse_local_timestamp(text, 3), "2026-01-01T00:00:00Z", "without an offset"),
        (lambda text: moments.parse_duration(text)[0], "P", "is not a duration"),
        (lambda text: moments.parse_duration(text)[0], "P1DT", "is not a duration"),
        (lambda text: moments.parse_duration(text)[0], "PT0.0001S", "more than 3 digits"),
    ],
)
def test_text_that_is_no_moment_is_refused(parse: Callable[[str], int], text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse(text)


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ((0, 0, 0), "PT0S"),
        ((14, 0, 0), "P14M"),
        ((1, 2, 3500), "P1M2DT3.500S"),
        ((0, 0, 4_294_967_295), "PT4294967.295S"),
        ((0, 1, 1000), "P1DT1S"),
    ],
)
def test_duration_has_its_parts(parts: tuple[int, int, int], text: str) -> None:
    assert moments.duration_text(*parts) == text
    assert moments.parse_duration(text) == parts


def test_duration_may_be_written_in_other_parts() -> None:
    assert moments.parse_duration("P1Y2M1W1DT1H1M1.5S") == (14, 8, 3_661_500)
