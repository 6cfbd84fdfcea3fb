"""What ``Model(metric=…)`` takes: a metric, its name, or a function of the user's."""

from typing import Any

from everfit.declaration.metrics import FunctionMetric, Metric, OwnLoss
from everfit.declaration.part import call_fault, name_flaw
from everfit.declaration.rank_metrics import AUC, AveragePrecision
from everfit.declaration.row_metrics import AbsoluteError, Brier, PoissonDeviance, SquaredError
from everfit.declaration.tasks import Task

NAMED: tuple[Metric, ...] = (Brier(), SquaredError(), AbsoluteError(), PoissonDeviance(), AUC(), AveragePrecision())


def chosen_metric(given: Any, task: Task) -> Metric:
    """The metric that is meant, for a task.

    Raises:
        ValueError: when it is none, or does not fit the task; the message names those that do.
    """
    if isinstance(given, Metric):
        return _fitting(given, task)
    if isinstance(given, str):
        metric = next((each for each in (OwnLoss.of(task), *NAMED) if each.name == given), None)
        if metric is None:
            raise ValueError(f"there is no metric {given!r}; {_choice(task)}")
        return _fitting(metric, task)
    return _fitting(_of_function(given, task), task)


def _of_function(given: Any, task: Task) -> FunctionMetric:
    if isinstance(given, type) or not callable(given):
        what = given.__name__ if isinstance(given, type) else repr(given)
        raise ValueError(f"{what} is no metric; {_choice(task)}")  # noqa: TRY004 - pydantic words it as a declaration's mistake
    if fault := call_fault(given, "labels", "answers"):
        raise ValueError(f"the metric cannot be called as losses(labels, answers): {fault}")
    name = getattr(given, "__name__", None)
    if flaw := name_flaw(name):
        raise ValueError(f"the metric has the name of its function, {flaw}")
    if name in {task.loss, *(metric.name for metric in NAMED)}:
        raise ValueError(f"the function is called {name!r}, as a metric of everfit's; give the function another name")
    return FunctionMetric(name=name, function=given)


def _fitting(metric: Metric, task: Task) -> Metric:
    if misfit := metric.misfit(task):
        raise ValueError(f"{metric.name!r} needs {misfit}; {_choice(task)}")
    return metric.bound(task)


def metrics_of(task: Task) -> list[Metric]:
    """The metrics with a name that fit the task, its own loss first."""
    own = OwnLoss.of(task)
    others = [metric for metric in NAMED if metric.name != own.name and not metric.misfit(task)]
    return [own, *(metric.bound(task) for metric in others)]


def _choice(task: Task) -> str:
    named = ", ".join(metric.name for metric in metrics_of(task))
    return f"{type(task).__name__} has {named}, or give a function losses(labels, answers)"
