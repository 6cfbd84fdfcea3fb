"""Staging tables for COPY, and the statements that move their rows on: all of them from the columns of the stored table.

A staging table lives as long as the session, and every commit empties it. A row stands in it with its ``place`` in the batch.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.schema import CreateTable

from everfit.store.tables import outcomes, predictions, windows


class Staging:
    """The staging table of one topic's rows.

    Args:
        stored: the table that the rows are inserted into.
        added: whole numbers that come before a row's own columns, and are not stored.
        computed: columns of the stored table that do not come with the row.
    """

    def __init__(self, stored: sa.Table, *, added: Sequence[str] = (), computed: Sequence[str] = ()) -> None:
        self.stored = stored
        self.columns = [column.name for column in stored.columns if column.name not in computed]
        self.table = sa.Table(
            f"incoming_{stored.name}",
            sa.MetaData(),
            *(sa.Column(name, sa.Integer) for name in ("place", *added)),
            *(sa.Column(name, stored.c[name].type) for name in self.columns),
            prefixes=["TEMPORARY"],
            postgresql_on_commit="DELETE ROWS",
        )
        self.create = as_text(CreateTable(self.table, if_not_exists=True))

    def rows(self) -> list[sa.ColumnElement[Any]]:
        """The staged values of the stored columns, in their order."""
        return [self.table.c[name] for name in self.columns]

    def contradicted(self, values: Sequence[str], *others: str) -> str:
        """Rows whose identity is stored with another of ``values`` or ``others``: place, and each value as stored and staged.

        One look-up a row: without OFFSET 0 the planner, which has no statistics of the staging table, scans all.
        """
        names, incoming = (*values, *others), self.table.c
        same = [column == incoming[column.name] for column in self.stored.primary_key]
        of_identity = sa.select(*(self.stored.c[name] for name in names)).where(*same).offset(sa.literal_column("0"))
        stored = of_identity.lateral("stored")
        differs = sa.tuple_(*stored.c).is_distinct_from(sa.tuple_(*(incoming[name] for name in names)))
        pairs = [column for name in values for column in (stored.c[name], incoming[name])]
        contradicting = sa.select(incoming.place, *pairs).where(differs)
        return as_text(contradicting.select_from(self.table.join(stored, sa.true())))


def as_text(statement: sa.ClauseElement) -> str:
    """The statement for the driver; it has no parameters."""
    compiled = statement.compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call]
    return str(compiled)


def _store_predictions(staging: Staging) -> str:
    """Insert what is new, late where its window has closed; the numbers of new and of late rows by model."""
    incoming = staging.table
    closed = sa.select(windows.c.model, sa.func.max(windows.c.end).label("until")).group_by(windows.c.model).subquery("closed")
    late = sa.func.coalesce(incoming.c.event_time < closed.c.until, sa.false())
    rows = sa.select(*staging.rows(), late).select_from(incoming.outerjoin(closed, incoming.c.model == closed.c.model))
    inserted = insert(predictions).from_select([*staging.columns, "late"], rows).on_conflict_do_nothing()
    stored = inserted.returning(predictions.c.model, predictions.c.late).cte("stored")
    of_model = sa.select(stored.c.model, sa.func.count(), sa.func.count().filter(stored.c.late))
    return as_text(of_model.group_by(stored.c.model))


PREDICTIONS = Staging(predictions, added=["partition"], computed=["late"])
OUTCOMES = Staging(outcomes)
STORE_PREDICTIONS = _store_predictions(PREDICTIONS)
STORE_OUTCOMES = as_text(insert(outcomes).from_select(OUTCOMES.columns, sa.select(*OUTCOMES.rows())).on_conflict_do_nothing())
SCORES, TRUTHS = ("score", "scores"), ("outcome", "outcome_class")
CONTRADICTED_PREDICTIONS = PREDICTIONS.contradicted(SCORES, "features")
CONTRADICTED_OUTCOMES = OUTCOMES.contradicted(TRUTHS)
