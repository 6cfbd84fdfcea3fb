"""No threshold stands where no window can reach it: what cannot alarm gets a measure that can, or says so."""

import math
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everfit import DriftPolicy
from everfit.declaration.reserved_columns import EVENT_TIME
from everfit.declaration.views import Kind
from everfit.evidence.calibration import Calibration, Threshold, calibrate, reference_sample
from everfit.evidence.drift import judge_drift
from everfit.evidence.measures import FARTHEST_SHARES, LEAST_DEVIATION, measure_named

START = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
DAYS, ROWS = 10, 40
POLICY = DriftPolicy(window=DAY, min_rows=20, sample_rows=500, reference=DAYS * DAY)


def frame(values: Sequence[Any], kind: Kind) -> pl.DataFrame:
    """One column over ten days."""
    times = pl.Series([START + n * DAY / ROWS for n in range(len(values))], dtype=pl.Datetime("us", "UTC"))
    return pl.DataFrame({EVENT_TIME: times, "x": pl.Series(values, dtype=pl.String if kind == "category" else pl.Float64)})


def calibrated(values: Sequence[Any], kind: Kind) -> tuple[Calibration, pl.DataFrame]:
    columns: list[tuple[str, Kind]] = [("x", kind)]
    rows, cutoff = frame(values, kind), START + DAYS * DAY
    reference = reference_sample(POLICY, rows, columns, cutoff=cutoff)
    return calibrate(POLICY, rows, reference, columns, cutoff=cutoff), reference


def judged(values: Sequence[Any], kind: Kind, window: Sequence[Any]) -> tuple[str, str]:
    calibration, reference = calibrated(values, kind)
    evidence, _ = judge_drift(calibration, reference, frame(window, kind))
    return evidence.verdict, evidence.reason


def normal(scale: float, shift: float = 0.0, rows: int = DAYS * ROWS, seed: int = 0) -> list[float]:
    return list(scale * (np.random.default_rng(seed).normal(0, 1, rows) + shift))


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e-9, 1e-5, 1e-3, 1.0, 1e9, 1e36])
def test_a_shift_is_drift_at_every_scale_and_none_is_none(scale: float) -> None:
    training = normal(scale)
    assert judged(training, "number", normal(scale, seed=1, rows=ROWS))[0] == "ok"
    assert judged(training, "number", normal(scale, shift=3, seed=1, rows=ROWS))[0] == "alarm"


@pytest.mark.parametrize("constant", [0.0, 1e-9, 0.25, 1e12])
def test_a_constant_that_comes_alive_is_drift_and_its_noise_is_none(constant: float) -> None:
    training = [constant * (1 + 1e-15 * (n % 3)) for n in range(DAYS * ROWS)]
    assert judged(training, "number", training[1 : ROWS + 1])[0] == "ok"
    assert judged(training, "number", [constant + n * max(constant, 1e-9) / ROWS for n in range(ROWS)])[0] == "alarm"


def test_identifiers_alarm_when_one_of_them_takes_over() -> None:
    names = [str(uuid.UUID(int=n)) for n in range((DAYS + 1) * ROWS)]
    calibration, reference = calibrated(names[: DAYS * ROWS], "category")
    assert [t.measure for t in calibration.thresholds] == ["common_jensenshannon", "null_share"]
    assert judge_drift(calibration, reference, frame(names[-ROWS:], "category"))[0].verdict == "ok"
    stuck = names[-ROWS // 2 :] + names[:1] * (ROWS // 2)
    assert judge_drift(calibration, reference, frame(stuck, "category"))[0].verdict == "alarm"


def test_ordinary_columns_keep_evidentlys_measures() -> None:
    assert [t.measure for t in calibrated(normal(1.0), "number")[0].thresholds] == ["wasserstein", "null_share"]
    few = ["east", "west", "north"] * (DAYS * ROWS // 3 + 1)
    assert [t.measure for t in calibrated(few[: DAYS * ROWS], "category")[0].thresholds] == ["jensenshannon", "null_share"]


def test_what_cannot_alarm_says_so() -> None:
    verdict, reason = judged([None] * (DAYS * ROWS), "number", [1.0] * ROWS)
    assert verdict == "alarm", "of its null share"
    assert "x cannot alarm by scaled_wasserstein: the reference holds no value of it" in reason
    calibration, reference = calibrated(normal(1.0), "number")
    beyond = [Threshold("x", "null_share", 0.0, 0.5, 1.5), *calibration.thresholds[:1]]
    evidence, _ = judge_drift(_with(calibration, beyond), reference, reference)
    assert "x cannot alarm by null_share: null_share reaches 1.000 at most, its threshold is 1.500" in evidence.reason
    assert [one["measure"] for one in evidence.detail["cannot_alarm"]] == ["null_share"]


def test_a_champion_of_an_earlier_version_says_what_its_scale_cannot_show() -> None:
    calibration, reference = calibrated(normal(1e-9), "number")
    then = [Threshold("x", "wasserstein", 0.0, 0.05, 0.1)]  # as it was calibrated before
    evidence, _ = judge_drift(_with(calibration, then), reference, frame(normal(1e-9, shift=3, rows=ROWS), "number"))
    assert evidence.verdict == "ok"
    assert f"too small for a scale of {LEAST_DEVIATION}; the next training chooses another" in evidence.reason


def _with(calibration: Calibration, thresholds: list[Threshold]) -> Calibration:
    return msgspec.structs.replace(calibration, thresholds=thresholds, chart=None)


NUMBERS = st.one_of(st.none(), st.floats(-1e37, 1e37), st.sampled_from([0.0, 1e-300, -1e-12, 0.5]))
TEXTS = st.one_of(st.none(), st.text(max_size=3), st.sampled_from(["a", "b"]))


@settings(max_examples=60, deadline=None)
@given(kind=st.sampled_from(["number", "category"]), data=st.data())
def test_every_threshold_is_reached_by_some_window_or_told(kind: Kind, data: st.DataObject) -> None:
    values = data.draw(st.lists(NUMBERS if kind == "number" else TEXTS, min_size=1, max_size=30))
    training = [values[n % len(values)] for n in range(DAYS * ROWS)]
    calibration, reference = calibrated(training, kind)
    for threshold in calibration.thresholds:
        if threshold.blind(reference["x"]):
            continue
        windows = _extremes(kind, reference["x"])
        reached = max(measure_named(threshold.measure).distance(reference["x"], window) for window in windows)
        assert reached >= threshold.threshold, (threshold, measure_named(threshold.measure).farthest(reference["x"]))


def _extremes(kind: Kind, reference: pl.Series) -> list[pl.Series]:
    """All null, none null and far away from everything."""
    if kind == "category":
        return [pl.Series([None] * ROWS, dtype=pl.String), pl.Series(["not in the reference"] * ROWS)]
    values = [abs(value) for value in reference.to_list() if value is not None]
    far = 1e6 * (max(values, default=0.0) or 1.0)
    return [pl.Series([None] * ROWS, dtype=pl.Float64), pl.Series([far] * ROWS)]


def test_the_farthest_shares_are_those_of_two_columns_without_a_common_value() -> None:
    a, b = pl.Series(["a"] * 9), pl.Series(["b"] * 7)
    assert measure_named("jensenshannon").distance(a, b) == pytest.approx(FARTHEST_SHARES, abs=1e-12)
    assert math.isclose(measure_named("common_jensenshannon").distance(a, b), FARTHEST_SHARES, abs_tol=1e-12)


def test_a_constant_column_of_the_smallest_number_has_a_scale() -> None:
    constant, far = pl.Series([5e-324] * 9), pl.Series([5e-318] * 9)
    assert measure_named("scaled_wasserstein").distance(constant, constant) == 0.0
    assert measure_named("scaled_wasserstein").distance(constant, far) > 1e5
