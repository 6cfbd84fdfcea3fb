"""Publishing on the real Postgres: what lands, what follows online, and what is refused with nothing half written."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from everfit import Category, Integer, Model, Number, Source, Time
from everfit.errors import DeclarationError, ServiceError, SourceError
from everfit.sources.publication import publish
from everfit.store.database import create_engine
from everfit.store.frames import landed
from everfit.store.tables import online_features, source_rows, view_versions
from models.electricity_price import electricity_price, half_hours, recorded_half_hours

MODELS = {electricity_price.name: electricity_price}
HALF_HOUR = timedelta(minutes=30)


def online(engine: Engine) -> list[tuple[Any, ...]]:
    """The whole online state, in order."""
    table = online_features
    with engine.connect() as connection:
        query = sa.select(table).order_by(table.c.view, table.c.version, table.c.key, table.c.known_at)
        return [tuple(row) for row in connection.execute(query)]


def landed_rows(engine: Engine) -> int:
    """How many rows have landed."""
    with engine.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(source_rows)).scalar_one()


def rows(count: int) -> list[dict[str, Any]]:
    """The first half-hours on record."""
    recorded: pl.DataFrame = recorded_half_hours()
    return recorded[:count].to_dicts()


@pytest.fixture
def expected(engine: Engine) -> list[tuple[Any, ...]]:
    """The online state after 60 half-hours in order; the tables are empty again."""
    publish(engine, MODELS, "half_hours", rows(60))
    state = online(engine)
    with engine.begin() as connection:
        connection.execute(sa.delete(source_rows))
        connection.execute(sa.delete(online_features))
        connection.execute(sa.delete(view_versions))
    return state


def test_rows_land_as_they_are_and_again_change_nothing(engine: Engine) -> None:
    frame = recorded_half_hours()[:100]
    assert publish(engine, MODELS, "half_hours", frame) == 100
    with engine.connect() as connection:
        start = frame["period_start"][0]
        held = landed(connection, half_hours, (start, start + timedelta(days=9)))
    assert held.equals(frame.select(held.columns))
    state = online(engine)
    assert publish(engine, MODELS, "half_hours", frame) == 0
    assert online(engine) == state


def test_one_by_one_is_as_all_at_once(engine: Engine, expected: list[tuple[Any, ...]]) -> None:
    for row in rows(60):
        assert publish(engine, MODELS, "half_hours", [row]) == 1
    assert online(engine) == expected


def test_out_of_order_is_as_in_order(engine: Engine, expected: list[tuple[Any, ...]]) -> None:
    given = rows(60)
    for late in (given[:20], given[40:], given[30:40], given[25:26], given[20:25], given[26:30]):
        publish(engine, MODELS, "half_hours", late[::-1])
    assert online(engine) == expected


def test_a_correction_is_summed_again(engine: Engine, expected: list[tuple[Any, ...]]) -> None:
    given = rows(60)
    wrong = [{**row, "price": 0.9, "neighbour_price": 0.1} if 10 <= number < 15 else row for number, row in enumerate(given)]
    publish(engine, MODELS, "half_hours", wrong)
    assert online(engine) != expected
    assert publish(engine, MODELS, "half_hours", given) == 5
    assert online(engine) == expected


def test_a_correction_that_moves_a_row_leaves_nothing_behind(engine: Engine) -> None:
    numbered = numbered_model()
    publish(
        engine,
        {"shops": numbered},
        "sales",
        [sale(1, minute=1, price=1), sale(2, minute=2, price=2), sale(3, minute=3, price=4)],
    )
    publish(engine, {"shops": numbered}, "sales", [sale(1, minute=9, price=1)])
    assert [(row[3], row[5]) for row in online(engine)] == [
        (START + timedelta(minutes=2), [2 * 10**9]),
        (START + timedelta(minutes=3), [6 * 10**9]),
        (START + timedelta(minutes=9), [7 * 10**9]),
    ]


def test_of_two_rows_of_one_identity_in_a_publication_the_last_counts_and_the_other_is_logged(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    first, second, third = rows(3)
    assert publish(engine, MODELS, "half_hours", [first, second, third, {**second, "price": 0.5}, third]) == 3
    with engine.connect() as connection:
        held = landed(connection, half_hours, (first["period_start"], first["period_start"] + timedelta(days=1)))
    assert held["price"].to_list() == [first["price"], 0.5, third["price"]]
    assert caplog.messages == [
        "source half_hours: 1 rows differ from a later row of this publication with the same region, period_start "
        "(first rows 2 and 4); the last counts"
    ]


def test_rows_of_one_moment_count_together_in_whatever_order_they_come(engine: Engine) -> None:
    numbered = numbered_model()
    for number in (2, 1, 3):
        publish(engine, {"shops": numbered}, "sales", [sale(number, minute=1, price=number)])
    assert [row[5] for row in online(engine)] == [[6 * 10**9]]


def test_a_view_declared_later_begins_with_what_has_landed(engine: Engine, expected: list[tuple[Any, ...]]) -> None:
    before = electricity_price.model_copy(update={"views": electricity_price.views[:1]})
    publish(engine, {before.name: before}, "half_hours", rows(59))
    publish(engine, MODELS, "half_hours", rows(60)[59:])
    assert online(engine) == expected


def test_publishers_side_by_side_lose_nothing(engine: Engine, expected: list[tuple[Any, ...]]) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda row: publish(engine, MODELS, "half_hours", [row]), rows(60)))
    assert online(engine) == expected


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"price": "dear"}, r"source half_hours, row 2, column 'price': 'dear' does not fit: not a finite number"),
        ({"price": True}, r"column 'price': True does not fit"),
        ({"price": float("nan")}, r"column 'price': nan does not fit: not a finite number"),
        ({"price": 10**400}, r"column 'price': a whole number of 1329 bits does not fit: beyond ±1e\+37"),
        ({"price": 1e39}, r"source half_hours, row 2, column 'price': 1e\+39 does not fit: beyond ±1e\+37"),
        ({"price": -3.4e38}, r"-3.4e\+38 does not fit: beyond ±1e\+37; declare missing=\[…\] where it stands for nothing"),
        ({"price": 1.5}, r"column 'price': 1.5 does not fit: outside its bounds 0.0 to 1.0"),
        ({"price": None}, r"column 'price': null, and the column is not nullable"),
        ({"region": 7}, r"column 'region': 7 does not fit: not a text"),
        ({"region": "N\0W"}, r"column 'region': 'N\\x00W' does not fit: .*NUL"),
        ({"period_start": "noon"}, r"column 'period_start': 'noon' does not fit: 'noon' is no time"),
        ({"period_start": datetime(1996, 5, 8)}, r"column 'period_start': .* has no time zone"),  # noqa: DTZ001
        (
            {"period_start": datetime(2999, 1, 1, tzinfo=UTC)},
            r"row 2, .*: 2999-01-01T00:00:00Z lies in the future; publish a row when",
        ),
        ({"colour": "red"}, r"row 2: unknown column 'colour'; its columns are period_start, region"),
    ],
)
def test_what_does_not_fit_is_told_and_nothing_is_written(engine: Engine, change: Mapping[str, Any], told: str) -> None:
    first, second, third = rows(3)
    with pytest.raises(SourceError, match=told):
        publish(engine, MODELS, "half_hours", [first, {**second, **change}, third])
    assert landed_rows(engine) == 0
    assert online(engine) == []


def test_a_missing_column_is_told(engine: Engine) -> None:
    with pytest.raises(SourceError, match="row 1: missing column 'price', 'transfer'"):
        publish(engine, MODELS, "half_hours", recorded_half_hours()[:3].drop("price", "transfer"))
    assert landed_rows(engine) == 0


def test_what_a_view_cannot_take_leaves_nothing_landed(engine: Engine) -> None:
    with pytest.raises(SourceError, match="its sum exceeds 64 bits"):
        publish(engine, {"shops": numbered_model()}, "sales", [sale(1, minute=1, price=1e10)])
    assert landed_rows(engine) == 0


def test_an_unknown_source_and_two_declarations_of_one_are_told(engine: Engine) -> None:
    with pytest.raises(SourceError, match="no source 'weather'; declared are half_hours"):
        publish(engine, MODELS, "weather", [])
    other = half_hours.model_copy(update={"known_after": timedelta()})
    twin = electricity_price.model_copy(update={"name": "twin", "sources": [other]})
    with pytest.raises(DeclarationError, match="source 'half_hours' is declared in two ways"):
        publish(engine, MODELS | {"twin": twin}, "half_hours", rows(1))


def test_no_row_is_no_change(engine: Engine) -> None:
    assert publish(engine, MODELS, "half_hours", []) == 0


def test_a_database_that_is_away_is_told() -> None:
    away = create_engine("postgresql+psycopg://postgres:secret@127.0.0.1:1/everfit")
    with pytest.raises(ServiceError, match=r"Postgres does not answer at .*:\*\*\*@127.0.0.1:1/everfit"):
        publish(away, MODELS, "half_hours", rows(1))


START = datetime(2020, 1, 1, tzinfo=UTC)


def sale(number: int, *, minute: int, price: float) -> dict[str, Any]:
    """A sale of shop 7."""
    return {"number": number, "shop": 7, "sold_at": START, "known_at": START + timedelta(minutes=minute), "price": price}


def numbered_model() -> Model:
    """A model keyed by a number; several sales may become known at the same moment."""
    from everfit import feature_view, total

    @feature_view(key="shop", known_at="known_at", features={"turnover": total("price", over="1h")})
    def turnover(sales: Any) -> Any:
        return sales

    columns = [Integer("number"), Integer("shop"), Time("sold_at"), Time("known_at"), Number("price")]
    source = Source(name="sales", columns=columns, identity=["number"], event_time="sold_at")
    request = [Integer("shop"), Category("region")]
    changed = {"name": "shops", "sources": [source], "views": [turnover], "request": request, "history": lambda sales: sales}
    return electricity_price.model_copy(update=changed)


def test_the_sales_are_those_of_one_shop(engine: Engine) -> None:
    publish(engine, {"shops": numbered_model()}, "sales", pl.DataFrame([sale(1, minute=1, price=1.0)]))
    assert {row[2] for row in online(engine)} == {"7"}
