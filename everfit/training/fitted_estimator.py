"""A fitted estimator: its answers, and the same as an ONNX graph or as what a process of its own loads."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from everfit.declaration.tasks import Task
from everfit.training.arrays import Features, Floats
from everfit.training.native_estimator import NativeEstimator

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
        with one_thread():
            return self.to_native().predict(frame)

    def to_native(self) -> NativeEstimator:
        """What answers the same in a process of its own, where the estimator cannot be exported."""
        return NativeEstimator(
            self.estimator, self.features, self.task.output.shape, probabilities=is_classification(self.task)
        )

    def to_onnx(self) -> bytes:
        """The same answers as an ONNX graph, by skl2onnx and onnxmltools.

        Raises:
            RecipeError: when a part of the estimator cannot be converted.
        """
        from everfit.training.estimator_export import export

        return export(self)


def is_classification(task: Task) -> bool:
    """Whether the answers are probabilities of classes."""
    return task.loss == "log_loss"


def one_thread() -> AbstractContextManager[object]:
    """Sums in one order whatever the machine."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    return cast("AbstractContextManager[object]", threadpool_limits(1))
