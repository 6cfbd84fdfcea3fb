"""How good a version is, on the days of the rolling origins that its card shows: figures, the difference, slices."""

import math
from typing import TYPE_CHECKING

from everfit.declaration import Model
from everfit.declaration.reserved_columns import CANDIDATE, EVENT_TIME, LABEL, renewed
from everfit.evaluation.intervals import daily_losses, mean_of_days
from everfit.pipeline.card_tables import table
from everfit.pipeline.manifests import Compared, Version
from everfit.store.lake import Lake

if TYPE_CHECKING:
    import polars as pl

TAIL = 0.05  # on either side of an interval
SHOWN_VALUES = 20  # of a feature, those with most rows


def figures(lake: Lake, model: Model, described: Version) -> str:
    """Figures on rows that each fit had not seen, the metric's interval, the difference from the champion, and slices."""
    candidate = described.candidate
    rows = renewed(lake.get_frame(candidate.backtest), model.label)
    if rows.is_empty() or CANDIDATE not in rows.columns:
        return "It was judged on no day: there was none that could be held back."
    days = rows[EVENT_TIME].dt.date().unique().sort().to_list()
    span = f"{len(days)} days, {days[0]} to {days[-1]}"
    told = f"On {rows.height:,} rows of {span}, each answered by a fit on what was known before:"
    judged = next((each for each in described.evaluation.compared if each.name == candidate.name), None)
    known = table(["figure", "value"], [[name.replace("_", " "), f"{value:,.4g}"] for name, value in candidate.metrics.items()])
    return "\n\n".join(filter(None, [told, known, _interval(model, rows), _difference(model, judged), _slices(model, rows)]))


def _interval(model: Model, rows: "pl.DataFrame") -> str:
    told = _loss(model, rows)
    note = f" ({1 - 2 * TAIL:.0%} interval, by whole days)" if told.endswith("]") else ""
    return f"{model.metric.title.capitalize()} {told}{note}."


def _loss(model: Model, rows: "pl.DataFrame") -> str:
    """The metric's value with its interval; without where there is none, as on a single day."""
    days = rows[EVENT_TIME].dt.date().to_numpy()
    mean = mean_of_days(daily_losses(model.metric, days, rows[LABEL].to_numpy(), rows[CANDIDATE].to_numpy()))
    value, *bounds = (model.metric.shown(each) for each in (mean.mean, mean.lower(TAIL), mean.upper(TAIL)))
    if math.isnan(value):
        return "has no value"
    if not all(map(math.isfinite, bounds)):
        return f"{value:.4f}"
    return f"{value:.4f} [{min(bounds):.4f}, {max(bounds):.4f}]"


def _difference(model: Model, judged: Compared | None) -> str:
    if judged is None or judged.mean is None or judged.lower is None or judged.upper is None:
        return ""
    mean, lower, upper = model.metric.shown_interval(judged.mean, judged.lower, judged.upper)
    than = f"{judged.rows:,} rows of {judged.days} days"
    return f"Against the champion of that time, on {than}: {mean:+.4f} [{lower:+.4f}, {upper:+.4f}]."


def _slices(model: Model, rows: "pl.DataFrame") -> str:
    """The metric for each value of the features that the gate names, and that were declared when the version was made."""
    made = []
    for name in filter(rows.columns.__contains__, model.gate.slices):
        values = rows[name].value_counts(sort=True, name="_rows")[name].head(SHOWN_VALUES).sort()
        for value in values:
            part = rows.filter(rows[name].eq_missing(value))
            made.append([name, _written(value), f"{part.height:,}", _loss(model, part)])
    return table(["slice", "value", "rows", model.metric.title], made)


def _written(value: float | str | None) -> str:
    """A value of a feature: whole numbers are held as decimal ones."""
    if isinstance(value, float):
        return f"{value:g}"
    return "null" if value is None else str(value)
