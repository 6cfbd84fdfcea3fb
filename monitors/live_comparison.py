"""What matured outcomes show of a version in its rollout, day by day, beside the version that it is compared with."""

import json
import math
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np
import polars as pl
import sqlalchemy as sa

from everfit.declaration import Model
from everfit.declaration.metrics import Metric, RowMetric
from everfit.declaration.reserved_columns import DEGRADED, EVENT_TIME, LABEL, REQUEST_ID, SCORE
from everfit.declaration.rollouts import ROLES
from everfit.declaration.window_grid import Span
from everfit.evaluation.sequence import Interval, Outcome, sequence
from everfit.evidence.propensity import drawn_by_chance
from everfit.features.running_sums import key_of
from everfit.features.spans import DAY
from everfit.serving.assignment import is_challenged
from everfit.store import frames
from everfit.store.rollouts import LiveDay, Rollout
from everfit.store.tables import predictions

MOST_ROWS = 20_000  # of a version and day: of more, a sample drawn by request ids
FEWEST_ROWS = 50  # to judge a share by: of the newest day, and where it has fewer, of those before it, too
FAILED, DEGRADED_MORE, MISSING_MORE = 0.05, 0.1, 0.1  # shares that end a rollout, the latter two above the other's

OTHER = "_other"


class LiveVerdict(NamedTuple):
    """Whether the version is worse, no worse by more than the margin, or neither yet; why, in words."""

    outcome: Outcome
    interval: Interval
    reason: str


def live_verdict(metric: Metric, rollout: Rollout, days: Sequence[LiveDay]) -> LiveVerdict:
    """The verdict after these days: the shares of the newest, then the sequence of daily differences.

    All days of the rollout count alike, whatever share of requests the version had to answer in each stage: on every one the
    two are compared on the same requests, so that a share changes how much a day's difference varies, not what it is of. The
    interval is that of the mean, over the days so far, of the difference among those who were answered then; values need not
    be distributed alike for it. Its variance is that of all days: the first, of few requests, widen it. Over 84 simulated days
    of no difference, correlated by 0.3, it errs in 2 to 3 % where 5, 25 and 50 % come first for two or seven days each, and in
    7 % without such stages.
    """
    differences = [math.nan if day.difference is None else day.difference for day in days]
    interval = sequence(np.array(differences, dtype=np.float64))
    if fault := _fault(of_stage(rollout, days)):
        return LiveVerdict("worse", interval, fault)
    mean, lower, upper = metric.shown_interval(interval.mean, interval.lower, interval.upper)
    against = f"{metric.title} {mean:+.4f} against version {rollout.replaces}'s on {interval.days} days of live outcomes"
    bounds = f"interval [{lower:+.4f}, {upper:+.4f}] at any look" if math.isfinite(lower) else "too few for an interval"
    return LiveVerdict(interval.outcome(rollout.margin), interval, f"{against}, {bounds}")


def of_stage(rollout: Rollout, days: Sequence[LiveDay]) -> list[LiveDay]:
    """Those of the days that lie in its present stage."""
    return [day for day in days if day.day >= f"{rollout.since:%Y-%m-%d}"]


def live_day(connection: sa.Connection, model: Model, rollout: Rollout, start: datetime) -> LiveDay:
    """What the outcomes known by the label delay after a day show; the same whenever it is read.

    Raises:
        MetricError: when a function of the user's fails.
    """
    span = (start, start + DAY)
    counts = _counts(connection, model, span)
    own, other = (_answers(connection, model, span, version, counts) for version in (rollout.version, rollout.replaces))
    judged, others = (drawn_by_chance(model, rows) for rows in (own, other))
    missing, others_missing = _missing(model, judged, others)
    return LiveDay(
        day=f"{start:%Y-%m-%d}",
        difference=_paired(model.metric, judged, others),
        asked=_asked(connection, model, rollout, span, counts),
        rows=counts.get(rollout.version, 0),
        other_rows=counts.get(rollout.replaces, 0),
        degraded=_share(own[DEGRADED]),
        other_degraded=_share(other[DEGRADED]),
        missing=missing,
        other_missing=others_missing,
    )


def _fault(days: Sequence[LiveDay]) -> str:
    """Why the shares of the stage's newest days end a rollout by themselves; empty where they do not."""
    if tried := _newest(days, lambda day: day.asked):
        asked, answered = sum(day.asked for day in tried), sum(day.rows for day in tried)
        if answered < (1 - FAILED) * asked:
            allowed = f"at most {FAILED:.0%} may be"
            return f"{asked - answered} of its {asked} requests {_since(tried)} were left unanswered; {allowed}"
    both = _newest(days, lambda day: min(day.rows, day.other_rows))
    for name, what, more in (("degraded", "were degraded", DEGRADED_MORE), ("missing", "have no outcome", MISSING_MORE)):
        own = _mean([(getattr(day, name), day.rows) for day in both])
        other = _mean([(getattr(day, f"other_{name}"), day.other_rows) for day in both])
        if own > other + more:
            return f"{own:.0%} of its answers {_since(both)} {what}, and {other:.0%} of the other's"
    return ""


def _newest(days: Sequence[LiveDay], count: Callable[[LiveDay], int]) -> list[LiveDay]:
    """As many of the newest days as count :data:`FEWEST_ROWS` together; none where all of them count fewer."""
    for number in range(1, len(days) + 1):
        if sum(map(count, days[-number:])) >= FEWEST_ROWS:
            return [*days[-number:]]
    return []


def _mean(weighted: Sequence[tuple[float, int]]) -> float:
    return sum(share * rows for share, rows in weighted) / max(1, sum(rows for _, rows in weighted))


def _since(days: Sequence[LiveDay]) -> str:
    return f"of {days[0].day}" if len(days) == 1 else f"since {days[0].day}"


def _counts(connection: sa.Connection, model: Model, span: Span) -> dict[int | None, int]:
    columns = predictions.c
    within = (columns.model == model.name, columns.event_time >= span[0], columns.event_time < span[1], ~columns.late)
    counted = sa.select(columns.version, sa.func.count()).where(*within).group_by(columns.version)
    return {row[0]: row[1] for row in connection.execute(counted)}


def _answers(
    connection: sa.Connection, model: Model, span: Span, version: int | None, counts: dict[int | None, int]
) -> pl.DataFrame:
    """The version's rows of the day, in whatever role, with their outcomes as of the label delay after it."""
    return frames.logged(
        connection,
        model,
        span,
        known_at=model.windows.complete_at(span[1] + model.training.label_delay),
        version=version,
        share=min(1.0, MOST_ROWS / max(1, *counts.values(), 1)),
        features=[],
        roles=ROLES,
    )


def _paired(metric: Metric, own: pl.DataFrame, other: pl.DataFrame) -> float | None:
    both = own.filter(pl.col(LABEL).is_not_null()).join(
        other.select(REQUEST_ID, EVENT_TIME, pl.col(SCORE).alias(OTHER)), on=[REQUEST_ID, EVENT_TIME]
    )
    return _less(_loss(metric, both, SCORE), _loss(metric, both, OTHER))


def _loss(metric: Metric, rows: pl.DataFrame, answers: str) -> float:
    if rows.is_empty():
        return math.nan
    labels, given = rows[LABEL].to_numpy(), rows[answers].to_numpy()
    return float(metric.losses(labels, given).mean()) if isinstance(metric, RowMetric) else metric.loss(labels, given)


def _less(own: float, other: float) -> float | None:
    return own - other if math.isfinite(own - other) else None


def _missing(model: Model, own: pl.DataFrame, other: pl.DataFrame) -> tuple[float, float]:
    """The shares without outcome; 0 where a model explores so few of the day's rows of either that they would tell nothing."""
    if model.exploration and min(own.height, other.height) < FEWEST_ROWS:
        return 0.0, 0.0
    return _share(own[LABEL].is_null()), _share(other[LABEL].is_null())


def _share(flags: pl.Series) -> float:
    return float(flags.mean() or 0.0) if len(flags) else 0.0  # type: ignore[arg-type]


def _asked(connection: sa.Connection, model: Model, rollout: Rollout, span: Span, counts: dict[int | None, int]) -> int:
    """How many requests the version had to answer: a challenger those of its units, else all that the other answered.

    That other is the champion beside a shadow, and beside a provisional champion the version that it replaced, which answers
    along what the champion fails at.
    """
    answered = counts.get(rollout.version, 0)
    if rollout.stage.share:
        return answered + _left_to_the_champion(connection, model, rollout, span)
    return max(answered, counts.get(rollout.replaces, 0))


def _left_to_the_champion(connection: sa.Connection, model: Model, rollout: Rollout, span: Span) -> int:
    """How many requests of the version's units the champion answered in its place; none where its rows lack the unit."""
    columns, unit = predictions.c, rollout.stage.unit or model.entity
    within = (columns.model == model.name, columns.event_time >= span[0], columns.event_time < span[1])
    of_champion = (columns.version == rollout.replaces, columns.role == "champion", ~columns.late)
    own = sa.cast(sa.func.to_json(columns.entity), sa.Text)
    value = own if unit == model.entity else sa.func.coalesce(sa.cast(columns.features[unit], sa.Text), "null")
    counted = sa.select(value, sa.func.count()).where(*within, *of_champion).group_by(value)
    share, found = rollout.stage.share, 0
    for written, rows in connection.execute(counted):
        known = json.loads(written)
        if known is not None and is_challenged(model.name, rollout.version, share, key_of(known)):
            found += rows
    return found
