"""What is on record of westbound Interstate 94 between Minneapolis and St Paul, and of its weather: the source ``hours``.

The file holds local times of the clock on the wall; here every moment is UTC. See ``models/data/README.md``.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from everfit import Category, Number, Source, Time

if TYPE_CHECKING:
    import polars as pl

MINNESOTA = "America/Chicago"


def recorded_hours() -> "pl.DataFrame":
    """All 40,575 published hours, 2 October 2012 to 30 September 2018, each once; ten months are missing, and shorter times."""
    import polars as pl

    names = {"temp": "temp", "rain_1h": "rain", "snow_1h": "snow", "clouds_all": "clouds", "weather_main": "kind"}
    file = Path(__file__).parent / "data" / "traffic.csv.gz"
    return cleaned(pl.read_csv(file, try_parse_dates=True).rename(names | {"traffic_volume": "volume"}))


def cleaned(rows: "pl.DataFrame") -> "pl.DataFrame":
    """The hours of a published table, each once, in order.

    Of several rows of an hour, which differ in the weather alone, the first counts. A holiday is named in the first hour of its
    day only, and holds for all of it. Of the two hours that one reading of the clock means in autumn the earlier is taken; an
    hour that the clock skips in spring is none.
    """
    import polars as pl

    day = pl.col("date_time").dt.date()
    holiday = pl.col("holiday").filter(pl.col("holiday") != "None").first().over(day)
    at = pl.col("date_time").dt.replace_time_zone(MINNESOTA, ambiguous="earliest", non_existent="null")
    numbers = pl.col("temp", "rain", "snow", "clouds", "volume").cast(pl.Float64)
    told = rows.with_columns(numbers, hour=at.dt.convert_time_zone("UTC"), holiday=holiday.fill_null("none"))
    hours = told.filter(pl.col("hour").is_not_null()).unique("hour", keep="first", maintain_order=True)
    road = pl.lit("I-94 west").alias("road")
    return hours.select("hour", road, "holiday", "temp", "rain", "snow", "clouds", "kind", "volume").sort("hour")


hours = Source(
    name="hours",
    columns=[
        Time("hour"),
        Category("road", description="road and direction"),
        Category("holiday", description="name of the holiday, or none"),
        Number("temp", missing=[0.0], between=(200, 350), description="temperature", unit="K"),
        Number("rain", missing=[9831.3], between=(0, 300), description="rain of the hour", unit="mm"),
        Number("snow", between=(0, 300), description="snow of the hour", unit="mm"),
        Number("clouds", between=(0, 100), description="share of the sky under clouds", unit="%"),
        Category("kind", description="kind of weather"),
        Number("volume", between=(0, 10_000), description="vehicles that passed", unit="vehicles an hour"),
    ],
    identity=["road", "hour"],
    event_time="hour",
    known_after="1h",  # an hour is published when it has ended
    recorded=recorded_hours,
)
