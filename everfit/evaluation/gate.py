"""The gate: whether a candidate may replace the champion, with the reason and its numbers in either case."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from everfit.declaration import Gate
from everfit.declaration.gate import SLICE_MARGIN
from everfit.declaration.metrics import Metric
from everfit.evaluation.comparison import Comparison, Slice
from everfit.evaluation.rules import Rule

CONFIDENCE = 0.9
MARGIN = 0.002  # of log loss
SAME = 1e-5  # of log loss: closer losses are equal; a recipe that learnt the same as the champion differs only by rounding


@dataclass(frozen=True, slots=True)
class Speed:
    """The time of one answer: ``latency_ms`` on an idle machine, and how many times slower the measuring machine was."""

    latency_ms: float
    slowdown: float = 1.0


@dataclass(frozen=True, slots=True)
class Margins:
    """What a candidate may lose, in units of the metric's loss, over all and on a slice; and what is rounding."""

    allowed: float
    slice: float
    same: float

    @classmethod
    def of(cls, gate: Gate, metric: Metric, cause: str, champion_loss: float) -> "Margins":
        """The declared ones; where none is declared, relative to the champion's loss on the rows compared on."""
        unit = metric.unit(champion_loss)
        question = gate.question(cause)
        margin, _ = question.allowed
        lost = MARGIN * unit if margin is None else margin
        return cls(
            min(-lost, -SAME * unit) if question.prove == "better" else lost,
            SLICE_MARGIN * unit if gate.slice_margin is None else gate.slice_margin,
            SAME * unit,
        )


def check_candidate(
    gate: Gate, metric: Metric, cause: str, comparison: Comparison, slices: Sequence[Slice], speed: Speed, champion_loss: float
) -> list[Rule]:
    """Compare a candidate with the champion: the rules that it is held to, the comparison first.

    The whole interval must lie below what the gate's question for this cause allows. No slice of at least ``gate.slice_rows``
    rows may lose more than its margin, and one answer may take at most ``gate.max_latency_ms`` (99 % quantile over the rows) on
    an idle machine. Of a metric that is the better the higher, people are shown the difference of its own values.
    """
    margins, sign = Margins.of(gate, metric, cause, champion_loss), -1 if metric.higher_is_better else 1
    rules = [
        _difference(metric, comparison, margins),
        _worst_slice(gate, slices, margins.slice, sign),
        latency(gate, speed),
    ]
    return [rule for rule in rules if rule]


def _difference(metric: Metric, comparison: Comparison, margins: Margins) -> Rule:
    """The bound of the interval that is held against the margin."""
    mean, lower, upper = metric.shown_interval(comparison.mean, comparison.lower, comparison.upper)
    measured = (
        f"{metric.title} {mean:+.4f} against the champion's on {comparison.rows} rows "
        f"of {comparison.days} unseen days, {CONFIDENCE:.0%} interval [{lower:+.4f}, {upper:+.4f}]"
    )
    higher, allowed = metric.higher_is_better, margins.allowed
    figure, limit = (lower, -allowed) if higher else (upper, allowed)
    passed = comparison.upper < allowed  # False where it is NaN
    if passed:
        words = f"{'better' if comparison.upper < 0 else 'no worse'}: {measured}, allowed {limit:+.4f}"
    else:
        asked = "no worse" if allowed > 0 else "better"
        bound = "its lower bound must be above" if higher else "its upper bound must be below"
        words = f"not shown to be {asked}: {measured}; {bound} {limit:+.4f}"
    return Rule(name="difference", figure=figure, allowed=limit, passed=passed, words=words)


def _worst_slice(gate: Gate, slices: Sequence[Slice], margin: float, sign: int) -> Rule | None:
    """The slice that loses most; None where none is declared, or has the rows to be judged by."""
    judged = [part for part in slices if part.rows >= gate.slice_rows]
    worst = max(judged, key=lambda part: (math.isnan(part.mean), part.mean), default=None)
    if worst is None:
        return None
    passed = worst.mean <= margin
    lost = f"{sign * worst.mean:+.4f} on {worst.rows} rows, allowed {sign * margin:+.4f}"
    words = f"worst slice {worst.name} {lost}" if passed else f"{worst.name} collapses: {lost}"
    return Rule(name="slices", figure=sign * worst.mean, allowed=sign * margin, passed=passed, words=words)


def latency(gate: Gate, speed: Speed) -> Rule:
    """How long one answer takes; with the measured time where a reference graph shows that the machine was slow."""
    measured = f"{speed.latency_ms:.2f} ms an answer"
    if speed.slowdown > 1:
        slow = speed.latency_ms * speed.slowdown
        measured += f" ({slow:.2f} measured while a fixed graph took {speed.slowdown:.1f} times its time)"
    passed = speed.latency_ms <= gate.max_latency_ms
    words = f"{'' if passed else 'too slow: '}{measured}, allowed {gate.max_latency_ms:g}"
    return Rule(name="latency", figure=speed.latency_ms, allowed=gate.max_latency_ms, passed=passed, words=words)
