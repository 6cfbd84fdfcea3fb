"""The traffic's record and features: each hour once, in UTC, what is no measurement is null, nothing is known early."""

from datetime import UTC, datetime, timedelta
from functools import cache

import polars as pl
import pytest

from everfit.declaration.doors import reader
from everfit.features.labelled_rows import labelled
from everfit.features.offline import compute
from models.traffic_record import cleaned, hours, recorded_hours
from models.traffic_volume import traffic_volume
from models.traffic_weather import traffic_weather

HOUR = timedelta(hours=1)


def published(*rows: tuple[str, str, str]) -> pl.DataFrame:
    """A table as it is published, of the local time, the holiday and the kind of weather of each row."""
    named = [{"date_time": datetime.fromisoformat(at), "holiday": holiday, "kind": kind} for at, holiday, kind in rows]
    return pl.DataFrame(named).with_columns(temp=280, rain=0, snow=0, clouds=40, volume=pl.int_range(pl.len()))


@cache
def record() -> dict[str, pl.DataFrame]:
    """The hours until April 2013."""
    return {"hours": recorded_hours().filter(pl.col("hour") < datetime(2013, 4, 1, tzinfo=UTC))}


def test_of_two_rows_of_an_hour_the_first_counts() -> None:
    told = cleaned(published(("2013-05-01 10:00", "None", "Rain"), ("2013-05-01 10:00", "None", "Mist")))
    assert told.select("kind", "volume").rows() == [("Rain", 0.0)]
    every = recorded_hours()
    assert every.height == every["hour"].n_unique() == 40_575


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("2013-01-15 12:00", ["2013-01-15 18:00"]),
        ("2013-07-15 12:00", ["2013-07-15 17:00"]),
        ("2013-11-03 01:00", ["2013-11-03 06:00"]),  # twice that night: the earlier
        ("2013-11-03 02:00", ["2013-11-03 08:00"]),
        ("2013-03-10 02:00", []),  # skipped that night
    ],
)
def test_the_clock_on_the_wall_becomes_utc(local: str, utc: list[str]) -> None:
    assert [f"{hour:%Y-%m-%d %H:%M}" for hour in cleaned(published((local, "None", "Clear")))["hour"]] == utc


def test_a_holiday_holds_for_all_of_its_local_day() -> None:
    days = [("2013-07-03 23:00", "None", "Clear"), ("2013-07-04 00:00", "Independence Day", "Clear")]
    days += [("2013-07-04 23:00", "None", "Clear"), ("2013-07-05 00:00", "None", "Clear")]
    assert cleaned(published(*days))["holiday"].to_list() == ["none", "Independence Day", "Independence Day", "none"]


@pytest.mark.parametrize(("column", "value"), [("temp", 0.0), ("rain", 9831.3)])
def test_what_is_no_measurement_is_on_record_and_read_as_null(column: str, value: float) -> None:
    assert value in recorded_hours()[column]
    declared = next(one for one in hours.columns if one.name == column)
    read = reader(declared, "source")
    assert read(value) is None
    assert read(250.0) == 250.0


def test_ten_months_are_missing_and_not_filled() -> None:
    begins = recorded_hours()["hour"]
    assert begins.diff().max() == timedelta(days=307, hours=19)


def test_a_request_a_day_ahead_holds_nothing_of_the_hours_since() -> None:
    spine = labelled(traffic_volume, record())
    asked = spine[2_000:2_001]
    at = asked["_event_time"][0]
    known = pl.col("hour") + HOUR <= at
    changed = record()["hours"].with_columns(
        pl.when(known).then(pl.col(name)).otherwise(pl.col(name) + 7) for name in ("temp", "volume")
    )
    assert compute(traffic_volume.views, {"hours": changed}, asked).equals(compute(traffic_volume.views, record(), asked))
    assert asked["_observed_at"][0] == at + traffic_volume.training.label_delay


def test_a_mean_counts_the_hours_on_record_and_no_others() -> None:
    rows = compute(traffic_volume.views, record(), labelled(traffic_volume, record()))
    volumes = dict(record()["hours"].select("hour", "volume").iter_rows())
    at, told = rows["_event_time"].to_list(), rows["volume_24h"].to_list()
    for row in range(500, 1_000):
        day = [volumes.get(at[row] - hours_ago * HOUR) for hours_ago in range(1, 25)]
        known = [volume for volume in day if volume is not None]
        assert told[row] == pytest.approx(sum(known) / len(known))


def test_the_weather_of_an_hour_is_asked_when_it_begins_and_never_read_before_it_has_ended() -> None:
    rows = compute(traffic_weather.views, record(), labelled(traffic_weather, record()))
    kinds = dict(record()["hours"].select("hour", "kind").iter_rows())
    before = [kinds.get(at - HOUR, kind) for at, kind in rows.select("_event_time", "kind").iter_rows()]
    assert rows["kind"].to_list() == before
    assert rows["_label"].to_list() == list(kinds.values())
    assert set(recorded_hours()["kind"]) == set(traffic_weather.task.score_names)
