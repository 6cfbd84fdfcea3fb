"""Windows are laid from what has closed: whatever the declaration becomes, none overlaps another and none is left out."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from everfit import Model
from everfit.declaration.window_grid import WindowGrid
from everfit.pipeline.horizon import horizon_at
from models.electricity_price import electricity_price

LIVE = electricity_price.go_live
DAY = timedelta(days=1)
LENGTHS = st.integers(1, 24 * 40).map(lambda hours: timedelta(hours=hours))


def windowed(length: timedelta, go_live: datetime = LIVE) -> Model:
    drift = electricity_price.drift.model_copy(update={"window": length})
    return electricity_price.model_copy(update={"drift": drift, "go_live": go_live})


def test_an_unchanged_window_is_followed_by_its_like() -> None:
    model = windowed(7 * DAY)
    assert model.windows.after(LIVE) == (LIVE, LIVE + 7 * DAY)
    assert model.windows.after(LIVE + 7 * DAY) == (LIVE + 7 * DAY, LIVE + 14 * DAY)


def test_after_seven_days_come_the_rest_of_fourteen_or_of_ten() -> None:
    closed = LIVE + 7 * DAY
    assert windowed(14 * DAY).windows.after(closed) == (closed, LIVE + 14 * DAY)
    assert windowed(10 * DAY).windows.after(closed) == (closed, LIVE + 10 * DAY)
    assert windowed(10 * DAY).windows.after(LIVE + 10 * DAY) == (LIVE + 10 * DAY, LIVE + 20 * DAY)


@given(st.lists(LENGTHS, min_size=1, max_size=20))
def test_windows_of_changing_lengths_lie_one_after_the_other(lengths: list[timedelta]) -> None:
    until = LIVE
    for length in lengths:
        start, end = windowed(length).windows.after(until)
        assert start == until
        assert timedelta() < end - start <= length
        assert (end - LIVE) % length == timedelta()
        until = end


@given(LENGTHS, st.integers(-10_000, 10_000))
def test_a_go_live_that_has_moved_leaves_no_gap_either(length: timedelta, hours: int) -> None:
    closed = datetime(1996, 11, 1, tzinfo=UTC)
    start, end = windowed(length, LIVE + timedelta(hours=hours)).windows.after(closed)
    assert (start, timedelta() < end - start <= length) == (closed, True)


def test_a_window_is_due_when_the_clock_has_passed_its_end() -> None:
    grid = WindowGrid(LIVE, 7 * DAY)
    assert grid.due(None, LIVE + 7 * DAY) == (LIVE, LIVE + 7 * DAY)
    assert grid.due(None, LIVE + 7 * DAY - timedelta.resolution) is None
    assert grid.due(LIVE + 7 * DAY, LIVE + 7 * DAY) is None
    assert grid.due(LIVE, None) is None


def test_the_clock_is_the_slowest_active_partition_less_the_lateness() -> None:
    hour, now = timedelta(hours=1), datetime(1997, 1, 1, tzinfo=UTC)
    grid = WindowGrid(LIVE, DAY, lateness=hour, idle_after=hour)
    active, behind = (LIVE + 3 * DAY, now), (LIVE + 2 * DAY, now - hour)
    assert grid.clock([active, behind], now) == LIVE + 2 * DAY - hour
    assert grid.clock([active, behind], now + timedelta.resolution) == LIVE + 3 * DAY - hour
    assert grid.clock([active, behind], now + DAY) == LIVE + 3 * DAY - hour


@given(LENGTHS, st.integers(0, 3 * 24 * 40), st.integers(0, 48))
def test_the_row_that_lets_a_window_close_makes_it_due(length: timedelta, hours: int, late: int) -> None:
    grid = WindowGrid(LIVE, length, timedelta(hours=late))
    moment = LIVE + timedelta(hours=hours)
    closed = grid.closed_by(moment)
    clock = grid.clock([(moment, LIVE)], LIVE)
    assert closed == LIVE or grid.due(closed - length, clock) == (closed - length, closed)
    assert grid.due(closed, clock) is None
    assert closed == LIVE or grid.closed_by(grid.complete_at(closed)) == closed


def test_windows_counted_back_are_whole_and_as_many_as_the_reach_holds() -> None:
    spans = list(WindowGrid(LIVE, 7 * DAY).back(20 * DAY))
    assert spans == [(LIVE - 7 * DAY, LIVE), (LIVE - 14 * DAY, LIVE - 7 * DAY)]


def test_days_are_whole_up_to_the_clock_and_up_to_the_go_live_where_that_is_later() -> None:
    assert horizon_at(electricity_price, None) == LIVE.date()
    assert horizon_at(electricity_price, LIVE - 9 * DAY) == LIVE.date(), "a late row of before the go-live holds nothing back"
    assert horizon_at(electricity_price, LIVE + 2 * DAY + timedelta(hours=3)) == (LIVE + 2 * DAY).date()
