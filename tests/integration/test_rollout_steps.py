"""The machine of rollouts on the store: logged answers and outcomes of two versions in, the ledger's rows out."""

import itertools
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import numpy as np
import pytest
import sqlalchemy as sa

from everfit import ABTest, Approval, Canary, Model, Shadow
from everfit.declaration.rollouts import Role, Step
from everfit.pipeline import rollout_changes
from everfit.pipeline.open_rollouts import open_rollouts
from everfit.serving.assignment import is_challenged
from everfit.store import failures, ledger, month_partitions, rollouts, verdicts
from everfit.store.ledger import Action, Entry
from everfit.store.rollback_views import rollback_views
from everfit.store.served_roles import Served, served
from everfit.store.tables import clocks, outcomes, predictions, schema_views
from everfit.store.tables import ledger as ledger_table
from everfit.timing import wall_clock
from models.electricity_price import electricity_price
from monitors.rollout_steps import Deployed, step_rollouts
from orchestration.rollout_events import changed_rollouts

START = datetime(2025, 3, 3, tzinfo=UTC)
DAY = timedelta(days=1)
ROWS = 60  # a day


class Log:
    """A model's log: what versions answered, and what came true."""

    def __init__(self, engine: sa.Engine, steps: Sequence[Step]) -> None:
        self.engine = engine
        name = f"price_{uuid.uuid4().hex}"
        self.model: Model = electricity_price.model_copy(update={"name": name, "rollout": list(steps)})
        self.draw = np.random.default_rng(3)
        self.roles: list[Role | Literal["none"]] = []
        self.known: dict[str, rollouts.Rollout] = {}
        month_partitions.make(engine, ["2025-03", "2025-05"])
        self.entry("promoted", None, 1)

    def entry(self, action: Action, before: int | None, version: int, at: datetime = START - timedelta(hours=1)) -> Entry:
        detail = {"manifest": "abc", "trained_until": START.isoformat()}
        entry = Entry(self.model.name, action, before, version, "test", "drift", "passed", None, at, detail)
        if action == "promoted":
            with self.engine.begin() as connection:
                ledger.append(connection, entry)
        return entry

    def begin(self, margin: float = 0.02) -> None:
        """Version 2 begins its rollout, or becomes champion at once."""
        with self.engine.begin() as connection:
            if self.model.rollout:
                rollout_changes.begin(connection, self.model, self.entry("registered", 1, 2), margin)
            else:
                rollout_changes.guard(connection, self.model, self.entry("promoted", 1, 2), margin)

    def day(self, number: int, losses: dict[tuple[int, str], float], *, rows: int = ROWS, known: float = 1.0) -> None:
        """A day of ``rows`` requests, answered by each version in its role, ``losses`` away from the truth."""
        share = self.served().share if (2, "challenger") in losses else None
        answered, known_rows = [], []
        for row in range(rows):
            at, truth = START + number * DAY + row * timedelta(minutes=20), int(self.draw.integers(2))
            told = {"model": self.model.name, "request_id": f"{number}-{row}"}
            if row < known * rows:
                known_rows.append(told | {"outcome": truth, "observed_at": at + timedelta(minutes=30)})
            for (version, role), loss in losses.items():
                challenged = share is not None and is_challenged(self.model.name, 2, share, f"region {row}")
                if share is not None and not challenged and role == "challenger":
                    continue
                told_role = "shadow" if challenged and role == "champion" else role
                score = abs(truth - min(max(loss + 0.05 * self.draw.standard_normal(), 0.01), 0.99))
                answer = told | {
                    "event_time": at,
                    "version": version,
                    "role": told_role,
                    "entity": f"region {row}",
                    "score": score,
                }
                answer |= {"entity": f"region {row}", "features": {}}
                answered.append(answer | {"degraded": False, "schema": self.model.schema_id, "late": False})
        with self.engine.begin() as connection:
            connection.execute(sa.insert(outcomes), known_rows)
            connection.execute(sa.insert(predictions), answered)
            newest = {"model": self.model.name, "partition": 0, "newest": START + (number + 1) * DAY + timedelta(hours=2)}
            connection.execute(sa.delete(clocks).where(clocks.c.model == self.model.name))
            connection.execute(sa.insert(clocks).values(**newest, seen_at=wall_clock()))

    def step(self) -> list[Deployed]:
        """Whom a pass makes champion; the other new roles are in ``roles``."""
        given = [*step_rollouts(self.engine, {self.model.name: self.model}, time.monotonic() + 60)]
        self.roles += [each.role for each in given]
        return [each for each in given if each.role == "champion"]

    def served(self) -> Served:
        with self.engine.connect() as connection:
            return served(connection, self.model.name)

    def newest(self) -> rollouts.Rollout:
        with self.engine.connect() as connection:
            return rollouts.of_model(connection, self.model.name)[-1]

    def shown(self) -> str:
        """What `everfit status` says."""
        with self.engine.connect() as connection:
            (rollout,) = [each for each in open_rollouts(connection) if each.model == self.model.name]
        return str(rollout)

    def observed(self) -> list[tuple[object, ...]]:
        """What is new on the champion's page in Dagster: version, step, and what it shows."""
        with self.engine.connect() as connection:
            new = [*changed_rollouts(connection, [self.model.name], self.known)]
        shown = [{name: value.value for name, value in each.metadata.items()} for each in new]
        return [(one["rollout of version"], one["step"], one.get("live outcomes", one.get("reason"))) for one in shown]

    def told(self) -> list[Any]:
        query = sa.select(ledger_table.c.action).where(ledger_table.c.model == self.model.name).order_by(ledger_table.c.id)
        with self.engine.connect() as connection:
            return [*connection.execute(query).scalars()]


def test_a_champion_that_is_worse_live_is_rolled_back(engine: sa.Engine) -> None:
    log = Log(engine, [])
    log.begin()
    assert log.served() == Served(2, shadows=(1,))
    assert log.served().standby == (1,)
    for number in itertools.count():
        log.day(number, {(2, "champion"): 0.6, (1, "shadow"): 0.3})
        crowned = log.step()
        if crowned:
            break
        assert number < 10, log.newest().reason
    assert [(each.version, each.model.name) for each in crowned] == [(1, log.model.name)]
    assert "worse live than version 1, which is champion again: log loss +0." in crowned[0].reason
    assert log.served() == Served(1)
    assert log.served().standby == (2,)
    assert log.told() == ["promoted", "promoted", "rolled_back"]
    assert (log.newest().state, len(log.newest().days)) == ("rolled_back", number + 1)
    assert log.step() == []


def test_a_champion_that_is_no_worse_live_is_confirmed(engine: sa.Engine) -> None:
    log = Log(engine, [])
    log.begin(margin=0.5)
    for number in range(12):
        log.day(number, {(2, "champion"): 0.3, (1, "shadow"): 0.3})
        assert log.step() == []
    assert log.newest().state == "confirmed"
    assert "no worse live: log loss" in log.newest().reason
    assert log.served() == Served(2)


def test_a_champion_that_leaves_requests_unanswered_is_rolled_back(engine: sa.Engine) -> None:
    log = Log(engine, [])
    log.begin()
    log.day(0, {(2, "champion"): 0.3, (1, "shadow"): 0.3})
    assert log.step() == []
    log.day(1, {(1, "shadow"): 0.3})
    assert [each.version for each in log.step()] == [1]
    assert "60 of its 60 requests of 2025-03-04 were left unanswered; at most 5% may be" in log.newest().reason


def test_a_guard_without_a_verdict_keeps_the_champion_and_says_so(engine: sa.Engine) -> None:
    log = Log(engine, [])
    log.begin()
    for number in range(3):
        log.day(number, {(2, "champion"): 0.3, (1, "shadow"): 0.3}, known=0.5)
        log.step()
    assert log.newest().state == "provisional"
    assert "version 2 beside version 1, provisional champion, since 2025-03-02 23:30" in log.shown()
    assert "on 3 days of live outcomes, too few for an interval" in log.shown()
    assert [day.missing for day in log.newest().days] == [0.5, 0.5, 0.5]
    log.day(86, {(2, "champion"): 0.3, (1, "shadow"): 0.3})
    log.step()
    assert log.newest().state == "confirmed"
    assert log.newest().reason.startswith("kept, as nothing was shown in time: log loss")


def test_a_version_goes_through_shadow_and_canary_to_the_guard(engine: sa.Engine) -> None:
    log = Log(engine, [Shadow(outcomes=100), Canary(steps=[50], each="2d")])
    log.begin()
    assert log.served() == Served(1, shadows=(2,))
    number = 0
    while log.newest().stage.kind == "shadow":
        log.day(number, {(1, "champion"): 0.3, (2, "shadow"): 0.3})
        log.step()
        number += 1
    assert number == 2, "100 outcomes are there after two days"
    assert log.served() == Served(1, 2, 0.5)
    assert "canary of 50%, since 2025-03-05 02:00, until 2025-03-07 02:00 by the model's clock; log loss" in log.shown()
    crowned: list[Deployed] = []
    while not crowned:
        log.day(number, {(1, "champion"): 0.3, (2, "challenger"): 0.3})
        crowned = log.step()
        number += 1
        assert number < 8
    assert crowned[0].version == 2
    assert log.roles == ["challenger", "champion"], "what is announced"
    assert log.served() == Served(2, shadows=(1,))
    assert log.told() == ["promoted", "registered", "advanced", "promoted"]


@pytest.mark.parametrize(
    ("steps", "losses", "state", "why"),
    [
        ([Shadow(for_="28d")], {(1, "champion"): 0.3, (2, "shadow"): 0.6}, "rejected", "worse live: log loss +"),
        ([ABTest(share=0.5)], {(1, "champion"): 0.3, (2, "challenger"): 0.6}, "rejected", "worse live: log loss +"),
        (
            [Shadow(for_="28d")],
            {(1, "champion"): 0.3},
            "rejected",
            "60 of its 60 requests of 2025-03-03 were left unanswered; at most 5% may be",
        ),
        (
            [Canary(steps=[100], each="7d")],
            {(1, "champion"): 0.3},
            "rejected",
            "60 of its 60 requests of 2025-03-03 were left unanswered; at most 5% may be",
        ),
        (
            [Approval(within="3d")],
            {(1, "champion"): 0.3, (2, "shadow"): 0.3},
            "expired",
            "nobody approved or rejected it within",
        ),
    ],
)
def test_a_version_that_does_not_make_it_leaves_the_champion(
    engine: sa.Engine, steps: list[Step], losses: dict[tuple[int, str], float], state: str, why: str
) -> None:
    log = Log(engine, steps)
    log.begin()
    step = steps[0].stages()[0].kind.replace("_", " ")
    ((version, shown, _),) = log.observed()
    assert (version, str(shown).startswith(step)) == ("2", True)
    assert log.observed() == [], "nothing has changed"
    for number in range(10):
        log.day(number, losses)
        assert log.step() == []
        if log.newest().state not in rollouts.OPEN:
            break
    assert log.newest().state == state
    assert why in log.newest().reason
    assert log.served() == Served(1)
    assert log.told() == ["promoted", "registered", "rejected"]
    assert log.roles == ["none"], "what is announced"
    assert log.observed() == [("2", state, log.newest().reason)]
    assert log.observed() == []


@pytest.mark.parametrize(
    ("each", "rows", "days", "why"),
    [
        ("28d", 20, 3, "60 of its 60 requests since 2025-03-03 were left unanswered; at most 5% may be"),
        ("2d", 20, 2, "it answered none of its 40 requests: "),  # too few for a share when the stage is over
    ],
)
def test_a_canary_of_few_requests_that_answers_none_does_not_go_on(
    engine: sa.Engine, each: str, rows: int, days: int, why: str
) -> None:
    log = Log(engine, [Canary(steps=[100], each=each)])
    log.begin()
    for number in range(days):
        assert log.newest().state == "running"
        log.day(number, {(1, "champion"): 0.3}, rows=rows)
        assert log.step() == []
    assert log.newest().state == "rejected"
    assert why in log.newest().reason


def test_a_rollout_ends_where_another_version_became_champion(engine: sa.Engine) -> None:
    log = Log(engine, [Shadow(for_="7d")])
    log.begin()
    log.entry("promoted", 1, 9)
    log.day(0, {(9, "champion"): 0.3, (2, "shadow"): 0.3})
    log.step()
    assert (log.newest().state, log.newest().reason) == ("superseded", "version 9 became champion")


def test_nothing_moves_while_a_person_has_paused_the_model(engine: sa.Engine) -> None:
    log = Log(engine, [Shadow(outcomes=10)])
    log.begin()
    log.day(0, {(1, "champion"): 0.3, (2, "shadow"): 0.3})
    with engine.begin() as connection:
        ledger.append(connection, replace(log.entry("registered", 1, 1), action="paused", to_version=None))
    assert log.step() == []
    assert log.newest().days == []
    with engine.begin() as connection:
        ledger.append(connection, replace(log.entry("registered", 1, 1), action="resumed", to_version=None))
    assert [each.version for each in log.step()] == [2]


class KilledError(BaseException):
    """What no part of the machine catches."""


@contextmanager
def killed(engine: sa.Engine, after: int) -> Iterator[None]:
    """The process dies at the statement or commit after so many."""
    left = itertools.count(after, -1)

    def die(*_: object) -> None:
        if next(left) == 0:
            raise KilledError

    for moment in ("before_cursor_execute", "commit"):
        sa.event.listen(engine, moment, die)
    try:
        yield
    finally:
        for moment in ("before_cursor_execute", "commit"):
            sa.event.remove(engine, moment, die)


def test_killed_at_any_moment_of_a_step_the_next_pass_finishes_the_same_step(engine: sa.Engine) -> None:
    log = Log(engine, [Shadow(outcomes=10)])
    log.begin()
    log.day(0, {(1, "champion"): 0.3, (2, "shadow"): 0.3})
    for kills in itertools.count():
        try:
            with killed(engine, kills):
                crowned = log.step()
            break
        except KilledError:
            if (found := log.newest()).state == "provisional":  # it died after the commit
                crowned = [Deployed(log.model, 2, "")]
                break
            assert (found.days, log.told(), log.served()) == ([], ["promoted", "registered"], Served(1, shadows=(2,)))
    assert kills > 10, "it was killed at each of its statements"
    assert [each.version for each in crowned] == [2]
    assert (len(log.newest().days), log.told(), log.served()) == (
        1,
        ["promoted", "registered", "promoted"],
        Served(2, shadows=(1,)),
    )


def test_the_guard_brings_back_no_version_that_would_answer_by_old_values(engine: sa.Engine) -> None:
    log = Log(engine, [])
    with engine.begin() as connection:
        use = {"model": log.model.name, "schema": "former", "view": f"view_{log.model.name}", "version": "1"}
        connection.execute(sa.insert(schema_views).values(use))
        detail = {"manifest": "abc", "trained_until": START.isoformat(), "schema": "former"}
        ledger.append(connection, replace(log.entry("registered", 1, 3), action="promoted", detail=detail))
        again = replace(log.entry("registered", 3, 2), action="promoted")
        ledger.append(connection, again)
        rollout_changes.guard(connection, log.model, again)
        assert (use["view"], "1") in rollback_views(connection)
    for number in range(8):
        log.day(number, {(2, "champion"): 0.6, (3, "shadow"): 0.3})
        assert log.step() == []
    assert log.served() == Served(2, shadows=(3,))
    with engine.connect() as connection:
        (aside,) = [each for each in failures.listed(connection) if each.part.model == log.model.name]
    assert f"version 3 of {log.model.name} reads {use['view']} as declared earlier" in aside.error


def test_the_day_in_which_a_step_begins_is_not_looked_at(engine: sa.Engine) -> None:
    log = Log(engine, [Shadow(for_="1d")])
    late = log.entry("registered", 1, 2, at=START)
    with engine.begin() as connection:
        rollout_changes.begin(connection, log.model, late, 0.02)
    log.day(0, {(1, "champion"): 0.3})
    assert log.step() == []
    assert (log.newest().state, log.newest().days) == ("running", []), "it answered none of them, and did not have to"


def test_what_a_gate_has_spent_counts_once(engine: sa.Engine) -> None:
    log = Log(engine, [Shadow(outcomes=10)])
    entry = log.entry("registered", 1, 2)
    with engine.begin() as connection:
        rollout_changes.begin(connection, log.model, replace(entry, detail=entry.detail | {"spent": 0.25}), 0.02)
    log.day(0, {(1, "champion"): 0.3, (2, "shadow"): 0.3})
    assert [each.version for each in log.step()] == [2]
    with engine.connect() as connection:
        assert verdicts.spent(connection, log.model.name, START - 30 * DAY) == 0.25


def test_a_day_that_cannot_be_measured_holds_nothing_for_ever(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log(engine, [Shadow(for_="2d")])
    impatient = log.model.limits.model_copy(update={"retry_after": timedelta(), "attempts": 2})
    log.model = log.model.model_copy(update={"limits": impatient})
    log.begin()
    log.day(0, {(1, "champion"): 0.3, (2, "shadow"): 0.3})
    with monkeypatch.context() as failing:
        failing.setattr("monitors.live_comparison._paired", lambda *_: sys.exit(3))
        assert log.step() == []
        assert log.newest().days == []
        log.step()
    assert [day.difference for day in log.newest().days] == [None]


def test_an_approval_runs_out_by_the_clock_whatever_the_labels_wait_for(engine: sa.Engine) -> None:
    log = Log(engine, [Approval(within="2d")])
    log.model = log.model.model_copy(update={"training": log.model.training.model_copy(update={"label_delay": 30 * DAY})})
    log.begin()
    log.day(2, {(1, "champion"): 0.3, (2, "shadow"): 0.3})
    assert log.step() == []
    assert (log.newest().state, log.newest().reason[:43]) == ("expired", "nobody approved or rejected it within 2d: p")


def test_a_promotion_under_way_is_not_waited_for(engine: sa.Engine) -> None:
    log = Log(engine, [Shadow(outcomes=10)])
    log.begin()
    log.day(0, {(1, "champion"): 0.3, (2, "shadow"): 0.3})
    with engine.begin() as promoting:
        ledger.lock(promoting, log.model.name)
        assert log.step() == []
    assert [each.version for each in log.step()] == [2]
