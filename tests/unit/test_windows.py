"""Windows are laid from what has closed: whatever the declaration becomes, none overlaps another and none is left out."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from everfit import Model
from models.electricity_price import electricity_price

LIVE = electricity_price.go_live
DAY = timedelta(days=1)
LENGTHS = st.integers(1, 24 * 40).map(lambda hours: timedelta(hours=hours))


def windowed(length: timedelta, go_live: datetime = LIVE) -> Model:
    drift = electricity_price.drift.model_copy(update={"window": length})
    return electricity_price.model_copy(update={"drift": drift, "go_live": go_live})


def test_an_unchanged_window_is_followed_by_its_like() -> None:
    model = windowed(7 * DAY)
    assert model.window_after(LIVE) == (LIVE, LIVE + 7 * DAY)
    assert model.window_after(LIVE + 7 * DAY) == (LIVE + 7 * DAY, LIVE + 14 * DAY)


def test_after_seven_days_come_the_rest_of_fourteen_or_of_ten() -> None:
    closed = LIVE + 7 * DAY
    assert windowed(14 * DAY).window_after(closed) == (closed, LIVE + 14 * DAY)
    assert windowed(10 * DAY).window_after(closed) == (closed, LIVE + 10 * DAY)
    assert windowed(10 * DAY).window_after(LIVE + 10 * DAY) == (LIVE + 10 * DAY, LIVE + 20 * DAY)


@given(st.lists(LENGTHS, min_size=1, max_size=20))
def test_windows_of_changing_lengths_lie_one_after_the_other(lengths: list[timedelta]) -> None:
    until = LIVE
    for length in lengths:
        start, end = windowed(length).window_after(until)
        assert start == until
        assert timedelta() < end - start <= length
        assert (end - LIVE) % length == timedelta()
        until = end


@given(LENGTHS, st.integers(-10_000, 10_000))
def test_a_go_live_that_has_moved_leaves_no_gap_either(length: timedelta, hours: int) -> None:
    closed = datetime(1996, 11, 1, tzinfo=UTC)
    start, end = windowed(length, LIVE + timedelta(hours=hours)).window_after(closed)
    assert (start, timedelta() < end - start <= length) == (closed, True)
