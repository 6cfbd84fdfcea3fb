"""A fitted estimator: its answers, and the same as an ONNX graph."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from everfit.declaration.tasks import Task
from everfit.training.arrays import Features, Floats
from everfit.training.estimator_inputs import inputs_of

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True, eq=False)
class FittedEstimator:
    """A fitted estimator with scikit-learn's interface."""

    name: str
    features: Features
    task: Task
    estimator: Any

    def predict(self, frame: "pl.DataFrame") -> Floats:
        """The answers of the task, float64[N] or of its shape."""
        inputs = inputs_of(self.features, frame)
        if frame.is_empty():  # an estimator refuses a frame without rows
            return np.empty((0, *self.task.output.shape))
        with one_thread():
            if is_classification(self.task):
                probabilities = self.estimator.predict_proba(inputs).astype(np.float64)
                return np.asarray((probabilities @ self.selection).reshape(-1, *self.task.output.shape))
            answers: Floats = np.asarray(self.estimator.predict(inputs), dtype=np.float64)
        column = answers.ndim == 2 and answers.shape[1] == 1
        return answers[:, 0] if column else answers

    def to_onnx(self) -> bytes:
        """The same answers as an ONNX graph, by skl2onnx and onnxmltools.

        Raises:
            RecipeError: when a part of the estimator cannot be converted.
        """
        from everfit.training.estimator_export import export

        return export(self)

    @property
    def selection(self) -> Floats:
        """0 and 1, float64[C, K]: which of the C classes that the fit has seen is which of the task's K probabilities."""
        shape = self.task.output.shape
        wanted = np.arange(shape[0]) if shape else np.array([1])
        seen = np.asarray(self.estimator.classes_, dtype=np.int64)
        chosen: Floats = np.equal.outer(seen, wanted).astype(np.float64)
        return chosen


def is_classification(task: Task) -> bool:
    """Whether the answers are probabilities of classes."""
    return task.loss == "log_loss"


def one_thread() -> AbstractContextManager[object]:
    """Sums in one order whatever the machine."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    return cast("AbstractContextManager[object]", threadpool_limits(1))
