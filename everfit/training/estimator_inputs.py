"""The frame that an estimator takes, and the columns of the exported graph's inputs that give the same."""

from typing import TYPE_CHECKING, Any

import numpy as np

from everfit.declaration.input_kinds import NUMERIC, WORDS, size_of
from everfit.training.arrays import Features, split

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped]
    import polars as pl


def columns_of(features: Features) -> list[tuple[str, bool]]:
    """Name of each column of the frame, and whether it is text; a vector has one for each component: ``name_0``, ``name_1``…"""
    return [
        (column, kind in WORDS)
        for name, kind in features
        for column in ([f"{name}_{i}" for i in range(size_of(kind))] if size_of(kind) else [name])
    ]


def inputs_of(features: Features, frame: "pl.DataFrame") -> "pd.DataFrame":
    """A pandas frame of the features in their order, by :func:`columns_of`.

    Numbers, flags (0 and 1) and components of vectors are float32 with NaN for null; categories and texts are text with ``""``
    for null.

    Raises:
        FeatureError: when a feature's column is missing, or of a type that does not fit.
    """
    import pandas as pd

    arrays = split(features, frame)
    numbers, categories = iter(arrays.numbers.astype(np.float32).T), iter(arrays.categories.T)
    columns: list[Any] = []
    for name, kind in features:
        if size_of(kind):
            columns += [*arrays.vectors[name].T]
        else:
            columns.append(arrays.texts[name] if kind == "text" else next(numbers if kind in NUMERIC else categories))
    return pd.DataFrame(dict(zip((name for name, _ in columns_of(features)), columns, strict=True)))


def named_inputs(graph: Any, features: Features) -> dict[str, str]:
    """Nodes of the graph that give each column [N, 1], by its name: string for text, else float."""
    from onnx import TensorProto

    def column(source: str, at: int) -> str:
        return str(graph.add("Gather", source, graph.constant(np.array([at])), axis=1))

    nodes: dict[str, str] = {}
    numbers, categories = 0, 0
    for name, kind in features:
        if size := size_of(kind):
            nodes |= {f"{name}_{i}": column(name, i) for i in range(size)}
        elif kind == "text":
            nodes[name] = graph.add("Reshape", name, graph.constant(np.array([-1, 1])))
        elif kind == "category":
            nodes[name], categories = column("categories", categories), categories + 1
        else:
            nodes[name], numbers = graph.add("Cast", column("numbers", numbers), to=TensorProto.FLOAT), numbers + 1
    return nodes
