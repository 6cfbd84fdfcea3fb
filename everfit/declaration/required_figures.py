"""``Gate(require={"auc": 0.7})``: the figures that may be asked of every candidate, and the side that is good."""

from collections.abc import Mapping

from everfit.declaration.metric_choice import metrics_of
from everfit.declaration.metrics import Metric
from everfit.declaration.tasks import Task


def usable_metrics(task: Task, metric: Metric) -> dict[str, Metric]:
    """The metrics that fit a task, by name, with the one that its model declares."""
    return {each.name: each for each in [*metrics_of(task), metric]}


def require_fault(require: Mapping[str, float], task: Task, metric: Metric) -> str:
    """Which required figure does not exist, with those that do; empty where all exist."""
    known = [*usable_metrics(task, metric), *task.sides]
    unknown = next((name for name in require if name not in known), None)
    return "" if unknown is None else f"there is no figure {unknown!r}; {type(task).__name__} has {', '.join(known)}"
