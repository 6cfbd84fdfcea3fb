"""What a large window costs, and a wide one, beside Evidently on all rows; each in a process of its own."""

import multiprocessing
import resource
import time
import warnings
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from benchmarks._drift_streams import COLUMNS, DAY, NUMBERS, SIZES, START, Stream, frame
from everfit.declaration import DriftPolicy
from everfit.declaration.views import Features
from everfit.evidence.calibration import calibrate, reference_sample, sample
from everfit.evidence.drift import judge_drift
from monitors.version_share import SAMPLE_ROWS

HISTORY = 30
POLICY = DriftPolicy(window=DAY, reference=HISTORY * DAY, min_rows=200)
SMALL, LARGE = 10_000, 1_000_000
WIDE, WIDE_ROWS = 1_000, 1_000
SHIFTED = {NUMBERS[0]: 0.25, NUMBERS[1]: 0.5, NUMBERS[2]: 1.0}
MEGABYTE = 2**20


class Cost(NamedTuple):
    """Seconds and largest resident megabytes of one verdict, and the columns that drifted by it."""

    seconds: float
    megabytes: float
    drifted: list[str]


def costs() -> dict[str, float]:
    """The figures of a large and of a wide window."""
    ours, small, evidently = _apart(_everfit, LARGE), _apart(_everfit, SMALL), _apart(_evidently, LARGE)
    return {
        "versus_evidently": evidently.seconds / ours.seconds,
        "evidently_seconds": evidently.seconds,
        "everfit_seconds": ours.seconds,
        "memory_mb": ours.megabytes - small.megabytes,
        "verdicts_that_differ": len(set(evidently.drifted) ^ set(ours.drifted)),
        "wide_seconds": _apart(_wide, WIDE_ROWS).seconds,
    }


def _apart(measure: Callable[[int], Cost], rows: int) -> Cost:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, (rows,))


def _history() -> pl.DataFrame:
    stream = Stream.of("independent", 1_000, HISTORY, 0)
    days = [frame(stream.window(day), day) for day in range(HISTORY)]
    spread = [day.with_columns(pl.col("_event_time") + pl.int_range(pl.len()) * timedelta(seconds=60)) for day in days]
    return pl.concat(spread)


def _window(rows: int) -> pl.DataFrame:
    window = Stream.of("independent", rows, 1, 1).window(0)
    return frame({name: values + SHIFTED.get(name, 0) for name, values in window.items()}, HISTORY)


def _everfit(rows: int) -> Cost:
    """The verdict with its report, on the sample that is drawn of a window of so many rows."""
    history, cutoff = _history(), START + HISTORY * DAY
    reference = reference_sample(POLICY, history, COLUMNS, cutoff=cutoff)
    calibration = calibrate(POLICY, history, reference, COLUMNS, cutoff=cutoff)
    window = _window(rows)
    judge_drift(calibration, reference, window.head(1_000), html=True)  # imports
    began = time.monotonic()
    evidence, page = judge_drift(calibration, reference, sample(window, SAMPLE_ROWS, 0), span=None, html=True)
    seconds = time.monotonic() - began
    assert page is not None, "shifts of 0.25 and more are alarms"
    return _cost(seconds, [one["column"] for one in evidence.detail["columns"] if one["drifted"]])


def _evidently(rows: int) -> Cost:
    """Evidently's preset on all rows, against as many."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from evidently import DataDefinition, Dataset, Report
        from evidently.presets import DataDriftPreset

        definition = DataDefinition(numerical_columns=NUMBERS, categorical_columns=[*SIZES])
        past, now = Stream.of("independent", rows, 1, 2).window(0), _window(rows).drop("_event_time")
        frames = [frame(past).to_pandas(), now.to_pandas()]
        reference, current = (Dataset.from_pandas(each, data_definition=definition) for each in frames)
        began = time.monotonic()
        snapshot = Report([DataDriftPreset()]).run(current, reference)
        page = snapshot.get_html_str(as_iframe=False)
        seconds = time.monotonic() - began
    assert page
    return _cost(seconds, _drifted(snapshot.dict()))


def _drifted(told: dict[str, Any]) -> list[str]:
    """The columns whose distance is at Evidently's threshold of 0.1 or beyond."""
    found = [(one["config"].get("column"), one["value"]) for one in told["metrics"]]
    return [column for column, value in found if column and float(value) >= 0.1]


def _wide(rows: int) -> Cost:
    """A window of a thousand numbers, with its report."""
    random = np.random.default_rng(3)
    columns: Features = [(f"number_{at}", "number") for at in range(WIDE)]
    days = 10
    times = pl.Series([START + at * DAY / rows for at in range(days * rows)], dtype=pl.Datetime("us", "UTC"))
    history = pl.DataFrame({"_event_time": times} | {name: random.standard_normal(days * rows) for name, _ in columns})
    policy = POLICY.model_copy(update={"reference": days * DAY})
    reference = reference_sample(policy, history, columns, cutoff=START + days * DAY)
    calibration = calibrate(policy, history, reference, columns, cutoff=START + days * DAY)
    window = history.head(rows).with_columns(pl.col(name) + 1 for name, _ in columns[:10])
    began = time.monotonic()
    evidence, page = judge_drift(calibration, reference, window, html=True)
    assert page is not None
    return _cost(time.monotonic() - began, [one["column"] for one in evidence.detail["columns"] if one["drifted"]])


def _cost(seconds: float, drifted: list[str]) -> Cost:
    return Cost(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MEGABYTE, sorted(set(drifted)))
