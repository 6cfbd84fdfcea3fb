"""What earlier versions let in and nobody can read stops nothing: it is null, and told, in windows, days and trainings."""

import logging
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from everfit.declaration.number_range import LARGEST
from everfit.declaration.reserved_columns import UNREADABLE
from everfit.sources.publication import publish
from everfit.store import frames
from tests.examples import electricity
from tests.loop import Loop

MODEL = electricity().model
WEEK = timedelta(days=7)
BEYOND = [1e39, -3.4e38, 1.7976931348623157e308, 10**309, -(10**200)]

_LOGGED = """
    UPDATE predictions SET features = jsonb_set(features, '{%s}', CAST(:value AS jsonb))
    WHERE ctid IN (SELECT ctid FROM predictions WHERE event_time >= :since ORDER BY event_time LIMIT 3)
"""
_LANDED = """
    UPDATE source_rows SET row = jsonb_set(row, '{price}', CAST(:value AS jsonb))
    WHERE ctid IN (SELECT ctid FROM source_rows WHERE event_time >= :since ORDER BY event_time LIMIT 3)
"""


@pytest.fixture
def loop(engine: sa.Engine, tmp_path: Path) -> Loop:
    """A champion that has answered two weeks."""
    made = Loop(engine, tmp_path, MODEL, electricity().recorded)
    made.bootstrap()
    made.play(MODEL.go_live, MODEL.go_live + 2 * WEEK)
    return made


def test_numbers_beyond_all_bounds_stop_no_window_no_day_and_no_training(
    loop: Loop, engine: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    with engine.begin() as connection:
        for number, value in enumerate(BEYOND):
            since = MODEL.go_live + timedelta(days=number)
            connection.execute(sa.text(_LOGGED % "price"), {"value": str(value), "since": since})
            connection.execute(sa.text(_LANDED), {"value": str(value), "since": since})
        rows = frames.logged(connection, MODEL, (MODEL.go_live, MODEL.go_live + WEEK), known_at=MODEL.go_live + 2 * WEEK)
        landed = frames.landed(connection, MODEL.sources[0], (MODEL.go_live, MODEL.go_live + WEEK))
    assert rows[UNREADABLE].sum() == 3 * len(BEYOND)
    assert rows["price"].null_count() == landed["price"].null_count() == 3 * len(BEYOND)
    assert "15 values beyond ±1e+37 are read as null" in caplog.text

    judged = {one.kind: one for one in loop.judge(MODEL.go_live).judgements}
    assert judged["quality"].detail["unreadable"] == 3 * len(BEYOND)
    assert "15 values beyond ±1e+37 are read as null" in judged["quality"].reason
    assert judged["drift"].verdict in ("ok", "alarm")
    with caplog.at_level(logging.WARNING):
        assert loop.retrain(None, MODEL.go_live + 2 * WEEK).reason


def test_a_correction_heals_a_row_that_cannot_be_read(loop: Loop, engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text(_LANDED), {"value": "1e39", "since": MODEL.go_live})
    recorded = electricity().recorded["half_hours"]
    assert (
        publish(engine, {MODEL.name: MODEL}, "half_hours", recorded.filter(recorded["period_start"] < MODEL.go_live + WEEK))
        == 3
    )
    with engine.connect() as connection:
        landed = frames.landed(connection, MODEL.sources[0], (MODEL.go_live, MODEL.go_live + WEEK))
    assert landed["price"].null_count() == 0


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_any_number_of_the_table_is_read(engine: sa.Engine, value: float) -> None:
    """Postgres writes JSON's numbers out in full, which not every reader of JSON takes."""
    with engine.begin() as connection:
        document = connection.execute(sa.text("SELECT (CAST(:row AS jsonb))::text"), {"row": f'{{"price": {value!r}}}'})
        made = frames.decode_rows(MODEL.sources[0], [document.scalar_one()])
    assert made["price"].to_list() == [value if abs(value) <= LARGEST else None]
