"""Dates, times, timestamps and durations as text and as the whole numbers that formats have for them.

Python's own calendar ends at microseconds and begins with year 1; RFC 3339 has years 0000 to 9999 and any fraction.
Functions that show raise `Undecodable` for what RFC 3339 has no form for; those that parse raise `ValueError` with a
reason.
"""

import re
from collections.abc import Callable
from datetime import date
from functools import lru_cache

from kvs_graphql.formats.errors import Undecodable

_EPOCH = date(1970, 1, 1).toordinal()
_DAYS_OF_400_YEARS = 146_097
_DAYS_MIN = date(400, 1, 1).toordinal() - _DAYS_OF_400_YEARS - _EPOCH
_DAYS_MAX = date(9999, 12, 31).toordinal() - _EPOCH
_DAY_SECONDS = 86_400
# Looking text up takes a third of the time of formatting numbers.
_MINUTES = tuple(f"{hour:02}:{minute:02}:" for hour in range(24) for minute in range(60))
_SECONDS = tuple(f"{second:02}." for second in range(60))
_MILLISECONDS = tuple(f"{fraction:03}" for fraction in range(1000))

_DATE = r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
_TIME = r"([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,18}))?)?"
_DATE_PATTERN = re.compile(_DATE)
_TIME_PATTERN = re.compile(_TIME)
_LOCAL_PATTERN = re.compile(f"{_DATE}[Tt ]{_TIME}")
_MOMENT_PATTERN = re.compile(f"{_DATE}[Tt ]{_TIME}(?:[Zz]|([+-])([0-9]{{2}}):([0-9]{{2}}))")
_DURATION_PATTERN = re.compile(
    r"P(?=.)(?:([0-9]{1,18})Y)?(?:([0-9]{1,18})M)?(?:([0-9]{1,18})W)?(?:([0-9]{1,18})D)?"
    r"(?:T(?=.)(?:([0-9]{1,18})H)?(?:([0-9]{1,18})M)?(?:([0-9]{1,18})(?:\.([0-9]{1,18}))?S)?)?"
)


@lru_cache(maxsize=4096)
def date_text(days: int) -> str:
    """The date so many days after 1970-01-01."""
    if not _DAYS_MIN <= days <= _DAYS_MAX:
        raise Undecodable(f"a date {days} days after 1970-01-01 has no form in RFC 3339")
    ordinal = days + _EPOCH
    if ordinal > 0:
        return date.fromordinal(ordinal).isoformat()
    return "0000" + date.fromordinal(ordinal + _DAYS_OF_400_YEARS).isoformat()[4:]


def time_shower(digits: int) -> Callable[[int], str]:
    """Shows the time of a day, given as a number of units after midnight, with all digits.

    Units are seconds, divided by 10 to the power of `digits`, here and below.
    """
    unit, fraction_text = int(10**digits), _fraction_shower(digits)

    def show(value: int) -> str:
        if not 0 <= value < _DAY_SECONDS * unit:
            raise Undecodable(f"{value} / 10^{digits} seconds after midnight is no time of a day")
        seconds, fraction = divmod(value, unit)
        return f"{_MINUTES[seconds // 60]}{_SECONDS[seconds % 60]}{fraction_text(fraction)}"

    return show


def timestamp_shower(digits: int, zone: str = "Z") -> Callable[[int], str]:
    """Shows a timestamp, given as a number of units after the beginning of 1970, with all digits."""
    day, minute, unit = _DAY_SECONDS * int(10**digits), 60 * int(10**digits), int(10**digits)
    fraction_text = _fraction_shower(digits)

    def show(value: int) -> str:
        days, rest = divmod(value, day)
        seconds, fraction = divmod(rest % minute, unit)
        return f"{date_text(days)}T{_MINUTES[rest // minute]}{_SECONDS[seconds]}{fraction_text(fraction)}{zone}"

    return show


def nanos_text(seconds: int, nanos: int) -> str:
    """A timestamp, given as seconds after the beginning of 1970 and nanoseconds after these, with all digits."""
    days, rest = divmod(seconds, _DAY_SECONDS)
    minutes, rest = divmod(rest, 60)
    return f"{date_text(days)}T{_MINUTES[minutes]}{_SECONDS[rest]}{nanos:09}Z"


def duration_text(months: int, days: int, milliseconds: int) -> str:
    """A duration by ISO 8601, in the parts that it was given in."""
    seconds, fraction = divmod(milliseconds, 1000)
    second_text = f"{seconds}.{fraction:03}S" if fraction else f"{seconds}S" if seconds else ""
    date_part = f"{f'{months}M' if months else ''}{f'{days}D' if days else ''}"
    time_part = f"T{second_text}" if second_text else ""
    return f"P{date_part}{time_part}" if date_part or time_part else "PT0S"


def parse_date(text: str) -> int:
    """Days after 1970-01-01."""
    found = _DATE_PATTERN.fullmatch(text)
    if not found:
        raise ValueError("is not a date such as 2026-01-31")
    return _days(*found.groups())


def parse_time(text: str, digits: int) -> int:
    """Units after midnight."""
    found = _TIME_PATTERN.fullmatch(text)
    if not found:
        raise ValueError("is not a time such as 23:59:59.999")
    return _units(found.group(1), found.group(2), found.group(3), found.group(4), digits)


def parse_timestamp(text: str, digits: int) -> int:
    """Units after the beginning of 1970 in UTC."""
    found = _MOMENT_PATTERN.fullmatch(text)
    if not found:
        raise ValueError("is not a timestamp with an offset, such as 2026-01-31T23:59:59.999Z")
    year, month, day, hour, minute, second, fraction, sign, offset_hours, offset_minutes = found.groups()
    seconds = _days(year, month, day) * _DAY_SECONDS
    if sign:
        if int(offset_hours) > 23 or int(offset_minutes) > 59:
            raise ValueError("has an offset that does not exist")
        seconds -= int(sign + "1") * (int(offset_hours) * 3600 + int(offset_minutes) * 60)
    return seconds * int(10**digits) + _units(hour, minute, second, fraction, digits)


def parse_local_timestamp(text: str, digits: int) -> int:
    """Units after the beginning of 1970 by the same clock."""
    found = _LOCAL_PATTERN.fullmatch(text)
    if not found:
        raise ValueError("is not a timestamp without an offset, such as 2026-01-31T23:59:59.999")
    year, month, day, hour, minute, second, fraction = found.groups()
    return _days(year, month, day) * _DAY_SECONDS * int(10**digits) + _units(hour, minute, second, fraction, digits)


def parse_duration(text: str) -> tuple[int, int, int]:
    """Months, days and milliseconds."""
    found = _DURATION_PATTERN.fullmatch(text)
    if not found:
        raise ValueError("is not a duration such as P1M2DT3.5S")
    years, months, weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups()[:7])
    milliseconds = (hours * 3600 + minutes * 60 + seconds) * 1000 + _fraction(found.group(8), 3)
    return years * 12 + months, weeks * 7 + days, milliseconds


def _fraction_shower(digits: int) -> Callable[[int], str]:
    return _MILLISECONDS.__getitem__ if digits == 3 else f"%0{digits}d".__mod__


def _days(year: str, month: str, day: str) -> int:
    shift = _DAYS_OF_400_YEARS if year == "0000" else 0
    try:
        return date(int(year) or 400, int(month), int(day)).toordinal() - shift - _EPOCH
    except ValueError as error:
        raise ValueError("has a date that does not exist") from error


def _units(hour: str, minute: str, second: str | None, fraction: str | None, digits: int) -> int:
    if int(hour) > 23 or int(minute) > 59 or int(second or 0) > 59:
        raise ValueError("has a time that does not exist")
    return (int(hour) * 3600 + int(minute) * 60 + int(second or 0)) * int(10**digits) + _fraction(fraction, digits)


def _fraction(text: str | None, digits: int) -> int:
    kept = (text or "").rstrip("0")
    if len(kept) > digits:
        raise ValueError(f"has more than {digits} digits after the seconds")
    return int(kept.ljust(digits, "0") or 0)
