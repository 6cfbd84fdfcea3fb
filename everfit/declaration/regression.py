"""Regression: labels[N] are numbers, answers[N] estimates of them; raw[N] are the answers, or their logarithms for counts."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

from pydantic import field_validator

from everfit.declaration.number_range import LARGEST
from everfit.declaration.tasks import Floats, GraphNodes, Label, Labels, Task
from everfit.errors import FeatureError

Minimised = Literal["squared_error", "absolute_error", "poisson"]


def squared_error(labels: Labels, answers: Floats) -> Floats:
    """(answer - label)² of each row."""
    return (answers - labels) ** 2


def absolute_error(labels: Labels, answers: Floats) -> Floats:
    """|answer - label| of each row."""
    return abs(answers - labels)


def poisson_deviance(labels: Labels, answers: Floats) -> Floats:
    """2 (y log(y / answer) - y + answer) of each row; an answer below 1e-9 counts as 1e-9: finite, however wrong."""
    import numpy as np
    from scipy.special import xlogy

    expected = np.maximum(answers, 1e-9)
    return 2 * (xlogy(labels, labels / expected) - labels + expected)  # type: ignore[no-any-return]


LOSSES: dict[Minimised, Callable[[Labels, Floats], Floats]] = {
    "squared_error": squared_error,
    "absolute_error": absolute_error,
    "poisson": poisson_deviance,
}


class Regression(Task):
    """How much? The label is a number, within ``between`` (both ends included) where it is declared; the score estimates it.

    ``minimised`` is the loss of the recipes. A declared metric sets it: ``Model(metric="absolute_error")`` asks for the median,
    ``metric="poisson_deviance"``, for counts, for a mean that is never negative.
    """

    between: tuple[float, float] | None = None
    minimised: Minimised = "squared_error"

    def __init__(self, label: str, **fields: Any) -> None:
        super().__init__(label=label, **fields)

    @field_validator("between")
    @classmethod
    def _bounds_are_in_order(cls, between: tuple[float, float] | None) -> tuple[float, float] | None:
        if between is not None and not -LARGEST <= between[0] < between[1] <= LARGEST:
            raise ValueError(f"{between}: the lower bound comes first, and neither lies beyond ±{LARGEST:g}")
        return between

    @property
    def loss(self) -> str:
        """The loss that recipes minimise."""
        return self.minimised

    @property
    def loss_name(self) -> str:
        """The loss in words."""
        return "Poisson deviance" if self.minimised == "poisson" else super().loss_name

    def minimising(self, loss: str) -> "Regression":
        """The same task for recipes that minimise ``loss``; itself where it has no such loss."""
        return self.model_copy(update={"minimised": loss}) if loss in LOSSES else self

    def label_fault(self, label: Label) -> str:
        """A label is a finite number, within the bounds, and no negative one where it is a count."""
        low, high = self._bounds
        if isinstance(label, int | float) and low <= label <= high:
            return ""
        return f"number from {low:g} to {high:g}"

    def answer_fault(self, answer: Any) -> str:
        """An answer is a finite number; for counts it is not negative."""
        if not math.isfinite(answer):
            return "finite number"
        return "number from 0 on" if self.minimised == "poisson" and answer < 0 else ""

    def usable(self, labels: Labels) -> Any:
        """Which of labels[N] are within the bounds, bool[N]."""
        if labels.dtype.kind not in "fiu":
            return super().usable(labels)
        low, high = self._bounds
        return (labels >= low) & (labels <= high)

    def losses(self, labels: Labels, answers: Floats) -> Floats:
        """The minimised loss of each row, float64[N]."""
        return LOSSES[self.minimised](labels, answers)

    @property
    def baseline_name(self) -> str:
        """The median for absolute errors, else the mean."""
        return "median label" if self.minimised == "absolute_error" else super().baseline_name

    def baseline(self, labels: Labels) -> float:
        """The constant with the lowest loss on these labels; 0 without labels."""
        import numpy as np

        if self.minimised == "absolute_error" and len(labels):
            return float(np.median(labels))
        return float(labels.sum()) / max(len(labels), 1)

    def spread(self, labels: Labels) -> float:
        """Standard deviation of the labels; 1 where they are all the same."""
        return float(labels.std()) or 1.0 if len(labels) else 1.0

    def summary(self, labels: Labels, answers: Floats) -> dict[str, float]:
        """Rows, mean label, the loss, mean absolute error, root of the mean squared error, and bias (mean of answer - label).

        Raises:
            ValueError: when there are no rows.
        """
        figures = super().summary(labels, answers)
        figures = {"rows": figures["rows"], "mean_label": float(labels.mean()), self.loss: figures[self.loss]}
        figures["absolute_error"] = float(absolute_error(labels, answers).mean())
        figures["root_squared_error"] = math.sqrt(float(squared_error(labels, answers).mean()))
        return figures | {"bias": float((answers - labels).mean())}

    @property
    def sides(self) -> Mapping[str, bool]:
        """The root of the mean squared error, the lower the better."""
        return {"root_squared_error": False}

    def targets(self, labels: Labels) -> Floats:
        """The labels themselves.

        Raises:
            FeatureError: when there is none, one is not valid, or all counts are 0.
        """
        targets = super().targets(labels)
        if self.minimised == "poisson" and not targets.any():
            raise FeatureError(f"label {self.label!r} is 0 in all {len(targets)} rows to learn from; counts need another")
        return targets

    def answers(self, raw: Floats) -> Floats:
        """The raw values; for counts e to their power."""
        import numpy as np

        if self.minimised != "poisson":
            return raw
        with np.errstate(over="ignore"):  # an answer that is not finite is refused with its row
            return np.exp(raw)

    def head(self, graph: GraphNodes, raw: str) -> str:
        """As :meth:`answers`."""
        return graph.add("Exp", raw) if self.minimised == "poisson" else super().head(graph, raw)

    @property
    def _bounds(self) -> tuple[float, float]:
        low, high = self.between or (-LARGEST, LARGEST)
        return (max(low, 0.0), high) if self.minimised == "poisson" else (low, high)
