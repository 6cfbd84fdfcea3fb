"""Regret of one window: what is scored, on which rows, and the words where nothing can be."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, cast

import numpy as np
import polars as pl
import pytest

from everfit import AUC, Exploration, Model, OnDrift, TrainingWindow
from everfit.declaration.fit_context import Floats
from everfit.declaration.reserved_columns import EVENT_TIME, EXPLORED, LABEL, SCORE
from everfit.errors import FeatureError
from everfit.evidence import Evidence
from everfit.evidence.judged_window import JudgedWindow
from everfit.evidence.regret import judge_regret, windows_behind
from models.electricity_price import electricity_price

START = datetime.fromisoformat("1997-01-01T00:00:00Z")
END = START + timedelta(days=7)


@dataclass(frozen=True)
class Fresh:
    """A comparator that always answers the same."""

    answer: float = 0.5
    reason: str = ""
    cutoff: datetime = START
    fit_seconds: float = 2.0

    def answers(self, rows: pl.DataFrame) -> Floats:
        if self.answer < 0:
            raise FeatureError("the rows lack the feature 'price'")
        return np.full(len(rows), self.answer)


@dataclass(frozen=True)
class Share:
    """A version's share of a week with an answer each half-hour, or of an earlier one."""

    rows: pl.DataFrame
    comparator: Fresh | None = Fresh()
    model: Model = electricity_price
    span: tuple[datetime, datetime] = (START, END)
    complete_at: datetime = END + timedelta(minutes=30)
    version: int = 3
    is_whole: bool = True
    matured: "Share | None" = None

    @property
    def row_count(self) -> int:
        return len(self.rows)

    @property
    def newest_matured(self) -> "Share":
        return self.matured or self


def week(labels: Sequence[float | None] = (0.0, 1.0), number: int = 336, start: datetime = START) -> pl.DataFrame:
    """Rows of half-hours with these labels in turn, of which the champion says 0.5 of each."""
    times = [start + timedelta(minutes=30) * place for place in range(number)]
    half_hours = [place % 48 for place in range(number)]
    own = {"half_hour": half_hours, "weekday": [0] * number, SCORE: [0.5] * number}
    found = [labels[place % len(labels)] for place in range(number)]
    return pl.DataFrame({EVENT_TIME: pl.Series(times, dtype=pl.Datetime("us", "UTC")), LABEL: found} | own)


def judged(rows: pl.DataFrame, comparator: Fresh | None = Fresh(), **other: Any) -> Evidence:
    return judge_regret(cast(JudgedWindow, Share(rows, comparator, **other)))


def test_both_are_scored_on_the_same_rows_and_the_figures_are_kept() -> None:
    evidence = judged(week([1.0]), Fresh(0.8))
    assert evidence.verdict == "ok"
    assert evidence.statistic == pytest.approx(np.log(0.8 / 0.5))
    assert evidence.detail == {
        "scored": ["1997-01-01T00:00:00Z", "1997-01-08T00:00:00Z"],
        "rows": 336,
        "labelled": 336,
        "weeks": 1.0,
        "champion": pytest.approx(-np.log(0.5)),
        "comparator": pytest.approx(-np.log(0.8)),
        "fit_seconds": 2.0,
        "cutoff": "1997-01-01T00:00:00Z",
    }
    assert evidence.reason == (
        "log loss 0.6931, of a model trained until 1997-01-01T00:00:00Z 0.2231, on 336 labels from 1997-01-01T00:00:00Z on"
    )


NONE_ASKED = "no comparator was asked for before 1997-01-01T00:00:00Z: it is where the window before closes under a champion"
NO_LABELS = "0 matured labels of 336 answers; 200 are needed"


@pytest.mark.parametrize(
    ("rows", "comparator", "missing", "why"),
    [
        (week(number=0), Fresh(), "rows", "version 3 answered nothing of this window"),
        (week(number=1), Fresh(), "labels", "1 matured labels of 1 answers; 200 are needed"),
        (week([None]), Fresh(), "labels", NO_LABELS),
        (week().with_columns(half_hour=pl.lit(99)), Fresh(), "labels", NO_LABELS),
        (week(), None, "comparator", NONE_ASKED),
        (week(), Fresh(reason="its fit had not ended"), "comparator", "its fit had not ended"),
        (week(), Fresh(-1), "comparator", "the rows lack the feature 'price'"),
    ],
    ids=["no rows", "one row", "no labels", "out of bounds", "none asked for", "none in time", "a column gone"],
)
def test_what_cannot_be_scored_says_what_is_missing(
    rows: pl.DataFrame, comparator: Fresh | None, missing: str, why: str
) -> None:
    evidence = judged(rows, comparator)
    assert (evidence.verdict, evidence.detail["missing"], evidence.reason) == ("insufficient", missing, why)


def test_a_policy_that_compares_with_nothing_misses_nothing_else() -> None:
    evidence = judged(week(), None, model=electricity_price.model_copy(update={"retraining": OnDrift()}))
    assert (evidence.detail["missing"], evidence.reason) == (
        "policy",
        "the model's retraining policy compares with no fresh model",
    )


def test_a_rank_has_no_value_where_all_outcomes_are_alike() -> None:
    ranked = electricity_price.model_copy(update={"declared_metric": AUC()})
    evidence = judged(week([1.0]), model=ranked)
    assert (evidence.detail["missing"], evidence.reason) == ("metric", "AUC has no value on these 336 labels")
    assert judged(week(), model=ranked).statistic == 0


def test_a_part_of_a_window_counts_for_its_length() -> None:
    assert judged(week(number=240), is_whole=False).detail["weeks"] == pytest.approx(239 / 336)


@pytest.mark.parametrize(("delay", "behind"), [("30m", 0), ("2d", 0), ("3d", 1), ("7d", 1), ("8d", 2), ("31d", 5)])
def test_late_labels_are_scored_so_many_windows_later(delay: str, behind: int) -> None:
    late = electricity_price.model_copy(update={"training": TrainingWindow(label_delay=delay)})
    assert windows_behind(late) == behind


def test_of_late_labels_the_newest_window_is_scored_whose_labels_are_all_due() -> None:
    late = electricity_price.model_copy(update={"training": TrainingWindow(label_delay="31d")})
    before = START - timedelta(days=35)
    older = replace(Share(week(start=before)), span=(before, before + timedelta(days=7)))
    evidence = judged(week([None]), model=late, matured=older)
    assert (evidence.verdict, evidence.detail["scored"][0]) == ("ok", "1996-11-27T00:00:00Z")
    none = judged(week([None]), model=late, matured=replace(older, rows=week(number=0)))
    assert none.reason == (
        "version 3 answered nothing of the window that begins 1996-11-27T00:00:00Z, the newest whose labels are all due"
    )


def test_of_a_model_that_explores_the_explored_rows_are_scored() -> None:
    explores = electricity_price.model_copy(update={"exploration": Exploration(share=0.5)})
    rows = week([0.0, 1.0, 1.0, 1.0]).with_columns((pl.col(LABEL) * 0.5).alias(EXPLORED))  # those whose outcome is 1
    evidence = judged(rows, Fresh(0.8), model=explores)
    assert evidence.detail["rows"] == 252
    assert evidence.statistic == pytest.approx(np.log(0.8 / 0.5))
