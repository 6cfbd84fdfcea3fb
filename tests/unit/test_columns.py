"""Our own columns beside the user's: what history must make of two of one name, and frames of earlier versions."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from everfit import Category, Column, Model, Number
from everfit.declaration.reserved_columns import renewed
from everfit.errors import SourceError
from everfit.features.labelled_rows import labelled
from models.electricity_price import electricity_price

AT = datetime(2024, 1, 1, tzinfo=UTC)


def model(fields: Sequence[Column]) -> Model:
    """One with these fields, whose history is its source."""
    return electricity_price.model_copy(update={"request": fields, "views": [], "history": lambda half_hours: half_hours})


def asked(fields: Sequence[Column], **columns: Any) -> pl.DataFrame:
    """What is made of a history of one row."""
    row = {"region": ["NSW"], "event_time": [AT], "observed_at": [AT], "up": [1.0]} | {k: [v] for k, v in columns.items()}
    return labelled(model([Category("region"), *fields]), {"half_hours": pl.DataFrame(row)})


@pytest.mark.parametrize("name", ["event_time", "observed_at", "up"])
def test_a_field_called_like_one_of_ours_needs_ours_with_an_underscore(name: str) -> None:
    with pytest.raises(SourceError, match=f"'{name}' is a field of its request too; let its history make '_{name}'"):
        asked([Number(name)])
    ours = {"event_time": "_event_time", "observed_at": "_observed_at", "up": "_label"}[name]
    value = 1.0 if name == "up" else AT
    made = asked([Number(name)], **{name: 0.25, f"_{name}": value})
    assert made.row(0, named=True)[name] == 0.25
    assert made.row(0, named=True)[ours] == value


def test_rows_of_earlier_versions_are_read_by_the_names_of_today() -> None:
    former = pl.DataFrame({"request_id": ["r"], "event_time": [AT], "price": [0.5], "up": [1.0], "candidate": [0.25]})
    assert renewed(former, "up").columns == ["_request_id", "_event_time", "price", "_label", "_candidate"]


def test_a_users_column_of_today_is_left_alone() -> None:
    now = pl.DataFrame({"_event_time": [AT], "score": [0.5], "event_time": [1.0], "up": [1.0]})
    assert renewed(now, "up").columns == now.columns
