"""A network of linear layers on standardised inputs: its parts in training, its answers and its ONNX graph.

Inputs float32[N, D]: numbers, and the components of vectors, standardised, clipped to ±10 and 0 where missing; for each of them
a 1 where it is missing; each category one-hot with a last slot for what is unknown. What was the same in every training row has
no weight: a column that was constant, or null, has no effect when it begins to vary, until a model was trained on it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from everfit.declaration.tasks import Task
from everfit.training.arrays import Features, Floats, split, with_components
from everfit.training.encoding import Encoding
from everfit.training.module_losses import row_losses

if TYPE_CHECKING:
    import polars as pl
    import torch
    from torch import nn

CLIP = 10.0
CONSTANT = 1e-6  # standardised constants are 0 up to rounding


@dataclass(frozen=True, slots=True, eq=False)
class FittedNetwork:
    """A fitted network; ``network`` maps inputs float32[N, D] to raw values float32[N, 1], or [N, K] for answers of K."""

    features: Features
    task: Task
    encoding: Encoding
    network: "nn.Sequential"

    def predict(self, frame: "pl.DataFrame") -> Floats:
        """The answers of the task, float64[N] or [N, K]."""
        import torch

        inputs = inputs_of(self.encoding, *with_components(split(self.features, frame)))
        with one_thread(), torch.inference_mode():
            raw = self.network(torch.from_numpy(inputs)).double().numpy()
        return self.task.answers(raw.reshape(-1, *self.task.output.shape))

    def to_onnx(self) -> bytes:
        """The same answers as an ONNX graph."""
        from torch import nn

        from everfit.training.onnx_graph import Graph

        graph = Graph(self.features)
        parts = standardised_in(graph, self.encoding, graph.numbers()) if len(self.encoding.means) else []
        parts += [_one_hot_in(graph, i, vocabulary) for i, vocabulary in enumerate(self.encoding.vocabularies)]
        value = graph.add("Concat", *parts, axis=1)
        for layer in self.network:
            if isinstance(layer, nn.Linear):
                weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
                value = graph.add("Gemm", value, graph.constant(weight), graph.constant(bias), transB=1)
            else:
                value = graph.add("Relu", value)
        return graph.finish(graph.add("Cast", value, to=_onnx_type("DOUBLE")), self.task)


def perceptron(widths: Sequence[int], generator: "torch.Generator") -> "nn.Sequential":
    """Linear layers of these widths, from inputs to output, with ReLU between them; weights are drawn from the generator."""
    from torch import nn

    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        linear = nn.Linear(before, after, device="meta").to_empty(device="cpu")  # draws nothing from the global generator
        nn.init.kaiming_uniform_(linear.weight, nonlinearity="relu", generator=generator)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def mean_loss(
    task: Task,
    network: "nn.Sequential",
    inputs: "torch.Tensor",
    labels: "torch.Tensor",
    weights: "torch.Tensor | None" = None,
) -> "Callable[[torch.Tensor], torch.Tensor]":
    """The mean loss of rows int64[B], of inputs float32[N, D], labels float32[N, 1] and weights float32[N, 1] of mean 1."""
    measure = _measure(task, "mean" if weights is None else "none")

    def of(rows: "torch.Tensor") -> "torch.Tensor":
        losses: torch.Tensor = measure(network(inputs[rows]), labels[rows])
        return losses if weights is None else (losses * weights[rows]).mean()

    return of


def _measure(task: Task, reduction: str) -> "Callable[[torch.Tensor, torch.Tensor], torch.Tensor]":
    """The loss of raw values and labels float32[B, 1]: their mean, or float32[B, 1]."""
    if not task.output.shape:
        return losses()[task.loss](reduction=reduction)
    loss = row_losses(task)[task.loss]

    def of_rows(raw: "torch.Tensor", labels: "torch.Tensor") -> "torch.Tensor":
        each = loss(raw, labels[:, 0])[:, None]
        return each.mean() if reduction == "mean" else each

    return of_rows


def normalised(weights: Floats) -> "torch.Tensor":
    """Weights float64[N] as float32[N, 1] of mean 1: steps are as long as without them."""
    import torch

    return torch.from_numpy(weights / weights.mean()).float()[:, None]


def losses() -> "dict[str, type[nn.Module]]":
    """The losses of one number a row, each of raw values float32[N, 1] and labels float32[N, 1]."""
    from torch import nn

    return {
        "log_loss": nn.BCEWithLogitsLoss,
        "squared_error": nn.MSELoss,
        "absolute_error": nn.L1Loss,
        "poisson": nn.PoissonNLLLoss,  # of the logarithm of the mean
    }


@dataclass(frozen=True, slots=True)
class Scale:
    """What labels are reduced by for training, so that steps suit any unit. Counts are learnt as shares of their mean."""

    loss: str
    centre: float = 0.0
    spread: float = 1.0

    @classmethod
    def of(cls, loss: str, labels: "torch.Tensor") -> "Scale":
        """The scale of labels float32[N, 1]."""
        if loss in ("squared_error", "absolute_error", "pinball"):
            return cls(loss, float(labels.mean()), float(labels.std(correction=0)) or 1.0)
        return cls(loss, 0.0, float(labels.mean())) if loss == "poisson" else cls(loss)

    def reduced(self, labels: "torch.Tensor") -> "torch.Tensor":
        """The labels to learn, as many."""
        return (labels - self.centre) / self.spread

    def restored(self, raw: Floats) -> Floats:
        """Raw values float64[N] or [N, K] in the unit of the labels."""
        return raw + np.log(self.spread) if self.loss == "poisson" else raw * self.spread + self.centre

    def restored_in(self, graph: Any, raw: str) -> str:
        """As :meth:`restored`, in a graph."""
        added, factor = (np.log(self.spread), 1.0) if self.loss == "poisson" else (self.centre, self.spread)
        name: str = graph.add("Add", graph.add("Mul", raw, graph.constant(factor)), graph.constant(added))
        return name

    def restore(self, network: "nn.Sequential") -> None:
        """Let the last layer answer in the unit of the labels."""
        import torch

        last: Any = network[-1]
        with torch.no_grad():
            if self.loss == "poisson":
                last.bias += float(np.log(self.spread))
            elif (self.centre, self.spread) != (0.0, 1.0):
                last.weight *= self.spread
                last.bias.mul_(self.spread).add_(self.centre)


def silence_constants(network: "nn.Sequential", inputs: "torch.Tensor") -> None:
    """Move what constant inputs add into the bias: the same answers on training rows, and no weight where they change."""
    import torch

    constant = ((inputs - inputs[0]).abs() <= CONSTANT).all(dim=0)
    with torch.no_grad():
        first: Any = network[0]
        first.bias += first.weight[:, constant] @ inputs[0, constant]
        first.weight[:, constant] = 0.0


@contextmanager
def one_thread() -> Iterator[None]:
    """Sums in one order whatever the machine; the process's own setting is given back."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def inputs_of(encoding: Encoding, numbers: Floats, categories: Any) -> Any:
    """Inputs float32[N, D], as the graph makes them."""
    parts = [*standardised(encoding, numbers)]
    codes = encoding.codes(categories)
    for i, vocabulary in enumerate(encoding.vocabularies):
        slots = np.where(np.isnan(codes[:, i]), len(vocabulary), codes[:, i])
        parts.append(slots[:, None] == np.arange(len(vocabulary) + 1))
    return np.hstack(parts).astype(np.float32)


def standardised(encoding: Encoding, numbers: Floats) -> tuple[Floats, Any]:
    """Numbers float64[N, Dn] by the training's means and scales, clipped and 0 where missing, and which are, bool[N, Dn]."""
    missing = np.isnan(numbers)
    standard = (np.where(missing, encoding.means, numbers) - encoding.means) / encoding.scales
    return np.clip(standard, -CLIP, CLIP), missing


def standardised_in(graph: Any, encoding: Encoding, numbers: str) -> list[str]:
    """As :func:`standardised`, in a graph: the names of two tensors of floats."""
    missing = graph.add("IsNaN", numbers)
    known = graph.add("Where", missing, graph.constant(encoding.means), numbers)
    centred = graph.add("Sub", known, graph.constant(encoding.means))
    standard = graph.add("Div", centred, graph.constant(encoding.scales))
    clipped = graph.add("Clip", standard, graph.constant(-CLIP), graph.constant(CLIP))
    return [graph.add("Cast", part, to=_onnx_type("FLOAT")) for part in (clipped, missing)]


def _one_hot_in(graph: Any, column: int, vocabulary: tuple[str, ...]) -> str:
    slots = graph.category(column, vocabulary, np.arange(len(vocabulary)), len(vocabulary))
    flat = graph.add("Reshape", slots, graph.constant(np.array([-1])))
    depth, off_on = graph.constant(np.array(len(vocabulary) + 1)), graph.constant(np.array([0.0, 1.0], dtype=np.float32))
    name: str = graph.add("OneHot", flat, depth, off_on)
    return name


def _onnx_type(name: str) -> int:
    from onnx import TensorProto

    return int(TensorProto.DataType.Value(name))
