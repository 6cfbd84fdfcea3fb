"""A fitted estimator as an ONNX graph over everfit's inputs: skl2onnx converts it, with nodes before and after.

What the converters get wrong is found by :mod:`everfit.training.parity`, on real rows.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from everfit.errors import RecipeError
from everfit.training.arrays import Features
from everfit.training.booster_converters import register_boosters
from everfit.training.estimator_inputs import columns_of, named_inputs
from everfit.training.onnx_graph import ML, Graph

if TYPE_CHECKING:
    from everfit.training.fitted_estimator import FittedEstimator

OPSETS = {"": 21, ML: 3}  # the newest that the converters know
LOCALE = "C.UTF-8"  # for the lower case of texts: the default, en_US, is installed in few containers


def export(fitted: "FittedEstimator") -> bytes:
    """The graph of a fitted estimator.

    Raises:
        RecipeError: when a part of it cannot be converted.
    """
    from onnx import TensorProto

    from everfit.training.fitted_estimator import is_classification

    probabilities = is_classification(fitted.task)
    if any(getattr(part, "is_categorical_", None) is not None for part in _parts(fitted.estimator)):
        raise RecipeError(
            f"recipe {fitted.name}: skl2onnx converts histogram boosting with native categories wrongly; encode the categories "
            "before it, or use GradientBoosting, which splits them natively and exports them itself"
        )
    model = _joined(fitted.estimator, fitted.features)
    try:
        converted = _converted(model, fitted.features, probabilities)
    except Exception as error:  # a converter may raise anything
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise RecipeError(
            f"recipe {fitted.name}: {type(fitted.estimator).__name__} cannot be exported: {lines[0]}; make a ColumnTransformer "
            "the first step of a Pipeline, with the estimator, or CalibratedClassifierCV around it, as the last one, and use "
            "parts that skl2onnx converts; or declare native=[], and it runs in a process of its own"
        ) from error
    graph = Graph(fitted.features)
    output = graph.include(converted, named_inputs(graph, fitted.features), output=-1)
    answers = graph.add("Cast", output, to=TensorProto.DOUBLE)
    if probabilities:
        chosen = graph.add("MatMul", answers, graph.constant(fitted.to_native().selection))
        positive = graph.add("Max", chosen, graph.constant(np.array(0.0)))
        answers = graph.add("Min", positive, graph.constant(np.array(1.0)))
    return graph.finish_answers(graph.reshaped(answers, fitted.task), fitted.task)


def _joined(estimator: Any, features: Features) -> Any:
    """What is converted: an estimator that takes no columns by name gets all of them side by side, as in its fit."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

    first = estimator
    while isinstance(first, Pipeline):
        first = first.steps[0][1]
    if isinstance(first, ColumnTransformer):
        return estimator
    names = [name for name, _ in columns_of(features)]
    join = ColumnTransformer([("all", "passthrough", names)])
    join.fit(_example(features))
    return Pipeline([("join", join), ("estimator", estimator)])


def _example(features: Features) -> Any:
    import pandas as pd  # type: ignore[import-untyped]

    return pd.DataFrame(
        {name: np.array([""], object) if text else np.zeros(1, np.float32) for name, text in columns_of(features)}
    )


def _converted(model: Any, features: Features, probabilities: bool) -> Any:
    from onnx import helper
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    register_boosters()
    types = [(name, (StringTensorType if text else FloatTensorType)([None, 1])) for name, text in columns_of(features)]
    options = _words(model) | ({id(model): {"zipmap": False}} if probabilities else {})
    converted = convert_sklearn(model, initial_types=types, options=options, target_opset=OPSETS)
    for node in converted.graph.node:
        if node.op_type == "StringNormalizer":
            others = [attribute for attribute in node.attribute if attribute.name != "locale"]
            del node.attribute[:]
            node.attribute.extend([*others, helper.make_attribute("locale", LOCALE)])
    return converted


def _words(model: Any) -> dict[Any, Any]:
    """What a word is to a vectorizer that leaves it at the default: of any alphabet; the converter knows ASCII alone."""
    default = r"(?u)\b\w\w+\b"
    parts = _parts(model)
    return {id(part): {"tokenexp": r"[\p{L}\p{N}_]{2,}"} for part in parts if getattr(part, "token_pattern", None) == default}


def _parts(estimator: Any) -> list[Any]:
    """The fitted estimators within an estimator, as far as Pipelines and ColumnTransformers hold them."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import FeatureUnion, Pipeline

    if isinstance(estimator, Pipeline):
        within = [part for _, part in estimator.steps]
    elif isinstance(estimator, ColumnTransformer):
        within = [part for _, part, _ in estimator.transformers_]
    elif isinstance(estimator, FeatureUnion):
        within = [part for _, part in estimator.transformer_list]
    else:
        return [estimator]
    return [inner for part in within for inner in _parts(part)]
