"""What a loss is estimated to be before its labels come: an estimate, told as one, with how far earlier ones were off."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from everfit.declaration.metrics import Metric, RowMetric
from everfit.declaration.row_metrics import classes_of
from everfit.declaration.tasks import Floats, Task


def estimated_loss(metric: Metric, task: Task, answers: Floats) -> float | None:
    """The mean loss if outcomes were as probable as the answers say; None of ranks, and where answers are no probabilities.

    That is blind to a model that has become wrong without becoming unsure.

    Args:
        metric: of rows.
        task: a classification.
        answers: answers[N] or [N, K].

    Raises:
        MetricError: when a function of the user's fails.
    """
    classes = classes_of(task)
    if not classes or not isinstance(metric, RowMetric) or not len(answers):
        return None
    probabilities = np.column_stack([1 - answers, answers]) if answers.ndim == 1 else answers
    losses = [metric.losses(np.full(len(answers), label), answers) for label in classes]
    return float((probabilities * np.column_stack(losses)).sum(axis=1).mean())


def error_on_the_past(earlier: Sequence[tuple[datetime, Mapping[str, Any]]]) -> tuple[float, int]:
    """By how much estimates were off on average, and of how many windows that is known.

    Args:
        earlier: windows' ends and details: ``estimate`` of that window, ``mean`` of the one that ends at ``scored_until``.
    """
    known = {detail["scored_until"]: detail["mean"] for _, detail in earlier if {"mean", "scored_until"} <= detail.keys()}
    off = [
        abs(known[detail["estimate"]["until"]] - detail["estimate"]["loss"])
        for _, detail in earlier
        if "estimate" in detail and detail["estimate"]["until"] in known
    ]
    return (float(np.mean(off)), len(off)) if off else (0.0, 0)
