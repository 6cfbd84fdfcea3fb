"""The arithmetic of the policies' benchmark, on losses of which the answer is known, and the model that it declares itself."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from benchmarks._policy_counts import Reached, by_record, figures, gain_share, reached
from benchmarks._policy_picture import draw
from benchmarks._policy_records import RECORDS, Span
from benchmarks._policy_shuffled import shuffled
from everfit.declaration.reserved_columns import EVENT_TIME, OBSERVED_AT
from tests.losses import ageing
from tests.played import SummedRegret, declared


def point(**other: object) -> Reached:
    values = {
        "record": "made",
        "end": "early",
        "count": 2,
        "loss": 0.5,
        "timer": 0.6,
        "hindsight": 0.4,
        "never": 1.0,
        "weekly": 0.2,
    }
    return Reached(**values | other)  # type: ignore[arg-type]


def test_a_point_is_held_against_timers_hindsight_and_the_weekly_gain() -> None:
    found = point()
    assert found.wins
    assert (found.gain, found.share, found.left) == pytest.approx((0.125, 0.625, 0.5))


def test_counts_that_costs_reach_are_interpolated_and_others_left_out() -> None:
    losses = ageing(20, days=140)
    found = [*reached(declared(None), SummedRegret, Span("made", "late", losses))]
    assert [each.count for each in found] == [*range(found[0].count, found[-1].count + 1)]
    assert found[-1].count < 19
    for each in found:
        assert each.hindsight <= each.loss
        assert each.timer == losses.timer(each.count)
        assert (each.never, each.weekly) == (losses.mean([0]), losses.weekly)
    assert np.mean([each.share for each in found if each.count >= 4]) > 0.6


def test_the_share_is_the_best_counts_mean_over_starts_at_the_worse_end() -> None:
    early = [point(loss=0.4), point(loss=0.6), point(count=3, loss=0.45), point(count=9, loss=0.2)]
    late = [point(end="late", loss=0.3)]
    assert gain_share([*early, *late], "made", 4) == pytest.approx(0.55 / 0.8)


def test_the_figures_are_those_of_the_bounds() -> None:
    points = [point(), point(loss=0.65), point(record="other", loss=0.4), point(count=13, loss=0.9)]
    found = figures(points, {"made": 9, "other": 16})
    assert found == pytest.approx(
        {"wins_share": 2 / 3, "made_share_9": 0.53125, "other_share_16": 0.75, "distance_left": 0.4375}
    )
    assert by_record(points)["made"] == {"wins": 0.5, "gain": 0.031, "share": 0.531, "left": 0.875, "points": 2}


def test_every_record_draws_a_panel() -> None:
    points = [replace(point(), record=name, count=count) for name in RECORDS for count in (2, 3, 4)]
    drawn = draw(points)
    assert drawn.count("<polyline") == 3 * len(RECORDS)
    assert all(f">{name}</text>" in drawn for name in RECORDS)


def test_nothing_stands_above_the_policies_that_are_compared() -> None:
    for record in RECORDS.values():
        model = record.declared()
        assert model.limits.cooldown == timedelta()
        assert model.freshness.max_training_age > timedelta(days=9_999)
        assert len(model.candidates) == 1
    assert RECORDS["orders"].declared().training.label_delay == timedelta(days=31)


def test_shuffled_days_keep_their_rows_together() -> None:
    at = [datetime(2024, 1, day, hour, tzinfo=UTC) for day in range(1, 31) for hour in (0, 12)]
    known = [each + timedelta(hours=1) for each in at]
    rows = pl.DataFrame(
        {EVENT_TIME: at, OBSERVED_AT: known, "day": [each.day for each in at], "hour": [each.hour for each in at]}
    )
    moved = shuffled(rows, 0)
    assert moved[EVENT_TIME].to_list() == at
    assert (moved[OBSERVED_AT] - moved[EVENT_TIME]).unique().to_list() == [timedelta(hours=1)]
    assert moved["hour"].to_list() == rows["hour"].to_list()
    days = moved["day"].to_list()
    assert days[::2] == days[1::2]
    assert sorted(days) == rows["day"].to_list() != days
