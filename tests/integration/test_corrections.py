"""A correction, or a row out of order, leaves the very online state that a fresh build makes of what has landed."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import hypothesis.strategies as st
import narwhals.stable.v2 as nw
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings

from everfit import Category, Integer, Model, Number, Source, Time, count, feature_view, latest, mean, total
from everfit.errors import SourceError
from everfit.sources.publication import publish
from everfit.store import source_rows
from everfit.store.tables import online_features, view_versions
from everfit.store.view_builds import build
from models.electricity_price import electricity_price
from tests.databases import emptied

START = datetime(2020, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
Row = dict[str, Any]

sales = Source(
    name="sales",
    columns=[
        Integer("number"),
        Time("sold_at"),
        Time("known_at", nullable=True),
        Category("shop"),
        Number("price", nullable=True),
        Category("brand", nullable=True),
    ],
    identity=["number"],
    event_time="sold_at",
)


@feature_view(
    key="shop",
    known_at="known_at",
    features=latest("price") | {"turnover": total("price", over="1h"), "brands": count("brand", over="1d")},
)
def all_sales(sales: Any) -> Any:
    """Every sale counts."""
    return sales


@feature_view(
    key="shop", known_at="known_at", tie_break="number", features={"mean": mean("price", over="1h", resolution=0.125)}
)
def one_a_moment(sales: Any) -> Any:
    """Of each moment the sale of the largest number."""
    return sales.filter(nw.col("price").is_null() | (nw.col("price") >= 0))


@feature_view(
    key="chain", known_at="known_at", features=latest("brand", kind="category") | {"sales": count("price", over="1h")}
)
def of_chains(sales: Any) -> Any:
    """By a key that the view's function makes."""
    return sales.with_columns(chain=nw.lit("chain ") + nw.col("shop"))


MODEL: Model = electricity_price.model_copy(
    update={
        "name": "shops",
        "sources": [sales],
        "request": [Category("shop"), Category("chain")],
        "entity": "shop",
        "views": [all_sales, one_a_moment, of_chains],
        "history": lambda sales: sales,
    }
)
MODELS = {MODEL.name: MODEL}

minutes = st.integers(0, 8).map(lambda minute: START + minute * MINUTE)
a_sale = st.fixed_dictionaries(
    {
        "number": st.integers(0, 15),
        "sold_at": minutes,
        "known_at": st.one_of(minutes, minutes, minutes, st.none()),
        "shop": st.sampled_from(["a", "b"]),
        "price": st.one_of(st.none(), st.integers(-80, 800).map(lambda eighths: eighths / 8)),
        "brand": st.sampled_from(["x", "y", None]),
    }
)
a_publication = st.lists(a_sale, min_size=1, max_size=8, unique_by=lambda row: row["number"])


def sale(number: int, minute: int, price: float | None, *, shop: str = "a") -> Row:
    at = START + minute * MINUTE
    return {"number": number, "sold_at": at, "known_at": at, "shop": shop, "price": price, "brand": "x"}


def state(engine: sa.Engine) -> list[tuple[Any, ...]]:
    """The whole online state, in order."""
    table = online_features
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.select(table).order_by(*table.primary_key.columns))]


def rebuilt(engine: sa.Engine) -> list[tuple[Any, ...]]:
    """The same as it is made of what has landed."""
    with engine.begin() as connection:
        connection.execute(sa.delete(online_features))
        connection.execute(sa.delete(view_versions))
    build(engine, MODELS)
    return state(engine)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(a_publication, min_size=1, max_size=6))
def test_the_state_is_that_of_a_fresh_build(engine: sa.Engine, publications: list[list[Row]]) -> None:
    emptied(engine)
    for rows in publications:
        publish(engine, MODELS, "sales", rows)
    followed = state(engine)
    assert followed == rebuilt(engine)


@pytest.fixture
def read(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> list[Sequence[str]]:
    """The keys whose landed rows were read again, one entry a reading."""
    publish(engine, MODELS, "sales", [sale(number, number, 1.0) for number in range(10)])
    readings: list[Sequence[str]] = []
    of_keys = source_rows.of_keys

    def counted(cursor: Any, source: Source, column: str | None = None, keys: Sequence[str] = ()) -> Any:
        readings.append(keys)
        return of_keys(cursor, source, column, keys)

    monkeypatch.setattr(source_rows, "of_keys", counted)
    return readings


@pytest.mark.parametrize(
    "changed",
    [
        {"price": 5.0},
        {"price": None},
        {"price": -5.0},  # one of the views leaves it out now
        {"known_at": START + 3 * MINUTE + MINUTE / 2},
        {"known_at": START + 90 * MINUTE},
        {"known_at": None},
        {"shop": "b"},
        {"number": 99, "known_at": START + MINUTE / 2},  # a row out of order, not a correction
    ],
)
def test_a_correction_reads_no_landed_row_again(engine: sa.Engine, read: list[Sequence[str]], changed: Row) -> None:
    publish(engine, MODELS, "sales", [sale(4, 4, 1.0) | changed])
    assert read == []
    followed = state(engine)
    assert followed == rebuilt(engine)


def test_only_the_keys_of_a_tie_are_looked_at_again(engine: sa.Engine, read: list[Sequence[str]]) -> None:
    publish(engine, MODELS, "sales", [sale(30, 4, 7.0), sale(31, 4, 7.0, shop="b")])
    assert {tuple(keys) for keys in read} == {("a",), ("chain a",)}
    followed = state(engine)
    assert followed == rebuilt(engine)


def test_a_later_sum_that_leaves_64_bits_is_refused_and_nothing_is_changed(engine: sa.Engine) -> None:
    publish(engine, MODELS, "sales", [sale(1, 1, 1.0), sale(2, 5, 5e9)])
    before = state(engine)
    for row in (sale(1, 1, 6e9), sale(3, 3, 6e9)):
        with pytest.raises(SourceError, match=r"'price' reaches 11000000000.0: its sum exceeds 64 bits|reaches 11000000001"):
            publish(engine, MODELS, "sales", [row])
    assert state(engine) == before


def test_rows_that_were_not_counted_by_moment_are_looked_at_again(engine: sa.Engine, read: list[Sequence[str]]) -> None:
    with engine.begin() as connection:
        connection.execute(sa.update(online_features).values(rows=None))
    publish(engine, MODELS, "sales", [sale(0, 0, 9.0)])
    assert len(read) == len(MODEL.views)
    followed = state(engine)
    assert followed == rebuilt(engine)
