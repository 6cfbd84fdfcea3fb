"""Computes a :class:`DemoResult` from the stores; only the number of answered requests comes from the run itself."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from everfit.declaration import BinaryClassification, Model
from everfit.declaration.reserved_columns import renewed
from everfit.declaration.retraining import FRESHNESS
from everfit.demo import scores, story
from everfit.demo.baseline import timer
from everfit.demo.result import Alarm, Counts, DemoResult, Retraining
from everfit.errors import EmptyPartitionError
from everfit.evidence.kinds import kinds
from everfit.runtime import Runtime
from everfit.store import rollouts
from everfit.store.database import reachable
from everfit.store.tables import outcomes, windows

Span = tuple[datetime, datetime]


def collect(
    runtime: Runtime, model: Model, span: Span, *, answered: int, folder: Path, seconds: Mapping[str, float]
) -> DemoResult:
    """Compute the contents of the summary and the report.

    Args:
        runtime: the stores; MLflow, Kafka and serving are not needed.
        model: the model that was played.
        span: half-open span of event time that was played.
        answered: number of requests that serving answered, by the replay's count.
        folder: the report's folder; Evidently's reports are copied into it.
        seconds: seconds by stage.

    Raises:
        EmptyPartitionError: when nothing was promoted or nothing answered.
    """
    with reachable(runtime.engine), runtime.engine.connect() as connection:
        promotions = story.promoted(runtime, connection, model.name)
        if not promotions:
            raise EmptyPartitionError(f"{model.name} has no version: `everfit train {model.name}` makes the first")
        entry, first = promotions[0]
        frame = scores.answers(connection, model, span, entry.to_version)
        closed = _windows(connection, model, span)
        alarms = story.alarms(connection, runtime.lake, model.name, folder)
        retrainings = story.retrainings(connection, model.name)
        judged, rolled_out = story.judged(runtime, connection, model.name), rollouts.of_model(connection, model.name)
        observed = _outcomes(connection, model, span)
    plan = timer(model, *span, [version.candidate.name for _, version in promotions])
    trained_on = renewed(runtime.lake.get_frame(first.training_set.rows_hash), model.label)
    losses = scores.losses(model, plan, trained_on, frame)
    return DemoResult(
        model=model.name,
        description=model.description,
        start=span[0],
        end=span[1],
        counts=_counts(
            frame.height, observed, answered, losses.height, closed, alarms, retrainings, [each.cause for each, _ in promotions]
        ),
        loss=scores.metric_of(model).name,
        losses=scores.mean_losses(losses),
        weeks=scores.weekly(losses, closed),
        alarms=alarms,
        retrainings=retrainings,
        versions=story.lives(promotions, frame, losses),
        timer=plan,
        seconds=dict(seconds),
        judged=judged,
        rollouts=rolled_out,
        coin=_coin(model),
    )


def _coin(model: Model) -> float | None:
    """The log loss of always answering one half; None where 0 and 1 are not judged by it."""
    coin = isinstance(model.task, BinaryClassification) and scores.metric_of(model).name == "log_loss"
    return math.log(2) if coin else None


def _counts(
    predictions: int,
    observed: int,
    answered: int,
    scored: int,
    closed: Sequence[Span],
    alarms: Sequence[Alarm],
    retrainings: Sequence[Retraining],
    promoted_for: Sequence[str],
) -> Counts:
    """Of what was played; ``promoted_for`` has the cause of each promotion, whichever look decided it.

    An open alarm of drift or performance is recorded as the cause, whatever else a policy has weighed.
    """
    alarmed = {name for name, kind in kinds().items() if kind.triggers == "retraining"} - {FRESHNESS}
    return Counts(
        predictions=predictions,
        outcomes=observed,
        predictions_lost=answered - predictions,
        scored=scored,
        windows=len(closed),
        alarms=len(alarms),
        retrains=len(retrainings),
        drift_retrains=sum(cause in alarmed for cause in promoted_for),
        rejections=sum(retraining.ended == "rejected" for retraining in retrainings),
        promotions=len(promoted_for),
        inconclusive=sum(retraining.ended == "inconclusive" for retraining in retrainings),
    )


def _windows(connection: sa.Connection, model: Model, span: Span) -> list[Span]:
    """The closed windows within the span, in order."""
    table = windows.c
    within = (table.model == model.name, table.start >= span[0], table.end <= span[1])
    rows = connection.execute(sa.select(table.start, table.end).where(*within).order_by(table.start))
    return [(row.start, row.end) for row in rows]


def _outcomes(connection: sa.Connection, model: Model, span: Span) -> int:
    """Number of requests with an outcome."""
    table = outcomes.c
    query = sa.select(sa.func.count(table.request_id.distinct())).where(table.model == model.name, table.observed_at >= span[0])
    return int(connection.execute(query).scalar_one())
