"""The gate: whether a candidate may replace the champion, with the reason and its numbers in either case."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from everfit.declaration import Gate, Task
from everfit.declaration.retraining import FRESHNESS
from everfit.evaluation.comparison import Comparison, Slice

SAME = 1e-5  # losses closer than this are equal: a recipe that learnt the same as the champion differs only by rounding


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


def check_candidate(
    gate: Gate, task: Task, cause: str, comparison: Comparison, slices: Sequence[Slice], speed: Speed
) -> GateResult:
    """Compare a candidate with the champion.

    It passes when the whole interval is below 0 by more than rounding; where the cause is freshness, below ``gate.margin``:
    newer data may cost that much. No slice of at least ``gate.slice_rows`` rows may lose more than ``gate.slice_margin``, and
    one answer may take at most ``gate.max_latency_ms`` (99 % quantile over the rows) on an idle machine.
    """
    allowed = gate.margin if cause == FRESHNESS else -SAME
    measured = (
        f"{task.loss_name} {comparison.mean:+.4f} against the champion's on {comparison.rows} rows "
        f"of {comparison.days} unseen days, {gate.confidence:.0%} interval [{comparison.lower:+.4f}, {comparison.upper:+.4f}]"
    )
    if not comparison.upper < allowed:  # also where it is NaN
        wanted = f"{allowed:+.4f}, the margin for freshness" if allowed > 0 else "0"
        return GateResult(False, f"not shown to be better: {measured}; its upper bound must be below {wanted}")
    judged = [part for part in slices if part.rows >= gate.slice_rows]
    worst = max(judged, key=lambda part: (math.isnan(part.mean), part.mean), default=None)
    if worst and not worst.mean <= gate.slice_margin:
        return GateResult(
            False,
            f"{worst.name} collapses: {worst.mean:+.4f} on {worst.rows} rows, allowed {gate.slice_margin:+.4f}; {measured}",
        )
    if not speed.latency_ms <= gate.max_latency_ms:
        return GateResult(False, _too_slow(gate, speed, measured))
    fresh = "; newer data may cost the margin" if comparison.upper >= 0 else ""
    slowest = f"; worst slice {worst.name} {worst.mean:+.4f}" if worst else ""
    return GateResult(True, f"better: {measured}{fresh}{slowest}; {speed.latency_ms:.2f} ms an answer")


def check_first_candidate(gate: Gate, task: Task, loss: float, baseline_loss: float, speed: Speed) -> GateResult:
    """Check a candidate where there is no champion: it must be better than always answering the task's baseline."""
    measured = f"{task.loss_name} {loss:.4f} against {baseline_loss:.4f} of always answering the {task.baseline_name}"
    if not loss < baseline_loss:
        return GateResult(False, f"knows nothing: {measured}; a first champion must be below it")
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
