"""Drift: has a window, or have the last few together, moved from what the champion's training time saw?"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import msgspec

from everfit.declaration.reserved_columns import EVENT_TIME, SCORE
from everfit.declaration.tasks import Floats, Task
from everfit.declaration.window_grid import Span
from everfit.errors import FeatureError
from everfit.evidence import Evidence
from everfit.evidence.calibration import Calibration, Threshold, sample
from everfit.evidence.column_statistics import present
from everfit.evidence.control_chart import Averages, Chart, follow
from everfit.evidence.measures import measure_named
from everfit.evidence.window_statistics import NULLS, RELATION, Statistic, WindowStatistics
from everfit.timing import format_duration

if TYPE_CHECKING:
    import polars as pl

DRAWN = 50  # columns on Evidently's page, the farthest: more take it minutes, and no browser shows them
TOLD = 5  # statistics in a verdict's words
AVERAGES = "averages"  # in the detail: the chart's state after this window


class Moved(NamedTuple):
    """A statistic with its moving average and whether it has reached the chart's threshold."""

    statistic: Statistic
    average: float
    drifted: bool


def watched(task: Task, rows: "pl.DataFrame", answers: Floats | None = None) -> "pl.DataFrame":
    """Rows with the columns in which the task lets drift of its answers be measured; the answers are those in SCORE."""
    import polars as pl

    columns = task.watched(rows[SCORE].to_numpy() if answers is None else answers)
    return rows.with_columns(pl.Series(name, values) for (name, _), values in columns.items())


def averages_before(earlier: Sequence[tuple[datetime, Mapping[str, Any]]]) -> Averages | None:
    """The chart's state as the newest evidence holds it, of each window's end and detail, newest first; None of none."""
    return next((Averages(detail[AVERAGES], end) for end, detail in earlier if AVERAGES in detail), None)


def judge_drift(
    calibration: Calibration,
    reference: "pl.DataFrame",
    window: "pl.DataFrame",
    *,
    span: Span | None = None,
    before: Averages | None = None,
    html: bool = False,
) -> tuple[Evidence, str | None]:
    """Judge one closed window: an alarm where the chart's largest moving average reaches its threshold.

    The distances of each column are Evidently's, for a person; they decide where the calibration holds no chart.

    Args:
        calibration: the champion's.
        reference: the champion's reference sample.
        window: the window's rows; a bounded sample of them is looked at.
        span: the window; by default from its first row on, as long as those of training time.
        before: the chart's averages after the window before; None begins anew.
        html: whether to render Evidently's report of an alarm.

    Returns:
        The evidence, and the report. Its statistic is the largest moving average, in deviations of single windows.

    Raises:
        FeatureError: when the window lacks a calibrated column.
    """
    insufficient = _insufficient(calibration, window)
    if insufficient:
        return Evidence(verdict="insufficient", reason=insufficient, detail={"rows": window.height}), None
    missing = sorted({t.column for t in calibration.thresholds} - set(window.columns))
    if missing:
        raise FeatureError(f"no column {', '.join(map(repr, missing))} in the window; it has {', '.join(window.columns)}")
    rows = sample(window, calibration.sample_rows, calibration.seed)
    distances = _distances(calibration, reference, rows)
    if calibration.chart is None:
        evidence = _by_distance(calibration, distances)
    else:
        start = span[0] if span else cast(datetime, window[EVENT_TIME].min())
        seen = sample(window, calibration.chart.rows, calibration.seed)
        evidence = _by_chart(calibration.chart, distances, _moved(calibration.chart, reference, seen, start, before))
        evidence = _of_another_length(evidence, calibration.chart, span)
    evidence = _told(evidence, calibration, _blind(calibration, reference), window.height)
    if not html or evidence.verdict != "alarm":
        return evidence, None
    from everfit.evidence import evidently_report

    return evidence, evidently_report.render(_drawn(distances, evidence.detail["columns"]), reference, rows)


def _of_another_length(evidence: Evidence, chart: Chart, span: Span | None) -> Evidence:
    """Said where windows have become longer or shorter since the training; but for a part of one, which is no other length."""
    if span is None or span[1] - span[0] <= chart.window <= 2 * (span[1] - span[0]):
        return evidence
    lengths = f"learnt from windows of {format_duration(chart.window)}, this one is of {format_duration(span[1] - span[0])}"
    return msgspec.structs.replace(
        evidence, reason=f"{evidence.reason}; {lengths}: the budget is not promised until the next training"
    )


def _insufficient(calibration: Calibration, window: "pl.DataFrame") -> str | None:
    if window.height < calibration.min_rows:
        return f"{window.height} rows in the window; {calibration.min_rows} are needed"
    if not calibration.windows:
        return "the champion's training time held no whole window to calibrate by"
    return None


def _distances(calibration: Calibration, reference: "pl.DataFrame", rows: "pl.DataFrame") -> list[tuple[Threshold, float]]:
    """Each threshold with what was measured; a column without values is left out, which its null share measures."""
    measures = [(t, measure_named(t.measure)) for t in calibration.thresholds]
    distances = [
        (t, measure.distance(reference[t.column], rows[t.column]))
        for t, measure in measures
        if measure.kind is None or _both_have_values(t.column, reference, rows)
    ]
    return sorted(distances, key=lambda pair: measure_named(pair[0].measure).kind is None)


def _both_have_values(column: str, reference: "pl.DataFrame", rows: "pl.DataFrame") -> bool:
    return not present(reference[column]).is_empty() and not present(rows[column]).is_empty()


def _blind(calibration: Calibration, reference: "pl.DataFrame") -> list[dict[str, str]]:
    """The columns and measures that cannot alarm, and why."""
    described = ((t, t.blind(reference[t.column])) for t in calibration.thresholds)
    return [{"column": t.column, "measure": t.measure, "reason": why} for t, why in described if why]


def _moved(
    chart: Chart, reference: "pl.DataFrame", rows: "pl.DataFrame", start: datetime, before: Averages | None
) -> list[Moved]:
    """What the chart follows, after this window."""
    followed = [f.statistic for f in chart.followed]
    averages = follow(chart, WindowStatistics(reference, followed).of(rows), start, before)
    return [Moved(s, average, abs(average) >= chart.threshold) for s, average in zip(followed, averages, strict=True)]


def _by_chart(chart: Chart, distances: Sequence[tuple[Threshold, float]], moved: Sequence[Moved]) -> Evidence:
    """The chart decides; of each distance it is said which of its column's statistics leads."""
    ordered = sorted(moved, key=lambda one: abs(one.average), reverse=True)
    drifted = [one for one in ordered if one.drifted]
    leading = {(one.statistic.column, one.statistic.name == NULLS): one for one in reversed(ordered) if not one.statistic.other}
    columns = [
        _shown(t, value) | _led(leading.get((t.column, measure_named(t.measure).kind is None)), chart.threshold)
        for t, value in distances
    ]
    detail = {
        "columns": columns,
        "relations": [_relation(one) for one in drifted if one.statistic.name == RELATION][:DRAWN],
        AVERAGES: [one.average for one in moved],
    }
    told = ", ".join(f"{one.statistic} ({one.average:+.2f})" for one in (drifted or ordered)[: TOLD if drifted else 1])
    more = f" and {len(drifted) - TOLD} more" if len(drifted) > TOLD else ""
    found = f"{_counted(drifted)} drifted: {told}{more}" if drifted else f"no column drifted; nearest to it {told}"
    return Evidence(
        verdict="alarm" if drifted else "ok",
        statistic=abs(ordered[0].average) if ordered else 0.0,
        threshold=chart.threshold,
        reason="; ".join(filter(None, [f"{found}, ±{chart.threshold:.2f} is usual", chart.warning])),
        detail=detail,
    )


def _led(one: Moved | None, threshold: float) -> dict[str, Any]:
    """What decides on a column, beside its distance."""
    if one is None:
        return {"drifted": False}
    return {"drifted": one.drifted, "statistic": one.statistic.name, "average": one.average, "allowed": threshold}


def _relation(one: Moved) -> dict[str, Any]:
    return {"columns": [one.statistic.column, one.statistic.other], "average": one.average}


def _by_distance(calibration: Calibration, distances: Sequence[tuple[Threshold, float]]) -> Evidence:
    """The distances decide: an alarm where any column is at or above its threshold."""
    drifted = sorted((pair for pair in distances if pair[1] >= pair[0].threshold), key=_excess, reverse=True)
    worst = max(distances, key=_excess)
    described = ", ".join(
        f"{t.column} ({t.measure} {value:.3f}, threshold {t.threshold:.3f})" for t, value in drifted or [worst]
    )
    nearest = f"no column drifted; nearest to it {described}"
    counted = "1 column" if len(drifted) == 1 else f"{len(drifted)} columns"
    return Evidence(
        verdict="alarm" if drifted else "ok",
        statistic=_excess(worst),
        threshold=calibration.limit,
        reason=f"{counted} drifted: {described}" if drifted else nearest,
        detail={"columns": [_shown(t, value) for t, value in distances]},
    )


def _shown(threshold: Threshold, distance: float) -> dict[str, Any]:
    drifted = distance >= threshold.threshold
    named = {"column": threshold.column, "measure": threshold.measure}
    return named | {"distance": distance, "threshold": threshold.threshold, "drifted": drifted}


def _told(evidence: Evidence, calibration: Calibration, blind: Sequence[dict[str, str]], rows: int) -> Evidence:
    """With the size of the window, and what cannot alarm."""
    cannot = [f"{column['column']} cannot alarm by {column['measure']}: {column['reason']}" for column in blind]
    detail = {"rows": rows, "calibrated_on_windows": calibration.windows, "cannot_alarm": list(blind)}
    return msgspec.structs.replace(evidence, reason="; ".join([evidence.reason, *cannot]), detail=detail | evidence.detail)


def _counted(drifted: Sequence[Moved]) -> str:
    """How many columns and relations."""
    columns = len({one.statistic.column for one in drifted if not one.statistic.other})
    relations = sum(bool(one.statistic.other) for one in drifted)
    counts = [(columns, "column"), (relations, "relation")]
    return " and ".join(f"{count} {what}{'s' * (count > 1)}" for count, what in counts if count)


def _drawn(distances: Sequence[tuple[Threshold, float]], columns: Sequence[dict[str, Any]]) -> list[Threshold]:
    """What Evidently draws, in its order: of many columns the farthest."""
    drawable = [(t, shown) for (t, _), shown in zip(distances, columns, strict=True) if measure_named(t.measure).evidently]
    farthest = sorted(drawable, key=lambda pair: (not pair[1]["drifted"], -abs(pair[1].get("average", 0.0))))[:DRAWN]
    kept = {t.column for t, _ in farthest}
    return [t for t, _ in drawable if t.column in kept]


def _excess(pair: tuple[Threshold, float]) -> float:
    threshold, value = pair
    return (value - threshold.median) / threshold.spread
