"""Freshness: how old the champion's training data are by the model's clock; a rejected attempt changes nothing of it."""

from datetime import datetime, timedelta

from everfit.evidence import Evidence
from everfit.timing import format_duration, format_time

DAY = timedelta(days=1)


def judge_freshness(trained_until: datetime, clock: datetime, max_training_age: timedelta) -> Evidence:
    """Judge the age of the champion's training data, in days.

    Args:
        trained_until: the champion's cutoff.
        clock: the model's clock, never the wall's.
        max_training_age: as declared.
    """
    age = clock - trained_until
    until, now = format_time(trained_until), format_time(clock)
    described = f"the champion's training data end {until}, {age / DAY:.0f} days before {now}"
    return Evidence(
        verdict="alarm" if age >= max_training_age else "ok",
        statistic=age / DAY,
        threshold=max_training_age / DAY,
        reason=f"{described}; at most {format_duration(max_training_age)} are allowed",
        detail={"trained_until": until, "clock": now},
    )
