"""What was judged about closed windows."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from everfit.declaration import Model
from everfit.declaration.retraining import Finding
from everfit.store.tables import evidence


@dataclass(frozen=True, slots=True)
class Judgement:
    """One piece of evidence about one version on one window, as it is stored."""

    id: str
    model: str
    version: int
    window_start: datetime
    window_end: datetime
    kind: str  # of the table of kinds when it was judged
    verdict: str
    statistic: float | None
    threshold: float | None
    reason: str
    detail: dict[str, Any]

    def finding(self) -> Finding:
        """What the policy sees of it."""
        span = (self.window_start, self.window_end)
        return Finding(self.id, self.kind, self.verdict, self.reason, *span, self.statistic, self.threshold, self.detail)


def record(connection: sa.Connection, judgements: Sequence[Judgement]) -> None:
    """Write evidence."""
    if judgements:
        rows = [{name: getattr(judgement, name) for name in Judgement.__slots__} for judgement in judgements]
        connection.execute(sa.insert(evidence), rows)


def replace_unjudged(connection: sa.Connection, judgements: Sequence[Judgement]) -> None:
    """Write evidence in the place of what could not be judged."""
    ids = [judgement.id for judgement in judgements]
    connection.execute(sa.delete(evidence).where(evidence.c.id.in_(ids), evidence.c.detail.has_key("unjudged")))
    record(connection, judgements)


def judged_kinds(connection: sa.Connection, model: Model, end: datetime) -> set[tuple[int, str]]:
    """What was judged of the window that ends then, by version and kind; not what could not be."""
    columns = evidence.c
    of_window = (columns.model == model.name, columns.window_end == end, ~columns.detail.has_key("unjudged"))
    return {(row.version, row.kind) for row in connection.execute(sa.select(columns.version, columns.kind).where(*of_window))}


def newest(connection: sa.Connection, model: Model, versions: Collection[int]) -> Sequence[Judgement]:
    """The newest judgement of each kind on these versions: a champion's own verdicts, never its predecessor's."""
    columns = [evidence.c[name] for name in Judgement.__slots__]
    query = (
        sa.select(*columns)
        .where(evidence.c.model == model.name, evidence.c.version.in_(versions))
        .ext(distinct_on(evidence.c.kind))
    )
    return [Judgement(*row) for row in connection.execute(query.order_by(evidence.c.kind, evidence.c.window_end.desc()))]


def details_before(
    connection: sa.Connection, model: Model, version: int, kind: str, before: datetime, newest: int
) -> Sequence[tuple[datetime, dict[str, Any]]]:
    """Of so many of the newest judgements of a kind on windows that ended by then: the window's end and the detail."""
    columns = evidence.c
    of_kind = (columns.model == model.name, columns.version == version, columns.kind == kind, columns.window_end <= before)
    query = sa.select(columns.window_end, columns.detail).where(*of_kind)
    rows = connection.execute(query.order_by(columns.window_end.desc()).limit(newest))
    return [(row.window_end, row.detail) for row in rows]
