"""The gate: whether a candidate may replace the champion, with the reason and its numbers in either case."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from everfit.declaration import Gate
from everfit.declaration.metrics import Metric
from everfit.declaration.policies import MARGIN, SLICE_MARGIN
from everfit.declaration.retraining import FRESHNESS
from everfit.evaluation.comparison import Comparison, Slice

SAME = 1e-5  # of log loss: closer losses are equal; a recipe that learnt the same as the champion differs only by rounding


@dataclass(frozen=True, slots=True)
class GateResult:
    """Whether a candidate passed, and why, in words."""

    passed: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Speed:
    """The time of one answer: ``latency_ms`` on an idle machine, and how many times slower the measuring machine was."""

    latency_ms: float
    slowdown: float = 1.0


@dataclass(frozen=True, slots=True)
class Margins:
    """What a candidate may lose, in units of the metric's loss: for newer data, on a slice; and what is rounding."""

    freshness: float
    slice: float
    same: float

    @classmethod
    def of(cls, gate: Gate, metric: Metric, champion_loss: float) -> "Margins":
        """The declared ones; where none is declared, relative to the champion's loss on the rows compared on."""
        unit = metric.unit(champion_loss)
        return cls(
            MARGIN * unit if gate.margin is None else gate.margin,
            SLICE_MARGIN * unit if gate.slice_margin is None else gate.slice_margin,
            SAME * unit,
        )


def check_candidate(
    gate: Gate, metric: Metric, cause: str, comparison: Comparison, slices: Sequence[Slice], speed: Speed, champion_loss: float
) -> GateResult:
    """Compare a candidate with the champion.

    It passes when the whole interval is below 0 by more than rounding; where the cause is freshness, below the margin:
    newer data may cost that much. No slice of at least ``gate.slice_rows`` rows may lose more than its margin, and
    one answer may take at most ``gate.max_latency_ms`` (99 % quantile over the rows) on an idle machine. Of a metric that is
    the better the higher, people are shown the difference of its own values.
    """
    margins, sign = Margins.of(gate, metric, champion_loss), -1 if metric.higher_is_better else 1
    allowed = margins.freshness if cause == FRESHNESS else -margins.same
    mean, lower, upper = metric.shown_interval(comparison.mean, comparison.lower, comparison.upper)
    measured = (
        f"{metric.title} {mean:+.4f} against the champion's on {comparison.rows} rows "
        f"of {comparison.days} unseen days, {gate.confidence:.0%} interval [{lower:+.4f}, {upper:+.4f}]"
    )
    if not comparison.upper < allowed:  # also where it is NaN
        wanted = f"{sign * allowed:+.4f}, the margin for freshness" if allowed > 0 else "0"
        bound = "its lower bound must be above" if metric.higher_is_better else "its upper bound must be below"
        return GateResult(False, f"not shown to be better: {measured}; {bound} {wanted}")
    judged = [part for part in slices if part.rows >= gate.slice_rows]
    worst = max(judged, key=lambda part: (math.isnan(part.mean), part.mean), default=None)
    if worst and not worst.mean <= margins.slice:
        lost = f"{sign * worst.mean:+.4f} on {worst.rows} rows, allowed {sign * margins.slice:+.4f}"
        return GateResult(False, f"{worst.name} collapses: {lost}; {measured}")
    if not speed.latency_ms <= gate.max_latency_ms:
        return GateResult(False, _too_slow(gate, speed, measured))
    fresh = "; newer data may cost the margin" if comparison.upper >= 0 else ""
    slowest = f"; worst slice {worst.name} {sign * worst.mean:+.4f}" if worst else ""
    return GateResult(True, f"better: {measured}{fresh}{slowest}; {speed.latency_ms:.2f} ms an answer")


def check_first_candidate(
    gate: Gate, metric: Metric, baseline_name: str, loss: float, baseline_loss: float, speed: Speed
) -> GateResult:
    """Check a candidate where there is no champion: it must be better than always answering the task's baseline."""
    own, constant = metric.shown(loss), metric.shown(baseline_loss)
    measured = f"{metric.title} {own:.4f} against {constant:.4f} of always answering the {baseline_name}"
    if not loss < baseline_loss:
        side = "above" if metric.higher_is_better else "below"
        return GateResult(False, f"knows nothing: {measured}; a first champion must be {side} it")
    if not speed.latency_ms <= gate.max_latency_ms:
        return GateResult(False, _too_slow(gate, speed, measured))
    return GateResult(True, f"first champion: {measured}; {speed.latency_ms:.2f} ms an answer")


def _too_slow(gate: Gate, speed: Speed, measured: str) -> str:
    """Why it is too slow; with the measured time where a reference graph shows that the machine was slower than usual."""
    busy = f" ({speed.latency_ms * speed.slowdown:.2f} measured while a fixed graph took {speed.slowdown:.1f} times its time)"
    return (
        f"too slow: {speed.latency_ms:.2f} ms an answer{busy if speed.slowdown > 1 else ''}, "
        f"allowed {gate.max_latency_ms:g}; {measured}"
    )
