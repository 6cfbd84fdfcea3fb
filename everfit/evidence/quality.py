"""Quality: is a window broken? Structural breaks only; changes of distribution are drift.

Held against a profile of the version's training windows: a schema that nobody declared, more values outside their declared
bounds than are tolerated, a jump in nulls, a value stuck that varied in training, and too few rows. Each names its column.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast

import msgspec

from everfit.declaration import Model
from everfit.declaration.number_range import LARGEST
from everfit.declaration.reserved_columns import EVENT_TIME
from everfit.errors import FeatureError
from everfit.evidence import Evidence
from everfit.evidence.calibration import training_windows
from everfit.evidence.column_statistics import null_share, present, varies
from everfit.evidence.counts import Tally, tally
from everfit.evidence.out_of_bounds import outside

if TYPE_CHECKING:
    import polars as pl

NULL_JUMP = 0.2  # share of rows that may be null beyond the emptiest training window
LEAST_VOLUME = 0.5  # of the rows of the median training window
LEAST_ROWS = 50  # fewer prove nothing
INSTANT = timedelta(microseconds=1)
EVERY = "*"  # columns: the rows themselves are suspect

Break = tuple[str, str]  # a column, and what is wrong with it


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
            bool(windows) and all(varies(present(window[name])) for window in windows),
        )
        for name, _ in model.features
    ]
    rows = float(np.median([window.height for window in windows])) if windows else 0.0
    return Profile(model.schema_id, rows, columns, model.drift.window.total_seconds())


def judge_quality(
    model: Model,
    profile: Profile,
    window: "pl.DataFrame | Tally",
    *,
    whole: bool = False,
    requests: int | None = None,
    length: timedelta | None = None,
    schemas: Collection[str] = (),
    gone: Collection[str] = (),
) -> Evidence:
    """Judge one version's rows of a closed window: an alarm where anything is broken; the statistic counts the breaks.

    Args:
        model: the declaration, for the bounds of the request's fields.
        profile: the version's.
        window: one row a prediction: the features, and SCHEMA as it was logged; or what was counted of them.
        whole: whether this version alone answered the window: few rows are judged by column, too.
        requests: of the whole window, whoever answered: too few are a break. None where another version is judged by them.
        length: of the window; by default as declared. Too few rows are too few for their time.
        schemas: ids of those that were ever declared; the version's own and the declared one need not be among them.
        gone: features of the version that the declaration gave up: they are null from then on, and that is no break.

    Raises:
        FeatureError: when the window lacks a profiled column.
    """
    counted = window if isinstance(window, Tally) else tally(model, window, [column.column for column in profile.columns])
    missing = [column.column for column in profile.columns if column.column not in counted.columns]
    if missing:
        raise FeatureError(f"no column {', '.join(map(repr, missing))} in the window; it has {', '.join(counted.columns)}")
    trained_on = profile.window_seconds or model.drift.window.total_seconds()
    share = (length or model.drift.window).total_seconds() / trained_on
    volume = [] if requests is None else _of_volume(profile.rows * share, requests)
    if counted.rows < LEAST_ROWS and not volume:
        reason = f"{counted.rows} rows of this version; fewer than {LEAST_ROWS} prove nothing"
        return Evidence(verdict="insufficient", reason=reason, detail={"rows": counted.rows})
    tolerated, beyond = _of_bounds(model, counted)
    breaks = [*volume, *_of_schema({profile.schema, model.schema_id, *schemas}, counted), *beyond]
    if whole or counted.rows >= model.drift.min_rows:  # an hour's flights are all of one weekday, and that is no break
        breaks += _of_columns([column for column in profile.columns if column.column not in gone], counted)
    if counted.unreadable:
        tolerated = [*tolerated, f"{counted.unreadable} values beyond ±{LARGEST:g} are read as null"]
    return Evidence(
        verdict="alarm" if breaks else "ok",
        statistic=float(len(breaks)),
        threshold=1.0,
        reason="; ".join([*([fault for _, fault in breaks] or [f"nothing broken in {counted.rows} rows"]), *tolerated]),
        detail={"rows": counted.rows, "breaks": [fault for _, fault in breaks], "by_column": _by_column(breaks)}
        | ({"unreadable": counted.unreadable} if counted.unreadable else {}),
    )


def _by_column(breaks: Sequence[Break]) -> dict[str, str]:
    columns = dict.fromkeys(column for column, _ in breaks)
    return {column: "; ".join(fault for name, fault in breaks if name == column) for column in columns}


def _of_volume(usual: float, rows: int) -> list[Break]:
    few = rows < LEAST_VOLUME * usual
    return [(EVERY, f"{rows} rows where training windows hold {usual:.0f}")] if few else []


def _of_schema(declared: Collection[str], window: Tally) -> list[Break]:
    unknown = window.schemas - set(declared)
    return [(EVERY, f"schema {', '.join(sorted(unknown))}, which nobody declared")] if unknown else []


def _of_bounds(model: Model, window: Tally) -> tuple[list[str], list[Break]]:
    """What is tolerated, as each such row is left out, and what exceeds the tolerated share."""
    tolerated, breaks = [], []
    for name, (low, high), _ in outside(model):
        rows, example = window.outside.get(name, (0, 0.0))
        if not rows:
            continue
        fault = f"{name} outside {low} to {high} in {rows} rows, such as {example}"
        if rows > model.quality.out_of_bounds * window.rows:
            breaks.append((name, fault))
        else:
            tolerated.append(f"{fault}: left out")
    return tolerated, breaks


def _of_columns(columns: Sequence[ColumnProfile], window: Tally) -> list[Break]:
    breaks = []
    for past in columns:
        nulls, column = window.null_share(past.column), window.columns[past.column]
        if nulls > past.null_share + min(NULL_JUMP, (1 - past.null_share) / 2):  # of a column that is mostly null, too
            most = f"in training windows at most {past.null_share:.0%}"
            breaks.append((past.column, f"{past.column} is null in {nulls:.0%} of the rows, {most}"))
        if past.varies and column.values >= LEAST_ROWS and column.constant is not None:
            breaks.append((past.column, f"{past.column} is stuck at {column.constant}"))
    return breaks
