"""A policy that another package adds is declared with the model, and the judge decides by it."""

from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa

from everfit.store import requests
from everfit.store.tables import decisions
from tests.examples import electricity
from tests.loop import Loop
from tests.timer import Timer

WEEK = timedelta(days=7)


def test_the_judge_decides_by_the_policy_that_is_declared(engine: sa.Engine, tmp_path: Path) -> None:
    example = electricity()
    model = example.model.model_copy(update={"retraining": Timer(2 * WEEK)})
    loop = Loop(engine, tmp_path, model, example.recorded)
    loop.bootstrap()
    loop.play(model.go_live, model.go_live + 2 * WEEK)

    assert not loop.judge(model.go_live).requested
    assert loop.judge(model.go_live + WEEK).requested

    with engine.connect() as connection:
        told = connection.execute(sa.select(decisions.c.action, decisions.c.cause, decisions.c.reason).order_by(decisions.c.at))
        assert [tuple(row) for row in told] == [
            ("none", None, "7 of 14 days have passed"),
            ("retrain", "timer", "14 days have passed"),
        ]
        (request,) = requests.in_status(connection, "pending")
    expected = requests.new(model, "timer", "14 days have passed", champion=1, cutoff=model.go_live + 2 * WEEK)
    assert request == expected
    assert expected.id != requests.new(example.model, "timer", "", champion=1, cutoff=model.go_live + 2 * WEEK).id
