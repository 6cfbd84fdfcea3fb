"""What a person is told of promotions, each once, with the command that answers it."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from everfit import Approval
from everfit.alerts.channels import Channels
from everfit.alerts.notification import notify
from everfit.alerts.rollout_rules import look
from everfit.declaration.rollouts import stages_of
from everfit.store import ledger, rollouts
from everfit.store.ledger import Action, Entry
from everfit.store.rollouts import Rollout

AT = datetime(1996, 9, 11, tzinfo=UTC)


def write(engine: sa.Engine, action: Action, before: int, after: int | None, reason: str, **detail: Any) -> None:
    with engine.begin() as connection:
        ledger.append(connection, Entry("price", action, before, after, "rollout", "drift", reason, None, AT, detail))


def told(engine: sa.Engine) -> list[str]:
    """What one pass sends."""
    with engine.connect() as connection:
        found = look(connection, {"price"})
    return [f"{one.state} {one.alert.family}: {one.alert.message}" for one in notify(engine, found, Channels(""))]


def test_a_version_that_waits_is_told_until_it_is_answered(engine: sa.Engine) -> None:
    waiting = Rollout("r1", "price", 3, 2, stages_of([Approval(within="7d")]), 0, AT, state="waiting", reason="it passed")
    with engine.begin() as connection:
        rollouts.add(connection, waiting)
    answers = "`everfit approve price` lets it go on, `everfit reject price` ends its rollout"
    said = f"version 3 waits for a person (it passed): {answers}"
    assert told(engine) == [f"raised approval: {said}"]
    assert told(engine) == []
    with engine.begin() as connection:
        rollouts.update(connection, waiting, "expired", reason="nobody approved it within 7d")
    over, expired = sorted(told(engine), reverse=True)
    assert over == f"resolved approval: {said}"
    assert expired == (
        "raised expired: the rollout of version 3 ended, the champion stays: nobody approved it within 7d; "
        "`everfit promote price 3` makes it champion all the same"
    )
    assert told(engine) == []


def test_a_rollback_and_a_verdict_that_ran_out_are_told_once(engine: sa.Engine) -> None:
    write(engine, "rolled_back", 3, 2, "worse live")
    write(engine, "rejected", 2, None, "expired: not decided in 28d; 0.01 better")
    write(engine, "rejected", 2, None, "worse")
    assert sorted(told(engine)) == [
        "raised expired: the champion stays, as its candidates were not decided on: expired: not decided in 28d; 0.01 better; "
        "`everfit train price` trains new ones",
        "raised rollback: version 3 was rolled back to 2 by rollout: worse live; "
        "`everfit rollback price --to 3` takes that back",
    ]
    assert told(engine) == []
