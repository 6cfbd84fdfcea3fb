"""A policy as another package writes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from everfit import Decision, Finding, History, Model


@dataclass(frozen=True)
class Timer:
    """Retrain whenever the champion's training data are so old."""

    every: timedelta

    def decide(self, model: Model, at: datetime, current: Sequence[Finding], history: History) -> Decision:
        """By the time alone."""
        age = at - history.trained_until
        if age < self.every:
            return Decision("none", None, f"{age.days} of {self.every.days} days have passed")
        return Decision("retrain", "timer", f"{age.days} days have passed")
