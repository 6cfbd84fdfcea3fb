"""Will this customer of an online shop order again within 30 days? A label that is a month late by nature."""

from pathlib import Path
from typing import Any

import narwhals.stable.v2 as nw

from everfit import (
    BinaryClassification,
    Category,
    FreshnessPolicy,
    GradientBoosting,
    Integer,
    Model,
    Number,
    Source,
    Time,
    TrainingWindow,
    count,
    feature_view,
    mean,
)

DAYS = 30  # within which an order counts as another
SPANS = ("7d", "30d", "90d", "365d")


def recorded_orders() -> Any:
    """All 44,876 published orders and cancellations; the shop's clock is taken as UTC."""
    import polars as pl

    rows = pl.read_csv(Path(__file__).parents[1] / "data" / "orders.csv.gz", try_parse_dates=True)
    return rows.with_columns(
        pl.col("ordered_at").dt.replace_time_zone("UTC"),
        pl.col("customer").cast(pl.String),
        pl.col("lines", "products", "quantity", "amount").cast(pl.Float64),
    )


orders = Source(
    name="orders",
    columns=[
        Category("order"),
        Time("ordered_at"),
        Category("customer"),
        Category("country"),
        Number("lines"),
        Number("products"),
        Number("quantity"),
        Number("amount", unit="pounds"),
        Integer("cancelled", between=(0, 1)),
    ],
    identity=["order"],
    event_time="ordered_at",
    recorded=recorded_orders,
)


@feature_view(
    key="customer",
    known_at="ordered_at",
    tie_break="order",
    features={f"orders_{over}": count("amount", over=over) for over in SPANS}
    | {f"amount_{over}": mean("amount", over=over, resolution=0.01) for over in SPANS}
    | {f"cancelled_{over}": mean("cancelled", over=over, resolution=1) for over in SPANS},
)
def customer_orders(orders: Any) -> Any:
    """What the customer has ordered and cancelled, the order asked about included."""
    return orders.with_columns(cancelled=nw.col("cancelled").cast(nw.Float64))


def orders_followed(orders: Any) -> Any:
    """One row an order, and whether another of the customer came in time; of the last days nobody knows."""
    within = f"{DAYS}d"
    at, is_order = nw.col("ordered_at"), nw.col("cancelled") == 0
    return (
        orders.sort("customer", "ordered_at", "order")
        .with_columns(own=nw.when(is_order).then(at))
        .with_columns(after=nw.col("own").shift(-1).over("customer"))
        .with_columns(after=nw.col("after").fill_null(strategy="backward").over("customer"))
        .with_columns(known=at.dt.offset_by(within))
        .filter(nw.col("known") <= at.max())
        .with_columns(again=((nw.col("after") <= nw.col("known")).fill_null(value=False)).cast(nw.Int64))
        .with_columns(observed_at=nw.when(nw.col("again") == 1).then(nw.col("after")).otherwise(nw.col("known")))
        .with_columns(event_time=at, hour=at.dt.hour(), weekday=at.dt.weekday() - 1)
    )


orders_again = Model(
    name="orders_again",
    description=__doc__,
    owners=["team:shop"],
    task=BinaryClassification(label="again"),
    entity="customer",
    identity=["order"],
    event_time="ordered_at",
    go_live="2010-05-30",  # half a year of orders
    sources=[orders],
    request=[
        Category("customer"),
        Category("country"),
        Number("lines"),
        Number("products"),
        Number("quantity"),
        Number("amount", unit="pounds"),
        Integer("cancelled", between=(0, 1)),
        Integer("hour", between=(0, 23)),
        Integer("weekday", between=(0, 6)),
    ],
    views=[customer_orders],
    history=orders_followed,
    candidates=[GradientBoosting(trees=100, leaves=15)],
    training=TrainingWindow(history="all", label_delay="31d"),
    freshness=FreshnessPolicy(max_training_age="90d"),
)
