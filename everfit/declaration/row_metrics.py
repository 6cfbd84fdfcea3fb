"""Metrics with a loss a row, beside the tasks' own: Brier score, errors, Poisson deviance, costs of decisions."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import field_validator

from everfit.declaration.binary_classification import BinaryClassification
from everfit.declaration.metrics import RowMetric
from everfit.declaration.part import Name
from everfit.declaration.regression import absolute_error, poisson_deviance, squared_error
from everfit.declaration.tasks import Floats, Labels, Task

Class = float | str


def classes_of(task: Task) -> tuple[Class, ...]:
    """The labels that a classification tells apart, in the order of its answers; none where it is another task."""
    if isinstance(task, BinaryClassification):
        return (0.0, 1.0)
    return tuple(getattr(task, "classes", ()))


class _OfNumbers(RowMetric):
    """A metric of one number as label and answer."""

    def misfit(self, task: Task) -> str:
        """A task whose answer is one number."""
        return "a task of one number, such as Regression" if classes_of(task) or task.output.shape else ""


class SquaredError(_OfNumbers):
    """(answer - label)²."""

    name: Name = "squared_error"

    def losses(self, labels: Labels, answers: Floats) -> Floats:
        """Squared error of each row."""
        return squared_error(labels, answers)


class AbsoluteError(_OfNumbers):
    """|answer - label|; recipes minimise it too, and so answer the median."""

    fit_loss: ClassVar[str] = "absolute_error"
    name: Name = "absolute_error"

    def losses(self, labels: Labels, answers: Floats) -> Floats:
        """Absolute error of each row."""
        return absolute_error(labels, answers)


class PoissonDeviance(_OfNumbers):
    """The unit deviance of a Poisson distribution, for counts; recipes minimise it too.

    An answer of 0 or less counts as 1e-9, so that it is finite however wrong.
    """

    fit_loss: ClassVar[str] = "poisson"
    name: Name = "poisson_deviance"

    def losses(self, labels: Labels, answers: Floats) -> Floats:
        """2 (y log(y / answer) - y + answer) of each row."""
        return poisson_deviance(labels, answers)


class _OfClasses(RowMetric):
    """A metric of the probabilities of classes, in the order of ``classes``."""

    classes: tuple[Class, ...] = ()

    def misfit(self, task: Task) -> str:
        """A classification."""
        return "" if classes_of(task) else "a classification"

    def bound(self, task: Task) -> Self:
        """With the classes of the task."""
        return self.model_copy(update={"classes": classes_of(task)})

    def _indices(self, labels: Labels) -> Any:
        """Position of each label among the classes, int[N]."""
        import numpy as np

        positions = {label: position for position, label in enumerate(self.classes)}
        return np.array([positions[label] for label in labels.tolist()], dtype=int)


class Brier(_OfClasses):
    """Squared distance of the probabilities from what came true: of one probability, or summed over the classes."""

    name: Name = "brier"

    def losses(self, labels: Labels, answers: Floats) -> Floats:
        """Brier score of each row."""
        import numpy as np

        if answers.ndim == 1:
            return (answers - labels) ** 2
        true = np.eye(len(self.classes))[self._indices(labels)]
        return ((answers - true) ** 2).sum(axis=1)  # type: ignore[no-any-return]


class CostMatrix(_OfClasses):
    """What a decision costs: ``CostMatrix({label: {decision: cost}})``, with the same decisions for every label.

    The decision is the one whose expected cost is lowest by the answered probabilities; the loss of a row is what it cost.
    """

    name: Name = "cost"
    costs: dict[Class, dict[Class, float]]

    def __init__(self, costs: Mapping[Any, Mapping[Any, float]], **fields: Any) -> None:
        super().__init__(**{"costs": costs} | fields)

    @field_validator("costs")
    @classmethod
    def _is_a_matrix(cls, costs: dict[Class, dict[Class, float]]) -> dict[Class, dict[Class, float]]:
        decisions = {frozenset(row) for row in costs.values()}
        if len(costs) < 2 or len(decisions) != 1 or len(next(iter(decisions))) < 2:
            raise ValueError(f"{costs!r} is no matrix; give {{label: {{decision: cost}}}}, the same decisions for each label")
        if wrong := [cost for row in costs.values() for cost in row.values() if not abs(cost) < float("inf")]:
            raise ValueError(f"cost {wrong[0]!r}; costs are finite numbers")
        return costs

    def misfit(self, task: Task) -> str:
        """A classification of the same labels."""
        if set(self.costs) == set(classes_of(task)):
            return ""
        return f"a classification of {', '.join(map(str, self.costs))}"

    def losses(self, labels: Labels, answers: Floats) -> Floats:
        """What the decision of each row cost."""
        import numpy as np

        decisions = list(self.costs[self.classes[0]])
        matrix = np.array([[self.costs[label][decision] for decision in decisions] for label in self.classes])
        shares = np.column_stack([1 - answers, answers]) if answers.ndim == 1 else answers
        return matrix[self._indices(labels), (shares @ matrix).argmin(axis=1)]  # type: ignore[no-any-return]
