"""Comparators on real rows: asked for with the decision, once; fitted on what was known; scored; a failure stands alone."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from everfit import GradientBoosting, Model, Recipe
from everfit.alerts import comparator_rules
from everfit.declaration.reserved_columns import EVENT_TIME, LABEL, SCORE
from everfit.declaration.retraining import Decision, Finding, History
from everfit.pipeline.comparator_fit import fit_comparator
from everfit.pipeline.fresh_answers import FreshAnswers
from everfit.pipeline.training_set import training_rows
from everfit.store import comparators, frames, requests
from everfit.store.comparators import Comparator
from everfit.store.tables import comparators as table
from everfit.timing import format_time
from monitors import comparator_worker
from monitors.comparator_worker import ATTEMPTS, fit_next, work
from tests.examples import electricity
from tests.loop import Loop

WEEK = timedelta(days=7)
CLOSING = timedelta(hours=1)  # what comes after a window lets it close
LIVE = electricity().model.go_live


@dataclass(frozen=True)
class Comparing:
    """Never retrains, and wants comparators."""

    comparator: str | Recipe = "recipe"
    every: int = 1

    def decide(self, model: Model, at: datetime, current: Sequence[Finding], history: History) -> Decision:
        return Decision("none", None, "compares alone")


def declared(policy: Comparing) -> Model:
    return electricity().model.model_copy(update={"retraining": policy, "candidates": [GradientBoosting(trees=5)]})


MODEL = declared(Comparing())


@pytest.fixture
def loop(engine: sa.Engine, tmp_path: Path) -> Loop:
    return Loop(engine, tmp_path, MODEL, electricity().recorded)


def played(loop: Loop, weeks: int) -> None:
    loop.bootstrap()
    loop.play(LIVE, LIVE + weeks * WEEK + CLOSING)
    for number in range(weeks):
        loop.judge(LIVE + number * WEEK)


def stored(loop: Loop) -> list[Comparator]:
    columns = [table.c[name] for name in Comparator.__slots__]
    with loop.runtime.engine.connect() as connection:
        return [Comparator(*row) for row in connection.execute(sa.select(*columns).order_by(table.c.start))]


def answers(loop: Loop, start: datetime) -> FreshAnswers:
    with loop.runtime.engine.connect() as connection:
        found = comparators.standing(connection, loop.model, start)
    assert found is not None
    return FreshAnswers(loop.runtime.lake, found)


def test_it_is_asked_for_with_the_decision_and_fitted_on_what_was_known_when_its_window_began(
    loop: Loop, engine: sa.Engine
) -> None:
    played(loop, 1)
    (asked,) = stored(loop)
    assert (asked.start, asked.recipe, asked.champion, asked.state) == (LIVE + WEEK, "recipe", 1, "asked")
    assert answers(loop, asked.start).reason == "the comparator of 1996-09-11T00:00:00Z is not fitted yet"
    assert fit_next(loop.runtime)
    assert not fit_next(loop.runtime), "nothing waits"
    (fitted,) = stored(loop)
    known = training_rows(loop.model, as_of=LIVE + WEEK, runtime=loop.runtime)

    loop.play(LIVE + WEEK + CLOSING, LIVE + 2 * WEEK + CLOSING)
    span = (LIVE + WEEK, LIVE + 2 * WEEK)
    with engine.connect() as connection:
        rows = frames.logged(connection, loop.model, span, known_at=span[1] + WEEK, version=1, features=loop.model.features)
    fresh = answers(loop, LIVE + WEEK)
    assert fresh.reason == ""
    assert fresh.cutoff == LIVE + WEEK
    assert fresh.fit_seconds == fitted.fit_seconds
    assert fresh.answers(rows).shape == (7 * 48,)
    assert answers(loop, LIVE + 20 * WEEK).found == fitted, "the newest one stands for later windows"

    assert fresh.kept.rows == known.height

    (scored,) = [each for each in loop.judge(LIVE + WEEK).judgements if each.kind == "regret"]
    ripe = rows.filter(pl.col(EVENT_TIME) <= span[1] + MODEL.log.lateness - MODEL.training.label_delay)
    lost = MODEL.metric.loss(ripe[LABEL].to_numpy(), fresh.answers(ripe))
    assert (scored.verdict, scored.detail["comparator"]) == ("ok", pytest.approx(lost)), scored.reason
    assert scored.statistic == pytest.approx(MODEL.metric.loss(ripe[LABEL].to_numpy(), ripe[SCORE].to_numpy()) - lost)
    assert scored.detail["fit_seconds"] == fitted.fit_seconds

    loop.play(LIVE + 2 * WEEK + CLOSING, LIVE + 3 * WEEK + CLOSING)
    with engine.begin() as connection:
        connection.execute(sa.update(table).values(state="asked"))
    while fit_next(loop.runtime):
        pass
    assert answers(loop, LIVE + WEEK).kept.artifact == fresh.kept.artifact, "what came since changes nothing"

    fitted_anew = answers(loop, LIVE + 2 * WEEK).kept
    request = requests.new(MODEL, "drift", "", champion=1, cutoff=LIVE + 2 * WEEK)
    with engine.begin() as connection:
        connection.execute(sa.update(table).where(table.c.start == LIVE + 2 * WEEK).values(state="asked"))
        requests.add(connection, request)
    assert not fit_next(loop.runtime), "the training under way fits the same"
    loop.retrain(request)
    assert fit_next(loop.runtime)
    reused = answers(loop, LIVE + 2 * WEEK)
    assert (reused.kept.artifact, reused.kept.rows, reused.fit_seconds) == (fitted_anew.artifact, fitted_anew.rows, 0.0)


@pytest.mark.parametrize(
    ("policy", "weeks"),
    [(Comparing(), [1, 2, 3, 4]), (Comparing(every=3), [3]), (None, [])],
    ids=["every window", "every third", "a policy that wants none"],
)
def test_one_is_asked_for_as_often_as_the_policy_says_and_once(
    engine: sa.Engine, policy: Comparing | None, weeks: list[int]
) -> None:
    model = MODEL.model_copy(update={"retraining": policy})
    asked = []
    for week in range(1, 5):
        with engine.begin() as connection:
            asked += [week] if comparators.ask(connection, model, 1, LIVE + week * WEEK) else []
            assert not comparators.ask(connection, model, 2, LIVE + week * WEEK), "whoever is champion now"
    assert asked == weeks
    with engine.connect() as connection:
        waiting = [(each.start - LIVE) // WEEK for each in comparators.open_of(connection, model.name)]
        told = comparator_rules.look(connection, {model.name: model}, 0.0).ongoing
        assert bool(told) == (len(weeks) == 4), "one of one"
        assert waiting == weeks[-3:], "what nobody fitted in time is given up"


class Failing(Recipe):
    """Learns nothing."""

    name: str = "failing"

    def fit(self, rows: pl.DataFrame, context: Any) -> Any:
        raise ValueError(f"cannot learn from {rows.height} rows")


def test_two_workers_fit_each_once_and_what_is_killed_or_fails_stops_no_other(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    played(loop, 2)
    first, second = stored(loop)
    begun: list[datetime] = []
    together, fit = threading.Barrier(2), fit_comparator

    def slow(runtime: Any, model: Model, asked: Comparator) -> Any:
        begun.append(asked.start)
        together.wait(30)
        with runtime.engine.connect() as connection:
            assert comparators.any_fitted_now(connection)
        return fit(runtime, model, asked)

    def killed(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(comparator_worker, "fit_comparator", killed)
    with pytest.raises(KeyboardInterrupt):
        fit_next(loop.runtime)
    assert [each.state for each in stored(loop)] == ["asked", "asked"]
    with loop.runtime.engine.connect() as connection:
        assert not comparators.any_fitted_now(connection)

    monkeypatch.setattr(comparator_worker, "fit_comparator", slow)
    with ThreadPoolExecutor(2) as workers:
        assert [*workers.map(lambda _: fit_next(loop.runtime), range(2))] == [True, True]
    assert sorted(begun) == [first.start, second.start]
    assert [(each.state, each.attempts) for each in stored(loop)] == [("fitted", 1), ("fitted", 2)]
    monkeypatch.undo()

    own: list[str | Recipe] = [Failing(), "light"]
    for number, comparator in enumerate(own, start=2):
        loop.model = loop.runtime.models[MODEL.name] = declared(Comparing(comparator))  # type: ignore[index]
        loop.judge(LIVE + number * WEEK)
        work(loop.runtime, threading.Event(), idle_seconds=0.1)
    *_, failed, light = stored(loop)
    assert failed.reason is not None
    assert failed.reason.startswith("ValueError: cannot learn from ")
    with loop.runtime.engine.begin() as connection:
        reason = FreshAnswers(loop.runtime.lake, failed).reason
        assert reason == f"the comparator of {format_time(failed.start)} could not be fitted: {failed.reason}"
        connection.execute(sa.update(table).where(table.c.id == failed.id).values(state="asked", attempts=ATTEMPTS))
    learnt = training_rows(loop.model, as_of=light.start, runtime=loop.runtime).height
    assert answers(loop, light.start).kept.rows == -(-learnt // 10)
    assert fit_next(loop.runtime)
    assert stored(loop)[2].reason == "RecipeError: its process ended 3 times while it was fitted"
