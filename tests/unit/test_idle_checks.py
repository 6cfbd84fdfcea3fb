"""When a member that reads without end looks whether a window may close."""

import pytest

from monitors.idle_checks import CLOSE_POLLS, CLOSE_SECONDS, IdleChecks
from monitors.log_pass import BATCHES_UNTIL_CLOSE, QUIET_POLLS


def looked(polls: int, *, came: bool, caught_up: bool, seconds: float) -> list[int]:
    """The polls after which it looks, where each takes so many seconds."""
    idle_checks = IdleChecks()
    return [number for number in range(1, polls + 1) if idle_checks.due(came=came, caught_up=caught_up, now=number * seconds)]


@pytest.mark.parametrize(("seconds", "every"), [(0.25, 4), (1.0, 1), (7.0, 1)])
def test_under_steady_traffic_a_window_waits_a_second_at_most(seconds: float, every: int) -> None:
    assert looked(40, came=True, caught_up=True, seconds=seconds) == list(range(1, 41, every))
    assert every * seconds >= CLOSE_SECONDS


def test_in_a_backlog_it_looks_after_so_many_batches_alone() -> None:
    idle_checks = looked(3 * BATCHES_UNTIL_CLOSE, came=True, caught_up=False, seconds=5.0)
    assert idle_checks == [BATCHES_UNTIL_CLOSE, 2 * BATCHES_UNTIL_CLOSE, 3 * BATCHES_UNTIL_CLOSE]


def test_where_nothing_comes_it_looks_after_the_second_poll_and_now_and_then() -> None:
    idle_checks = looked(50, came=False, caught_up=True, seconds=0.05)
    assert idle_checks == [QUIET_POLLS, QUIET_POLLS + CLOSE_POLLS, QUIET_POLLS + 2 * CLOSE_POLLS]
    assert looked(50, came=False, caught_up=False, seconds=0.05) == []


def test_a_batch_between_begins_the_count_of_quiet_polls_anew() -> None:
    idle_checks = IdleChecks()
    assert idle_checks.due(came=True, caught_up=True, now=0.0)
    assert [idle_checks.due(came=False, caught_up=True, now=0.1 + n / 10) for n in range(2)] == [False, True]
    assert not idle_checks.due(came=True, caught_up=True, now=0.4), "it has just looked"
    assert [idle_checks.due(came=False, caught_up=True, now=0.5 + n / 10) for n in range(2)] == [False, True]
