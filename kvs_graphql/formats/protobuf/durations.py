"""Durations of seconds and nanoseconds, and their texts."""

import re

_DURATION_SECONDS_MAX = 315_576_000_000
_NANOS = 1_000_000_000
_DURATION = re.compile(
    r"(?P<sign>-?)P(?=\d|T\d)(?:(?P<days>\d{1,10})D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d{1,10})H)?(?:(?P<minutes>\d{1,12})M)?"
    r"(?:(?P<seconds>\d{1,12})(?:\.(?P<fraction>\d{1,9}))?S)?)?",
    re.ASCII,
)


def duration_text(seconds: int, nanos: int) -> str:
    """A duration by ISO 8601, in hours, minutes and seconds, since days differ.

    Raises:
        ValueError: Its parts have different signs, or are too large.
    """
    sign, seconds, nanos = _duration_parts(seconds, nanos)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    rest = f"{seconds}{_fraction(nanos)}S" if seconds or nanos or not (hours or minutes) else ""
    return f"{sign}PT{f'{hours}H' if hours else ''}{f'{minutes}M' if minutes else ''}{rest}"


def duration_json(seconds: int, nanos: int) -> str:
    """A duration as Protobuf has it in JSON: `3.5s`.

    Raises:
        ValueError: Its parts have different signs, or are too large.
    """
    sign, seconds, nanos = _duration_parts(seconds, nanos)
    return f"{sign}{seconds}{_fraction(nanos)}s"


def duration_parts(text: str) -> tuple[int, int]:
    """The seconds and nanoseconds of a duration by ISO 8601 without years, months and weeks.

    Raises:
        ValueError: It is not one, or it is too long.
    """
    if (match := _DURATION.fullmatch(text)) is None:
        raise ValueError("is not a duration in days, hours, minutes and seconds such as PT1H30M")
    days, hours, minutes, seconds = (int(match[part] or 0) for part in ("days", "hours", "minutes", "seconds"))
    seconds += days * 86_400 + hours * 3_600 + minutes * 60
    if seconds > _DURATION_SECONDS_MAX:
        raise ValueError(f"has more than {_DURATION_SECONDS_MAX:,} s")
    sign = -1 if match["sign"] else 1
    return sign * seconds, sign * int((match["fraction"] or "").ljust(9, "0"))


def _duration_parts(seconds: int, nanos: int) -> tuple[str, int, int]:
    if seconds * nanos < 0 or abs(nanos) >= _NANOS or abs(seconds) > _DURATION_SECONDS_MAX:
        raise ValueError(f"{seconds} s and {nanos} ns is no duration that Protobuf allows")
    return "-" if seconds < 0 or nanos < 0 else "", abs(seconds), abs(nanos)


def _fraction(nanos: int) -> str:
    if nanos == 0:
        return ""
    digits = f"{nanos:09}"
    for zeros in (6, 3):
        if digits.endswith("0" * zeros):
            return f".{digits[:-zeros]}"
    return f".{digits}"
