"""Regret: how much better would a model have been that was trained when the window began?

It is scored on the newest window whose labels are all due. What the gaps add up to since the promotion, the policy
:class:`everfit.policy.regret.Regret` weighs against the cost of a retraining.
"""

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from everfit.declaration import Model
from everfit.declaration.reserved_columns import EVENT_TIME, LABEL, SCORE
from everfit.errors import FeatureError, MetricError
from everfit.evidence import Evidence
from everfit.evidence.out_of_bounds import within
from everfit.evidence.propensity import drawn_by_chance
from everfit.timing import format_time

if TYPE_CHECKING:
    import polars as pl

    from everfit.evidence.judged_window import Comparator, JudgedWindow

WEEK = timedelta(days=7)
UNRIPE = 1 / 3  # of a window may lack labels, and it is scored by the rest


def windows_behind(model: Model) -> int:
    """How many windows before the one that closes that one lies whose labels are all due; 0 where labels come soon."""
    late = model.training.label_delay - model.log.lateness  # of the window's end
    return 0 if late <= UNRIPE * model.drift.window else math.ceil(late / model.drift.window)


def judge_regret(window: "JudgedWindow") -> Evidence:
    """Compare the version with its comparator; 'insufficient' says in ``detail["missing"]`` what is not there.

    That is ``rows``, ``labels``, ``metric`` or ``comparator``; ``policy`` where the model's declares none. The statistic is the
    version's mean loss less the comparator's, on rows of days that are not quarantined.
    """
    scored = window.newest_matured
    if scored is None or not scored.row_count:
        return _insufficient("rows", f"version {window.version} answered nothing of {_due_window(window)}")
    rows = _matured(scored, window)
    detail = {
        "scored": [format_time(moment) for moment in scored.span],
        "rows": len(rows),
        "labelled": round(len(rows) * scored.row_count / max(len(scored.rows), 1)),
        "weeks": _weeks(scored, rows),
    }
    comparator = scored.comparator
    if len(rows) < window.model.drift.min_rows:
        reason = f"{len(rows)} matured labels of {scored.row_count} answers; {window.model.drift.min_rows} are needed"
        return _insufficient("labels", reason, detail)
    if comparator is None:
        return _none_asked(window.model, detail)
    if comparator.reason:
        return _insufficient("comparator", comparator.reason, detail)
    return _scored(window.model, rows, comparator, detail)


def _scored(model: Model, rows: "pl.DataFrame", comparator: "Comparator", detail: dict[str, Any]) -> Evidence:
    """Both on the same rows."""
    labels, metric = rows[LABEL].to_numpy(), model.metric
    try:
        champion = metric.loss(labels, rows[SCORE].to_numpy())
        fresh = metric.loss(labels, comparator.answers(rows))
    except (FeatureError, MetricError) as error:
        return _insufficient("comparator" if isinstance(error, FeatureError) else "metric", str(error), detail)
    if not math.isfinite(champion - fresh):
        return _insufficient("metric", f"{metric.title} has no value on these {len(rows)} labels", detail)
    figures = {"champion": champion, "comparator": fresh, "fit_seconds": comparator.fit_seconds}
    return Evidence(
        verdict="ok",
        statistic=champion - fresh,
        reason=f"{metric.title} {metric.shown(champion):.4f}, of a model trained until {format_time(comparator.cutoff)} "
        f"{metric.shown(fresh):.4f}, on {len(rows)} labels from {detail['scored'][0]} on",
        detail=detail | figures | {"cutoff": format_time(comparator.cutoff)},
    )


def _matured(scored: "JudgedWindow", window: "JudgedWindow") -> "pl.DataFrame":
    """The rows within their bounds whose outcome is known, and that are so old that a slow one would be known too.

    Of a model that explores these are the explored ones, which chance has drawn.
    """
    import polars as pl

    old_enough = pl.col(EVENT_TIME) <= window.complete_at - window.model.training.label_delay
    rows = drawn_by_chance(window.model, within(window.model, scored.rows))
    return rows.filter(pl.col(LABEL).is_not_null(), old_enough)


def _weeks(scored: "JudgedWindow", rows: "pl.DataFrame") -> float:
    """The length that the rows stand for: the window's, or, where others answered in it, from the first to the last of them."""
    if scored.is_whole or rows.is_empty():
        return (scored.span[1] - scored.span[0]) / WEEK
    first, last = rows[EVENT_TIME][0], rows[EVENT_TIME][-1]
    return float((last - first) / WEEK)


def _due_window(window: "JudgedWindow") -> str:
    """The window that can be scored, in words."""
    behind = windows_behind(window.model)
    if not behind:
        return "this window"
    start = window.span[0] - behind * window.model.drift.window
    return f"the window that begins {format_time(start)}, the newest whose labels are all due"


def _none_asked(model: Model, detail: dict[str, Any]) -> Evidence:
    if getattr(model.retraining, "comparator", None) is None:
        return _insufficient("policy", "the model's retraining policy compares with no fresh model", detail)
    reason = f"no comparator was asked for before {detail['scored'][0]}: it is where the window before closes under a champion"
    return _insufficient("comparator", reason, detail)


def _insufficient(missing: str, reason: str, detail: dict[str, Any] | None = None) -> Evidence:
    return Evidence(verdict="insufficient", reason=reason, detail={**(detail or {}), "missing": missing})
