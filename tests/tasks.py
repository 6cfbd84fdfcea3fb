"""A task from outside: a number within bounds, judged by its squared error."""

import math
from typing import Any, ClassVar

from everfit import Task


class Bounded(Task):
    """How much? The label lies within ``between``; the answer is any finite number."""

    between: tuple[float, float] = (-1.0, 1.0)
    loss: ClassVar[str] = "squared_error"

    def label_fault(self, label: float | str) -> str:
        low, high = self.between
        return "" if isinstance(label, float) and low <= label <= high else f"number from {low:g} to {high:g}"

    def answer_fault(self, answer: float) -> str:
        return "" if math.isfinite(answer) else "finite number"

    def losses(self, labels: Any, answers: Any) -> Any:
        return (answers - labels) ** 2
