"""How a day's rows are changed. Every function takes the rows last but for a seed, and is the same for the same seed.

Rows are in order of time. Bounds are kept by shifts, never by breaks.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from everfit.declaration.reserved_columns import EVENT_TIME, LABEL

Bounds = Mapping[str, tuple[float, float]]  # of a source's columns, inside which shifts stay


def _chosen(rows: pl.DataFrame, share: float, seed: int) -> pl.Series:
    """That share of the rows, rounded up, drawn."""
    order = np.random.default_rng(seed).permutation(rows.height)
    return pl.Series(order < math.ceil(share * rows.height), dtype=pl.Boolean)


def nulls(column: str, share: float, rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Null in a share of the rows."""
    return rows.with_columns(pl.when(~_chosen(rows, share, seed)).then(column).alias(column))


def linear(column: str, factor: float, offset: float, rows: pl.DataFrame, _seed: int) -> pl.DataFrame:
    """In another unit."""
    return rows.with_columns(pl.col(column) * factor + offset)


def shuffled(column: str, rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Among the rows of the day."""
    return rows.with_columns(pl.col(column).shuffle(seed))


def rolled(column: str, share: float, rows: pl.DataFrame, _seed: int) -> pl.DataFrame:
    """Later by that share of the day, the day's end first."""
    by = round(share * rows.height)
    return rows.with_columns(pl.concat([rows[column].tail(by), rows[column].head(rows.height - by)]).alias(column))


def stuck(columns: Sequence[str], after: float, rows: pl.DataFrame, _seed: int) -> pl.DataFrame:
    """At its value at that share of the day."""
    at = min(round(after * rows.height), max(0, rows.height - 1))
    late = pl.int_range(pl.len()) >= at
    return rows.with_columns(pl.when(late).then(pl.lit(rows[name][at])).otherwise(name).alias(name) for name in columns)


def thinned(share: float, rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Without a share of the rows."""
    return rows.filter(~_chosen(rows, share, seed))


def hours_gone(hours: int, rows: pl.DataFrame, _seed: int) -> pl.DataFrame:
    """Without so many hours, those before 20:00 UTC."""
    time = next(name for name, kind in rows.schema.items() if isinstance(kind, pl.Datetime))
    return rows.filter(~pl.col(time).dt.hour().is_between(20 - hours, 19))


def emptied(rows: pl.DataFrame, _seed: int) -> pl.DataFrame:
    """Without any row."""
    return rows.clear()


def repeated(share: float, rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    """A share of the rows once more."""
    return pl.concat([rows, rows.filter(_chosen(rows, share, seed))]).sort(EVENT_TIME)


def swapped(first: str, second: str, rows: pl.DataFrame, _seed: int) -> pl.DataFrame:
    """Each with the other's values."""
    return rows.with_columns(pl.col(second).alias(first), pl.col(first).alias(second))


def later(column: str, steps: int, hours: int, rows: pl.DataFrame, _seed: int) -> pl.DataFrame:
    """The hour of the day as a clock further east shows it."""
    return rows.with_columns((pl.col(column) + hours * steps // 24) % steps)


def recoded(column: str, share: float, rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    """All of them as numbers, a share of them in small letters with a space behind."""
    written = pl.col(column).hash(1).cast(pl.String) if share == 1 else pl.col(column).str.to_lowercase() + " "
    return rows.with_columns(pl.when(_chosen(rows, share, seed)).then(written).otherwise(column).alias(column))


def garbage(column: str, share: float, rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Bytes that mean nothing."""
    draw = np.random.default_rng(seed)
    words = pl.Series([f"\ufffd{number:x}" for number in draw.integers(0, 2**31, rows.height)])
    return rows.with_columns(pl.when(_chosen(rows, share, seed)).then(words).otherwise(column).alias(column))


def labels_to(value: float, share: float, rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    """One outcome for a share of the rows."""
    return rows.with_columns(pl.when(_chosen(rows, share, seed)).then(value).otherwise(LABEL).alias(LABEL))


def labels_mirrored(at: float, share: float, rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    """The opposite outcome for a share of the rows."""
    return rows.with_columns(pl.when(_chosen(rows, share, seed)).then(at - pl.col(LABEL)).otherwise(LABEL).alias(LABEL))


def moved(bounds: Bounds, columns: Sequence[str], deviations: float, rows: pl.DataFrame, _seed: int) -> pl.DataFrame:
    """The mean by so many of the day's standard deviations."""
    return rows.with_columns(
        _bounded(bounds, name, pl.col(name) + deviations * pl.col(name).std().fill_null(0.0)) for name in columns
    )


def spread(bounds: Bounds, column: str, factor: float, rows: pl.DataFrame, _seed: int) -> pl.DataFrame:
    """The deviations from the mean larger."""
    return rows.with_columns(
        _bounded(bounds, column, pl.col(column).mean() + factor * (pl.col(column) - pl.col(column).mean()))
    )


def mixed(column: str, other: str, correlation: float, rows: pl.DataFrame, _seed: int) -> pl.DataFrame:
    """With as much of another column as gives two that had nothing in common that correlation."""
    mean, deviation = pl.col(column).mean(), pl.col(column).std()
    standard = (pl.col(other) - pl.col(other).mean()) / (pl.col(other).std() + 1e-9)
    made = mean + (1 - correlation**2) ** 0.5 * (pl.col(column) - mean) + correlation * deviation * standard
    return rows.with_columns(made.alias(column))


def new_category(column: str, share: float, rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    """A value that was never there."""
    return rows.with_columns(pl.when(_chosen(rows, share, seed)).then(pl.lit("newcomer")).otherwise(column).alias(column))


def gradual(bounds: Bounds, columns: Sequence[str], deviations: float, rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    """A seventh of the way with each day of the week; the seed's last digit is the day."""
    return moved(bounds, columns, deviations * (seed % 10 + 1) / 7, rows, seed)


def concept(share: float, rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    """A share of the rows follows another rule, of which the answers know nothing: outcomes of other rows of the day."""
    return rows.with_columns(
        pl.when(_chosen(rows, share, seed)).then(pl.col(LABEL).shuffle(seed)).otherwise(LABEL).alias(LABEL)
    )


def _bounded(bounds: Bounds, column: str, made: pl.Expr) -> pl.Expr:
    return (made.clip(*bounds[column]) if column in bounds else made).alias(column)
