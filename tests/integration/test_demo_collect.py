"""The demo's numbers against what was put into the stores."""

import math
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa

from everfit import GradientBoosting
from everfit.demo.collect import collect
from everfit.demo.result import DemoResult
from everfit.errors import EmptyPartitionError
from everfit.store import ledger
from everfit.topics.events import Prediction
from models.electricity_price import electricity_price
from tests.events import write
from tests.loop import Loop

WEEK = timedelta(days=7)
MODEL = electricity_price.model_copy(update={"candidates": [GradientBoosting(trees=20)]})
LIVE = MODEL.go_live


@pytest.fixture
def loop(engine: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Loop:
    monkeypatch.setattr("everfit.pipeline.promotion.announce", lambda *_, **__: None)  # there is no Kafka here
    return Loop(engine, tmp_path, MODEL)


def collected(loop: Loop, weeks: int, *, answered: int) -> DemoResult:
    span = (LIVE, LIVE + weeks * WEEK)
    return collect(loop.runtime, MODEL, span, answered=answered, folder=loop.runtime.settings.home, seconds={"all": 1.5})


def promote_again(loop: Loop) -> None:
    """Make the same model champion once more, as version 2."""
    loop.registry.register(MODEL.name, loop.registry.fetch(MODEL.name, 1), above=1)
    with loop.runtime.engine.begin() as connection:
        first = ledger.champion(connection, MODEL.name)
        assert first is not None
        detail = {"manifest": first.manifest, "trained_until": first.trained_until.isoformat()}
        entry = ledger.Entry(MODEL.name, "promoted", 1, 2, "test", "drift", "moved", None, LIVE + WEEK, detail)
        ledger.append(connection, entry)


def shadow(loop: Loop, week: int, score: float) -> None:
    """Version 1's answers of a week, beside the champion's."""
    start = LIVE + week * WEEK
    with loop.runtime.engine.connect() as connection:
        query = "SELECT request_id, event_time FROM predictions WHERE version = 2 AND event_time >= :start"
        asked = connection.execute(sa.text(query), {"start": start}).all()
    rows = [
        Prediction(
            request_id=row.request_id,
            model=MODEL.name,
            version=1,
            role="shadow",
            entity="NSW",
            event_time=row.event_time,
            features={},
            score=score,
            schema=MODEL.schema_id,
        )
        for row in asked
    ]
    write(loop.runtime.engine, rows)


def test_nothing_to_tell_is_said(loop: Loop) -> None:
    with pytest.raises(EmptyPartitionError, match="has no version: `everfit train electricity_price` makes the first"):
        collected(loop, 1, answered=0)


def test_while_version_1_answers_alone_the_three_are_one(loop: Loop) -> None:
    loop.bootstrap()
    loop.play(LIVE, LIVE + WEEK)
    loop.judge(LIVE)
    result = collected(loop, 1, answered=337)

    counts = result.counts
    assert (counts.predictions, counts.predictions_lost, counts.outcomes, counts.scored) == (336, 1, 336, 336)
    assert (counts.windows, counts.promotions, counts.retrains) == (1, 1, 0)
    assert result.losses.static == result.losses.continuous == result.losses.timer
    assert result.losses == result.weeks[0].losses
    assert result.timer.cutoffs == [[]]


def test_each_line_is_scored_by_its_own_answers(loop: Loop) -> None:
    loop.bootstrap()
    loop.play(LIVE, LIVE + WEEK)
    loop.judge(LIVE)
    promote_again(loop)
    loop.play(LIVE + WEEK, LIVE + 2 * WEEK)
    shadow(loop, 1, 0.5)
    loop.judge(LIVE + WEEK)
    result = collected(loop, 2, answered=672)

    assert [(life.version, life.answered) for life in result.versions] == [(1, 336), (2, 336)]
    first, second = (week.losses for week in result.weeks)
    assert first.static == first.continuous
    assert second.static == pytest.approx(math.log(2))
    assert second.continuous == pytest.approx(result.versions[1].loss)
    assert [cutoffs[0] for cutoffs in result.timer.cutoffs][3] == LIVE + WEEK
    assert first.timer != first.static, "the earliest of the timers have retrained by then"
    assert second.timer not in (second.static, second.continuous)  # it was fitted anew, on a week more
    assert result.losses.continuous == pytest.approx(_by_hand(loop))
    assert result.counts.predictions_lost == 0


def _by_hand(loop: Loop) -> float:
    """The champions' mean log loss, by a query of its own."""
    query = """
        SELECT avg(-ln(CASE WHEN o.outcome = 1 THEN p.score ELSE 1 - p.score END)) AS loss
        FROM predictions p JOIN outcomes o USING (model, request_id) WHERE p.role = 'champion'
    """
    with loop.runtime.engine.connect() as connection:
        return float(pl.read_database(sa.text(query), connection)["loss"][0])
