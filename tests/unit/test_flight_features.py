"""The second example's features on its real data: landings in UTC, nothing known early, no flight's own fate."""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import polars as pl
from sklearn.metrics import roc_auc_score

from everfit import feature_view, mean
from everfit.features.labelled_rows import labelled
from everfit.features.offline import compute
from models.flight_delay import carrier_lateness, flight_delay
from models.flight_record import recorded_flights, recorded_weather

UNTIL = datetime(2013, 2, 1, tzinfo=UTC)


@cache
def sources() -> dict[str, pl.DataFrame]:
    """What became known in January."""
    known = pl.col("known_at") < UNTIL
    return {"flights": recorded_flights().filter(known), "weather": recorded_weather().filter(pl.col("hour") < UNTIL)}


@cache
def computed() -> pl.DataFrame:
    """Every labelled flight of January with its features."""
    return compute(flight_delay.views, sources(), labelled(flight_delay, sources()))


def test_every_flight_of_the_year_is_on_record_once_and_known_after_it_should_have_left() -> None:
    record = recorded_flights()
    assert record.height == labelled(flight_delay, {"flights": record})["_request_id"].n_unique() == 336_776
    assert record["fate"].value_counts().sort("count")["count"].to_list() == [1_175, 8_255, 327_346]
    assert ((record["known_at"] - record["departs_at"]) > timedelta()).all()


def test_moments_are_utc_whatever_the_season() -> None:
    summer = recorded_flights().filter(pl.col("departs_at").dt.month() == 7)
    asked = labelled(flight_delay, {"flights": summer})
    assert (asked["_event_time"].dt.hour() == (asked["hour"] + 4) % 24).all()
    assert (computed()["_event_time"].dt.hour() == (computed()["hour"] + 5) % 24).all()
    first = recorded_flights().filter(pl.col("carrier") == "HA")[0]  # 9:00 in New York to 15:16 in Honolulu
    assert (first["departs_at"][0], first["known_at"][0]) == (
        datetime(2013, 1, 1, 14, tzinfo=UTC),
        datetime(2013, 1, 2, 1, 16, tzinfo=UTC),
    )


@feature_view(key="carrier", known_at="departs_at", features={"naive": mean("late", over="1h")})
def departed(flights: Any) -> Any:
    """The carrier's lateness by when its flights should have left: what a join that forgets when it was known would take."""
    return carrier_lateness.shape(flights)


def test_the_lateness_of_a_naive_join_gives_the_label_away_and_ours_does_not() -> None:
    rows = compute([departed], sources(), computed()).drop_nulls(["naive", "carrier_late_3h"])
    naive, honest = (float(roc_auc_score(rows["_label"], rows[name])) for name in ("naive", "carrier_late_3h"))
    assert naive > 0.8
    assert honest < 0.68


def test_no_feature_holds_what_became_known_later() -> None:
    at = datetime(2013, 1, 16, 20, tzinfo=UTC)
    given = sources()
    later = pl.col("known_at") > at
    changed = {
        "flights": given["flights"].with_columns(
            minutes_late=pl.when(later).then(500.0).otherwise("minutes_late"),
            fate=pl.when(later).then(pl.lit("landed")).otherwise("fate"),
        ),
        "weather": given["weather"].with_columns(
            temp=pl.when(pl.col("hour") + timedelta(hours=1) > at).then(451.0).otherwise("temp")
        ),
    }
    asked = labelled(flight_delay, given).filter(pl.col("_event_time").is_between(at - timedelta(days=1), at))
    assert asked.height > 800
    assert compute(flight_delay.views, changed, asked).equals(compute(flight_delay.views, given, asked))


def test_the_rates_are_what_they_say() -> None:
    record = sources()["flights"].filter(pl.col("fate") == "landed")
    known, late = record["known_at"].to_numpy(), (record["minutes_late"] > 15).to_numpy()
    day = np.timedelta64(24, "h")
    for row in computed()[5_000::1_500].iter_rows(named=True):
        at = np.datetime64(row["_event_time"].replace(tzinfo=None), "us")
        within = (known <= at) & (known > at - day)
        for key in ("origin", "carrier"):
            seen = late[within & (record[key] == row[key]).to_numpy()]
            assert np.isclose(row[f"{key}_late_24h"], seen.mean(), rtol=0, atol=1e-12)


def test_rows_whose_label_may_still_come_are_not_learnt_from() -> None:
    waiting = flight_delay.training.label_delay
    delays = computed()["_observed_at"] - computed()["_event_time"]
    assert (delays <= waiting).sum() > 0.999 * len(delays)
    assert delays.median() > timedelta(hours=2), "labels come hours late"  # type: ignore[operator]
