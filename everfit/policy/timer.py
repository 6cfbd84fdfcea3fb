"""Retrain by the clock alone."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from pydantic import Field

from everfit.declaration import Model, Part
from everfit.declaration.retraining import Decision, Finding, History
from everfit.policy.freshness import with_freshness
from everfit.timing import Duration, format_duration, format_time

CAUSE = "timer"


class Timer(Part):
    """Retrain whenever ``every`` has passed since the champion's training data end, or since the timer last asked."""

    every: Duration = Field(gt=timedelta())

    def __init__(self, every: timedelta | str) -> None:
        super().__init__(every=every)

    def decide(self, model: Model, at: datetime, current: Sequence[Finding], history: History) -> Decision:
        """Decide on the window that ends ``at``, within the limits."""
        asked = [each.requested_at for each in history.requests if each.cause == CAUSE and each.status != "failed"]
        due = max([history.trained_until, *asked]) + self.every
        told = f"every {format_duration(self.every)}: due at {format_time(due)}"
        decided = Decision("none", None, told) if at < due else Decision("retrain", CAUSE, told)
        return with_freshness(model, at, current, history, decided)
