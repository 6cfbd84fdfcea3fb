"""Features as of a moment: against a naive reference, blind to what was known later, and clear about what does not fit."""

from datetime import UTC, datetime, timedelta
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from everfit import count, feature_view, latest, mean, total
from everfit.declaration.views import FeatureView, Latest
from everfit.errors import SourceError
from everfit.features.offline import compute

START = datetime(2020, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@feature_view(
    key="shop", known_at="known_at", ttl="2h", tie_break="edition", features=latest("price") | latest("brand", kind="category")
)
def newest(sales: Any) -> Any:
    """The newest sale of a shop."""
    return sales


@feature_view(
    key="shop",
    known_at="known_at",
    tie_break="edition",
    features={
        "price_mean": mean("price", over="1h"),
        "price_sum": total("price", over="3h"),
        "prices": count("price", over="3h"),
        "brands": count("brand", over="1h"),
    },
)
def windows(sales: Any) -> Any:
    """Statistics of the sales that are no samples."""
    return sales.filter(nw.col("edition") >= 0)


VIEWS = [newest, windows]


def random_sales(seed: int, rows: int = 300) -> pl.DataFrame:
    """Sales of three shops on few moments, so that ties are many; prices and brands with nulls."""
    draw = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "shop": draw.choice(["a", "b", "c"], rows),
            "known_at": [START + MINUTE * int(at) for at in draw.integers(0, 600, rows) // 10 * 10],
            "price": [None if draw.random() < 0.1 else float(draw.integers(-50, 1000)) / 8 for _ in range(rows)],
            "brand": [None if draw.random() < 0.1 else str(draw.choice(["x", "y"])) for _ in range(rows)],
            "edition": draw.permutation(rows) - 20,
        }
    )


def random_spine(seed: int, rows: int = 200) -> pl.DataFrame:
    """Moments asked for: half of them ties with sales, some twice, some for a shop that never sold."""
    draw = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "_event_time": [START + MINUTE * int(at) for at in draw.integers(-60, 900, rows) // 5 * 5],
            "shop": draw.choice(["a", "b", "c", "never"], rows),
        }
    )


def reference(view: FeatureView, sales: pl.DataFrame, shop: str, at: datetime) -> dict[str, Any]:
    """The features by looking at every row, one after the other."""
    shaped = view.shape(nw.from_native(sales)).to_native()
    editions: dict[datetime, dict[str, Any]] = {}
    for row in sorted(shaped.iter_rows(named=True), key=lambda row: row["edition"]):
        if row["shop"] == shop and row["known_at"] <= at:
            editions[row["known_at"]] = row
    features: dict[str, Any] = {}
    for name, feature in view.features.items():
        if isinstance(feature, Latest):
            last = max(editions, default=None)
            fresh = last is not None and (view.ttl is None or at - last <= view.ttl)
            features[name] = editions[last][feature.column] if fresh and last is not None else None
            continue
        values = [row[feature.column] for known, row in editions.items() if known > at - feature.over]
        values = [value for value in values if value is not None]
        statistics = {"count": float(len(values)), "sum": 0.0, "mean": None}
        if feature.statistic != "count" and values:
            statistics |= {"sum": sum(values), "mean": sum(values) / len(values)}
        features[name] = statistics[feature.statistic]
    return features


@pytest.mark.parametrize("seed", range(5))
def test_equals_a_naive_reference(seed: int) -> None:
    sales, spine = random_sales(seed), random_spine(seed + 100)
    made = compute(VIEWS, {"sales": sales}, spine)
    assert_frame_equal(made.select(spine.columns), spine)
    for row in made.iter_rows(named=True):
        for view in VIEWS:
            for name, value in reference(view, sales, row["shop"], row["_event_time"]).items():
                assert row[name] == (pytest.approx(value, abs=1e-9) if isinstance(value, float) else value), (row, name)


def test_what_is_known_later_changes_nothing() -> None:
    sales, spine = random_sales(1, rows=600), random_spine(2, rows=400)
    horizon = START + 300 * MINUTE
    draw = np.random.default_rng(3)
    later = pl.col("known_at") > horizon
    scrambled = sales.with_columns(
        pl.when(later).then(pl.lit(draw.normal(size=sales.height) * 1e6)).otherwise("price").alias("price"),
        pl.when(later).then(pl.lit("z")).otherwise("brand").alias("brand"),
        pl.when(later).then(pl.lit("a")).otherwise("shop").alias("shop"),
    )
    assert not scrambled.equals(sales)
    before = pl.col("_event_time") <= horizon
    assert_frame_equal(
        compute(VIEWS, {"sales": sales}, spine).filter(before),
        compute(VIEWS, {"sales": scrambled}, spine).filter(before),
        check_exact=True,
    )


def test_a_tie_counts_and_the_far_end_of_a_window_does_not() -> None:
    sales = pl.DataFrame(
        {
            "shop": ["a", "a"],
            "known_at": [START, START + 60 * MINUTE],
            "price": [1.0, 2.0],
            "brand": ["x", "y"],
            "edition": [0, 1],
        }
    )
    spine = pl.DataFrame({"_event_time": [START + 60 * MINUTE, START + 60 * MINUTE - MINUTE], "shop": ["a", "a"]})
    made = compute(VIEWS, {"sales": sales}, spine)
    assert made["price"].to_list() == [2.0, 1.0]
    assert made["price_mean"].to_list() == [2.0, 1.0]
    assert made["prices"].to_list() == [2.0, 1.0]


def test_the_time_to_live_ends_after_its_last_instant() -> None:
    sales = random_sales(0, rows=1).with_columns(shop=pl.lit("a"), known_at=pl.lit(START), price=pl.lit(1.0), edition=pl.lit(1))
    instant = timedelta(microseconds=1)
    spine = pl.DataFrame({"_event_time": [START + 120 * MINUTE, START + 120 * MINUTE + instant], "shop": ["a", "a"]})
    assert compute(VIEWS, {"sales": sales}, spine)["price"].to_list() == [1.0, None]


def test_without_a_tie_break_all_rows_of_a_moment_count_and_the_last_is_the_latest() -> None:
    @feature_view(key="shop", known_at="known_at", features=latest("price") | {"turnover": total("price", over="1h")})
    def last(sales: Any) -> Any:
        return sales

    sales = pl.DataFrame({"shop": ["a"] * 3, "known_at": [START] * 3, "price": [3.0, 1.0, 2.0]})
    spine = pl.DataFrame({"_event_time": [START], "shop": ["a"]})
    assert compute([last], {"sales": sales}, spine).row(0) == (START, "a", 2.0, 6.0)


def test_units_and_zones_of_time_are_brought_together() -> None:
    sales, spine = random_sales(4), random_spine(5)
    mixed = sales.with_columns(pl.col("known_at").cast(pl.Datetime("ns", "Australia/Sydney")))
    naive = spine.with_columns(pl.col("_event_time").dt.replace_time_zone(None).cast(pl.Datetime("ms")))
    expected = compute(VIEWS, {"sales": sales}, spine).drop("_event_time")
    assert_frame_equal(compute(VIEWS, {"sales": mixed}, naive).drop("_event_time"), expected, check_exact=True)


def test_whole_numbers_are_one_key_whatever_type_holds_them() -> None:
    @feature_view(key="shop", known_at="known_at", features=latest("price"))
    def numbered(sales: Any) -> Any:
        return sales

    sales = pl.DataFrame({"shop": [7, 8], "known_at": [START, START], "price": [1.0, 2.0]})
    spine = pl.DataFrame({"_event_time": [START, START], "shop": [8.0, 7.0]})
    assert compute([numbered], {"sales": sales}, spine)["price"].to_list() == [2.0, 1.0]


def test_nan_infinity_and_rows_without_key_or_time_are_not_known() -> None:
    sales = pl.DataFrame(
        {
            "shop": ["a", "a", None, "a"],
            "known_at": [START, START + MINUTE, START, None],
            "price": [float("nan"), float("inf"), 5.0, 5.0],
            "brand": ["x"] * 4,
            "edition": [1, 2, 3, 4],
        }
    )
    made = compute(VIEWS, {"sales": sales}, pl.DataFrame({"_event_time": [START + MINUTE], "shop": ["a"]}))
    numbers = {"price": None, "price_mean": None, "price_sum": 0.0, "prices": 0.0, "brands": 2.0}
    assert made.drop("_event_time").row(0, named=True) == {"shop": "a", "brand": "x"} | numbers


def test_inputs_are_not_changed_and_empty_ones_are_answered() -> None:
    sales, spine = random_sales(6), random_spine(7)
    copies = sales.clone(), spine.clone()
    compute(VIEWS, {"sales": sales}, spine)
    assert_frame_equal(sales, copies[0])
    assert_frame_equal(spine, copies[1])
    nothing = compute(VIEWS, {"sales": sales.clear()}, spine)
    assert nothing["price"].null_count() == spine.height
    assert nothing["prices"].to_list() == [0.0] * spine.height
    assert compute(VIEWS, {"sales": sales}, spine.clear()).is_empty()


@pytest.mark.parametrize(
    ("sales", "told"),
    [
        (
            random_sales(8).drop("price"),
            r"view newest: no column 'price' in the rows that it makes of source sales; it has shop",
        ),
        (random_sales(8).drop("edition"), r"view newest: no column 'edition'"),
        (random_sales(8).with_columns(price=pl.lit("dear")), r"view newest: 'price' is String, no number"),
        (random_sales(8).with_columns(known_at=pl.lit("now")), r"'known_at' is String, not a time"),
    ],
)
def test_what_does_not_fit_is_told(sales: pl.DataFrame, told: str) -> None:
    with pytest.raises(SourceError, match=told):
        compute(VIEWS, {"sales": sales}, random_spine(9))


def test_a_sum_that_leaves_64_bits_is_told() -> None:
    sales = random_sales(10).with_columns(price=pl.lit(5e9), shop=pl.lit("a"))
    with pytest.raises(SourceError, match=r"view windows: 'price' reaches .*: its sum exceeds 64 bits at resolution 1e-09"):
        compute(VIEWS, {"sales": sales}, random_spine(9))


def test_a_missing_source_and_a_spine_without_its_key_are_told() -> None:
    with pytest.raises(SourceError, match="view newest reads source 'sales'; given are orders"):
        compute(VIEWS, {"orders": random_sales(0)}, random_spine(0))
    with pytest.raises(SourceError, match="the requested rows lack the column 'shop'; they have _event_time"):
        compute(VIEWS, {"sales": random_sales(0)}, random_spine(0).drop("shop"))
    with pytest.raises(SourceError, match=r"view windows: .*edition.*; source sales has shop"):
        compute([windows], {"sales": random_sales(0).drop("edition")}, random_spine(0))
