"""A small builder of ONNX graphs: nodes in order, constants by value, one output that the task names."""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from everfit.declaration.tasks import Task
from everfit.training.arrays import Features, names_of

ML = "ai.onnx.ml"
IR_VERSION = 10
OPSETS = {"": 21, ML: 5}


class Graph:
    """A graph in the making over the inputs ``numbers`` double[N, Dn] and ``categories`` string[N, Dc] of these features."""

    def __init__(self, features: Features) -> None:
        numbers, categories = names_of(features, "number"), names_of(features, "category")
        widths = [("numbers", TensorProto.DOUBLE, len(numbers)), ("categories", TensorProto.STRING, len(categories))]
        self._inputs = [helper.make_tensor_value_info(name, kind, ["N", width]) for name, kind, width in widths if width]
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def constant(self, value: Any) -> str:
        """A constant tensor; returns its name."""
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def add(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """One node of one output; returns the output's name."""
        name = f"{operator}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [name], domain=domain, **attributes))
        return name

    def category(self, column: int, vocabulary: tuple[str, ...], codes: Any, unknown: Any) -> str:
        """Column ``column`` of the categories, mapped to ``codes``; [N, 1]."""
        text = self.add("Gather", "categories", self.constant(np.array([column])), axis=1)
        return self.add(
            "LabelEncoder",
            text,
            domain=ML,
            keys_tensor=numpy_helper.from_array(np.array(vocabulary, dtype=object), "keys"),
            values_tensor=numpy_helper.from_array(codes, "values"),
            default_tensor=numpy_helper.from_array(np.array([unknown], dtype=codes.dtype), "default"),
        )

    def finish(self, raw: str, task: Task) -> bytes:
        """The model whose output is what the task's head makes of ``raw`` double[N, 1], or [N, K] for answers of K numbers."""
        name, _, shape = task.output
        answers = task.head(self, self.add("Reshape", raw, self.constant(np.array([-1, *shape]))))
        last = next(node for node in self._nodes if answers in node.output)
        last.output[:] = [name]
        if not last.domain:
            last.ClearField("domain")  # an equal graph has equal bytes, whichever version of everfit wrote it
        output = helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["N", *shape])
        graph = helper.make_graph(self._nodes, "everfit", self._inputs, [output], self._constants)
        opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="everfit")
        onnx.checker.check_model(model)
        content: bytes = model.SerializeToString(deterministic=True)
        return content
