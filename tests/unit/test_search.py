"""Search: the declaration of its space, its trials, and that a killed one ends as one that was not."""

import itertools
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from everfit import BinaryClassification, Brier, FitContext, GradientBoosting, Recipe, Search
from everfit.errors import DeclarationError, FeatureError, RecipeError
from everfit.pipeline.searches import trial_loss
from everfit.training.recipe_fit import fit_recipe
from everfit.training.search import Fold, best_of
from everfit.training.search_folds import rolling
from everfit.training.search_progress import Progress, Trial
from models.electricity_price import electricity_price

TASK = BinaryClassification(label="label")


class Constant(Recipe):
    """Answers one number to every row; the best is the share of ones."""

    name: str = "constant"
    answer: float = 0.5
    kind: str = "good"

    def fit(self, rows: pl.DataFrame, context: FitContext) -> Any:
        if self.kind == "bad":
            raise ZeroDivisionError("bad luck")
        return Answer(self.answer)


class Answer:
    def __init__(self, answer: float) -> None:
        self.answer = answer

    def predict(self, frame: pl.DataFrame) -> Any:
        return np.full(frame.height, self.answer)

    def to_onnx(self) -> bytes:
        return b""


ROWS = pl.DataFrame({"x": [0.0] * 60, "_label": [1.0, 0.0, 0.0] * 20})
OVER = {"answer": (0.01, 0.99), "kind": ["good", "fine"]}


def loss(known: pl.DataFrame, judged: pl.DataFrame, recipe: Recipe) -> float:
    fitted = fit_recipe(recipe, known, task=TASK, features=[("x", "number")], label="_label")
    return float(TASK.losses(judged["_label"].to_numpy(), fitted.predict(judged)).mean())


FOLDS = [partial(loss, *fold) for fold in rolling(ROWS)]


def run(
    search: Search, file: Path, first: dict[str, Any] | None = None, folds: Sequence[Fold] = FOLDS
) -> tuple[Trial, list[Trial]]:
    """The best trial, and those that were made."""
    told: list[Trial] = []
    best = best_of(search, folds, Progress.of(file), first=first, tell=lambda _, trial: told.append(trial))
    return best, told


@pytest.mark.parametrize(
    ("over", "told"),
    [
        ({"tree": (1, 9)}, "gradient_boosting has no setting 'tree'; it has trees, leaves"),
        ({"trees": (9, 1)}, r"trees: \(9, 1\) is empty; low must be below high"),
        ({"learning_rate": (0.0, 0.1, "log")}, "learning_rate: .* reaches to 0.0; low must be above 0 on a logarithmic scale"),
        ({"trees": ("a", "b")}, "trees: .* is no range; write"),
        ({"trees": []}, r"trees: there is no choice in \[\]; list one at least"),
        ({"leaves": [7, 7]}, "leaves: the choice 7 is listed twice"),
        ({"leaves": [object()]}, "leaves: a choice cannot be recorded as JSON"),
        ({"learning_rate": (0.1, math.inf)}, "learning_rate: .* has no end"),
        ({"trees": (0, 9)}, "trees: .*greater than or equal to 1, got 0"),
        ({"leaves": [7, "many"]}, "leaves: .*valid integer.*got 'many'"),
    ],
)
def test_a_space_that_does_not_fit_the_recipe_is_told(over: dict[str, Any], told: str) -> None:
    with pytest.raises(DeclarationError, match=told):
        Search(GradientBoosting(), over=over)


def test_a_search_without_time_or_over_a_search_is_refused() -> None:
    with pytest.raises(
        DeclarationError, match="within: 0s is no time to search in; write a duration such as '10m', or leave it"
    ):
        Search(Constant(), over=OVER, within="0s")
    with pytest.raises(DeclarationError, match="constant_search is a search itself; search over the recipe within it"):
        Search(Search(Constant(), over=OVER), over={"trials": (1, 2)})
    with pytest.raises(DeclarationError, match="trials: Input should be greater than or equal to 1, got 0"):
        Search(Constant(), over=OVER, trials=0)


def test_a_killed_search_ends_as_one_that_was_not_and_one_that_ended_is_not_repeated(tmp_path: Path) -> None:
    whole, trials = run(Search(Constant(), over=OVER, trials=9), tmp_path / "whole.json")
    killed, made = tmp_path / "searches" / "killed.json", []

    def kill(recipe: Recipe) -> float:
        made.append(recipe)
        if len(made) == 5:
            raise KeyboardInterrupt
        return FOLDS[0](recipe)

    with pytest.raises(KeyboardInterrupt):
        run(Search(Constant(), over=OVER, trials=9), killed, folds=[kill, *FOLDS[1:]])
    best, rest = run(Search(Constant(), over=OVER, trials=9), killed)
    assert (best, rest) == (whole, trials[4:])
    assert run(Search(Constant(), over=OVER, trials=9), killed) == (whole, [])
    assert abs(whole.params["answer"] - 1 / 3) < 0.2
    assert "pruned" in {trial.state for trial in trials}


def test_the_last_winner_is_tried_first_and_a_failing_trial_is_set_aside(tmp_path: Path) -> None:
    over = {"answer": (0.1, 0.9), "kind": ["bad", "good"]}
    best, told = run(Search(Constant(), over=over, trials=8), tmp_path / "a.json", first={"answer": 0.25, "kind": "good"})
    assert told[0].params == {"answer": 0.25, "kind": "good"}
    assert {"failed", "complete"} <= {trial.state for trial in told}
    assert best.params["kind"] == "good"
    failed = "recipe constant_search: no trial of 3 could be judged; the last: ZeroDivisionError: bad luck"
    with pytest.raises(RecipeError, match=failed):
        run(Search(Constant(), over={"kind": ["bad"]}, trials=3), tmp_path / "b.json")


def test_a_fold_that_says_nothing_is_left_out_and_no_other(tmp_path: Path) -> None:
    def untaught(_: Recipe) -> float:
        raise FeatureError("one class only")

    search = Search(Constant(), over=OVER, trials=3)
    best, _ = run(search, tmp_path / "a.json", folds=[untaught, lambda _: math.nan, FOLDS[2]])
    assert len(best.losses) == 1
    with pytest.raises(RecipeError, match="no trial of 3 could be judged; the last: one class only"):
        run(search, tmp_path / "b.json", folds=[untaught])
    with pytest.raises(RecipeError, match="the last: the metric is defined on no fold"):
        run(search, tmp_path / "c.json", folds=[lambda _: math.nan])


def test_the_clock_ends_a_search_after_a_whole_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = itertools.count(step=31)
    monkeypatch.setattr("everfit.training.search_progress.time.monotonic", lambda: next(seconds))
    best, told = run(Search(Constant(), over=OVER, trials=50, within="1m"), tmp_path / "a.json")
    assert [trial.state for trial in told] == ["complete", "complete"]
    assert len(best.losses) == len(FOLDS)


def test_a_fold_is_fitted_on_what_was_known_when_it_began() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    rows = pl.DataFrame({"_event_time": [start + timedelta(hours=hour) for hour in range(12)]})
    late = rolling(rows, lambda moment: [pl.col("_event_time") <= moment - timedelta(hours=2)])
    assert [(known.height, judged["_event_time"][0].hour, judged.height) for known, judged in late] == [
        (5, 6, 2),
        (7, 8, 2),
        (9, 10, 2),
    ]
    with pytest.raises(FeatureError, match="5 rows are too few to search on; it takes 6, known before the gate's days"):
        rolling(rows.head(5))


class Weighted(Constant):
    """Answers the weighted share of ones."""

    def fit(self, rows: pl.DataFrame, context: FitContext) -> Any:
        return Answer(float(np.average(context.labels, weights=context.weights)))


class Here:
    """Fits in this process."""

    @contextmanager
    def fitted(self, recipe: Recipe, file: Path, **arguments: Any) -> Iterator[Any]:
        yield fit_recipe(recipe, pl.read_ipc(file), **arguments)


def threefold(rows: pl.DataFrame) -> Any:
    return 1 + 2 * rows["label"]


def test_a_trial_learns_by_the_models_weights_and_is_compared_by_its_metric(tmp_path: Path) -> None:
    model = electricity_price.model_copy(update={"task": TASK, "weights": threefold, "declared_metric": Brier()})
    rows = ROWS.with_columns(_event_time=pl.lit(datetime(2026, 1, 1, tzinfo=UTC)))
    answer = 3 * 20 / (3 * 20 + 40)
    expected = (20 * (1 - answer) ** 2 + 40 * answer**2) / 60
    rows.write_ipc(tmp_path / "rows.arrow")
    fits: Any = Here()
    assert trial_loss(model, fits, tmp_path / "rows.arrow", rows, Weighted()) == pytest.approx(expected)


def test_a_search_answers_for_its_recipe() -> None:
    search = Search(GradientBoosting(), over={"trees": (5, 9)})
    assert search.inputs_fault([("note", "text")]) == GradientBoosting().inputs_fault([("note", "text")]) != ""
    assert search.trusted_types() is None
    assert search.with_params({"trees": 7}).parameters()["trees"] == 7
