"""Waiting: until reached, or until nothing moves."""

import pytest

from everfit.environment.variables import setting
from everfit.errors import ServiceError
from everfit.waiting import Patience, Pulse, Watching, wait_until


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that moves only when it is slept on."""
    now = [0.0]
    monkeypatch.setattr("everfit.waiting.time.monotonic", lambda: now[0])
    monkeypatch.setattr("everfit.waiting.time.sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    return now


def test_it_returns_what_was_reached() -> None:
    values = iter([1, 2, 3, 4])
    assert wait_until(lambda: next(values), lambda value: value == 3, "three.", stall_seconds=10) == 3


def test_it_gives_up_when_nothing_moves() -> None:
    with pytest.raises(ServiceError, match=r"nothing moved for 10 s while waiting for three; .* See `everfit status`"):
        wait_until(lambda: 1, lambda value: value == 3, "three; is it on?", stall_seconds=10)


def test_every_move_gives_it_time_again() -> None:
    slow = iter(step // 150 for step in range(1_000))  # a step each 7.5 s
    assert wait_until(lambda: next(slow), lambda value: value == 5, "five.", stall_seconds=10) == 5


def every(clock: list[float], seconds: float) -> int:
    """A sign that changes so often."""
    return int(clock[0] / seconds)


def test_a_slow_step_teaches_patience_for_the_next(clock: list[float]) -> None:
    patience = Patience(floor_seconds=10)
    wait_until(lambda: every(clock, 8), lambda step: step == 2, "two.", watching=Watching(patience))
    assert patience.limit_seconds == pytest.approx(80, abs=1)
    wait_until(lambda: every(clock, 70), lambda step: step == 3, "three.", watching=Watching(patience))


def test_work_of_whoever_is_waited_for_counts_as_progress(clock: list[float]) -> None:
    """A training that takes an hour and writes to its log now and then is not given up."""
    watching = Watching(Patience(floor_seconds=10), lambda: Pulse(every(clock, 8), None))
    assert wait_until(lambda: clock[0] > 3_600, bool, "the training.", watching=watching)


def test_life_without_work_is_given_up_ten_times_later(clock: list[float]) -> None:
    watching = Watching(Patience(declared_seconds=10), lambda: Pulse(None, every(clock, 5)))
    with pytest.raises(ServiceError, match="the loop passes, and got nothing done for 100 s while waiting for it"):
        wait_until(lambda: 1, lambda _: False, "it;", watching=watching)


def test_without_life_it_is_given_up_at_once(clock: list[float]) -> None:
    watching = Watching(Patience(floor_seconds=10), lambda: Pulse(None, min(3, every(clock, 1))))
    with pytest.raises(ServiceError, match=r"nothing moved for 1[01] s"):
        wait_until(lambda: 1, lambda _: False, "it;", watching=watching)
    assert clock[0] == pytest.approx(13, abs=1.5)


@pytest.mark.parametrize(
    ("text", "slowest", "limit"), [("", 0.0, 2.0), ("", 0.3, 3.0), ("", 9.0, 5.0), ("7s", 9.0, 7.0), ("1m", 0.0, 60.0)]
)
def test_a_limit_is_declared_or_learnt_between_a_floor_and_a_ceiling(text: str, slowest: float, limit: float) -> None:
    patience = Patience.declared(setting("EVERFIT_LOOKUP_TIMEOUT", environ={"EVERFIT_LOOKUP_TIMEOUT": text}), 2.0, 5.0)
    patience.learn(slowest)
    assert patience.limit_seconds == limit
