"""Fits of recipes on rows that a test made."""

from typing import Any

import numpy as np
import onnx
import polars as pl
from onnx import TensorProto, helper, numpy_helper

from everfit import BinaryClassification, Fitted, Recipe
from everfit.training.arrays import Arrays, Features, split, with_components
from everfit.training.onnx_graph import Graph
from everfit.training.recipe_fit import fit_recipe


def fit(recipe: Recipe, rows: pl.DataFrame, *, features: Features, label: str) -> Fitted:
    """A fit for a label of 0 and 1."""
    return fit_recipe(recipe, rows, task=BinaryClassification(label=label.lstrip("_")), features=features, label=label)


def appended(exported: bytes, operator: str, value: Any) -> bytes:
    """The exported graph with a node at its end, of the answers and a constant."""
    model = onnx.load_model_from_string(exported)
    graph, (output,) = model.graph, model.graph.output
    last = next(node for node in graph.node if output.name in node.output)
    last.output[:] = ["before"]
    graph.initializer.append(numpy_helper.from_array(np.array(value), "appended"))
    graph.node.append(helper.make_node(operator, ["before", "appended"], [output.name]))
    output.type.tensor_type.ClearField("shape")
    return bytes(model.SerializeToString())


class AnyInputs(Recipe):
    """A recipe that takes every kind of input, and is not fitted."""

    name: str = "any_inputs"

    def fit(self, rows: pl.DataFrame, context: Any) -> Fitted:
        raise AssertionError("not fitted")


class Keyword(AnyInputs):
    """A logistic regression on numbers, flags, the components of vectors, and whether each text is the word."""

    name: str = "keyword"
    word: str

    def fit(self, rows: pl.DataFrame, context: Any) -> Fitted:
        from sklearn.linear_model import LogisticRegression

        inputs = self.inputs(split(context.features, rows))
        return FittedKeyword(self, context, LogisticRegression().fit(inputs, context.labels))

    def inputs(self, arrays: Arrays) -> Any:
        numbers = np.nan_to_num(with_components(arrays)[0])
        return np.hstack([numbers, *((text == self.word)[:, None] for text in arrays.texts.values())])


class FittedKeyword:
    def __init__(self, recipe: Keyword, context: Any, estimator: Any) -> None:
        self.recipe, self.context, self.estimator = recipe, context, estimator

    def predict(self, frame: pl.DataFrame) -> Any:
        raw = self.estimator.decision_function(self.recipe.inputs(split(self.context.features, frame)))
        return self.context.task.answers(raw)

    def to_onnx(self) -> bytes:
        graph = Graph(self.context.features)
        numbers, word = graph.numbers(), graph.constant(np.array([self.recipe.word], dtype=object))
        filled = graph.add("Where", graph.add("IsNaN", numbers), graph.constant(0.0), numbers)
        texts = [name for name, kind in self.context.features if kind == "text"]
        known = [graph.add("Cast", graph.add("Equal", name, word), to=TensorProto.DOUBLE) for name in texts]
        columns = [graph.add("Unsqueeze", name, graph.constant(np.array([1]))) for name in known]
        weighted = graph.add("MatMul", graph.add("Concat", filled, *columns, axis=1), graph.constant(self.estimator.coef_.T))
        raw = graph.add("Add", weighted, graph.constant(self.estimator.intercept_))
        return graph.finish(raw, self.context.task)
