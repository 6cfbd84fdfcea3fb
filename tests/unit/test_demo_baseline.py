"""The timer: when it retrains, and that it never sees what was not known."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from everfit import (
    BinaryClassification,
    Category,
    FreshnessPolicy,
    GradientBoosting,
    Model,
    MulticlassClassification,
    Source,
    Time,
    TorchMLP,
)
from everfit.demo.baseline import timer, timer_scores
from everfit.demo.result import Timer

LIVE = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def a_model() -> Model:
    source = Source(name="readings", columns=[Time("at"), Category("meter")], identity=["meter", "at"], event_time="at")
    return Model(
        name="meters",
        task=BinaryClassification(label="high"),
        entity="meter",
        event_time="at",
        go_live=LIVE,
        sources=[source],
        request=[Category("meter")],
        history=lambda readings: readings,
        candidates=[GradientBoosting(), TorchMLP()],
        freshness=FreshnessPolicy(max_training_age="30d"),
    )


def rows(first: int, days: int) -> pl.DataFrame:
    """A request a day from day ``first`` on, its outcome known two days later."""
    at = [LIVE + (first + i) * DAY for i in range(days)]
    columns: Mapping[str, Any] = {
        "_request_id": [f"r{first + i}" for i in range(days)],
        "_event_time": at,
        "_observed_at": [moment + 2 * DAY for moment in at],
        "meter": ["a"] * days,
        "_label": [1.0] * days,
        "_static": [0.1] * days,
    }
    return pl.DataFrame(columns)


def test_it_retrains_as_often_as_was_promoted_after_the_first_at_equal_distances() -> None:
    plan = timer(a_model(), LIVE, LIVE + 12 * DAY, ["mlp", "gradient_boosting", "gradient_boosting"])
    halves = [shift * DAY / 2 for shift in (-3, -2, -1, 0, 1, 2, 3)]
    assert plan == Timer("gradient_boosting", [[LIVE + 4 * DAY + shift, LIVE + 8 * DAY + shift] for shift in halves])


def test_of_recipes_promoted_equally_often_it_takes_the_earliest() -> None:
    assert timer(a_model(), LIVE, LIVE + DAY, ["mlp", "gradient_boosting"]).recipe == "mlp"


def test_without_a_promotion_it_is_version_1() -> None:
    plan = timer(a_model(), LIVE, LIVE + 6 * DAY, ["mlp"])
    (scores,) = timer_scores(a_model(), plan, rows(-5, 5).drop("_static"), rows(0, 6))
    assert scores["_timer"].to_list() == [0.1] * 6


def test_each_fit_sees_only_the_outcomes_known_at_its_cutoff(monkeypatch: pytest.MonkeyPatch) -> None:
    fits: list[tuple[str, list[datetime]]] = []

    class Fitted:
        def predict(self, frame: pl.DataFrame) -> Any:
            return np.full(frame.height, len(fits) / 10 + 0.1)

    def fit(candidate: Any, frame: pl.DataFrame, **_: Any) -> Fitted:
        fits.append((candidate.name, frame["_observed_at"].to_list()))
        return Fitted()

    monkeypatch.setattr("everfit.training.recipe_fit.fit_recipe", fit)
    plan = Timer("mlp", [[LIVE + 4 * DAY, LIVE + 8 * DAY], []])
    scores, static = timer_scores(a_model(), plan, rows(-5, 5).drop("_static"), rows(0, 12))

    assert [name for name, _ in fits] == ["mlp", "mlp"]
    assert [max(known) for _, known in fits] == plan.cutoffs[0]
    assert [len(known) for _, known in fits] == [5 + 3, 5 + 7]
    assert scores["_request_id"].to_list() == [f"r{i}" for i in range(12)]
    assert scores["_timer"].round(3).to_list() == [0.1] * 4 + [0.2] * 4 + [0.3] * 4
    assert static["_timer"].to_list() == [0.1] * 12


def test_answers_of_several_numbers_are_scored_as_one_number_is(monkeypatch: pytest.MonkeyPatch) -> None:
    class Fitted:
        def predict(self, frame: pl.DataFrame) -> Any:
            return np.tile([0.25, 0.75], (frame.height, 1))

    monkeypatch.setattr("everfit.training.recipe_fit.fit_recipe", lambda *_, **__: Fitted())
    model = a_model().model_copy(update={"task": MulticlassClassification("high", ["no", "yes"])})
    whole = pl.col("_static").map_elements(lambda _: [0.5, 0.5], return_dtype=pl.List(pl.Float64)).cast(pl.Array(pl.Float64, 2))
    asked = rows(0, 8).with_columns(whole)
    (scores,) = timer_scores(model, Timer("mlp", [[LIVE + 4 * DAY]]), rows(-5, 5).drop("_static"), asked)
    assert scores["_timer"].to_list() == [[0.5, 0.5]] * 4 + [[0.25, 0.75]] * 4


def test_a_time_without_requests_needs_no_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    class Fitted:
        def predict(self, frame: pl.DataFrame) -> Any:
            assert frame.height, "estimators refuse no rows"
            return np.full(frame.height, 0.9)

    monkeypatch.setattr("everfit.training.recipe_fit.fit_recipe", lambda *_, **__: Fitted())
    asked = pl.concat([rows(0, 3), rows(9, 3)])
    (scores,) = timer_scores(a_model(), Timer("mlp", [[LIVE + 4 * DAY, LIVE + 8 * DAY]]), rows(-5, 5).drop("_static"), asked)
    assert scores["_timer"].to_list() == [0.1] * 3 + [0.9] * 3


def test_a_request_without_an_outcome_is_answered_and_never_trained_on(monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[int] = []

    class Fitted:
        def predict(self, frame: pl.DataFrame) -> Any:
            return np.zeros(frame.height)

    def fit(_candidate: Any, frame: pl.DataFrame, **_: Any) -> Fitted:
        trained.append(frame["_label"].null_count())
        return Fitted()

    monkeypatch.setattr("everfit.training.recipe_fit.fit_recipe", fit)
    asked = rows(0, 8).with_columns(_label=pl.when(pl.int_range(8) == 1).then(None).otherwise(pl.col("_label")))
    (scores,) = timer_scores(a_model(), Timer("mlp", [[LIVE + 4 * DAY]]), rows(-5, 5).drop("_static"), asked)

    assert trained == [0]
    assert scores.height == 8
