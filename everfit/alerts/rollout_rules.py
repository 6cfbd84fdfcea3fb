"""What a person is told of promotions: what waits, was taken back or ran out, each with the command that answers it."""

from collections.abc import Collection
from datetime import timedelta

import sqlalchemy as sa

from everfit.alerts.state import Findings
from everfit.store.tables import ledger, rollouts

NEWS_FOR = timedelta(days=1)  # of wall clock: what happened longer ago is not told any more
Causes = dict[tuple[str, str], str]


def look(connection: sa.Connection, models: Collection[str]) -> Findings:
    """An alert for each version that waits for a person; an event a rollback, an expired rollout and an expired verdict.

    Of the declared models alone: no command answers for another.
    """
    events = _rollbacks(connection) | _expired_rollouts(connection) | _expired_verdicts(connection)
    return Findings({"approval"}, _of(models, _waiting(connection)), _of(models, events))


def _of(models: Collection[str], causes: Causes) -> Causes:
    return {key: told for key, told in causes.items() if key[0] in models}


def _waiting(connection: sa.Connection) -> Causes:
    columns = rollouts.c
    query = sa.select(columns.id, columns.model, columns.version, columns.reason).where(columns.state == "waiting")
    return {
        (row.model, f"approval:{row.id}"): f"version {row.version} waits for a person ({row.reason}): `everfit approve "
        f"{row.model}` lets it go on, `everfit reject {row.model}` ends its rollout"
        for row in connection.execute(query)
    }


def _rollbacks(connection: sa.Connection) -> Causes:
    recent = (ledger.c.action == "rolled_back", ledger.c.at > sa.func.now() - NEWS_FOR)
    return {
        (row.model, f"rollback:{row.id}"): f"version {row.from_version} was rolled back to {row.to_version} by {row.actor}: "
        f"{row.reason}; `everfit rollback {row.model} --to {row.from_version}` takes that back"
        for row in connection.execute(sa.select(ledger).where(*recent))
    }


def _expired_rollouts(connection: sa.Connection) -> Causes:
    columns = rollouts.c
    recent = (columns.state == "expired", columns.updated_at > sa.func.now() - NEWS_FOR)
    query = sa.select(columns.id, columns.model, columns.version, columns.reason).where(*recent)
    return {
        (row.model, f"expired:{row.id}"): f"the rollout of version {row.version} ended, the champion stays: {row.reason}; "
        f"`everfit promote {row.model} {row.version}` makes it champion all the same"
        for row in connection.execute(query)
    }


def _expired_verdicts(connection: sa.Connection) -> Causes:
    """Evaluations that stayed inconclusive for as long as the gate declares."""
    recent = (ledger.c.action == "rejected", ledger.c.reason.startswith("expired: "), ledger.c.at > sa.func.now() - NEWS_FOR)
    return {
        (row.model, f"expired:{row.id}"): f"the champion stays, as its candidates were not decided on: {row.reason}; `everfit "
        f"train {row.model}` trains new ones"
        for row in connection.execute(sa.select(ledger).where(*recent))
    }
