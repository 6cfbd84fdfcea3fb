"""A request that a challenger answered counts like one of the champion: once, wherever requests are counted or learnt from."""

from pathlib import Path

import msgspec
import polars as pl
import pytest
import sqlalchemy as sa

from everfit import Exploration
from everfit.cli.past_rows import logged
from everfit.declaration.reserved_columns import EVENT_TIME, EXPLORED, REQUEST_ID, SCORE, WEIGHT
from everfit.demo import scores
from everfit.pipeline.manifests import Version
from everfit.pipeline.promotion import register
from everfit.pipeline.retraining import make_days
from everfit.pipeline.training_set import training_rows
from everfit.store import closed_windows, frames, ledger, log_state, window_counts
from everfit.store.tables import windows
from everfit.topics.events import Prediction
from tests.events import MODEL, outcome, prediction, write
from tests.examples import electricity
from tests.integration.test_loop import WEEK
from tests.loop import Loop
from tests.versions import described

SPAN = MODEL.go_live, MODEL.go_live + WEEK
CHAMPION, CHALLENGER, SHADOW, AGAIN = range(200), range(200, 336), range(336), range(100, 110)


def answers() -> list[Prediction]:
    """336 requests: 200 to the champion 1, 136 to the challenger 2, all to the shadow 3; 10 came again once 2 was champion."""
    parts = [(CHAMPION, 1, "champion"), (CHALLENGER, 2, "challenger"), (SHADOW, 3, "shadow"), (AGAIN, 2, "champion")]
    return [
        msgspec.structs.replace(prediction(number, version=version), role=role)
        for numbers, version, role in parts
        for number in numbers
    ]


def test_each_request_counts_once_by_version_and_once_in_all(engine: sa.Engine) -> None:
    write(engine, answers(), [outcome(number) for number in SHADOW])
    with engine.begin() as connection:
        assert frames.answered(connection, MODEL, SPAN) == {1: 200, 2: 146}
        assert frames.answered(connection, MODEL, SPAN, ["champion"]) == {1: 200, 2: 10}
        logged = frames.logged(connection, MODEL, SPAN, known_at=SPAN[1], version=2)
        assert (logged.height, logged[EXPLORED].sum()) == (146, 0)
        assert window_counts.tally(connection, MODEL, SPAN, 2, {}).rows == 146
        assert scores.answers(connection, MODEL, SPAN, 3)[REQUEST_ID].n_unique() == 336
        assert scores.answers(connection, MODEL, SPAN, 3).height == 336
        assert closed_windows.close(connection, MODEL, SPAN, at=SPAN[1], champion=1)
        assert connection.execute(sa.select(windows.c.rows)).scalar_one() == 336
    write(
        engine,
        [
            msgspec.structs.replace(prediction(0, version=4), role=role, request_id=role, explored=0.05)
            for role in ("challenger", "shadow")
        ],
    )
    with engine.begin() as connection:
        assert log_state.late(connection) == {MODEL.name: 1}
        assert frames.requests(connection, MODEL, SPAN) == 336
        late = frames.logged(connection, MODEL, SPAN, known_at=SPAN[1], version=4, late=True)
        assert late[EXPLORED].to_list() == [0.05], "of what clients got"


@pytest.fixture
def loop(engine: sa.Engine, tmp_path: Path) -> Loop:
    """A week that version 2, registered for its rollout, answered a third of, with the champion beside it as a shadow."""
    loop = Loop(engine, tmp_path, electricity().model, electricity().recorded)
    loop.publish(until=MODEL.go_live)
    one = described(loop.runtime.lake, loop.model, 0.0)
    profile = msgspec.structs.replace(one.candidate.profile, rows=336.0)
    one = msgspec.structs.replace(one, candidate=msgspec.structs.replace(one.candidate, profile=profile))
    detail = {"manifest": register_manifest(loop, one), "trained_until": MODEL.go_live.isoformat()}
    with engine.begin() as connection:
        known: list[tuple[ledger.Action, int]] = [("promoted", 1), ("registered", 2)]
        for action, version in known:
            given = ("test", "drift", "better", None, MODEL.go_live, detail | {"version": version})
            ledger.append(connection, ledger.Entry(MODEL.name, action, None, version, *given))
    loop.play(*SPAN)
    with engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE predictions SET version = 2, role = 'challenger' WHERE hashtext(request_id) % 3 = 0")
        )
        connection.execute(sa.text("CREATE TEMP TABLE along AS SELECT * FROM predictions WHERE version = 2"))
        connection.execute(sa.text("UPDATE along SET version = 1, role = 'shadow'"))
        connection.execute(sa.text("INSERT INTO predictions SELECT * FROM along"))
    return loop


def register_manifest(loop: Loop, one: Version) -> str:
    """Register a version, and give its manifest's name."""
    manifest = loop.runtime.lake.put_json(one)
    register(loop.runtime, one, manifest)
    return manifest


def test_a_challengers_rows_are_learnt_from_and_judged_by_its_own_record(loop: Loop) -> None:
    judged = {(one.version, one.kind): one for one in loop.judge(MODEL.go_live).judgements}
    assert {kind for _, kind in judged} == {kind for version, kind in judged if version == 2}
    rows = {version: judged[version, "quality"].detail["rows"] for version in (1, 2)}
    assert 80 < rows[2] < 140
    assert sum(rows.values()) == 336
    assert judged[1, "quality"].verdict == judged[2, "quality"].verdict == "ok", "the volume is that of all requests"
    make_days(loop.runtime, loop.model, SPAN[1])
    learnt = training_rows(loop.model, as_of=SPAN[1] + loop.model.training.label_delay, runtime=loop.runtime)
    live = learnt.filter(learnt[EVENT_TIME] >= MODEL.go_live)
    assert live.height == live[REQUEST_ID].n_unique() == 6 * 48, "of the six days that the clock has passed"
    assert logged(loop.runtime, MODEL.name).rows.equals(learnt), "and policies are played over the same"


def test_of_a_model_that_explores_a_row_is_learnt_by_how_probable_it_was_to_be_seen(loop: Loop) -> None:
    make_days(loop.runtime, loop.model, SPAN[1])
    with loop.runtime.engine.begin() as connection:
        connection.execute(sa.text("UPDATE predictions SET explored = 0.25 WHERE hashtext(request_id) % 4 = 0"))
        logged = frames.logged(connection, loop.model, SPAN, known_at=SPAN[1])
    middle = logged[SCORE].median()
    model = loop.model.model_copy(update={"exploration": Exploration(share=0.5, seen=lambda answers: answers < middle)})
    learnt = training_rows(model, as_of=SPAN[1] + model.training.label_delay, runtime=loop.runtime)
    assert set(learnt.filter(learnt[EVENT_TIME] < MODEL.go_live).select(EXPLORED, WEIGHT).rows()) == {(1.0, 1.0)}
    live = learnt.filter(learnt[EVENT_TIME] >= MODEL.go_live)
    weights = live.join(logged.select(REQUEST_ID, SCORE), on=REQUEST_ID).select(pl.col(SCORE) < middle, EXPLORED, WEIGHT)
    assert set(weights.rows()) == {(True, 0.0, 1.0), (True, 0.25, 1.0), (False, 0.25, 4.0)}
