"""Times and durations as people write them."""

from datetime import UTC, datetime, timedelta

import pytest

from everfit.timing import format_duration, format_time, parse_duration, parse_time


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("24h", timedelta(days=1)),
        ("7d", timedelta(days=7)),
        ("1d12h", timedelta(days=1.5)),
    ],
)
def test_durations(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration
    assert parse_duration(format_duration(duration)) == duration


@pytest.mark.parametrize("text", ["", "7", "d", "7 days", "-7d", "1.5h", None, 7])
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["1996-09-04", "1996-09-04T00:00:00Z", "1996-09-04T10:00:00+10:00"])
def test_times_are_utc(text: str) -> None:
    assert parse_time(text) == datetime(1996, 9, 4, tzinfo=UTC)
    assert format_time(parse_time(text)) == "1996-09-04T00:00:00Z"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("soon", "is no time"),
        ("1996-09-04T00:00:00", "no time zone"),
        (None, "is no time"),
        ("0001-01-01T00:00:00+10:00", "outside the years"),
        ("9999-12-31T23:00:00-10:00", "outside the years"),
    ],
)
def test_what_is_no_time_is_refused(text: object, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse_time(text)


def test_a_duration_beyond_all_durations_is_refused() -> None:
    with pytest.raises(ValueError, match="'99999999999999d' is longer than a duration can be"):
        parse_duration("99999999999999d")
