"""A paired comparison: the same rows answered by champion and candidate, day by day."""

from dataclasses import dataclass

from everfit.declaration.metrics import Metric
from everfit.declaration.tasks import Floats, Labels
from everfit.evaluation.intervals import Days, Mean, daily_losses, mean_of_days


@dataclass(frozen=True, slots=True)
class Comparison:
    """The daily difference of the metric's loss, candidate less champion: below 0 the candidate is better; and its rows."""

    difference: Mean
    rows: int


def compare(metric: Metric, days: Days, labels: Labels, champion: Floats, candidate: Floats) -> Comparison:
    """Compare the answers on the same rows.

    Args:
        metric: what they are compared by.
        days: days[N], any value that identifies and orders the day of each row.
        labels: labels[N].
        champion: answers[N] or [N, K] of the champion.
        candidate: the same of the candidate.

    Raises:
        ValueError: when there are no rows.
        MetricError: when a function of the user's fails.
    """
    if len(days) == 0:
        raise ValueError("no rows to compare on")
    return Comparison(mean_of_days(daily_losses(metric, days, labels, candidate, less=champion)), len(days))
