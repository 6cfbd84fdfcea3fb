"""What answers are compared by: ``Model(metric=…)``. The default is the loss of the model's task.

Shapes: N rows; labels[N] as they are logged; answers float64[N], or float64[N, K] where an answer is K numbers.
Inside of everfit a metric is a loss, the lower the better; :meth:`Metric.shown` gives what people are shown.
"""

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import InstanceOf, SerializeAsAny

from everfit.declaration.part import Name, Part
from everfit.declaration.tasks import Floats, Labels, Task
from everfit.errors import MetricError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Counts = npt.NDArray[np.float64]
else:
    Counts = Any


class Metric(Part, ABC):
    """How good answers are, as a loss. A subclass is a :class:`RowMetric` or a :class:`RankMetric`.

    ``fit_loss`` names the loss that recipes minimise in place of the task's own; empty: the task's own.
    """

    fit_loss: ClassVar[str] = ""
    higher_is_better: ClassVar[bool] = False
    name: Name

    @property
    def title(self) -> str:
        """The metric in words."""
        return self.name.replace("_", " ")

    @abstractmethod
    def misfit(self, task: Task) -> str:
        """What the metric needs of a task, such as ``a binary classification``, where ``task`` is none; empty where it fits."""

    def bound(self, task: Task) -> "Metric":  # noqa: ARG002
        """The metric with what it needs to know of the task."""
        return self

    @abstractmethod
    def loss(self, labels: Labels, answers: Floats) -> float:
        """The loss of all rows together; NaN where these rows have none, such as an AUC of one outcome alone.

        Raises:
            MetricError: when a function of the user's fails, or gives something else than a finite loss a row.
        """

    def shown(self, loss: float) -> float:
        """The value as people know it."""
        return 1 - loss if self.higher_is_better else loss

    def shown_interval(self, mean: float, lower: float, upper: float) -> tuple[float, float, float]:
        """A difference of losses and its bounds as people know them."""
        return (-mean, -upper, -lower) if self.higher_is_better else (mean, lower, upper)

    def unit(self, loss: float) -> float:
        """What a limit that is stated in log loss is multiplied by: 1 for log loss, else ``loss`` against that of a coin."""
        return 1.0 if self.name == "log_loss" else abs(loss) / math.log(2)


class RowMetric(Metric):
    """A loss of each row, whose mean is compared."""

    @abstractmethod
    def losses(self, labels: Labels, answers: Floats) -> Floats:
        """Loss of each row, float64[N], finite.

        Raises:
            MetricError: when a function of the user's fails, or gives something else.
        """

    def loss(self, labels: Labels, answers: Floats) -> float:
        """The mean."""
        return float(self.losses(labels, answers).mean()) if len(labels) else math.nan


class RankMetric(Metric):
    """A figure of the order of all rows, from 0 to 1, the higher the better: its loss is 1 less the figure."""

    higher_is_better: ClassVar[bool] = True

    def misfit(self, task: Task) -> str:
        """A rank is that of one number."""
        from everfit.declaration.binary_classification import BinaryClassification

        return "" if isinstance(task, BinaryClassification) else "a binary classification"

    @abstractmethod
    def figure(self, labels: Labels, answers: Floats, counts: Counts) -> float:
        """The figure where row i counts ``counts[i]`` times; both outcomes are among the rows that count."""

    def loss(self, labels: Labels, answers: Floats) -> float:
        """1 less the figure; NaN where the rows hold one outcome alone."""
        import numpy as np

        return self.counted_loss(labels, answers, np.ones(len(labels)))

    def counted_loss(self, labels: Labels, answers: Floats, counts: Counts) -> float:
        """As :meth:`loss`, where row i counts ``counts[i]`` times, counts float64[N]."""
        import numpy as np

        there = counts > 0
        if len(np.unique(labels[there])) < 2:
            return math.nan
        return 1 - float(self.figure(labels[there], answers[there], counts[there]))


class OwnLoss(RowMetric):
    """The loss of a task."""

    task: SerializeAsAny[InstanceOf[Task]]

    @classmethod
    def of(cls, task: Task) -> "OwnLoss":
        """The task's loss, by its name."""
        return cls(name=task.loss, task=task)

    @property
    def title(self) -> str:
        """The loss in words."""
        return self.task.loss_name

    def misfit(self, task: Task) -> str:
        """It is that of one task."""
        return "" if task == self.task else f"the task {self.task!r}"

    def losses(self, labels: Labels, answers: Floats) -> Floats:
        """The task's losses."""
        return self.task.losses(labels, answers)


class FunctionMetric(RowMetric):
    """A function of the user's, ``losses(labels, answers) -> losses[N]``, the lower the better."""

    function: Any

    def misfit(self, task: Task) -> str:  # noqa: ARG002
        """What it fits, its author knows."""
        return ""

    def losses(self, labels: Labels, answers: Floats) -> Floats:
        """What the function gives, checked; it sees copies, so that it can alter no rows.

        Raises:
            MetricError: when it raises, or gives no finite number a row.
        """
        import numpy as np

        call = f"metric {self.name}: {self.function.__name__}(labels, answers)"
        try:
            losses = np.asarray(self.function(labels.copy(), answers.copy()), dtype=np.float64)
        except Exception as error:
            raise MetricError(f"{call} fails by {type(error).__name__}: {error}; repair it, and train again") from error
        if losses.shape != (len(labels),):
            raise MetricError(f"{call} gives the shape {losses.shape}; give a loss a row, shape {(len(labels),)}")
        if not np.isfinite(losses).all():
            row = int(np.argmin(np.isfinite(losses)))
            what = f"{losses[row]} for the label {labels[row]} and the answer {answers[row]}"
            raise MetricError(f"{call} gives {what}; give a finite number for each row")
        return losses
