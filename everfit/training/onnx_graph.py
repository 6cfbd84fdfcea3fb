"""A small builder of ONNX graphs: nodes in order, constants by value, one output that the task names."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnx.compose
from onnx import TensorProto, helper, numpy_helper

from everfit.declaration.input_kinds import NUMERIC, size_of
from everfit.declaration.tasks import Task
from everfit.training.arrays import Features, names_of

ML = "ai.onnx.ml"
IR_VERSION = 10
OPSETS = {"": 21, ML: 5}


class Graph:
    """A graph in the making over the inputs of these features, as :mod:`everfit.training.artifact` names and types them."""

    def __init__(self, features: Features) -> None:
        numbers, categories = names_of(features, *NUMERIC), names_of(features, "category")
        widths = [("numbers", TensorProto.DOUBLE, len(numbers)), ("categories", TensorProto.STRING, len(categories))]
        inputs: list[tuple[str, int, list[str | int]]] = [(name, kind, ["N", width]) for name, kind, width in widths if width]
        inputs += [(name, TensorProto.STRING, ["N"]) for name in names_of(features, "text")]
        self._vectors = {name: size_of(kind) for name, kind in features if size_of(kind)}
        inputs += [(name, TensorProto.FLOAT, ["N", size]) for name, size in self._vectors.items()]
        self._inputs = [helper.make_tensor_value_info(*each) for each in inputs]
        self._taken = {name for name, _, _ in inputs}
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._opsets = dict(OPSETS)

    def numbers(self) -> str:
        """The numbers and flags, and after them the components of the vectors: double[N, Dn + the sum of their sizes]."""
        if not self._vectors:
            return "numbers"
        parts = [self.add("Cast", name, to=TensorProto.DOUBLE) for name in self._vectors]
        return self.add("Concat", *(["numbers"] if "numbers" in self._taken else []), *parts, axis=1)

    def constant(self, value: Any) -> str:
        """A constant tensor; returns its name."""
        name = self._free(f"constant_{len(self._constants)}")
        self._constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def add(self, operator: str, *inputs: str, domain: str = "", outputs: int = 1, **attributes: Any) -> str:
        """One node; returns the name of its first output."""
        name = self._free(f"{operator}_{len(self._nodes)}")
        names = [name, *(f"{name}_{place}" for place in range(1, outputs))]
        self._nodes.append(helper.make_node(operator, list(inputs), names, domain=domain, **attributes))
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

    def _free(self, name: str) -> str:
        """A name that no input has."""
        return f"{name}_" if name in self._taken else name

    def include(self, model: onnx.ModelProto, inputs: Mapping[str, str], *, output: int) -> str:
        """Add what a model of another exporter needs for one of its outputs, by its number; returns that output's name.

        Args:
            model: its operators' versions become this graph's.
            inputs: the name here of each of its inputs.
            output: the others are left out, with the nodes that only they need.
        """
        model = onnx.compose.add_prefix(model, "included_")
        given = {f"included_{theirs}": ours for theirs, ours in inputs.items()}
        needed = {model.graph.output[output].name}
        for node in reversed(model.graph.node):  # each comes after those that it needs
            if needed.intersection(node.output):
                needed.update(node.input)
        used = [node for node in model.graph.node if needed.intersection(node.output)]
        for node in used:
            node.input[:] = [given.get(name, name) for name in node.input]
        self._nodes += used
        self._constants += [constant for constant in model.graph.initializer if constant.name in needed]
        self._opsets = OPSETS | {opset.domain: opset.version for opset in model.opset_import}
        return str(model.graph.output[output].name)

    def reshaped(self, values: str, task: Task) -> str:
        """Values of N rows in the shape of the task's answers, as double[N] of double[N, 1]."""
        return self.add("Reshape", values, self.constant(np.array([-1, *task.output.shape])))

    def finish(self, raw: str, task: Task) -> bytes:
        """The model whose output is what the task's head makes of ``raw`` double[N, 1], or [N, K] for answers of K numbers."""
        return self.finish_answers(task.head(self, self.reshaped(raw, task)), task)

    def finish_answers(self, answers: str, task: Task) -> bytes:
        """The model whose output is ``answers``, double[N] or of the task's shape."""
        name, shape = task.output.name, task.output.shape
        last = next(node for node in self._nodes if answers in node.output)
        last.output[list(last.output).index(answers)] = name
        if not last.domain:
            last.ClearField("domain")  # an equal graph has equal bytes, whichever version of everfit wrote it
        output = helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["N", *shape])
        graph = helper.make_graph(self._nodes, "everfit", self._inputs, [output], self._constants)
        opsets = [helper.make_opsetid(domain, version) for domain, version in self._opsets.items()]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="everfit")
        onnx.checker.check_model(model)
        content: bytes = model.SerializeToString(deterministic=True)
        return content
