"""Verdicts on event days: each day is judged once, and its verdict is the mark that it was."""

from collections.abc import Collection, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from everfit.declaration import Model
from everfit.declaration.window_grid import Span
from everfit.evidence.checked_days import DayVerdict
from everfit.store.tables import day_verdicts

_COLUMNS = [day_verdicts.c[name] for name in DayVerdict._fields]


def record(connection: sa.Connection, model: Model, verdict: DayVerdict, at: datetime) -> bool:
    """Write a verdict that was reached ``at``, by the model's clock; False where the day had one already."""
    values = {"model": model.name, "judged_at": at} | verdict._asdict()
    written = insert(day_verdicts).values(values).on_conflict_do_nothing().returning(day_verdicts.c.day)
    return connection.execute(written).first() is not None


def of_span(connection: sa.Connection, model: str, span: Span) -> Sequence[DayVerdict]:
    """Those on the days that begin in ``[start, end)``, in order."""
    columns = day_verdicts.c
    query = sa.select(*_COLUMNS).where(columns.model == model, columns.day >= span[0], columns.day < span[1])
    return [DayVerdict(*row) for row in connection.execute(query.order_by(columns.day, columns.subject))]


def newest(connection: sa.Connection, models: Collection[str]) -> dict[tuple[str, str], datetime]:
    """The newest day that has a verdict, by model and subject."""
    columns = day_verdicts.c
    query = sa.select(columns.model, columns.subject, sa.func.max(columns.day)).where(columns.model.in_(models))
    return {(row[0], row[1]): row[2] for row in connection.execute(query.group_by(columns.model, columns.subject))}


def whole(connection: sa.Connection, model: str, subject: str, *, before: datetime, most: int) -> list[DayVerdict]:
    """The newest days before one, at most so many, that hold figures and were not broken, oldest first."""
    columns = day_verdicts.c
    of_subject = (columns.model == model, columns.subject == subject, columns.day < before, columns.verdict != "alarm")
    query = sa.select(*_COLUMNS).where(*of_subject, columns.detail.has_key("figures"))
    rows = connection.execute(query.order_by(columns.day.desc()).limit(most)).all()
    return [DayVerdict(*row) for row in reversed(rows)]
