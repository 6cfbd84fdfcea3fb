"""May the candidate replace the champion? A verdict with its reason and its numbers, also when it passes."""

from collections.abc import Sequence
from dataclasses import dataclass

from everfit.declaration import Gate
from everfit.evaluation.comparison import Comparison, Slice

SAME = 1e-5  # nearer losses are the same answers: a recipe that learnt what the champion had learnt differs by rounding alone


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether it passed, and why in words."""

    passed: bool
    reason: str


def judge(gate: Gate, cause: str, comparison: Comparison, slices: Sequence[Slice], latency_ms: float) -> Verdict:
    """Judge a candidate against the champion.

    Passes when the whole interval lies below 0 by more than rounding; where the cause is freshness, below ``gate.margin``:
    newer data may cost that much. No slice of at least ``gate.slice_rows`` rows may lose more than ``gate.slice_margin``, and
    one answer may take at most ``gate.max_latency_ms`` (99 % quantile).
    """
    allowed = gate.margin if cause == "freshness" else -SAME
    told = (
        f"log loss {comparison.mean:+.4f} against the champion's on {comparison.rows} rows of {comparison.days} unseen days, "
        f"{gate.confidence:.0%} interval [{comparison.lower:+.4f}, {comparison.upper:+.4f}]"
    )
    if comparison.upper >= allowed:
        wanted = f"{allowed:+.4f}, the margin for freshness" if allowed > 0 else "0"
        return Verdict(False, f"not shown to be better: {told}; its upper bound must be below {wanted}")
    judged = [part for part in slices if part.rows >= gate.slice_rows]
    worst = max(judged, key=lambda part: part.mean, default=None)
    if worst and worst.mean > gate.slice_margin:
        return Verdict(
            False, f"{worst.name} collapses: {worst.mean:+.4f} on {worst.rows} rows, allowed {gate.slice_margin:+.4f}; {told}"
        )
    if latency_ms > gate.max_latency_ms:
        return Verdict(False, f"too slow: {latency_ms:.2f} ms an answer, allowed {gate.max_latency_ms:g}; {told}")
    fresh = "; newer data may cost the margin" if comparison.upper >= 0 else ""
    slowest = f"; worst slice {worst.name} {worst.mean:+.4f}" if worst else ""
    return Verdict(True, f"better: {told}{fresh}{slowest}; {latency_ms:.2f} ms an answer")


def judge_first(gate: Gate, loss: float, base_loss: float, latency_ms: float) -> Verdict:
    """Judge a candidate where there is no champion: it must beat always answering the training rows' share of positives."""
    told = f"log loss {loss:.4f} against {base_loss:.4f} of the base rate"
    if not loss < base_loss:
        return Verdict(False, f"knows nothing: {told}; a first champion must be below it")
    if latency_ms > gate.max_latency_ms:
        return Verdict(False, f"too slow: {latency_ms:.2f} ms an answer, allowed {gate.max_latency_ms:g}; {told}")
    return Verdict(True, f"first champion: {told}; {latency_ms:.2f} ms an answer")
