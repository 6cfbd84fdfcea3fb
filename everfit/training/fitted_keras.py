"""A fitted model of Keras: its answers, and the same as an ONNX graph by Keras' own export."""

import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from everfit.declaration.tasks import Task
from everfit.errors import RecipeError
from everfit.training.arrays import Floats, split
from everfit.training.fitted_module import PORTION_ROWS, SHOWN_ROWS, form
from everfit.training.module_inputs import ModuleEncoding
from everfit.training.network import Scale, one_thread

if TYPE_CHECKING:
    import onnx
    import polars as pl

__all__ = ["SHOWN_ROWS", "FittedKeras"]


@dataclass(frozen=True, slots=True, eq=False)
class FittedKeras:
    """A model with what goes before it and after it."""

    name: str
    task: Task
    encoding: ModuleEncoding
    model: Any
    scale: Scale

    @property
    def taken(self) -> tuple[str, ...]:
        """The names of the inputs that the model takes."""
        return tuple(each.name for each in self.model.inputs)

    def values(self, given: Mapping[str, Any]) -> list[Any]:
        """Those of the inputs that the model takes, as it takes them."""
        return [given[each.name].astype(each.dtype) for each in self.model.inputs]

    def predict(self, frame: "pl.DataFrame") -> Floats:
        """The answers of the task, float64[N] or of its shape."""
        values = self.values(self.encoding.arrays(split(self.encoding.features, frame)))
        starts = range(0, frame.height, PORTION_ROWS)
        with one_thread():
            raw = [self.raw([each[start : start + PORTION_ROWS] for each in values]) for start in starts]
        none = np.empty((0, *self.task.output.shape))
        return self.task.answers(self.scale.restored(np.concatenate([none, *raw])))

    def raw(self, values: Sequence[Any]) -> Any:
        """What the model returns, float32[N], or [N, K] where the task answers several numbers.

        Raises:
            RecipeError: when it is of another shape.
        """
        rows, shape = len(values[0]), self.task.output.shape
        raw = self.model.predict_on_batch(list(values))
        if raw.shape in ((rows, *shape), (rows, *(shape or (1,)))):
            return raw.reshape(rows, *shape)
        wanted = f"[{rows}, {shape[0]}]" if shape else f"[{rows}] or [{rows}, 1]"
        raise RecipeError(
            f"recipe {self.name}: the model returns {form(raw)} for {rows} rows; return {wanted}, "
            f"the raw values of {type(self.task).__name__}"
        )

    def to_onnx(self) -> bytes:
        """The same answers as an ONNX graph.

        Raises:
            RecipeError: when Keras cannot export the model.
        """
        from onnx import TensorProto

        from everfit.training.onnx_graph import Graph

        graph, model = Graph(self.encoding.features), self._exported()
        made = self.encoding.nodes(graph)
        names = {
            theirs.name: graph.add("Cast", made[ours], to=theirs.type.tensor_type.elem_type)
            for theirs, ours in zip(model.graph.input, self.taken, strict=True)
        }
        raw = graph.add("Cast", graph.include(model, names, output=0), to=TensorProto.DOUBLE)
        return graph.finish(self.scale.restored_in(graph, raw), self.task)

    def _exported(self) -> "onnx.ModelProto":
        """The model by Keras, with the operators of our own graphs."""
        import onnx
        import onnx.version_converter

        from everfit.training.onnx_graph import OPSETS

        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what Keras calls
            file = Path(folder) / "model.onnx"
            try:
                self.model.export(str(file), format="onnx", verbose=False)
            except Exception as error:
                why = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
                raise RecipeError(
                    f"recipe {self.name}: Keras cannot export the model: {why}; use layers that it exports"
                ) from error
            made = onnx.load(file)
        used = {node.domain for node in made.graph.node}
        kept = [opset for opset in made.opset_import if opset.domain in used | {""}]
        del made.opset_import[:]
        made.opset_import.extend(kept)
        return onnx.version_converter.convert_version(made, OPSETS[""])
