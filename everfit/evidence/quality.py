"""Quality: structural breaks, told before anything is called drift. What is broken is quarantined, not learned from.

New values, new categories and a constant column that comes alive are changes of the world, and drift's business.
"""

from typing import TYPE_CHECKING

import msgspec

from everfit.declaration import Integer, Model, Number
from everfit.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

NULL_JUMP = 0.2  # more nulls than in any training window, as a share of the rows
LEAST_ROWS = 48  # fewer rows of one value are no sign of a stuck column


class ColumnProfile(msgspec.Struct, frozen=True):
    """A column over the training time's windows: the largest share of nulls, and whether it ever stood still."""

    name: str
    null_share: float
    stood_still: bool


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What the training rows looked like."""

    schema: str
    columns: list[ColumnProfile]


def profile(model: Model, frame: "pl.DataFrame") -> Profile:
    """Profile training rows: ``event_time`` and the features, in windows of the declared length."""
    import polars as pl

    names = [name for name, _ in model.features]
    number = pl.col("event_time").dt.truncate(model.drift.window)
    windows = frame.select(number.alias("_window"), *names).partition_by("_window", include_key=False)
    columns = [
        ColumnProfile(
            name,
            max((_null_share(window[name]) for window in windows), default=0.0),
            any(_stands_still(window[name]) for window in windows),
        )
        for name in names
    ]
    return Profile(schema=model.schema_id, columns=columns)


def judge_quality(model: Model, expected: Profile, window: "pl.DataFrame") -> Evidence:
    """Judge one closed window of one version's rows; the statistic is how many columns are broken.

    Args:
        model: the declaration, for the request's bounds.
        expected: the version's profile.
        window: ``schema`` and the features, one row a request.
    """
    if window.height < model.drift.min_rows:
        told = f"{window.height} rows; {model.drift.min_rows} are needed"
        return Evidence(kind="quality", verdict="insufficient", reason=told, detail={"rows": window.height})
    broken = [*_other_schema(expected, window), *_out_of_bounds(model, window), *_unlike(expected, window)]
    return Evidence(
        kind="quality",
        verdict="alarm" if broken else "ok",
        statistic=float(len(broken)),
        threshold=1.0,
        reason="; ".join(broken) or f"{window.height} rows of the declared schema, within bounds, nothing missing or stuck",
        detail={"rows": window.height, "broken": broken},
    )


def _other_schema(expected: Profile, window: "pl.DataFrame") -> "Iterator[str]":
    others = sorted(set(window["schema"].unique()) - {expected.schema})
    if others:
        yield f"schema {', '.join(others)} where {expected.schema} was trained on"


def _out_of_bounds(model: Model, window: "pl.DataFrame") -> "Iterator[str]":
    for column in model.request:
        if isinstance(column, Number | Integer) and column.between:
            low, high = column.between
            out = window.filter(~window[column.name].is_between(low, high))
            if out.height:
                yield f"{column.name}: {out.height} values outside {low} to {high}, such as {out[column.name][0]}"


def _unlike(expected: Profile, window: "pl.DataFrame") -> "Iterator[str]":
    for column in expected.columns:
        share = _null_share(window[column.name])
        if share > column.null_share + NULL_JUMP:
            yield f"{column.name}: {share:.0%} nulls, at most {column.null_share:.0%} a window in training"
        elif not column.stood_still and _stands_still(window[column.name]):
            yield f"{column.name}: stuck at {window[column.name].drop_nulls()[0]}, which it never was in training"


def _null_share(column: "pl.Series") -> float:
    return column.null_count() / len(column) if len(column) else 0.0


def _stands_still(column: "pl.Series") -> bool:
    present = column.drop_nulls()
    return len(present) >= LEAST_ROWS and present.n_unique() == 1
