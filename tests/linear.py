"""A recipe for every task: least squares on the numbers, as raw values of the task."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from everfit import FitContext, Recipe
from everfit.training.arrays import split


class Linear(Recipe):
    """Of one-hot classes for probabilities, of the label and its residuals' quantiles for quantiles, else of the label."""

    name: str = "linear"
    sharpness: float = 4.0

    def fit(self, rows: pl.DataFrame, context: FitContext) -> "FittedLinear":
        inputs, names = with_one(context, rows), context.task.score_names
        if context.task.label_kind == "category":
            wanted = self.sharpness * np.eye(len(names))[context.labels.astype(int)]
            return FittedLinear(context, np.linalg.lstsq(inputs, wanted)[0])
        weights = np.linalg.lstsq(inputs, context.labels[:, None])[0]
        offsets = np.quantile(context.labels - (inputs @ weights)[:, 0], list(map(float, names))) if names else np.zeros(1)
        weights = np.repeat(weights, len(offsets), axis=1)
        weights[-1] += offsets
        return FittedLinear(context, weights)


@dataclass
class FittedLinear:
    """weights float64[Dn + 1, K], the last row the constant."""

    context: FitContext
    weights: Any

    def predict(self, frame: pl.DataFrame) -> Any:
        raw = with_one(self.context, frame) @ self.weights
        return self.context.task.answers(raw.reshape(len(raw), *self.context.task.output.shape))

    def to_onnx(self) -> bytes:
        from everfit.training.onnx_graph import Graph

        graph = Graph(self.context.features)
        filled = graph.add("Where", graph.add("IsNaN", "numbers"), graph.constant(0.0), "numbers")
        weighted = graph.add("MatMul", filled, graph.constant(self.weights[:-1]))
        return graph.finish(graph.add("Add", weighted, graph.constant(self.weights[-1])), self.context.task)


def with_one(context: FitContext, frame: pl.DataFrame) -> Any:
    """The numbers, nulls as 0, and a column of ones."""
    numbers = np.nan_to_num(split(context.features, frame).numbers)
    return np.hstack([numbers, np.ones((len(numbers), 1))])
