"""A gate's checks of behaviour, good and bad; a process of its own imports them from here."""

import os
import time
from typing import Any

import polars as pl


def farther_is_later(answers: Any, rows: Any) -> str:
    """Direction."""
    near, far = (answers(rows.with_columns(distance=pl.lit(miles))).mean() for miles in (100.0, 900.0))
    return "" if far > near else f"farther is not later: {far:.2f} against {near:.2f}"


def hour_does_not_matter(answers: Any, rows: Any) -> str | None:
    """Invariance."""
    moved = abs(answers(rows.with_columns(hour=pl.lit(3, pl.Int64))) - answers(rows)).max()
    return f"another hour moves an answer by {moved:.2f}" if moved > 1e-9 else None


def knows_the_labels(answers: Any, rows: Any) -> str:
    """Least function: by the label's own name, in order of time."""
    assert rows["event_time"].is_sorted()
    error = abs(answers(rows) - rows["late"].to_numpy()).mean()
    return "" if error < 0.5 else f"it errs by {error:.2f}"


def raises(answers: Any, rows: Any) -> str:
    raise ValueError(f"no column {rows.columns[0]!r} here")


def leaves(answers: Any, rows: Any) -> str:
    raise SystemExit(3)


def says_true(answers: Any, rows: Any) -> Any:
    return True


def changes_the_rows(answers: Any, rows: Any) -> str:
    rows.insert_column(0, pl.lit(1).alias("mine"))
    return ""


def crashes(answers: Any, rows: Any) -> str:
    os.abort()


def hangs(answers: Any, rows: Any) -> str:
    time.sleep(60)
    return ""


def of_nothing(rows: Any) -> str:
    return ""
