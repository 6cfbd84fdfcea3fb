"""Waiting: until reached, or until nothing moves."""

import pytest

from everfit.errors import ServiceError
from everfit.waiting import wait_until


@pytest.fixture(autouse=True)
def _time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that moves only when it is slept on."""
    now = [0.0]
    monkeypatch.setattr("everfit.waiting.time.monotonic", lambda: now[0])
    monkeypatch.setattr("everfit.waiting.time.sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))


def test_it_returns_what_was_reached() -> None:
    values = iter([1, 2, 3, 4])
    assert wait_until(lambda: next(values), lambda value: value == 3, "three.", stall_seconds=10) == 3


def test_it_gives_up_when_nothing_moves() -> None:
    with pytest.raises(ServiceError, match=r"nothing moved for 10 s while waiting for three; .* See `everfit status`"):
        wait_until(lambda: 1, lambda value: value == 3, "three; is it on?", stall_seconds=10)


def test_every_move_gives_it_time_again() -> None:
    slow = iter(step // 150 for step in range(1_000))  # a step each 7.5 s
    assert wait_until(lambda: next(slow), lambda value: value == 5, "five.", stall_seconds=10) == 5
