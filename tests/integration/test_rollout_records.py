"""The records of rollouts, and who serves by them."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from everfit import Canary, Shadow
from everfit.declaration.rollouts import stages_of
from everfit.store import decisions, ledger, requests, rollouts
from everfit.store.ledger import Action, Entry
from everfit.store.rollouts import Rollout, rollout_id
from everfit.store.served_roles import Served, served
from models.electricity_price import electricity_price

AT = datetime(2025, 1, 1, tzinfo=UTC)
STAGES = stages_of([Shadow(for_="7d"), Canary(steps=[5, 50], each="2d", unit="region")])


def crown(connection: sa.Connection, model: str, action: Action, before: int | None, version: int) -> None:
    detail = {"manifest": "abc", "trained_until": AT.isoformat()}
    ledger.append(connection, Entry(model, action, before, version, "test", "drift", "better", None, AT, detail))


def test_who_serves_follows_the_rollout(engine: sa.Engine) -> None:
    model = f"price_{uuid.uuid4().hex}"
    with engine.connect() as connection:
        assert served(connection, model) == Served()
        crown(connection, model, "promoted", None, 1)
        assert served(connection, model) == Served(champion=1)
        rollout = Rollout(rollout_id(model, 2, AT), model, 2, 1, STAGES, 0, AT)
        rollouts.add(connection, rollout)
        assert rollouts.challenging(connection, model) == rollout
        assert served(connection, model) == Served(champion=1, shadows=(2,))
        rollouts.update(connection, rollout, "running", step=1, since=AT)
        assert served(connection, model) == Served(1, 2, 0.05, "region")
        rollouts.update(connection, rollout, "running", step=2)
        assert served(connection, model) == Served(1, 2, 0.5, "region")
        crown(connection, model, "promoted", 1, 2)
        rollouts.update(connection, rollout, "provisional", step=3, looked_until=AT, reason="two days of outcomes")
        assert served(connection, model) == Served(champion=2, shadows=(1,))
        guarded = rollouts.provisional(connection, model)
        assert guarded is not None
        assert (guarded.stage.kind, guarded.looked_until, guarded.reason) == ("guard", AT, "two days of outcomes")
        crown(connection, model, "rolled_back", 2, 1)
        rollouts.update(connection, rollout, "rolled_back")
        assert served(connection, model) == Served(champion=1)
        assert ledger.rolled_back_at(connection, model) == AT
        assert [each.state for each in rollouts.of_model(connection, model)] == ["rolled_back"]


def test_a_policy_is_told_of_rollouts_and_rollbacks(engine: sa.Engine) -> None:
    model = electricity_price.model_copy(update={"name": f"price_{uuid.uuid4().hex}"})
    champion = ledger.Champion(1, "abc", AT)
    with engine.connect() as connection:
        asked = requests.new(model, "drift", "why", champion=1, cutoff=AT)
        requests.add(connection, asked)
        before = decisions.history(connection, model, champion)
        assert (before.challenger, before.rolled_back_at, before.requests[0].taken_back) == (None, None, False)
        rollout = Rollout(rollout_id(model.name, 2, AT), model.name, 2, 1, STAGES, 0, AT, request=asked.id)
        rollouts.add(connection, rollout)
        assert decisions.history(connection, model, champion).challenger == 2
        rollouts.update(connection, rollout, "provisional")
        crown(connection, model.name, "promoted", 1, 2)
        assert decisions.history(connection, model, champion).challenger is None, "a provisional champion holds nothing back"
        rollouts.update(connection, rollout, "rolled_back")
        crown(connection, model.name, "rolled_back", 2, 1)
        after = decisions.history(connection, model, champion)
        assert (after.challenger, after.rolled_back_at, after.requests[0].taken_back) == (None, AT, True)


@pytest.mark.parametrize("state", ["running", "provisional"])
def test_a_model_has_one_challenger_and_one_provisional_champion(engine: sa.Engine, state: rollouts.State) -> None:
    model = f"price_{uuid.uuid4().hex}"
    first = Rollout(rollout_id(model, 2, AT), model, 2, 1, STAGES, 0, AT, state=state)
    with engine.connect() as connection:
        rollouts.add(connection, first)
        with pytest.raises(sa.exc.IntegrityError, match="rollouts_"):
            rollouts.add(connection, replace(first, id="another", version=3))
