"""Times and durations: aware, UTC, microseconds; durations are written as ``30m``, ``24h``, ``7d``."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from pydantic import BeforeValidator

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION = re.compile(r"^(?:\d+[smhd])+$")


def parse_duration(text: object) -> timedelta:
    """Read ``90s``, ``30m``, ``24h``, ``7d`` or a sum of them such as ``1d12h``.

    Raises:
        ValueError: when the text is no such duration.
    """
    if isinstance(text, timedelta):
        return text
    if not isinstance(text, str) or not _DURATION.match(text):
        raise ValueError(f"{text!r} is no duration; write a number and one of s, m, h, d, such as '24h'")
    parts = re.findall(r"(\d+)([smhd])", text)
    try:
        return sum((timedelta(**{_UNITS[unit]: int(number)}) for number, unit in parts), timedelta())
    except OverflowError:
        raise ValueError(f"{text!r} is longer than a duration can be, {timedelta.max.days} days") from None


def format_duration(duration: timedelta) -> str:
    """Write a duration as :func:`parse_duration` reads it, in its largest whole unit."""
    seconds = int(duration.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds % size == 0 and seconds:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def parse_time(text: object) -> datetime:
    """Read an RFC 3339 time or a date (midnight UTC).

    Raises:
        ValueError: when the text is no time, or names none in UTC or with an offset.
    """
    if isinstance(text, datetime):
        moment = text
    else:
        try:
            moment = datetime.fromisoformat(str(text))
        except ValueError:
            raise ValueError(f"{text!r} is no time; write it as 1996-09-04 or 1996-09-04T12:30:00Z") from None
        if len(str(text)) == len("1996-09-04"):
            moment = moment.replace(tzinfo=UTC)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone; end it with Z or an offset")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text!r} is outside the years 1 to 9999 in UTC") from None


def format_time(moment: datetime) -> str:
    """RFC 3339 in UTC: ``1996-09-04T00:30:00Z``."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def midnight(day: str | date) -> datetime:
    """The beginning of a day, UTC."""
    return datetime.combine(date.fromisoformat(str(day)), time(), UTC)


def wall_clock() -> datetime:
    """Now, UTC. It wakes processes, tells which partitions are idle and which times lie in the future, and times alerts.

    It decides nothing else.
    """
    return datetime.now(UTC)


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Moment = Annotated[datetime, BeforeValidator(parse_time)]
