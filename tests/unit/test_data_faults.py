"""Faults in the data are smaller results, never a failed fit: over small frames full of them, for every recipe."""

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everfit import Gate, GradientBoosting, Recipe, TorchMLP
from everfit.declaration.reserved_columns import CANDIDATE, EVENT_TIME, LABEL, OBSERVED_AT, REQUEST_ID
from everfit.declaration.views import Kind
from everfit.evaluation.folds import folds
from everfit.pipeline.backtest import backtest
from everfit.pipeline.fit_rows import fold_rows
from everfit.training.artifact import Scorer, Signature
from everfit.training.constant_features import left_out
from everfit.training.fit_pool import FitPool
from models.electricity_price import electricity_price
from tests.recipes import fit

RECIPES: list[Recipe] = [GradientBoosting(trees=3, leaves=15), TorchMLP(hidden=(4,), epochs=1)]
FEATURES: list[tuple[str, Kind]] = [("number", "number"), ("other", "number"), ("group", "category"), ("place", "category")]
SIGNATURE = Signature(model="made", features=FEATURES, schema="")

every_recipe = pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
numbers = st.one_of(
    st.none(),
    st.floats(-1e37, 1e37),
    st.sampled_from([float("inf"), float("-inf"), float("nan"), 0.0, 1e-300, 7.0]),
)
texts = st.one_of(st.none(), st.sampled_from(["", "a", "b", "null", "\N{SNOWMAN}"]))


def column(values: st.SearchStrategy[Any], rows: int) -> st.SearchStrategy[list[Any]]:
    """Anything, or one value throughout, or nothing at all."""
    return st.one_of(
        st.lists(values, min_size=rows, max_size=rows), values.map(lambda one: [one] * rows), st.just([None] * rows)
    )


@st.composite
def frames(draw: st.DrawFn) -> pl.DataFrame:
    """A few rows, fewer than a tree has leaves, of both classes."""
    rows = draw(st.integers(2, 12))
    data = {name: draw(column(numbers if kind == "number" else texts, rows)) for name, kind in FEATURES}
    labels = draw(
        st.permutations([0.0, 1.0, *draw(st.lists(st.sampled_from([0.0, 1.0]), min_size=rows - 2, max_size=rows - 2))])
    )
    schema = {name: pl.Float64 if kind == "number" else pl.String for name, kind in FEATURES}
    return pl.DataFrame(data, schema=schema, strict=False).with_columns(pl.Series("up", labels))


@every_recipe
@given(rows=frames(), live=frames())
@settings(max_examples=40, deadline=None)
def test_a_fit_goes_on_whatever_the_columns_hold(recipe: Recipe, rows: pl.DataFrame, live: pl.DataFrame) -> None:
    model = fit(recipe, rows, features=FEATURES, label="up")
    scorer = Scorer(model.to_onnx(), SIGNATURE)
    for asked in (rows, live):
        scores = model.predict(asked)
        assert np.isfinite(scores).all()
        assert scorer.score(asked) == pytest.approx(scores, abs=1e-5)
        assert [scorer.score_one(row) for row in asked.iter_rows(named=True)] == pytest.approx(scores, abs=1e-5)
    silent = left_out(FEATURES, rows)
    alive = live.with_columns(pl.lit(None, dtype=rows.schema[name]).alias(name) for name in silent)
    assert model.predict(alive) == pytest.approx(model.predict(live), abs=1e-6), "what was left out has no say"


def test_what_says_nothing_is_left_out_and_told() -> None:
    rows = pl.DataFrame(
        {
            "number": [None, float("inf"), float("nan")],
            "other": [0.5, 0.5, 0.5],
            "group": ["a", "a", None],
            "place": pl.Series([None, None, None], dtype=pl.String),
        }
    )
    assert left_out(FEATURES, rows) == {"number": "holds no value", "other": "is always 0.5", "place": "holds no value"}
    assert left_out([("place", "category")], rows.with_columns(place=pl.lit("NSW"))) == {"place": "is always 'NSW'"}


CUTOFF = datetime(1997, 5, 21, tzinfo=UTC)
DAYS = 40


def labelled(labels: Any, **columns: Any) -> pl.DataFrame:
    """Three rows a day before the cutoff with the electricity's features; ``labels`` and columns by the day's number."""
    times = [CUTOFF - timedelta(days=DAYS - day, hours=-8 * n) for day in range(DAYS) for n in range(3)]
    number = pl.Series(range(len(times)))
    random = np.random.default_rng(0)
    frame = pl.DataFrame(
        {REQUEST_ID: [str(n) for n in range(len(times))], EVENT_TIME: times, OBSERVED_AT: times}
        | {
            name: random.normal(size=len(times)) if kind == "number" else ["NSW"] * len(times)
            for name, kind in electricity_price.features
        }
    ).with_columns(pl.col(EVENT_TIME, OBSERVED_AT).cast(pl.Datetime("us", "UTC")))
    made = {name: [value(n // 3) for n in number] for name, value in {LABEL: labels, **columns}.items()}
    return frame.with_columns(**{name: pl.Series(values) for name, values in made.items()})


def backtested(recipe: Recipe, rows: pl.DataFrame) -> tuple[int, dict[str, str]]:
    model = electricity_price
    with tempfile.TemporaryDirectory() as folder, FitPool([], model.training) as fits:
        origins = [*fold_rows(model, rows, folds(model.gate, CUTOFF, None), Path(folder))]
        made = backtest(model, recipe, rows, origins, fits)
    assert made.rows[CANDIDATE].is_finite().all()
    return made.rows.height, made.left_out


def test_a_fold_counts_for_neither_side_where_both_have_learnt_the_same() -> None:
    since, model = CUTOFF - timedelta(days=7), electricity_price
    rows = labelled(alternate)
    gap = rows.filter(~pl.col(EVENT_TIME).is_between(since - timedelta(hours=1), since + timedelta(days=2)))
    with tempfile.TemporaryDirectory() as folder:
        flaws = {
            name: [fold.flaw for fold in fold_rows(model, given, folds(model.gate, CUTOFF, since), Path(folder), since)]
            for name, given in (("whole", rows), ("with a gap", gap))
        }
    assert flaws["whole"] == [""] * 4
    assert flaws["with a gap"][0] in ("no labelled row in it", "nothing is known before it that the champion has not learnt")
    assert flaws["with a gap"][1] == "nothing is known before it that the champion has not learnt"


def alternate(day: int) -> float:
    return float(day % 2)


@every_recipe
def test_a_fold_before_which_all_labels_were_of_one_class_is_left_out(recipe: Recipe) -> None:
    rows, left = backtested(recipe, labelled(lambda day: 0.0 if day < DAYS - 20 else alternate(day)))
    assert list(left) == ["1997-04-23", "1997-04-30"]
    assert "must hold both 0 and 1" in left["1997-04-23"]
    assert rows == 2 * 7 * 3


@every_recipe
def test_where_no_fold_is_left_there_is_nothing_to_judge(recipe: Recipe) -> None:
    rows, left = backtested(recipe, labelled(lambda day: 1.0))
    assert (rows, len(left)) == (0, 4)


@every_recipe
def test_a_fold_whose_labels_are_of_one_class_is_judged_all_the_same(recipe: Recipe) -> None:
    assert backtested(recipe, labelled(lambda day: 1.0 if day > DAYS - 8 else alternate(day))) == (28 * 3, {})


@every_recipe
def test_a_feature_that_is_null_or_constant_in_a_fold_costs_nothing_else(recipe: Recipe) -> None:
    name = next(name for name, kind in electricity_price.features if kind == "number")
    for value in (
        lambda day: None if day > DAYS - 8 else float(day),
        lambda day: None if day < DAYS - 8 else float(day),
        lambda day: 1.0 if day < DAYS - 8 else float(day),
        lambda day: float("inf") if day % 3 else float(day),
    ):
        assert backtested(recipe, labelled(alternate, **{name: value})) == (28 * 3, {})


@every_recipe
def test_a_category_never_seen_in_training_costs_nothing_else(recipe: Recipe) -> None:
    rows = labelled(alternate, region=lambda day: "VIC" if day > DAYS - 8 else ("NSW" if day % 3 else None))
    assert backtested(recipe, rows) == (28 * 3, {})


def test_metrics_of_one_class_are_told_as_far_as_they_are_defined() -> None:
    assert "auc" not in electricity_price.task.summary(np.ones(3), np.full(3, 0.9))
    assert np.isfinite(electricity_price.task.losses(np.zeros(3), np.ones(3))).all()


def test_the_gate_of_this_test_has_four_weekly_folds() -> None:
    gate: Gate = electricity_price.gate
    assert (gate.backtest, gate.folds, gate.min_unseen_days) == (timedelta(days=28), 4, 7)
