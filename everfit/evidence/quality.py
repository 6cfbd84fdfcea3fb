"""Quality: is a window broken? Structural breaks only; changes of distribution are drift.

Held against a profile of the champion's training windows: an unknown schema, values outside their declared bounds, a jump in
nulls, a value stuck that varied in training, and too few rows.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from everfit.declaration import Column, DriftPolicy, Integer, Number
from everfit.errors import FeatureError
from everfit.evidence import Evidence
from everfit.evidence.calibration import training_windows
from everfit.evidence.distances import null_share, present
from everfit.features.views import Kind

if TYPE_CHECKING:
    import polars as pl

NULL_JUMP = 0.2  # share of rows that may be null beyond the emptiest training window
LEAST_VOLUME = 0.5  # of the rows of the median training window
STUCK_ROWS = 50  # fewer rows of one value prove nothing


class ColumnProfile(msgspec.Struct, frozen=True):
    """A column over the training windows: the largest share of nulls, and whether every window held two values or more."""

    column: str
    null_share: float
    varies: bool


class Profile(msgspec.Struct, frozen=True):
    """What training time looked like. ``rows`` is the median training window's; 0 where there was no whole window."""

    schema: str
    rows: float
    columns: list[ColumnProfile]


def profile(
    policy: DriftPolicy, frame: "pl.DataFrame", features: Sequence[tuple[str, Kind]], *, schema: str, cutoff: datetime
) -> Profile:
    """Profile the training rows: ``event_time`` and the features; ``schema`` is ``Model.schema_id``."""
    import numpy as np

    windows = training_windows(policy, frame, cutoff)
    columns = [
        ColumnProfile(
            name,
            max((null_share(window[name]) for window in windows), default=0.0),
            bool(windows) and all(present(window[name]).n_unique() > 1 for window in windows),
        )
        for name, _ in features
    ]
    return Profile(schema, float(np.median([window.height for window in windows])) if windows else 0.0, columns)


def judge_quality(profile: Profile, window: "pl.DataFrame", request: Sequence[Column]) -> Evidence:
    """Judge one closed window: an alarm where anything is broken; the statistic counts the breaks.

    Args:
        profile: the champion's.
        window: one row a prediction: the features, and ``schema`` where the log recorded it.
        request: the declared request fields, for their bounds.

    Raises:
        FeatureError: when the window lacks a profiled column.
    """
    missing = [column.column for column in profile.columns if column.column not in window.columns]
    if missing:
        raise FeatureError(f"no column {', '.join(map(repr, missing))} in the window; it has {', '.join(window.columns)}")
    breaks = [*_of_schema(profile, window), *_of_bounds(window, request), *_of_columns(profile, window)]
    if window.height < LEAST_VOLUME * profile.rows:
        breaks.append(f"{window.height} rows where training windows hold {profile.rows:.0f}")
    return Evidence(
        kind="quality",
        verdict="alarm" if breaks else "ok",
        statistic=float(len(breaks)),
        threshold=1.0,
        reason="; ".join(breaks) or f"nothing broken in {window.height} rows",
        detail={"rows": window.height, "breaks": breaks},
    )


def _of_schema(profile: Profile, window: "pl.DataFrame") -> list[str]:
    unknown = set(window["schema"].unique()) - {profile.schema} if "schema" in window.columns else set()
    return [f"schema {', '.join(sorted(unknown))} instead of {profile.schema}"] if unknown else []


def _of_bounds(window: "pl.DataFrame", request: Sequence[Column]) -> list[str]:
    import polars as pl

    breaks = []
    for column in request:
        if isinstance(column, Number | Integer) and column.between:
            low, high = column.between
            outside = window.filter(~pl.col(column.name).is_between(low, high))[column.name]
            if not outside.is_empty():
                breaks.append(f"{column.name} outside {low} to {high} in {len(outside)} rows, such as {outside[0]}")
    return breaks


def _of_columns(profile: Profile, window: "pl.DataFrame") -> list[str]:
    breaks = []
    for past in profile.columns:
        nulls, values = null_share(window[past.column]), present(window[past.column])
        if nulls > past.null_share + NULL_JUMP:
            breaks.append(
                f"{past.column} is null in {nulls:.0%} of the rows, in training windows at most {past.null_share:.0%}"
            )
        if past.varies and len(values) >= STUCK_ROWS and values.n_unique() == 1:
            breaks.append(f"{past.column} is stuck at {values[0]}")
    return breaks
