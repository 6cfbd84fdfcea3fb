"""What a person is told of rollouts: who waits for an answer, what was taken back; each with the command that answers it."""

from datetime import timedelta

import sqlalchemy as sa

from everfit.alerts.state import Findings
from everfit.store.tables import ledger, rollouts

TOLD_FOR = timedelta(days=1)  # of wall clock: so long a rollback counts as news


def look(connection: sa.Connection) -> Findings:
    """An alert of the family ``rollout`` for each version that waits, and for each rollback by the guard of the last day."""
    ongoing: dict[tuple[str, str], str] = {}
    waiting = sa.select(rollouts.c.model, rollouts.c.version, rollouts.c.reason).where(rollouts.c.state == "waiting")
    for model, version, reason in connection.execute(waiting):
        answers = f"`everfit approve {model}` or `everfit reject {model}`"
        ongoing[model, f"rollout:{version}"] = f"version {version} waits for a person: {answers} ({reason})"
    columns = ledger.c
    recent = columns.at > sa.func.now() - TOLD_FOR
    of_the_loop = (columns.action == "rolled_back", columns.actor == "rollout", recent)
    taken = sa.select(columns.model, columns.from_version, columns.to_version, columns.reason).where(*of_the_loop)
    for model, version, back, reason in connection.execute(taken.order_by(columns.id)):
        again = f"`everfit promote {model} {version}` takes it again, `everfit history {model}` says what happened"
        ongoing[model, f"rollout:{version}"] = f"version {version} was rolled back to {back}: {reason}; {again}"
    expired = sa.select(rollouts.c.model, rollouts.c.version, rollouts.c.reason).where(
        rollouts.c.state == "expired", rollouts.c.updated_at > sa.func.now() - TOLD_FOR
    )
    for model, version, reason in connection.execute(expired):
        again = f"`everfit promote {model} {version}` takes it nevertheless"
        ongoing[model, f"rollout:{version}"] = f"the rollout of version {version} expired: {reason}; {again}"
    return Findings({"rollout"}, ongoing, {})
