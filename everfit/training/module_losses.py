"""The losses of tasks as PyTorch computes them, each of raw values float32[N] or [N, K] and labels float32[N], a loss a row."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from everfit.declaration.tasks import Task

if TYPE_CHECKING:
    from torch import Tensor

    Loss = Callable[[Tensor, Tensor], Tensor]


def row_losses(task: Task) -> "dict[str, Loss]":
    """By the names that tasks give them; several raw values a row are those of classes, or of quantiles."""
    import torch
    from torch.nn import functional

    def of_classes(raw: "Tensor", labels: "Tensor") -> "Tensor":
        return functional.cross_entropy(raw, labels.long(), reduction="none")

    def of_two(raw: "Tensor", labels: "Tensor") -> "Tensor":
        return functional.binary_cross_entropy_with_logits(raw, labels, reduction="none")

    def of_quantiles(raw: "Tensor", labels: "Tensor") -> "Tensor":
        below, quantiles = labels[:, None] - raw, torch.tensor(getattr(task, "quantiles", ()))
        return torch.maximum(quantiles.to(raw) * below, (quantiles.to(raw) - 1) * below).mean(dim=1)

    return {
        "log_loss": of_classes if task.output.shape else of_two,
        "squared_error": lambda raw, labels: (raw - labels) ** 2,
        "absolute_error": lambda raw, labels: (raw - labels).abs(),
        "poisson": lambda raw, labels: raw.exp() - labels * raw,
        "pinball": of_quantiles,
    }
