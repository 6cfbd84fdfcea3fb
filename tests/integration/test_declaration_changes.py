"""What happens where a declaration changes after the go-live: a test for each row of docs/changes.md."""

import math
import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from everfit import Integer, Model, Number
from everfit.declaration.retraining import Decision, Finding, History, PastRequest
from everfit.errors import EventError
from everfit.pipeline.code_versions import Stage, stage_version
from everfit.policy.decision import decide
from everfit.sources.publication import publish
from everfit.store import closed_windows, frames, model_clocks
from everfit.store.lake import Lake
from everfit.store.tables import evidence, predictions, windows
from everfit.timing import parse_duration, wall_clock
from everfit.topics.contract import Contract
from everfit.topics.events import encode
from monitors.pass_result import PassResult
from monitors.window_closing import close_windows
from tests.events import outcome, prediction, write
from tests.examples import electricity
from tests.loop import Loop
from tests.versions import manifest, promote

DAY = timedelta(days=1)
MODEL = electricity().model
LIVE = MODEL.go_live
ELSEWHERE = {"event_time"}  # it names a column of the record, of which nothing is kept


@pytest.fixture
def loop(engine: sa.Engine, tmp_path: Path) -> Loop:
    made = Loop(engine, tmp_path, MODEL, electricity().recorded)
    made.bootstrap()
    return made


def changed(model: Model, part: str, **values: object) -> Model:
    return model.model_copy(update={part: getattr(model, part).model_copy(update=values)})


def close(loop: Loop, model: Model) -> PassResult:
    """All that is due, as a pass of the sensor does it."""
    seen = PassResult()
    close_windows(loop.runtime.engine, loop.runtime.lake, {model.name: model}, seen, math.inf)
    return seen


def test_windows_of_another_length_go_on_where_the_last_one_ended(loop: Loop) -> None:
    loop.play(LIVE, LIVE + 43 * DAY)
    spans: Sequence[sa.RowMapping] = []
    for length, expected in ((7, 7), (14, 14), (10, 20), (7, 21)):
        model = changed(MODEL, "drift", window=length * DAY)
        with loop.runtime.engine.begin() as connection:  # the model's clock stands where the next window can close
            connection.execute(sa.text("UPDATE clocks SET newest = :at"), {"at": LIVE + expected * DAY + MODEL.log.lateness})
        close(loop, model)
        with loop.runtime.engine.connect() as connection:
            spans = connection.execute(sa.select(windows.c.start, windows.c.end).order_by(windows.c.start)).mappings().all()
        assert spans[-1]["end"] == LIVE + expected * DAY
    days = [((span["start"] - LIVE) // DAY, (span["end"] - LIVE) // DAY) for span in spans]
    assert days == [(0, 7), (7, 14), (14, 20), (20, 21)]
    with loop.runtime.engine.connect() as connection:
        told = connection.execute(sa.select(windows.c.rows).order_by(windows.c.start)).scalars().all()
        until = predictions.c.event_time < LIVE + 21 * DAY
        assert sum(told) == connection.execute(sa.select(sa.func.count()).where(until)).scalar()
        verdicts = sa.select(evidence.c.reason).where(evidence.c.kind == "quality").order_by(evidence.c.window_end)
        assert connection.execute(verdicts).scalars().all() == [
            "nothing broken on 7 days of 336 rows",
            "nothing broken on 7 days of 336 rows",
            "nothing broken on 6 days of 288 rows",
            "nothing broken on 1 day of 48 rows",
        ]


# What follows needs no trained version: one that was never trained is judged, on half-hourly answers that are all alike.


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def answered(engine: sa.Engine, lake: Lake) -> sa.Engine:
    """Two weeks of answers and outcomes, and a champion."""
    promote(engine, MODEL.name, manifest(lake, MODEL.name))
    numbers = range(14 * 48 + 2)
    write(engine, [prediction(n) for n in numbers], [outcome(n) for n in numbers])
    return engine


def judged(engine: sa.Engine, lake: Lake, model: Model, kind: str, weeks: int) -> list[tuple[str, str]]:
    """The verdicts of the closed weeks, after a pass for which the clock stood at the end of so many."""
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE clocks SET newest = :at"), {"at": LIVE + weeks * 7 * DAY + model.log.lateness})
    close_windows(engine, lake, {model.name: model}, PassResult(), math.inf)
    with engine.connect() as connection:
        of_kind = sa.select(evidence.c.verdict, evidence.c.reason).where(evidence.c.kind == kind)
        return [(row.verdict, row.reason) for row in connection.execute(of_kind.order_by(evidence.c.window_end))]


def test_other_bounds_judge_the_windows_that_close_from_then_on(answered: sa.Engine, lake: Lake) -> None:
    bounded = [
        Integer("half_hour", between=(1, 47)) if column.name == "half_hour" else column for column in MODEL.request
    ]  # every half-hour is 0.25
    first = judged(answered, lake, MODEL, "quality", 1)
    second = judged(answered, lake, MODEL.model_copy(update={"request": bounded}), "quality", 2)
    assert [verdict for verdict, _ in first] == ["ok"]
    assert second[:1] == first
    assert second[1][0] == "alarm"
    assert second[1][1].startswith("half_hour outside 1 to 47 in 336 rows, such as 0.25")


def test_another_label_delay_counts_the_labels_that_are_old_enough_by_it(answered: sa.Engine, lake: Lake) -> None:
    longer = changed(MODEL, "training", label_delay=2 * DAY)
    told = [judged(answered, lake, MODEL, "performance", 1), judged(answered, lake, longer, "performance", 2)]
    assert "on 336 labels" in told[0][0][1]
    assert f"on {5 * 48 + 2} labels" in told[1][1][1], "those up to two days before the window could close, half an hour late"


def test_another_age_that_is_allowed_judges_the_next_window(answered: sa.Engine, lake: Lake) -> None:
    shorter = changed(MODEL, "freshness", max_training_age=10 * DAY)
    judged(answered, lake, MODEL, "freshness", 1)
    assert [verdict for verdict, _ in judged(answered, lake, shorter, "freshness", 2)] == ["ok", "alarm"]


def test_another_least_number_of_rows_is_performances_at_once_and_drifts_with_the_next_version(
    answered: sa.Engine, lake: Lake
) -> None:
    more = changed(MODEL, "drift", min_rows=400)
    judged(answered, lake, MODEL, "performance", 1)
    told = judged(answered, lake, more, "performance", 2)
    assert told[1][0] == "insufficient"
    assert told[1][1].startswith("336 matured labels; 400 are needed; an estimate without labels")
    with answered.connect() as connection:
        drift = sa.select(evidence.c.reason).where(evidence.c.kind == "drift", evidence.c.window_end == LIVE + 14 * DAY)
        assert "whole window to calibrate by" in connection.execute(drift).scalar_one(), "its 200 rows were enough"


@pytest.mark.parametrize(("lateness", "closed"), [("30m", 1), ("2h", 0), ("0s", 1)])
def test_another_lateness_moves_the_clock_and_what_closes_next(
    engine: sa.Engine, lake: Lake, lateness: str, closed: int
) -> None:
    write(engine, [prediction(7 * 48 + 1)])  # half an hour past the end of the first week
    model = changed(MODEL, "log", lateness=parse_duration(lateness))
    with engine.connect() as connection:
        assert model_clocks.read(connection, model) == prediction(7 * 48 + 1).event_time - parse_duration(lateness)
    close_windows(engine, lake, {model.name: model}, PassResult(), math.inf)
    later = changed(MODEL, "log", lateness=DAY)
    close_windows(engine, lake, {model.name: later}, PassResult(), math.inf)
    with engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(windows)).scalar() == closed, "what closed stays so"
        assert (closed_windows.closed_until(connection, later) > LIVE) == bool(closed)


def test_another_time_to_idle_says_at_once_which_partitions_hold_the_clock(engine: sa.Engine) -> None:
    write(engine, [prediction(0)])
    with engine.begin() as connection:
        behind = {"model": MODEL.name, "at": prediction(48).event_time, "seen": wall_clock() - timedelta(minutes=5)}
        connection.execute(sa.text("UPDATE clocks SET newest = :at"), {"at": prediction(96).event_time})
        connection.execute(sa.text("INSERT INTO clocks VALUES (:model, 1, :at, :seen)"), behind)
        patient = changed(MODEL, "log", idle_after=timedelta(minutes=10))
        assert model_clocks.read(connection, MODEL) == prediction(96).event_time - MODEL.log.lateness
        assert model_clocks.read(connection, patient) == prediction(48).event_time - MODEL.log.lateness


def test_another_tolerance_of_the_future_is_the_contracts_at_once() -> None:
    now = LIVE + DAY
    ahead = encode(prediction(0, at=now + timedelta(hours=2)))
    with pytest.raises(EventError, match="is ahead of the tolerated"):
        Contract({MODEL.name: MODEL}).prediction(ahead, now)
    tolerant = changed(MODEL, "log", future_tolerance=timedelta(hours=3))
    assert Contract({MODEL.name: tolerant}).prediction(ahead, now).event_time == now + timedelta(hours=2)


def test_other_limits_and_episodes_are_the_next_decisions() -> None:
    def quiet_then_alarm(model: Model) -> Decision:
        past = [Finding(f"{n}", "drift", "ok", "", LIVE + n * 7 * DAY, LIVE + (n + 1) * 7 * DAY) for n in range(4)]
        now = Finding("now", "drift", "alarm", "moved", LIVE + 28 * DAY, LIVE + 35 * DAY)
        asked = [PastRequest("drift", "promoted", LIVE + 28 * DAY)]
        return decide(model, LIVE + 35 * DAY, [now], History(1, LIVE, past, asked))

    free = changed(changed(MODEL, "limits", cooldown=DAY), "drift", settle=timedelta(), agree=1, of=1)
    assert quiet_then_alarm(free).action == "retrain"
    assert "cooling down for 30d" in quiet_then_alarm(changed(free, "limits", cooldown=30 * DAY)).reason
    assert "waiting for labels" in quiet_then_alarm(changed(free, "drift", settle=14 * DAY)).reason
    assert quiet_then_alarm(changed(free, "drift", agree=2, of=2)).action == "none"


@pytest.mark.parametrize(
    ("model", "stages"),
    [
        (changed(MODEL, "training", history=90 * DAY), {"training_set"}),
        (changed(MODEL, "training", label_delay=DAY), {"training_set"}),
        (changed(MODEL, "gate", folds=2), {"trained_model", "evaluation"}),
        (changed(MODEL, "drift", safety=2.0), {"trained_model"}),
        (MODEL.model_copy(update={"candidates": MODEL.candidates[:1]}), {"trained_model"}),
        (changed(MODEL, "limits", cooldown=DAY), set()),
        (changed(MODEL, "freshness", max_training_age=DAY), set()),
        (changed(MODEL, "backfill", days_per_run=7), set()),
        (MODEL.model_copy(update={"description": "another", "owners": []}), set()),
        (MODEL.model_copy(update={"history": lambda half_hours: half_hours}), {"features", "training_set"}),
    ],
)
def test_a_change_makes_exactly_those_stages_anew_that_read_it(model: Model, stages: set[Stage]) -> None:
    every: tuple[Stage, ...] = ("raw_data", "features", "training_set", "trained_model", "evaluation", "champion")
    assert {stage for stage in every if stage_version(model, stage) != stage_version(MODEL, stage)} == stages


def test_a_column_that_a_source_gains_is_null_in_rows_that_landed_before(engine: sa.Engine) -> None:
    source = MODEL.sources[0]
    assert source.recorded is not None
    publish(engine, {MODEL.name: MODEL}, source.name, source.recorded().head(2).to_dicts())
    wider = source.model_copy(update={"columns": [*source.columns, Number("wind")]})
    with engine.connect() as connection:
        rows = frames.landed(connection, wider, (LIVE - 3_650 * DAY, LIVE))
        fewer = frames.landed(connection, source.model_copy(update={"columns": source.columns[:2]}), (LIVE - 3_650 * DAY, LIVE))
    assert (rows.height, rows["wind"].null_count()) == (2, 2)
    assert fewer.columns == [column.name for column in source.columns[:2]]
    declared = MODEL.model_copy(update={"sources": [wider]})
    assert stage_version(declared, "raw_data") != stage_version(MODEL, "raw_data"), "its days are made anew"


def test_every_setting_of_a_declaration_has_a_row() -> None:
    page = (Path(__file__).parents[2] / "docs" / "changes.md").read_text()
    names = [field.alias or name for name, field in Model.model_fields.items()]
    missing = [name for name in names if not re.search(rf"\| .*`{name}[`.,:]", page) and name not in ELSEWHERE]
    assert missing == []
