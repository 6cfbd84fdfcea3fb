"""Quality: is a window broken? Structural breaks only; changes of distribution are drift.

Held against a profile of the champion's training windows: an unknown schema, values outside their declared bounds, a jump in
nulls, a value stuck that varied in training, and too few rows.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast

import msgspec

from everfit.columns import EVENT_TIME, SCHEMA
from everfit.declaration import Integer, Model, Number
from everfit.errors import FeatureError
from everfit.evidence import Evidence
from everfit.evidence.calibration import training_windows
from everfit.evidence.distances import null_share, present

if TYPE_CHECKING:
    import polars as pl

NULL_JUMP = 0.2  # share of rows that may be null beyond the emptiest training window
LEAST_VOLUME = 0.5  # of the rows of the median training window
LEAST_ROWS = 50  # fewer prove nothing
INSTANT = timedelta(microseconds=1)


class ColumnProfile(msgspec.Struct, frozen=True):
    """A column over the training windows: the largest share of nulls, and whether every window held two values or more."""

    column: str
    null_share: float
    varies: bool


class Profile(msgspec.Struct, frozen=True):
    """What training time looked like. ``rows`` is the median training window's; 0 where there was no whole window.

    ``window_seconds`` is how long those windows were; 0 where it was not written down, and the declared length is taken.
    """

    schema: str
    rows: float
    columns: list[ColumnProfile]
    window_seconds: float = 0.0


def profile(model: Model, frame: "pl.DataFrame") -> Profile:
    """Profile the training rows (EVENT_TIME and the features), in windows counted back from the newest."""
    import numpy as np

    newest = cast(datetime | None, frame[EVENT_TIME].max())
    windows = training_windows(model.drift, frame, newest + INSTANT) if newest else []
    columns = [
        ColumnProfile(
            name,
            max((null_share(window[name]) for window in windows), default=0.0),
            bool(windows) and all(present(window[name]).n_unique() > 1 for window in windows),
        )
        for name, _ in model.features
    ]
    rows = float(np.median([window.height for window in windows])) if windows else 0.0
    return Profile(model.schema_id, rows, columns, model.drift.window.total_seconds())


def judge_quality(
    model: Model, profile: Profile, window: "pl.DataFrame", *, whole: bool = False, length: timedelta | None = None
) -> Evidence:
    """Judge one version's rows of a closed window: an alarm where anything is broken; the statistic counts the breaks.

    Args:
        model: the declaration, for the bounds of the request's fields.
        profile: the version's.
        window: one row a prediction: the features, and SCHEMA as it was logged.
        whole: whether this version alone answered the window; only then are too few rows a break.
        length: of the window; by default as declared. Too few rows are too few for their time.

    Raises:
        FeatureError: when the window lacks a profiled column.
    """
    missing = [column.column for column in profile.columns if column.column not in window.columns]
    if missing:
        raise FeatureError(f"no column {', '.join(map(repr, missing))} in the window; it has {', '.join(window.columns)}")
    trained_on = profile.window_seconds or model.drift.window.total_seconds()
    share = (length or model.drift.window).total_seconds() / trained_on
    volume = _of_volume(profile.rows * share, window) if whole else []
    if window.height < LEAST_ROWS and not volume:
        told = f"{window.height} rows of this version; fewer than {LEAST_ROWS} prove nothing"
        return Evidence(kind="quality", verdict="insufficient", reason=told, detail={"rows": window.height})
    breaks = [*volume, *_of_schema(profile, window), *_of_bounds(model, window)]
    if whole or window.height >= model.drift.min_rows:  # an hour's flights are all of one weekday, and that is no break
        breaks += _of_columns(profile, window)
    return Evidence(
        kind="quality",
        verdict="alarm" if breaks else "ok",
        statistic=float(len(breaks)),
        threshold=1.0,
        reason="; ".join(breaks) or f"nothing broken in {window.height} rows",
        detail={"rows": window.height, "breaks": breaks},
    )


def _of_volume(usual: float, window: "pl.DataFrame") -> list[str]:
    few = window.height < LEAST_VOLUME * usual
    return [f"{window.height} rows where training windows hold {usual:.0f}"] if few else []


def _of_schema(profile: Profile, window: "pl.DataFrame") -> list[str]:
    unknown = set(window[SCHEMA].unique()) - {profile.schema} if SCHEMA in window.columns else set()
    return [f"schema {', '.join(sorted(unknown))} instead of {profile.schema}"] if unknown else []


def _of_bounds(model: Model, window: "pl.DataFrame") -> list[str]:
    import polars as pl

    breaks = []
    for column in model.request:
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
        if past.varies and len(values) >= LEAST_ROWS and values.n_unique() == 1:
            breaks.append(f"{past.column} is stuck at {values[0]}")
    return breaks
