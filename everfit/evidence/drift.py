"""Drift: is a window further from the champion's reference than the training time's own windows were?"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from everfit.declaration.reserved_columns import SCORE
from everfit.declaration.tasks import Floats, Task
from everfit.errors import FeatureError
from everfit.evidence import Evidence
from everfit.evidence.calibration import Calibration, Threshold, sample
from everfit.evidence.column_statistics import present
from everfit.evidence.measures import measure_named

if TYPE_CHECKING:
    import polars as pl


def watched(task: Task, rows: "pl.DataFrame", answers: Floats | None = None) -> "pl.DataFrame":
    """Rows with the columns in which the task lets drift of its answers be measured; the answers are those in SCORE."""
    import polars as pl

    columns = task.watched(rows[SCORE].to_numpy() if answers is None else answers)
    return rows.with_columns(pl.Series(name, values) for (name, _), values in columns.items())


def judge_drift(
    calibration: Calibration, reference: "pl.DataFrame", window: "pl.DataFrame", *, html: bool = False
) -> tuple[Evidence, str | None]:
    """Judge one closed window: an alarm where any column is at or above its threshold.

    The distances of what is there are Evidently's; it drops nulls, so their share is a distance of its own.

    Args:
        calibration: the champion's.
        reference: the champion's reference sample.
        window: the window's rows; a bounded sample of them is looked at.
        html: whether to render Evidently's report of an alarm.

    Returns:
        The evidence, whose statistic is the largest distance over the columns in units of their own spread, and the report.

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
    evidence = _evidence(calibration, distances, _blind(calibration, reference), window.height)
    if not html or evidence.verdict != "alarm":
        return evidence, None
    from everfit.evidence import evidently_report

    return evidence, evidently_report.render([t for t, _ in distances if measure_named(t.measure).evidently], reference, rows)


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


def _blind(calibration: Calibration, reference: "pl.DataFrame") -> list[dict[str, str]]:
    """The columns and measures that cannot alarm, and why."""
    described = ((t, t.blind(reference[t.column])) for t in calibration.thresholds)
    return [{"column": t.column, "measure": t.measure, "reason": why} for t, why in described if why]


def _both_have_values(column: str, reference: "pl.DataFrame", rows: "pl.DataFrame") -> bool:
    return not present(reference[column]).is_empty() and not present(rows[column]).is_empty()


def _evidence(
    calibration: Calibration, distances: Sequence[tuple[Threshold, float]], blind: Sequence[dict[str, str]], rows: int
) -> Evidence:
    drifted = sorted((pair for pair in distances if pair[1] >= pair[0].threshold), key=_excess, reverse=True)
    columns = [
        {"column": t.column, "measure": t.measure, "distance": value, "threshold": t.threshold, "drifted": value >= t.threshold}
        for t, value in distances
    ]
    cannot = [f"{column['column']} cannot alarm by {column['measure']}: {column['reason']}" for column in blind]
    worst = max(distances, key=_excess)
    described = ", ".join(
        f"{t.column} ({t.measure} {value:.3f}, threshold {t.threshold:.3f})" for t, value in drifted or [worst]
    )
    nearest = f"no column drifted; nearest to it {described}"
    return Evidence(
        verdict="alarm" if drifted else "ok",
        statistic=_excess(worst),
        threshold=calibration.limit,
        reason="; ".join([f"{_counted(len(drifted))} drifted: {described}" if drifted else nearest, *cannot]),
        detail={"rows": rows, "calibrated_on_windows": calibration.windows, "columns": columns, "cannot_alarm": list(blind)},
    )


def _counted(columns: int) -> str:
    return "1 column" if columns == 1 else f"{columns} columns"


def _excess(pair: tuple[Threshold, float]) -> float:
    threshold, value = pair
    return (value - threshold.median) / threshold.spread
