"""Wait for something that another process does, and give up only where it makes no progress; say what was waited for.

How long nothing may move is declared by ``EVERFIT_PATIENCE``; by default it is ten times the slowest step so far, for a busy
machine is slow and a step that took a minute may take a few. What ticks and gets nowhere is given up too, ten times later.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple, TypeVar

from everfit.errors import ServiceError

T = TypeVar("T")

PATIENCE = "EVERFIT_PATIENCE"
POLL_SECONDS = 0.05
PULSE_SECONDS = 1.0
STALL_SECONDS = 180.0
FACTOR = 10


@dataclass(slots=True)
class Patience:
    """A limit that learns: ``FACTOR`` times the slowest step so far, not below the floor, not above the ceiling.

    ``declared_seconds``, where given, is the limit whatever was seen.
    """

    floor_seconds: float = STALL_SECONDS
    ceiling_seconds: float = float("inf")
    declared_seconds: float | None = None
    slowest_seconds: float = 0.0

    @classmethod
    def declared(cls, limit: timedelta | None, floor_seconds: float, ceiling_seconds: float = float("inf")) -> "Patience":
        """The limit, where one is declared, or one that learns."""
        return cls(floor_seconds, ceiling_seconds, None if limit is None else limit.total_seconds())

    @property
    def limit_seconds(self) -> float:
        """How long the next step may take."""
        if self.declared_seconds is not None:
            return self.declared_seconds
        return min(self.ceiling_seconds, max(self.floor_seconds, FACTOR * self.slowest_seconds))

    def learn(self, seconds: float) -> None:
        """Count a step that took so long and succeeded."""
        self.slowest_seconds = max(self.slowest_seconds, seconds)


class Pulse(NamedTuple):
    """Signs of another process: ``work`` changes with its results, ``life`` with each of its turns."""

    work: object
    life: object


class Watching(NamedTuple):
    """The patience of a sequence of waits, which it learns from, and the signs by which the awaited process shows progress."""

    patience: Patience
    pulse: Callable[[], Pulse] | None = None


def wait_until(
    read: Callable[[], T],
    reached: Callable[[T], bool],
    what: str,
    *,
    stall_seconds: float = STALL_SECONDS,
    watching: Watching | None = None,
) -> T:
    """Read a state until the condition holds, and return that state.

    Args:
        read: reads the state; it should be cheap.
        reached: the condition on the state.
        what: completes 'nothing moved for 180 s while waiting for …'; may end with a hint.
        stall_seconds: without ``watching``, the longest time without a change.
        watching: the patience, which learns from every change, and the signs of the awaited process, checked once a second:
            work counts as a change; life alone extends the time tenfold.

    Raises:
        ServiceError: when nothing changed for that long.
    """
    watch = _Watch(*(watching or Watching(Patience(stall_seconds))))
    state = read()
    while not reached(state):
        if stalled := watch.stalled():
            raise ServiceError(f"{stalled} while waiting for {what} See `everfit status`")
        time.sleep(POLL_SECONDS)
        before, state = state, read()
        watch.look(moved=state != before)
    return state


class _Watch:
    """The times of the last change and of the last sign of life."""

    def __init__(self, patience: Patience, pulse: Callable[[], Pulse] | None) -> None:
        self._patience = patience
        self._pulse = pulse
        self._last_pulse = pulse() if pulse else Pulse(None, None)
        self._worked_at = self._lived_at = self._looked_at = time.monotonic()

    def stalled(self) -> str:
        """Why the wait ends; empty where it goes on."""
        now, limit = time.monotonic(), self._patience.limit_seconds
        if now - self._lived_at > limit:
            return f"nothing moved for {now - self._lived_at:.0f} s"
        if now - self._worked_at > FACTOR * limit:
            return f"the loop passes, and got nothing done for {now - self._worked_at:.0f} s"
        return ""

    def look(self, *, moved: bool) -> None:
        """Take note of what changed."""
        now = time.monotonic()
        if self._pulse and now - self._looked_at >= PULSE_SECONDS:
            self._looked_at = now
            before, self._last_pulse = self._last_pulse, self._pulse()
            moved |= self._last_pulse.work != before.work
            if self._last_pulse.life != before.life:
                self._patience.learn(now - self._lived_at)
                self._lived_at = now
        if moved:
            self._patience.learn(now - max(self._worked_at, self._lived_at))
            self._worked_at = self._lived_at = now
