"""What a mask leaves of a source's rows, which features it concerns, and which defaults a view may declare."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from everfit import Category, Number, Source, Time, feature_view, latest, mean
from everfit.declaration.views import FeatureView
from everfit.errors import DeclarationError
from everfit.features.masked_features import MaskedColumns, concerned
from everfit.features.running_sums import RunningRow
from everfit.store.masks import Mask, masked

START = datetime(1996, 9, 11, tzinfo=UTC)
DAY = timedelta(days=1)
SOURCE = Source(name="meter", columns=[Time("at"), Category("zone"), Number("load")], identity=["zone", "at"], event_time="at")
ROWS = pl.DataFrame({"at": [START, START + DAY, START + 2 * DAY], "zone": ["a", "b", "c"], "load": [1.0, 2.0, 3.0]})


def view(**default: Any) -> FeatureView:
    @feature_view(key="zone", known_at="at", features=latest("load") | {"load_2d": mean("load", over="2d")}, default=default)
    def loads(meter: Any) -> Any:
        return meter

    return loads


@pytest.mark.parametrize(
    ("mask", "loads"),
    [
        (Mask(START + DAY, START + 2 * DAY, "load"), [1.0, None, 3.0]),
        (Mask(START + DAY, None, "load"), [1.0, None, None]),
        (Mask(START + DAY, START + 2 * DAY, "*"), [1.0, 3.0]),
        (Mask(START + DAY, None, "gone"), [1.0, 2.0, 3.0]),
    ],
    ids=["of a day", "open", "of the rows", "of a column that is not declared any more"],
)
def test_a_mask_takes_values_or_rows_of_its_span(mask: Mask, loads: list[float | None]) -> None:
    assert masked(SOURCE, ROWS, [mask])["load"].to_list() == loads


def concerning(end: timedelta | None, at: timedelta, known: timedelta | None, load: float | None) -> set[str]:
    mask = MaskedColumns(START, START + end if end else None, ["load"])
    row = None if known is None else RunningRow("a", START + known, (load,), (0,), (0,))
    features: dict[str, Any] = {"load": load, "load_2d": None}
    return {*concerned(view(), [mask], START + at, row, features)}


def test_a_mask_concerns_the_newest_value_until_a_later_one_and_windows_until_they_begin_after_it() -> None:
    hour = DAY / 24
    assert concerning(None, at=-hour, known=-hour, load=1.0) == set(), "before it"
    assert concerning(None, at=hour, known=hour / 2, load=None) == {"load", "load_2d"}
    assert concerning(DAY, at=DAY + hour, known=DAY, load=2.0) == {"load_2d"}, "a later value is there"
    assert concerning(DAY, at=DAY + hour, known=-hour, load=1.0) == {"load", "load_2d"}, "the rows are missing"
    assert concerning(DAY, at=3 * DAY, known=3 * DAY, load=2.0) == set()
    assert concerning(DAY, at=4 * DAY, known=4 * DAY, load=None) == set(), "a null of its own"


@pytest.mark.parametrize(
    ("default", "told"),
    [
        ({"lod": 1.0}, "view loads: a default for 'lod', which is no feature of it; it has load, load_2d"),
        ({"load": "much"}, "view loads: the default of load is 'much', no number"),
        ({"load": True}, "view loads: the default of load is True, no number"),
    ],
)
def test_a_default_that_does_not_fit_is_refused(default: dict[str, Any], told: str) -> None:
    with pytest.raises(DeclarationError, match=told.replace("(", r"\(")):
        view(**default)
    assert view(load=0.5, load_2d=1).default == {"load": 0.5, "load_2d": 1}
