"""Rules about a candidate's own figures on the rolling origins: what is required, calibration, and the naive baseline."""

import math

from everfit.declaration import Model
from everfit.declaration.metrics import Metric
from everfit.declaration.required_figures import usable_metrics
from everfit.declaration.tasks import Floats, Labels
from everfit.errors import MetricError
from everfit.evaluation.rules import Rule

CALIBRATION = "calibration_error"


def figure_rules(model: Model, labels: Labels, answers: Floats) -> list[Rule]:
    """The figures that ``gate.require`` names, each against its limit; then the calibration, where the task has one.

    Args:
        model: the declaration.
        labels: labels[N] of the rows to judge by, at least one.
        answers: answers[N] or [N, K] of the candidate.

    Raises:
        MetricError: when a function of the user's fails.
    """
    metrics = usable_metrics(model.task, model.metric)
    summary = _summary(model, labels, answers)
    rules = []
    for name, limit in model.gate.require.items():
        metric = metrics.get(name)
        figure = metric.shown(metric.loss(labels, answers)) if metric else summary.get(name, math.nan)
        higher = metric.higher_is_better if metric else model.task.sides[name]
        rules.append(_required(name, float(figure), limit, higher=higher))
    return [*rules, *_calibration(model, summary)]


def _summary(model: Model, labels: Labels, answers: Floats) -> dict[str, float]:
    task = model.task
    try:
        return task.summary(labels, answers)
    except Exception as error:  # a task may raise anything
        what = f"{type(task).__name__}.summary fails by {type(error).__name__}: {error}"
        raise MetricError(f"{what} on {len(labels)} rows; repair the task") from error


def baseline_rule(metric: Metric, name: str, loss: float, baseline_loss: float, *, first: bool) -> Rule:
    """Whether a candidate knows more than always giving the task's baseline answer.

    Args:
        metric: what answers are compared by.
        name: the baseline answer in words.
        loss: of the candidate.
        baseline_loss: of always answering the baseline, on the same rows.
        first: a first champion must be better than it; a later one may not be worse.
    """
    own, constant = metric.shown(loss), metric.shown(baseline_loss)
    measured = f"{metric.title} {own:.4f} against {constant:.4f} of always answering the {name}"
    passed = loss < baseline_loss if first else loss <= baseline_loss
    side = "above" if metric.higher_is_better else "below"
    wanted = (
        f"a first champion must be {side} it" if first else f"no champion may be {'below' if side == 'above' else 'above'} it"
    )
    words = f"{'first champion: ' if first else ''}{measured}" if passed else f"knows nothing: {measured}; {wanted}"
    return Rule(name="baseline", figure=own, allowed=constant, passed=passed, words=words)


def _required(name: str, figure: float, limit: float, *, higher: bool) -> Rule:
    wanted = f"required {'at least' if higher else 'at most'} {limit:g}"
    rule = f"required {name}"
    if math.isnan(figure):
        words = f"{name} has no value on these rows, such as an AUC of one outcome alone; {wanted}"
        return Rule(name=rule, figure=None, allowed=limit, passed=None, words=words)
    passed = figure >= limit if higher else figure <= limit
    return Rule(name=rule, figure=figure, allowed=limit, passed=passed, words=f"{name} {figure:.4f}, {wanted}")


def _calibration(model: Model, summary: dict[str, float]) -> list[Rule]:
    if CALIBRATION in model.gate.require or CALIBRATION not in summary:
        return []
    figure = summary[CALIBRATION]
    words = f"calibration error {figure:.4f}: so far are answers on average from what came true; no limit is declared"
    return [Rule(name="calibration", figure=figure, passed=True, words=words)]
