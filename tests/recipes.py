"""Fits of recipes on rows that a test made."""

from typing import Any

import numpy as np
import onnx
import polars as pl
from onnx import helper, numpy_helper

from everfit import BinaryClassification, Fitted, Recipe
from everfit.training.arrays import Features
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
