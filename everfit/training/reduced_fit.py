"""A fit of a smaller task that answers the declared one: its answers[N, G] times a matrix float64[G, K]."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from everfit.declaration.tasks import Task
from everfit.training.arrays import Floats
from everfit.training.checked_fit import CheckedFit
from everfit.training.native_estimator import NativeProduct

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True, eq=False)
class ReducedFit:
    """What a recipe learnt of the smaller task, as a Fitted of ``task``."""

    fitted: CheckedFit
    task: Task
    shares: Floats

    def predict(self, frame: "pl.DataFrame") -> Floats:
        """The answers of the task, float64[N, K]."""
        answers: Floats = self.fitted.predict(frame) @ self.shares
        return answers

    def to_native(self) -> NativeProduct:
        """The smaller task's, and the product behind its answers."""
        return NativeProduct(self.fitted.to_native(), self.shares)

    def to_onnx(self) -> bytes:
        """The smaller graph, and the product behind its output."""
        import onnx
        from onnx import TensorProto, helper, numpy_helper

        model = onnx.load_from_string(self.fitted.to_onnx())
        graph, inner, name = model.graph, "answers_of_groups", self.task.output.name
        learnt = graph.output[0].name
        for node in graph.node:
            node.input[:] = [inner if tensor == learnt else tensor for tensor in node.input]
            node.output[:] = [inner if tensor == learnt else tensor for tensor in node.output]
        graph.initializer.append(numpy_helper.from_array(self.shares, "shares_of_classes"))
        graph.node.append(helper.make_node("Cast", [inner], ["double_of_groups"], to=TensorProto.DOUBLE))
        graph.node.append(helper.make_node("MatMul", ["double_of_groups", "shares_of_classes"], [name]))
        del graph.output[:]
        graph.output.append(helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["N", *self.task.output.shape]))
        onnx.checker.check_model(model)
        content: bytes = model.SerializeToString(deterministic=True)
        return content
