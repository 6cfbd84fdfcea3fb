"""What a replay waits for beside windows: days of a rollout that are due, and who serves by it."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
import sqlalchemy as sa

from everfit.declaration.rollouts import stages_of
from everfit.errors import ServiceError
from everfit.replay.lockstep import await_comparators, await_looks, await_roles, looks_due
from everfit.replay.serving_client import Roles, ServingClient
from everfit.store import comparators, failures, ledger, rollouts
from everfit.store.failures import Part
from everfit.store.ledger import Action, Entry
from everfit.store.rollouts import Rollout
from everfit.timing import wall_clock
from everfit.waiting import Patience, Watching
from tests.events import MODEL

AT = datetime(2025, 1, 1, 6, tzinfo=UTC)
MIDNIGHT, DAY = datetime(2025, 1, 2, tzinfo=UTC), timedelta(days=1)


@dataclass
class Serving:
    """Serving that answers by ``then`` once it has read who serves."""

    roles_now: Roles
    then: Roles
    refreshed: list[str] = field(default_factory=list)

    def roles(self, _model: str) -> Roles:
        return self.roles_now

    def refresh(self, model: str) -> None:
        self.refreshed.append(model)
        self.roles_now = self.then


def provisional(engine: sa.Engine) -> Rollout:
    """A champion that is provisional since :data:`AT`, beside its predecessor."""
    model = f"price_{uuid.uuid4().hex}"
    rollout = Rollout(uuid.uuid4().hex, model, 2, 1, stages_of([]), 0, AT, state="provisional")
    with engine.begin() as connection:
        append(connection, model, "promoted", 2)
        rollouts.add(connection, rollout)
    return rollout


def append(connection: sa.Connection, model: str, action: Action, version: int | None) -> None:
    detail = {"manifest": "abc", "trained_until": AT.isoformat()}
    ledger.append(connection, Entry(model, action, 1, version, "test", "drift", "better", None, AT, detail))


def test_whole_days_of_an_open_rollout_are_waited_for(engine: sa.Engine) -> None:
    guarded = provisional(engine)
    days = [MIDNIGHT, MIDNIGHT + DAY, MIDNIGHT + 2 * DAY]
    assert [looks_due(engine, guarded.model, day) for day in days] == [False, True, True], "the first day was not whole"
    with engine.begin() as connection:
        rollouts.update(connection, guarded, "provisional", looked_until=MIDNIGHT + DAY)
    assert [looks_due(engine, guarded.model, day) for day in days] == [False, False, True]
    with pytest.raises(ServiceError, match=r"the rollout of price_.* to be looked at up to 2025-01-04T00:00:00Z"):
        await_looks(engine, guarded.model, days[2], Watching(Patience(declared_seconds=0.1)))
    with engine.begin() as connection:
        rollouts.update(connection, guarded, "confirmed")
    assert not looks_due(engine, guarded.model, days[2])


def test_a_comparator_is_waited_for_while_somebody_fits_it(engine: sa.Engine) -> None:
    model = MODEL.model_copy(update={"retraining": SimpleNamespace(comparator="recipe")})
    await_comparators(engine, model.name)
    with engine.begin() as connection:
        assert comparators.ask(connection, model, 1, MIDNIGHT)
    with pytest.raises(ServiceError, match=r"the comparator of .* to be fitted; does `everfit comparators` run\?"):
        await_comparators(engine, model.name, Watching(Patience(declared_seconds=0.1)))
    with comparators.taken(engine, [model.name]) as asked, ThreadPoolExecutor(1) as aside:
        assert asked is not None
        waits = aside.submit(await_comparators, engine, model.name, Watching(Patience(declared_seconds=0.3)))
        time.sleep(0.6)
        assert not waits.done(), "it is being fitted"
        with engine.begin() as connection:
            assert comparators.end_fitted(connection, asked.id, "of", 1.0)
        waits.result(5)


def test_a_paused_model_and_a_look_that_failed_hold_no_clock(engine: sa.Engine) -> None:
    guarded, failing = provisional(engine), provisional(engine)
    with engine.begin() as connection:
        append(connection, guarded.model, "paused", None)
        part = Part(failing.model, "rollout")
        failures.save(connection, failures.first(part, "no such metric", wall_clock(), DAY))
    assert not looks_due(engine, guarded.model, MIDNIGHT + DAY)
    assert not looks_due(engine, failing.model, MIDNIGHT + DAY)
    with engine.begin() as connection:
        append(connection, guarded.model, "resumed", None)
        failures.clear(connection, [part])
    assert looks_due(engine, guarded.model, MIDNIGHT + DAY)
    assert looks_due(engine, failing.model, MIDNIGHT + DAY)


@pytest.mark.parametrize(
    ("now", "refreshes"),
    [
        (Roles(champion=2, shadows=[1]), 0),
        (Roles(champion=2, shadows=[1, 7]), 0),  # a person's shadow
        (Roles(champion=2), 1),  # the predecessor does not answer along yet
        (Roles(champion=1), 1),
        (Roles(champion=2, challenger=3, share=0.5, shadows=[1]), 1),
    ],
)
def test_serving_reads_who_serves_where_it_answers_otherwise(engine: sa.Engine, now: Roles, refreshes: int) -> None:
    model = provisional(engine).model
    serving: Any = Serving(now, Roles(champion=2))  # which cannot load the shadow
    await_roles(engine, cast(ServingClient, serving), model)
    assert serving.refreshed == [model] * refreshes


def test_a_champion_that_serving_cannot_load_is_told(engine: sa.Engine) -> None:
    model = provisional(engine).model
    serving: Any = Serving(Roles(champion=1), Roles(champion=1))
    with pytest.raises(ServiceError, match=f"serving to answer with version 2 of {model}, the champion by the ledger"):
        await_roles(engine, cast(ServingClient, serving), model, Watching(Patience(declared_seconds=0.1)))
