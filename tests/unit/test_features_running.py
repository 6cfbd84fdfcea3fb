"""Online equals offline to the last bit: running rows, extended row by row, against the as-of join of all rows."""

import itertools
import math
from datetime import datetime
from typing import Any

import polars as pl
import pytest

from everfit import feature_view, latest, mean, total
from everfit.declaration.values import Value
from everfit.declaration.views import FeatureView
from everfit.errors import DeclarationError, SourceError
from everfit.features.offline import compute
from everfit.features.running_sums import RunningRow, answer, expired, extend, key_of, known_values
from tests.unit.test_features_offline import MINUTE, START, VIEWS, random_sales, random_spine


def newest_by(rows: list[RunningRow], key: str, at: datetime) -> RunningRow | None:
    """The newest row of the key known by then."""
    known = [row for row in rows if row.key == key and row.known_at <= at]
    return max(known, key=lambda row: row.known_at, default=None)


def answered(view: FeatureView, rows: list[RunningRow], key: str, at: datetime) -> dict[str, Value]:
    """The view's features from its running rows."""
    return answer(view, at, newest_by(rows, key, at), {over: newest_by(rows, key, at - over) for over in view.windows})


@pytest.mark.parametrize("seed", range(3))
def test_equals_offline_to_the_last_bit(seed: int) -> None:
    sales = random_sales(seed).sort("known_at")
    spine = random_spine(seed)
    offline = compute(VIEWS, {"sales": sales}, spine)
    for view in VIEWS:
        rows: list[RunningRow] = []
        for batch in sales.partition_by("known_at", maintain_order=True):  # one moment after the other, as it is published
            before = {row.key: row for row in rows}
            rows += extend(view, known_values(view, batch), before)
        for asked in offline.iter_rows(named=True):
            made = answered(view, rows, asked["shop"], asked["_event_time"])
            assert made == {name: asked[name] for name in view.features}


def test_rows_at_once_equal_rows_one_by_one() -> None:
    sales = random_sales(7).unique(["shop", "known_at"]).sort("known_at")
    for view in VIEWS:
        at_once = extend(view, known_values(view, sales), {})
        newest: dict[str, RunningRow] = {}
        one_by_one = []
        for single in sales.iter_slices(1):
            made = extend(view, known_values(view, single), newest)
            newest |= {row.key: row for row in made}
            one_by_one += made
        assert sorted(at_once, key=lambda row: (row.key, row.known_at)) == sorted(
            one_by_one, key=lambda row: (row.key, row.known_at)
        )


def test_nothing_known_is_null_and_zero() -> None:
    newest, windows = VIEWS
    assert answer(newest, START, None, {}) == {"price": None, "brand": None}
    nothing = dict.fromkeys(windows.windows)
    assert answer(windows, START, None, nothing) == {"price_mean": None, "price_sum": 0.0, "prices": 0.0, "brands": 0.0}


def test_a_row_expires_after_its_time_to_live() -> None:
    row = RunningRow("a", START, (1.0, "x"), (0, 0), (1, 1))
    assert not expired(VIEWS[0], START + 120 * MINUTE, row)
    assert expired(VIEWS[0], START + 121 * MINUTE, row)
    assert not expired(VIEWS[1], START + 10_000 * MINUTE, row)


def test_a_sum_that_leaves_64_bits_is_told() -> None:
    windows = VIEWS[1]
    row = {"shop": ["a"], "known_at": [START + MINUTE], "price": [5e9], "brand": ["x"], "edition": [1]}
    before = RunningRow("a", START, (5e9, "x"), (5 * 10**18, 0), (1, 1))
    with pytest.raises(SourceError, match=r"'price' reaches 10000000000.0: its sum exceeds 64 bits at resolution 1e-09"):
        extend(windows, known_values(windows, pl.DataFrame(row)), {"a": before})


def test_keys_are_written_as_offline_writes_them() -> None:
    assert [key_of(key) for key in ("NSW", 7, 7.0)] == ["NSW", "7", "7"]


def declared(features: dict[str, Any]) -> FeatureView:
    """A view of these features."""

    @feature_view(key="shop", known_at="known_at", features=features)
    def view(sales: Any) -> Any:
        return sales

    return view


def test_a_resolution_is_declared_where_sums_are_large() -> None:
    view = declared({"turnover": total("price", over="1h", resolution=0.01)})
    row = {"shop": ["a"], "known_at": [START], "price": [1e12]}
    (made,) = extend(view, known_values(view, pl.DataFrame(row)), {})
    assert made.sums == (10**14,)


@pytest.mark.parametrize(
    ("features", "told"),
    [
        ({"a": mean("price", over="1h"), "b": total("price", over="1h", resolution=1.0)}, "b takes 'price' at resolution 1.0"),
        (
            latest("price", kind="category") | {"a": mean("price", over="1h")},
            "a takes 'price' at resolution 1e-09, another .* as category",
        ),
        ({"a": mean("price", over="0s")}, "a: over 0:00:00 at resolution 1e-09; both must be positive"),
        ({"a": mean("price", over="1h", resolution=0)}, "both must be positive"),
        ({}, "takes no feature"),
    ],
)
def test_an_impossible_view_is_refused(features: dict[str, Any], told: str) -> None:
    with pytest.raises(DeclarationError, match=told):
        declared(features)


def test_windows_are_named_once() -> None:
    hours = [view.windows for view in VIEWS]
    assert hours == [[], sorted({*itertools.chain(*hours)})]


@pytest.mark.parametrize("order", [*itertools.permutations(range(3))])
def test_a_tie_break_ranks_null_first_and_what_is_no_number_last_whatever_comes_first(order: tuple[int, ...]) -> None:
    @feature_view(key="shop", known_at="known_at", tie_break="rank", features=latest("price"))
    def ranked(sales: Any) -> Any:
        return sales

    sales = pl.DataFrame({"shop": ["a"] * 3, "known_at": [START] * 3, "price": [1.0, 2.0, 3.0], "rank": [None, 7.0, math.nan]})
    for rows, price in ((sales, 3.0), (sales[:2], 2.0), (sales[:1], 1.0)):
        given = rows[[at for at in order if at < rows.height]]
        (moment,) = known_values(ranked, given).values()
        offline = compute([ranked], {"sales": given}, pl.DataFrame({"_event_time": [START], "shop": ["a"]}))
        assert (moment.values, offline["price"].to_list()) == ((price,), [price])
