"""What happens where a declaration changes after the go-live: a test for each row of docs/changes.md."""

import math
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from everfit.declaration import Model
from everfit.store.tables import evidence, predictions, windows
from monitors.watch import Seen, close_windows
from tests.examples import electricity
from tests.loop import Loop

DAY = timedelta(days=1)
MODEL = electricity().model
LIVE = MODEL.go_live


@pytest.fixture
def loop(engine: sa.Engine, tmp_path: Path) -> Loop:
    made = Loop(engine, tmp_path, MODEL, electricity().recorded)
    made.bootstrap()
    return made


def changed(model: Model, part: str, **values: object) -> Model:
    return model.model_copy(update={part: getattr(model, part).model_copy(update=values)})


def close(loop: Loop, model: Model) -> Seen:
    """All that is due, as a pass of the sensor does it."""
    seen = Seen()
    close_windows(loop.deployment.engine, loop.deployment.lake, {model.name: model}, seen, math.inf)
    return seen


def test_windows_of_another_length_go_on_where_the_last_one_ended(loop: Loop) -> None:
    loop.play(LIVE, LIVE + 43 * DAY)
    spans: Sequence[sa.RowMapping] = []
    for length, expected in ((7, 7), (14, 14), (10, 20), (7, 21)):
        model = changed(MODEL, "drift", window=length * DAY)
        with loop.deployment.engine.begin() as connection:  # the model's clock stands where the next window can close
            connection.execute(sa.text("UPDATE clocks SET newest = :at"), {"at": LIVE + expected * DAY + MODEL.log.lateness})
        close(loop, model)
        with loop.deployment.engine.connect() as connection:
            spans = connection.execute(sa.select(windows.c.start, windows.c.end).order_by(windows.c.start)).mappings().all()
        assert spans[-1]["end"] == LIVE + expected * DAY
    days = [((span["start"] - LIVE) // DAY, (span["end"] - LIVE) // DAY) for span in spans]
    assert days == [(0, 7), (7, 14), (14, 20), (20, 21)]
    with loop.deployment.engine.connect() as connection:
        told = connection.execute(sa.select(windows.c.rows).order_by(windows.c.start)).scalars().all()
        until = predictions.c.event_time < LIVE + 21 * DAY
        assert sum(told) == connection.execute(sa.select(sa.func.count()).where(until)).scalar()
        verdicts = sa.select(evidence.c.reason).where(evidence.c.kind == "quality").order_by(evidence.c.window_end)
        assert connection.execute(verdicts).scalars().all() == [
            "nothing broken in 336 rows",
            "nothing broken in 336 rows",
            "nothing broken in 288 rows",
            "48 rows of this version; fewer than 50 prove nothing",
        ]
