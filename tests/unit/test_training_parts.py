"""Which days a training reads, and what is said where there is none."""

from datetime import UTC, datetime
from unittest.mock import MagicMock

import polars as pl
import pytest

from everfit.declaration.policies import TrainingWindow
from everfit.declaration.reserved_columns import EVENT_TIME, REQUEST_ID
from everfit.errors import EmptyPartitionError
from everfit.pipeline.partition_frames import load_features
from everfit.pipeline.training_parts import days_of_history
from models.electricity_price import electricity_price

MADE = {"1996-09-02": "a", "1996-09-03": "b"}
MODEL = electricity_price.model_copy(update={"training": TrainingWindow(history="7d")})


@pytest.mark.parametrize(("day", "kept"), [(3, ["1996-09-02"]), (4, [*MADE]), (10, ["1996-09-03"])])
def test_only_the_declared_history_is_read(day: int, kept: list[str]) -> None:
    assert [*days_of_history(MODEL, MADE, datetime(1996, 9, day, tzinfo=UTC))] == kept


def test_where_nothing_lands_any_more_that_is_said() -> None:
    cutoff = datetime(1996, 9, 18, tzinfo=UTC)
    assert days_of_history(electricity_price, MADE, cutoff) == MADE, "all of the history"
    told = "on days since 1996-09-11, and the newest with features is 1996-09-03: nothing of half_hours has landed since"
    with pytest.raises(EmptyPartitionError, match=told):
        days_of_history(MODEL, MADE, cutoff)


def test_no_days_are_a_frame_of_no_rows() -> None:
    rows = load_features(MagicMock(), MODEL, [])
    assert rows.is_empty()
    assert rows.columns == [REQUEST_ID, EVENT_TIME, *(name for name, _ in MODEL.features)]
    assert rows.schema[EVENT_TIME] == pl.Datetime("us", "UTC")
