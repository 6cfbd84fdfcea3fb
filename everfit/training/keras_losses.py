"""The losses of tasks as Keras computes them on any backend, each of raw values [N] or [N, K] and labels [N], a loss a row."""

from collections.abc import Callable
from typing import Any

from everfit.declaration.tasks import Task

Loss = Callable[[Any, Any], Any]


def row_losses(task: Task) -> dict[str, Loss]:
    """By the names that tasks give them; several raw values a row are those of classes, or of quantiles."""
    from keras import ops

    def of_classes(raw: Any, labels: Any) -> Any:
        return ops.sparse_categorical_crossentropy(ops.cast(labels, "int32"), raw, from_logits=True)

    def of_two(raw: Any, labels: Any) -> Any:
        return ops.softplus(raw) - labels * raw

    def of_quantiles(raw: Any, labels: Any) -> Any:
        below = ops.expand_dims(labels, 1) - raw
        quantiles = ops.convert_to_tensor(getattr(task, "quantiles", ()), dtype="float32")
        return ops.mean(ops.maximum(quantiles * below, (quantiles - 1) * below), axis=1)

    return {
        "log_loss": of_classes if task.output.shape else of_two,
        "squared_error": lambda raw, labels: ops.square(raw - labels),
        "absolute_error": lambda raw, labels: ops.abs(raw - labels),
        "poisson": lambda raw, labels: ops.exp(raw) - labels * raw,
        "pinball": of_quantiles,
    }
