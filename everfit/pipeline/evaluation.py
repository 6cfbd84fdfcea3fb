"""The gate: compares every candidate with the champion on the same rows, which neither was trained on."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from everfit.declaration import Model
from everfit.declaration.metrics import Metric
from everfit.declaration.reserved_columns import CANDIDATE, EVENT_TIME, LABEL, renewed
from everfit.declaration.tasks import Floats, Labels
from everfit.errors import MetricError, NotServableError
from everfit.evaluation.comparison import Comparison, compare, row_differences, slices
from everfit.evaluation.figures import baseline_rule, figure_rules
from everfit.evaluation.gate import CONFIDENCE, Margins, Speed, check_candidate, latency
from everfit.evaluation.rules import Rule, reason_of, verdict
from everfit.pipeline import manifests
from everfit.pipeline.candidate_trial import tried
from everfit.pipeline.champion_inputs import champion_inputs
from everfit.pipeline.expectation import metric_key, window_losses
from everfit.pipeline.manifests import Compared, Evaluation, Trained, TrainedModel, TrainingSet, Version
from everfit.pipeline.native_versions import not_portable
from everfit.runtime import Runtime
from everfit.store import ledger

if TYPE_CHECKING:
    import polars as pl

EXPORT = "exported answers"
_EXPORTED = Rule(name=EXPORT, passed=True, words="what is exported answers as the fitted model does")


def evaluate(runtime: Runtime, model: Model, trained: TrainedModel, data_version: str) -> Evaluation:
    """Compare every candidate with the champion on the same rows; the best passing candidate wins."""
    training_set = manifests.get(runtime.lake, trained.training_set, TrainingSet)
    with runtime.engine.connect() as connection:
        champion = ledger.champion(connection, model.name)
    current = manifests.get(runtime.lake, champion.manifest, Version) if champion else None
    compared = [
        tried(runtime.lake, model, candidate, _compare(runtime, model, candidate, current, training_set), training_set)
        for candidate in trained.candidates
    ]
    compared += [_unjudged(name, "training", f"set aside: {reason}") for name, reason in trained.set_aside.items()]
    best = min((each for each in compared if each.passed), key=lambda each: each.loss, default=None)
    return Evaluation(
        trained_model=data_version,
        champion=champion.version if champion else None,
        compared=compared,
        winner=best.name if best else None,
        metric=metric_key(model.metric),
        reason=best.reason if best else "; ".join(f"{each.name}: {each.reason}" for each in compared),
    )


def _compare(
    runtime: Runtime, model: Model, candidate: Trained, current: Version | None, training_set: TrainingSet
) -> Compared:
    tested = renewed(runtime.lake.get_frame(candidate.backtest), model.label)
    if candidate.refused:
        return _unjudged(candidate.name, EXPORT, f"its exported answers are not its own: {candidate.refused}")
    if tested.is_empty():
        return _unjudged(candidate.name, "days", _nothing_to_judge(model, candidate))
    try:
        if current is None:
            return _first(model, candidate, tested, training_set)
        return _against(runtime, model, candidate, tested, current, training_set)
    except (MetricError, NotServableError) as error:
        return _unjudged(candidate.name, "comparison", str(error))


def _first(model: Model, candidate: Trained, tested: "pl.DataFrame", training_set: TrainingSet) -> Compared:
    """A candidate against the task's baseline."""
    labels, speed = tested[LABEL].to_numpy(), Speed(candidate.latency_ms, candidate.slowdown)
    answers = tested[CANDIDATE].to_numpy()
    loss = _loss(model.metric, labels, answers)
    baseline_loss = _loss(model.metric, labels, np.full(answers.shape, training_set.baseline))
    rules = [
        baseline_rule(model.metric, model.task.baseline_name, loss, baseline_loss, first=True),
        *figure_rules(model, labels, answers),
        latency(model.gate, speed),
        _EXPORTED,
    ]
    by_window = window_losses(model, tested)
    return _compared(candidate.name, None, rules, _kept_as(candidate), loss, baseline_loss, by_window)


def _against(
    runtime: Runtime,
    model: Model,
    candidate: Trained,
    tested: "pl.DataFrame",
    current: Version,
    training_set: TrainingSet,
) -> Compared:
    """A candidate against the champion."""
    cause = training_set.cause
    labels, answers = tested[LABEL].to_numpy(), tested[CANDIDATE].to_numpy()
    champion, note = _champion_answers(runtime, model, current, tested)
    losses = _loss(model.metric, labels, answers), _loss(model.metric, labels, champion)
    days = tested[EVENT_TIME].dt.date().to_numpy()
    comparison = compare(model.metric, days, labels, champion, answers, confidence=CONFIDENCE)
    difference = row_differences(model.metric, labels, champion, answers) if model.gate.slices else None
    parts = [part for name in model.gate.slices if difference for part in slices(name, tested[name].to_numpy(), difference)]
    speed = Speed(candidate.latency_ms, candidate.slowdown)
    baseline_loss = _loss(model.metric, labels, np.full(answers.shape, training_set.baseline))
    rules = [
        *check_candidate(model.gate, model.metric, cause, comparison, parts, speed, losses[1]),
        baseline_rule(model.metric, model.task.baseline_name, losses[0], baseline_loss, first=False),
        *figure_rules(model, labels, answers),
        _EXPORTED,
    ]
    margin, note = Margins.of(model.gate, model.metric, cause, losses[1]).allowed, f"{note}{_kept_as(candidate)}"
    return _compared(candidate.name, comparison, rules, note, *losses, window_losses(model, tested), margin)


def _kept_as(candidate: Trained) -> str:
    told = candidate.signature and not_portable(candidate.signature)
    return f"; {told}" if told else ""


def _loss(metric: Metric, labels: Labels, answers: Floats) -> float:
    """The metric's loss.

    Raises:
        MetricError: when it has none on these rows.
    """
    loss = metric.loss(labels, answers)
    if not math.isfinite(loss):
        raise MetricError(f"{metric.title} cannot be computed: the {len(labels)} labels to judge by are all {labels[0]}")
    return loss


def _champion_answers(runtime: Runtime, model: Model, current: Version, tested: "pl.DataFrame") -> tuple[Floats, str]:
    """The champion's answers by the inputs of its own schema, and a note where that is not the declared one."""
    from everfit.training.version_scorer import open_scorer

    own = champion_inputs(runtime, model, current, tested)
    scorer = open_scorer(manifests.content_of(runtime.lake, current), own.signature)
    return scorer.score(own.rows), own.note


def _nothing_to_judge(model: Model, candidate: Trained) -> str:
    """The reason why no fold is left."""
    too_few = f"fewer than {model.gate.min_unseen_days} days that the champion has not seen"
    left_out = "; ".join(f"the fold of {day} was left out: {reason}" for day, reason in candidate.folds_left_out.items())
    return f"{too_few} can be judged; {left_out}" if left_out else too_few


def _unjudged(name: str, rule: str, reason: str) -> Compared:
    """A candidate that could not be compared, by the rule that says why."""
    return _compared(name, None, [Rule(name=rule, passed=False, words=reason)], "", 0.0, 0.0)


def _compared(
    name: str,
    comparison: Comparison | None,
    rules: list[Rule],
    note: str,
    loss: float,
    champion_loss: float,
    by_window: Sequence[float] = (),
    margin: float | None = None,
) -> Compared:
    return Compared(
        name=name,
        mean=comparison.mean if comparison else None,
        lower=comparison.lower if comparison else None,
        upper=comparison.upper if comparison else None,
        days=comparison.days if comparison else 0,
        rows=comparison.rows if comparison else 0,
        loss=loss,
        champion_loss=champion_loss,
        passed=verdict(rules) == "passed",
        reason=f"{reason_of(rules)}{note}",
        window_losses=list(by_window),
        margin=margin,
        rules=rules,
    )
