"""A recipe of a user's own package, of under thirty lines, goes through declaration, fit, parity check, gate and promotion."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import sqlalchemy as sa

from everfit import FitContext, Model, Recipe
from everfit.declaration import Name
from everfit.pipeline import evaluation, manifests, promotion
from everfit.pipeline.training import train
from everfit.training.arrays import names_of, split
from everfit.training.onnx_graph import Graph
from models.electricity_price import electricity_price
from tests.loop import Loop
from tests.unit.test_data_faults import CUTOFF, alternate, labelled


class Logistic(Recipe):
    """A logistic regression of scikit-learn on the numbers, a missing one read as 0."""

    name: Name = "logistic"
    strength: float = 1.0

    def fit(self, rows: pl.DataFrame, context: FitContext) -> "FittedLogistic":
        from sklearn.linear_model import LogisticRegression

        numbers = np.nan_to_num(split(context.features, rows)[0])
        return FittedLogistic(context, LogisticRegression(C=self.strength).fit(numbers, context.labels))


@dataclass
class FittedLogistic:
    context: FitContext
    estimator: Any

    def predict(self, frame: pl.DataFrame) -> Any:
        return self.estimator.predict_proba(np.nan_to_num(split(self.context.features, frame)[0]))[:, 1]

    def to_onnx(self) -> bytes:
        graph = Graph(len(names_of(self.context.features, "number")), len(names_of(self.context.features, "category")))
        numbers = graph.add("Where", graph.add("IsNaN", "numbers"), graph.constant(0.0), "numbers")
        weighted = graph.add("MatMul", numbers, graph.constant(self.estimator.coef_.T))
        return graph.finish(graph.add("Add", weighted, graph.constant(self.estimator.intercept_)), self.context.task)


def test_a_recipe_from_outside_becomes_champion(engine: sa.Engine, tmp_path: Path) -> None:
    declared = {name: getattr(electricity_price, name) for name in Model.model_fields}
    model = Model(**declared | {"candidates": [Logistic(strength=0.5, seed=3)]})
    loop = Loop(engine, tmp_path, model)
    number = next(name for name, kind in model.features if kind == "number")
    rows = labelled(alternate, **{number: alternate})
    given = manifests.TrainingSet(
        model=model.name,
        cutoff=CUTOFF,
        cause="bootstrap",
        reason="the first version",
        request=None,
        rows_hash=loop.runtime.lake.put_frame(rows),
        rows=rows.height,
        baseline=0.5,
        days={},
        code_version="",
    )
    trained = train(loop.runtime, model, given, manifests.put(loop.runtime, model, "training_set", given, rows.height))
    (candidate,) = trained.candidates
    assert candidate.refused is None, "the exported graph answers as the recipe does"
    assert candidate.config == {"name": "logistic", "seed": 3, "strength": 0.5}
    digest = manifests.put(loop.runtime, model, "trained_model", trained, rows.height)
    judged = evaluation.evaluate(loop.runtime, model, trained, digest)
    assert judged.winner == "logistic", judged.reason
    manifests.put(loop.runtime, model, "evaluation", judged, 1)
    assert promotion.conclude(loop.runtime, model, actor="test").version == 1
    registered = loop.registry.fetch(model.name, 1)
    assert registered.signature.features == model.features
    assert registered.onnx == loop.runtime.lake.get(candidate.onnx, "onnx")
