"""A task from outside is carried by every part that asks what is predicted: none of them knows which task it is."""

import asyncio
import inspect
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from onnx import TensorProto

from everfit import Gate, GradientBoosting, Recipe, TorchMLP
from everfit.declaration.reserved_columns import LABEL, SCORE
from everfit.declaration.views import Kind
from everfit.errors import EventError
from everfit.evaluation.comparison import compare
from everfit.evaluation.figures import baseline_rule
from everfit.evaluation.gate import Allowance, Speed, check_candidate
from everfit.evaluation.rules import Rule
from everfit.evidence.performance import Expectation, judge_performance
from everfit.serving.loaded_versions import ActiveVersions
from everfit.serving.model_cache import ModelCache
from everfit.serving.protocol import inferred, model_metadata, predicted
from everfit.serving.request_schema import CheckedRequest
from everfit.serving.service import Answered
from everfit.topics.contract import Contract
from everfit.training.artifact import Signature
from everfit.training.onnx_graph import Graph
from everfit.training.parity import check_parity
from everfit.training.recipe_fit import fit_recipe
from tests.events import MODEL, outcome, prediction
from tests.extensions import documented
from tests.serving import WatchedRegistry
from tests.tasks import Bounded

CHANGE = MODEL.model_copy(update={"task": Bounded(label="change")})
RANDOM = np.random.default_rng(0)
RECIPES: list[Recipe] = [GradientBoosting(trees=60), TorchMLP(hidden=(16,), batch_rows=32)]
FEATURES: list[tuple[str, Kind]] = [("number", "number"), ("group", "category")]
NOW = datetime(1998, 1, 1, tzinfo=UTC)
ASKED = CheckedRequest(id="request", ids=["request"], rows=[{}], at=NOW)


def sent(event: Any, **fields: Any) -> bytes:
    return msgspec.json.encode(msgspec.to_builtins(event) | fields)


@pytest.mark.parametrize("answer", [-7.5, 0.5, 1e9])
def test_the_log_takes_any_answer_of_the_task_and_its_labels_alone(answer: float) -> None:
    contract = Contract({CHANGE.name: CHANGE})
    fields = CHANGE.task.fields(answer)
    assert contract.prediction(sent(prediction(0), **fields), NOW).score == answer
    assert contract.outcome(sent(outcome(0), outcome=-0.25), NOW).outcome == -0.25
    with pytest.raises(EventError, match=r"outcome 1\.5 is no label of electricity_price: number from -1 to 1"):
        contract.outcome(sent(outcome(0), outcome=1.5), NOW)
    with pytest.raises(EventError, match="is no label of electricity_price: 0 or 1"):
        Contract({MODEL.name: MODEL}).outcome(sent(outcome(0), outcome=-0.25), NOW)


def test_the_task_is_the_documented_one_of_under_thirty_lines() -> None:
    text = documented("Tasks")
    assert text.endswith(inspect.getsource(Bounded))
    assert len(text.splitlines()) < 30


def test_answers_and_metadata_of_serving_are_the_tasks() -> None:
    answered = Answered([3], [-0.5], [False], [False])
    assert predicted(CHANGE, ASKED, answered)["score"] == -0.5
    assert inferred(CHANGE, ASKED, answered)["outputs"] == [{"name": "score", "shape": [1], "datatype": "FP64", "data": [-0.5]}]
    assert model_metadata(CHANGE, ActiveVersions())["outputs"] == [{"name": "score", "datatype": "FP64", "shape": [-1]}]


def test_candidate_and_champion_are_compared_by_the_tasks_loss() -> None:
    metric, days = CHANGE.metric, np.repeat(np.arange(28), 20)
    labels = RANDOM.uniform(-1, 1, len(days))
    answers = [labels + spread * RANDOM.normal(size=len(days)) for spread in (0.5, 0.1)]

    def rule(champion: Any, candidate: Any) -> Rule:
        comparison, gate = compare(metric, days, labels, champion, candidate), Gate(prove="better")
        loss = metric.loss(labels, champion)
        limits = Allowance.of(gate, metric, "drift", spread=0.0, champion_loss=loss, level=0.05)
        return check_candidate(gate, metric, limits, comparison, Speed(1.0))[0]

    better = rule(*answers)
    assert better.passed
    assert better.words.startswith("better: squared error -0.")
    assert not rule(*answers[::-1]).passed


def test_the_first_champion_must_beat_the_tasks_baseline() -> None:
    task, labels = CHANGE.task, RANDOM.uniform(-1, 1, 500)
    baseline = CHANGE.metric.loss(labels, np.full(500, task.baseline(labels)))
    told = f"first champion: squared error 0.0100 against {baseline:.4f} of always answering the mean label"
    rules = [baseline_rule(CHANGE.metric, task.baseline_name, loss, baseline, first=True) for loss in (0.01, baseline)]
    assert rules[0].words == told
    assert [rule.passed for rule in rules] == [True, False]


def test_performance_is_judged_by_the_tasks_loss() -> None:
    days, labels = np.repeat(np.arange(7), 50), RANDOM.uniform(-1, 1, 350)
    verdicts = [
        judge_performance(CHANGE.metric, days, labels, labels + wrong, expected=Expectation(0.01), min_rows=200)
        for wrong in (0.1, 0.5)
    ]
    assert [verdict.verdict for verdict in verdicts] == ["ok", "alarm"]
    assert verdicts[1].reason.startswith("squared error 0.250 on 350 labels, at least 0.250 over 7 days; ")


def test_the_drift_of_its_answers_is_measured_in_their_own_columns() -> None:
    answers = CHANGE.task.watched(np.array([-3.0, 4.0]))
    assert [(name, kind, values.tolist()) for (name, kind), values in answers.items()] == [(SCORE, "number", [-3.0, 4.0])]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_our_recipes_fit_by_its_loss_and_their_graphs_answer_as_they_do(recipe: Recipe) -> None:
    task, numbers = CHANGE.task, RANDOM.normal(size=600)
    labels = np.clip(numbers / 3 + RANDOM.normal(size=600) / 50, -1, 1)
    rows = pl.DataFrame({"number": numbers, "group": ["a", "b"] * 300, LABEL: labels})
    fitted = fit_recipe(recipe, rows, task=task, features=FEATURES, label=LABEL)
    answers = fitted.predict(rows)
    baseline = np.full(600, task.baseline(labels))
    assert task.losses(labels, answers).mean() < task.losses(labels, baseline).mean() / 10
    assert answers.min() < 0, "no probability"
    signature = Signature(model="made", features=FEATURES, schema="")
    check_parity(fitted.to_onnx(), signature, rows, fitted.predict)


def graph(answer: float) -> bytes:
    """A graph of the model's inputs that answers so where its first number is null, and one more where it is not."""
    made = Graph(CHANGE.features)
    first = made.add("Gather", "numbers", made.constant(np.array([0])), axis=1)
    there = made.add("Cast", made.add("Not", made.add("IsNaN", first)), to=TensorProto.DOUBLE)
    return made.finish(made.add("Add", there, made.constant(np.array(answer))), CHANGE.task)


@pytest.mark.parametrize(("answer", "served"), [(-7.5, {"champion": 1}), (np.inf, {})])
def test_a_version_serves_whose_answers_are_the_tasks(answer: float, served: dict[str, int]) -> None:
    registry = WatchedRegistry(CHANGE, {1: graph(answer)}, {"champion": 1})
    cache = ModelCache({CHANGE.name: CHANGE}, registry)
    assert asyncio.run(cache.refresh(CHANGE.name)).roles == served
    binary = ModelCache({MODEL.name: MODEL}, registry)
    assert asyncio.run(binary.refresh(MODEL.name)).roles == {}, "no probability"
