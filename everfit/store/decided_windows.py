"""What was decided about a model's windows, and what came of the retrainings that were promoted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean

import sqlalchemy as sa

from everfit.declaration.retraining import REGRET
from everfit.store.tables import decisions, evidence, ledger, retrain_requests, rollouts


@dataclass(frozen=True, slots=True)
class DecidedWindow:
    """What was decided about the window that ends ``at``, while a version was champion."""

    at: datetime
    champion: int
    action: str
    cause: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Forecast:
    """By how much a retraining was expected to lower the loss, and by how much it did beside the champion before it, in days.

    ``expected`` is the newest regret that it was decided on, None where that was decided on other evidence; ``measured`` is
    None where no day has shown it yet.
    """

    expected: float | None
    measured: float | None
    days: int


def of_model(connection: sa.Connection, model: str) -> Sequence[DecidedWindow]:
    """The decisions on a model's windows, oldest first."""
    columns = [decisions.c[name] for name in DecidedWindow.__slots__]
    query = sa.select(*columns).where(decisions.c.model == model).order_by(decisions.c.at)
    return [DecidedWindow(*row) for row in connection.execute(query)]


def forecasts(connection: sa.Connection, model: str) -> dict[int, Forecast]:
    """What was expected of each promoted version that a decision asked for, and what came of it."""
    asked = sa.select(ledger.c.to_version, decisions.c.evidence).where(
        ledger.c.model == model,
        ledger.c.action == "promoted",
        retrain_requests.c.id == ledger.c.request,
        decisions.c.model == model,
        decisions.c.at == retrain_requests.c.cutoff,
        decisions.c.action == "retrain",
    )
    found = connection.execute(asked).all()
    gaps = _gaps(connection, model)
    days = _live_days(connection, model)
    return {
        version: _forecast([gaps[name] for name in names if name in gaps], days.get(version, [])) for version, names in found
    }


def _gaps(connection: sa.Connection, model: str) -> dict[str, tuple[datetime, float]]:
    """Of each evidence of regret that was scored, the end of its window and the champion's loss less the fresh model's."""
    columns = evidence.c
    of_regret = (columns.model == model, columns.kind == REGRET, columns.statistic.is_not(None))
    rows = connection.execute(sa.select(columns.id, columns.window_end, columns.statistic).where(*of_regret))
    return {row.id: (row.window_end, row.statistic) for row in rows}


def _live_days(connection: sa.Connection, model: str) -> dict[int, list[float]]:
    """By version, the daily loss less that of the champion that it replaces, of its newest rollout."""
    rows = connection.execute(
        sa.select(rollouts.c.version, rollouts.c.days).where(rollouts.c.model == model).order_by(rollouts.c.updated_at)
    )
    return {version: [day["difference"] for day in days if day["difference"] is not None] for version, days in rows}


def _forecast(gaps: Sequence[tuple[datetime, float]], differences: Sequence[float]) -> Forecast:
    expected = max(gaps)[1] if gaps else None
    return Forecast(expected, -fmean(differences) if differences else None, len(differences))
