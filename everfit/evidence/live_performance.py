"""Performance of one version's share of a window: its matured labels, what earlier windows lost, and what has no label yet."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from everfit.declaration.reserved_columns import SCORE
from everfit.evidence import Evidence
from everfit.evidence.control_chart import YEAR
from everfit.evidence.loss_estimate import error_on_the_past, estimated_loss
from everfit.evidence.performance import DAILY, judge_performance, matured
from everfit.timing import format_time

if TYPE_CHECKING:
    from everfit.evidence.judged_window import JudgedWindow

Earlier = Sequence[tuple[datetime, Mapping[str, Any]]]  # of evidence: the window's end and the detail, newest first


def judge_live(window: "JudgedWindow", earlier: Earlier) -> Evidence:
    """Judge the newest window whose labels are all due, and go on from what the earlier ones lost.

    Raises:
        MetricError: when a function of the user's fails.
    """
    model, scored = window.model, window.newest_matured
    if scored is None:
        nothing = f"version {window.version} answered nothing of the newest window whose labels are all due"
        return _with_estimate(Evidence(verdict="insufficient", reason=nothing), window, earlier, told=True)
    known = matured(model, scored.rows, window.complete_at)
    evidence = judge_performance(
        model.metric,
        known.days,
        known.labels,
        known.answers,
        expected=window.expectation,
        min_rows=model.drift.min_rows,
        weights=known.weights,
        earlier=[detail[DAILY] for _, detail in reversed(earlier) if DAILY in detail],
        error=model.drift.false_alarms_per_year * (model.drift.window / YEAR),
    )
    evidence = msgspec.structs.replace(evidence, detail=evidence.detail | {"scored_until": format_time(scored.span[1])})
    return _with_estimate(evidence, window, earlier, told=scored is not window or evidence.verdict == "insufficient")


def _with_estimate(evidence: Evidence, window: "JudgedWindow", earlier: Earlier, *, told: bool) -> Evidence:
    """With what the loss of this window is estimated to be; in words where its labels are not known."""
    metric, answers = window.model.metric, window.rows[SCORE].to_numpy()
    loss = estimated_loss(metric, window.model.task, answers)
    if loss is None:
        return evidence
    error, windows = error_on_the_past(earlier)
    past = f"off by {error:.3f} in {windows} earlier windows" if windows else "how far it is off is not known yet"
    words = f"; an estimate without labels, from how sure its {len(answers)} answers are: {metric.title} {loss:.3f}, {past}"
    estimate = {"loss": loss, "until": format_time(window.span[1]), "error": error, "windows": windows}
    reason = evidence.reason + (words if told else "")
    return msgspec.structs.replace(evidence, reason=reason, detail=evidence.detail | {"estimate": estimate})
