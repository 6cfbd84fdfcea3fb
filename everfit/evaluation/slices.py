"""Rules about parts of the rows: a candidate that is better over all may be worse where a feature has one value.

Many parts are looked at, and some differ by chance: the probabilities are held against each other by Holm's procedure (1979),
so that of all parts together one that is no worse fails at most once in twenty comparisons.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from everfit.declaration import Gate
from everfit.declaration.metrics import Metric
from everfit.declaration.tasks import Floats, Labels
from everfit.evaluation.intervals import Days, Mean, daily_losses, mean_of_days
from everfit.evaluation.rules import Rule

LEVEL = 0.05  # the probability that any of the parts fails wrongly


@dataclass(frozen=True, slots=True)
class Slice:
    """The daily difference of the losses, candidate less champion, over the rows with one value of a feature."""

    feature: str
    value: str
    difference: Mean
    rows: int

    @property
    def p_value(self) -> float:
        """How probable so high a mean is, where the candidate is no worse here; 1 where nothing is lost, or nothing known."""
        if self.difference.mean <= 0 or not math.isfinite(self.difference.error):
            return 1.0
        return 1 - self.difference.p_value(0.0)


def slices(
    feature: str, values: Days, metric: Metric, days: Days, labels: Labels, champion: Floats, candidate: Floats
) -> Iterator[Slice]:
    """The difference for each value of a feature, null included, where the metric is defined.

    Args:
        feature: the name of the feature.
        values: values[N] of it.
        metric: what the answers are compared by.
        days: days[N], any value that identifies and orders the day of each row.
        labels: labels[N].
        champion: answers[N] or [N, K] of the champion.
        candidate: the same of the candidate.
    """
    missing = np.array([value is None or value != value for value in values.tolist()], dtype=bool)  # noqa: PLR0124 - NaN
    distinct, inverse = np.unique(values[~missing], return_inverse=True)
    position = np.full(len(values), len(distinct))
    position[~missing] = inverse
    for index, value in enumerate([*distinct, "null"]):
        rows = position == index
        if not rows.any():
            continue
        found = mean_of_days(daily_losses(metric, days[rows], labels[rows], candidate[rows], less=champion[rows]))
        if not math.isnan(found.mean):
            yield Slice(feature, str(value), found, int(rows.sum()))


def slice_rules(gate: Gate, metric: Metric, parts: Sequence[Slice], margin: float) -> list[Rule]:
    """One rule for each feature of ``gate.slices``: none of its parts may lose more than the margin, beyond chance.

    Parts of fewer than ``gate.slice_rows`` rows are not judged, and counted.
    """
    judged = [part for part in parts if part.rows >= gate.slice_rows]
    shown = dict(zip(judged, shown_by_holm([part.p_value for part in judged]), strict=True))
    rules = []
    for feature in gate.slices:
        own = [part for part in judged if part.feature == feature]
        failed = [part for part in own if shown[part] and part.difference.mean > margin]
        worst = max(failed or own, key=lambda part: part.difference.mean, default=None)
        small = sum(part.feature == feature for part in parts) - len(own)
        left_out = f"; values of fewer than {gate.slice_rows} rows are not judged: {small}" if small else ""
        rules.append(
            _rule(metric, worst, margin, f"by Holm among {len(judged)}){left_out}", failed=bool(failed))
            if worst
            else _unjudged(gate, metric, feature)
        )
    return rules


def shown_by_holm(p_values: Sequence[float]) -> list[bool]:
    """Which of the hypotheses are refuted, all errors together within :data:`LEVEL`: the smallest first, until one is not."""
    shown = [False] * len(p_values)
    for done, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if p_values[index] > LEVEL / (len(p_values) - done):
            break
        shown[index] = True
    return shown


def _rule(metric: Metric, part: Slice, margin: float, among: str, *, failed: bool) -> Rule:
    sign, found = -1 if metric.higher_is_better else 1, part.difference
    name = f"{part.feature}={part.value}"
    lost = (
        f"{sign * found.mean:+.4f} on {part.rows} rows of {found.days} days, allowed {sign * margin:+.4f} "
        f"(p {part.p_value:.3f}, {among}"
    )
    words = f"{name} collapses: {lost}" if failed else f"worst slice {name} {lost}"
    return Rule(name=f"slice {part.feature}", figure=sign * found.mean, allowed=sign * margin, passed=not failed, words=words)


def _unjudged(gate: Gate, metric: Metric, feature: str) -> Rule:
    words = f"{feature} is not judged: none of its values has {gate.slice_rows} rows that give a {metric.title}"
    return Rule(name=f"slice {feature}", passed=True, words=words)
