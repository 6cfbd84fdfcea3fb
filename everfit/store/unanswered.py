"""What of a model's newest runs and windows ended without an answer, counted."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

from everfit.declaration.retraining import FRESHNESS, REGRET
from everfit.store.tables import decisions, evidence, retrain_requests

NEWEST = 8  # runs and windows that are counted
BESIDES = ("quality", FRESHNESS, REGRET)  # kinds whose verdict alone says nothing of how good a champion is

What = Literal["runs without a verdict", "windows without evidence", "windows without a comparator"]


@dataclass(frozen=True, slots=True)
class Unanswered:
    """So many of a model's newest ``of``."""

    model: str
    what: What
    count: int
    of: int


def unanswered(connection: sa.Connection, models: Collection[str]) -> list[Unanswered]:
    """Of each model that has any, how many of the newest runs failed, and of the newest windows show nothing of the champion.

    A window has evidence where drift, performance or a kind of another package has a verdict on it.
    """
    return [found for model in models for found in _of_model(connection, model) if found.of]


def _of_model(connection: sa.Connection, model: str) -> Iterator[Unanswered]:
    columns = retrain_requests.c
    ended = (columns.model == model, columns.status.not_in(("pending", "launched")))
    statuses = connection.execute(sa.select(columns.status).where(*ended).order_by(columns.updated_at.desc()).limit(NEWEST))
    failed = [status == "failed" for status in statuses.scalars()]
    yield Unanswered(model, "runs without a verdict", sum(failed), len(failed))
    windows = connection.execute(_newest_windows(model)).all()
    yield Unanswered(model, "windows without evidence", sum(not row.known for row in windows), len(windows))
    compared = [row.alone for row in windows if row.alone is not None]
    yield Unanswered(model, "windows without a comparator", sum(compared), len(compared))


def _newest_windows(model: str) -> "sa.Select[tuple[bool, bool | None]]":
    """Of each of the newest decided windows: whether its champion has a verdict, and whether it had no comparator.

    The second is null where the model's policy wants none.
    """
    own, found = decisions.c, evidence.c
    newest = sa.select(own.at, own.champion).where(own.model == model).order_by(own.at.desc()).limit(NEWEST).subquery()
    of_window = sa.and_(found.model == model, found.window_end == newest.c.at, found.version == newest.c.champion)
    verdict = sa.func.bool_or(sa.and_(found.kind.not_in(BESIDES), found.verdict != "insufficient"))
    missing = found.detail["missing"].as_string()
    is_compared = sa.and_(found.kind == REGRET, sa.func.coalesce(missing, "") != "policy")
    alone = sa.func.bool_or(sa.func.coalesce(missing, "") == "comparator").filter(is_compared)
    joined = newest.outerjoin(evidence, of_window)
    return (
        sa.select(sa.func.coalesce(verdict, False).label("known"), alone.label("alone"))
        .select_from(joined)
        .group_by(newest.c.at)
    )
