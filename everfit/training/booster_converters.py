"""Boosters of other packages, told to skl2onnx: LightGBM's and XGBoost's by onnxmltools, CatBoost's by its own exporter."""

import sys
from typing import Any

OPTIONS = {"nocl": [True, False], "zipmap": [True, False, "columns"], "raw_scores": [True, False]}


def register_boosters() -> None:
    """Tell skl2onnx of the packages that are loaded: only their estimators can be in what is converted."""
    if lightgbm := sys.modules.get("lightgbm"):
        from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm

        _register(lightgbm.LGBMClassifier, convert_lightgbm, classifies=True)
        _register(lightgbm.LGBMRegressor, convert_lightgbm)
    if xgboost := sys.modules.get("xgboost"):
        from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost

        _register(xgboost.XGBClassifier, convert_xgboost, classifies=True)
        _register(xgboost.XGBRegressor, convert_xgboost)
    if catboost := sys.modules.get("catboost"):
        _register(catboost.CatBoostClassifier, _convert_catboost, classifies=True, parser=_class_and_probabilities)
        _register(catboost.CatBoostRegressor, _convert_catboost)


def _register(estimator: type, convert: Any, *, classifies: bool = False, **more: Any) -> None:
    from skl2onnx import update_registered_converter
    from skl2onnx.common import shape_calculator

    shapes = (
        shape_calculator.calculate_linear_classifier_output_shapes
        if classifies
        else shape_calculator.calculate_linear_regressor_output_shapes
    )
    more |= {"options": OPTIONS} if classifies else {}
    update_registered_converter(estimator, f"Everfit{estimator.__name__}", shapes, convert, **more)


def _class_and_probabilities(scope: Any, model: Any, inputs: Any, custom_parsers: Any = None) -> Any:  # noqa: ARG001
    """The outputs of a classifier that skl2onnx does not know as one."""
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType

    operator = scope.declare_local_operator(f"Everfit{type(model).__name__}", model)
    operator.inputs = inputs
    for name, kind in (("label", Int64TensorType()), ("probabilities", FloatTensorType())):
        operator.outputs.append(scope.declare_local_variable(name, kind))
    return operator.outputs


def _convert_catboost(scope: Any, operator: Any, container: Any) -> None:  # noqa: ARG001 - skl2onnx asks for these names
    """The trees that CatBoost exports, as a node of the graph in the making."""
    from catboost.utils import convert_to_onnx_object
    from onnx import helper

    exported = convert_to_onnx_object(operator.raw_operator)
    trees = exported.graph.node[0]  # what follows it makes a dictionary of the probabilities
    attributes = {each.name: helper.get_attribute_value(each) for each in trees.attribute}
    version = next(opset.version for opset in exported.opset_import if opset.domain == trees.domain)
    outputs = [output.full_name for output in operator.outputs]
    container.add_node(
        trees.op_type, [operator.inputs[0].full_name], outputs, op_domain=trees.domain, op_version=version, **attributes
    )
