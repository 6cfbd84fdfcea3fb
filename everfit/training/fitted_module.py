"""A fitted module of PyTorch: its answers, and the same as an ONNX graph by torch.onnx."""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from everfit.declaration.tasks import Task
from everfit.errors import RecipeError
from everfit.training.arrays import Floats, split
from everfit.training.module_inputs import ModuleEncoding
from everfit.training.network import Scale, one_thread

if TYPE_CHECKING:
    import onnx
    import polars as pl
    from torch import Tensor, nn

PORTION_ROWS = 8_192  # answered at once
SHOWN_ROWS = 2  # on which a module is tried, and exported


@dataclass(frozen=True, slots=True, eq=False)
class FittedModule:
    """A module with what goes before it and after it; ``taken`` names the inputs that its ``forward`` takes."""

    name: str
    task: Task
    encoding: ModuleEncoding
    module: "nn.Module"
    scale: Scale
    taken: tuple[str, ...]

    def predict(self, frame: "pl.DataFrame") -> Floats:
        """The answers of the task, float64[N] or of its shape."""
        import torch

        inputs = self.encoding.tensors(split(self.encoding.features, frame))
        raw = [np.empty((0, *self.task.output.shape))]
        with one_thread(), torch.inference_mode():
            for start in range(0, frame.height, PORTION_ROWS):
                portion = {name: inputs[name][start : start + PORTION_ROWS] for name in self.taken}
                raw.append(self.raw(portion).double().numpy())
        return self.task.answers(self.scale.restored(np.concatenate(raw)))

    def raw(self, inputs: "Mapping[str, Tensor]") -> "Tensor":
        """What the module returns, float[N], or [N, K] where the task answers several numbers.

        Raises:
            RecipeError: when it is of another shape.
        """
        import torch

        rows, shape = len(next(iter(inputs.values()))), self.task.output.shape
        raw = self.module(**inputs)
        if torch.is_tensor(raw) and raw.is_floating_point() and raw.shape in ((rows, *shape), (rows, *(shape or (1,)))):
            return raw.reshape(rows, *shape)
        wanted = f"float32[{rows}, {shape[0]}]" if shape else f"float32[{rows}] or [{rows}, 1]"
        raise RecipeError(
            f"recipe {self.name}: {type(self.module).__name__} returns {form(raw)} for {rows} rows; return {wanted}, "
            f"the raw values of {type(self.task).__name__}"
        )

    def require_shape(self, inputs: "Mapping[str, Tensor]") -> None:
        """Try the module on its first rows.

        Raises:
            RecipeError: when it fails, or returns what is of another shape.
        """
        import torch

        shown = {name: values[:SHOWN_ROWS] for name, values in inputs.items()}
        given = ", ".join(f"{name} {form(values)}" for name, values in shown.items())
        self.module.eval()
        try:
            with torch.no_grad():
                self.raw(shown)
        except (RuntimeError, TypeError, IndexError, ValueError, AttributeError) as error:
            raise RecipeError(f"recipe {self.name}: {type(self.module).__name__} fails on {given}: {error}") from error

    def to_onnx(self) -> bytes:
        """The same answers as an ONNX graph.

        Raises:
            RecipeError: when torch.onnx cannot convert the module.
        """
        from onnx import TensorProto

        from everfit.training.onnx_graph import Graph

        graph = Graph(self.encoding.features)
        made, model = self.encoding.nodes(graph), self._exported()
        names = {given.name: made[name] for given, name in zip(model.graph.input, self.taken, strict=True)}
        raw = graph.add("Cast", graph.include(model, names, output=0), to=TensorProto.DOUBLE)
        return graph.finish(self.scale.restored_in(graph, raw), self.task)

    def _exported(self) -> "onnx.ModelProto":
        """The module by torch.onnx, its inputs in the order of ``taken``."""
        import onnx.inliner
        import torch

        module, zeros = _by_position(self.module, self.taken), self.encoding.zeros(SHOWN_ROWS)
        values = tuple(zeros[name] for name in self.taken)
        sizes: Any = {"values": tuple({0: torch.export.Dim.DYNAMIC} for _ in values)}
        try:
            with _quiet():
                made = torch.onnx.export(module, values, dynamo=True, dynamic_shapes=sizes, verbose=False)
        except (RuntimeError, ValueError, TypeError) as error:
            why = str(error).strip().splitlines()[0]
            raise RecipeError(
                f"recipe {self.name}: torch.onnx cannot convert {type(self.module).__name__}: {why}; "
                "write its forward without branches on values, and of operators that torch.onnx knows"
            ) from error
        assert made is not None
        return onnx.inliner.inline_local_functions(made.model_proto)


def form(value: Any) -> str:
    """Type and shape of what a user's function returned, for a message."""
    shape = getattr(value, "shape", None)
    return type(value).__name__ if shape is None else f"{value.dtype}{[*shape]}".removeprefix("torch.")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warnings of torch's own code, and its remarks on packages that it does without."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def _by_position(module: "nn.Module", names: tuple[str, ...]) -> "nn.Module":
    """The module, taking its inputs in this order."""
    from torch import nn

    class ByPosition(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, *values: Any) -> Any:
            return self.module(**dict(zip(names, values, strict=True)))

    return ByPosition().eval()
