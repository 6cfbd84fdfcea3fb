"""What was decided about closed windows, and what a policy may know when it decides."""

from datetime import datetime

import sqlalchemy as sa

from everfit.declaration import Model
from everfit.declaration.retraining import Decision, History, PastRequest
from everfit.store import ledger, requests, verdicts
from everfit.store.judgements import Judgement
from everfit.store.rollouts import challenging
from everfit.store.tables import decisions, evidence, rollouts


def record(
    connection: sa.Connection, model: Model, at: datetime, champion: int, decision: Decision, declaration: str | None = None
) -> None:
    """Write what was decided about the window that ends ``at``, by the declaration of that id."""
    connection.execute(
        sa.insert(decisions).values(
            model=model.name,
            at=at,
            champion=champion,
            action=decision.action,
            cause=decision.cause,
            reason=decision.reason,
            evidence=list(decision.evidence),
            declaration=declaration,
        )
    )


def failed_live(connection: sa.Connection) -> set[str]:
    """The ids of all requests whose version was rejected in its rollout, or rolled back by its guard."""
    columns = rollouts.c
    ended = sa.select(columns.request).where(columns.state.in_(("rejected", "rolled_back")), columns.request.is_not(None))
    return set(connection.execute(ended).scalars())


def history(connection: sa.Connection, model: Model, champion: ledger.Champion, stand_in: int | None = None) -> History:
    """The findings on this champion, and on the version that serves in its place, and the model's requests."""
    columns = evidence.c
    counts: sa.ColumnElement[bool] = columns.version.in_(ledger.same_artifact(connection, model.name, champion.version))
    if stand_in:  # its alarms from before the promotion have been acted on
        promoted_at = ledger.since(connection, model.name)
        counts |= sa.and_(columns.version == stand_in, columns.window_start >= promoted_at)
    query = sa.select(*(columns[name] for name in Judgement.__slots__)).where(columns.model == model.name, counts)
    findings = [Judgement(*row).finding() for row in connection.execute(query.order_by(columns.window_end, columns.id))]
    failed = failed_live(connection)
    past = [PastRequest(r.cause, r.status, r.requested_at, r.id in failed) for r in requests.of_model(connection, model.name)]
    challenger = challenging(connection, model.name)
    return History(
        champion.version,
        champion.trained_until,
        findings,
        past,
        challenger=challenger.version if challenger else None,
        rolled_back_at=ledger.rolled_back_at(connection, model.name),
        paused=ledger.is_paused(connection, model.name),
        inconclusive=verdicts.inconclusive(connection, model.name),
    )
