"""The gate: compares every candidate with the champion on the same rows, which neither was trained on."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
from msgspec.structs import replace

from everfit.declaration import Model
from everfit.declaration.metrics import Metric
from everfit.declaration.reserved_columns import CANDIDATE, EVENT_TIME, LABEL, renewed
from everfit.declaration.tasks import Floats, Labels
from everfit.errors import MetricError, NotServableError, UndefinedMetricError
from everfit.evaluation import budget
from everfit.evaluation.budget import YEAR
from everfit.evaluation.comparison import compare
from everfit.evaluation.figures import baseline_rule, figure_rules
from everfit.evaluation.gate import Allowance, Speed, allowed_difference, check_candidate, latency
from everfit.evaluation.intervals import daily_losses, mean_of_days
from everfit.evaluation.rules import Rule, Verdict, reason_of, verdict
from everfit.evaluation.slices import slice_rules, slices
from everfit.evidence.trusted_rows import trusted
from everfit.pipeline import manifests
from everfit.pipeline.candidate_trial import tried
from everfit.pipeline.champion_inputs import champion_inputs
from everfit.pipeline.expectation import expectation, metric_key, window_losses
from everfit.pipeline.judged_days import judged_days
from everfit.pipeline.manifests import Compared, Evaluation, Trained, TrainedModel, TrainingSet, Version
from everfit.pipeline.native_versions import not_portable
from everfit.runtime import Runtime
from everfit.store import ledger, verdicts
from everfit.timing import format_duration, format_time

if TYPE_CHECKING:
    import polars as pl

FURTHEST: tuple[Verdict, ...] = ("passed", "inconclusive", "rejected")
EXPORT = "exported answers"
_EXPORTED = Rule(name=EXPORT, passed=True, words="what is exported answers as the fitted model does")


def evaluate(runtime: Runtime, model: Model, trained: TrainedModel, data_version: str) -> Evaluation:
    """Compare every candidate with the champion on the same rows; the best passing candidate wins."""
    training_set = manifests.get(runtime.lake, trained.training_set, TrainingSet)
    with runtime.engine.connect() as connection:
        champion = ledger.champion(connection, model.name)
        spent = verdicts.spent(connection, model.name, training_set.cutoff - YEAR)
    current = manifests.get(runtime.lake, champion.manifest, Version) if champion else None
    level = budget.level(model.gate.wrong_promotions_per_year, spent, len(trained.candidates))
    learnt = manifests.learnt(runtime.lake, trained)
    gate = _Gate(runtime, model, training_set, current, level, learnt.cause)
    overtaken = _overtaken(trained, learnt, champion)
    compared = [
        _unjudged(candidate.name, "newer", overtaken)
        if overtaken
        else tried(runtime.lake, model, candidate, _compare(gate, candidate), training_set)
        for candidate in trained.candidates
    ]
    compared += [_unjudged(name, "training", f"set aside: {reason}") for name, reason in trained.set_aside.items()]
    best = min((each for each in compared if each.passed), key=lambda each: each.loss, default=None)
    found, reason = outcome(compared, training_set.cutoff - learnt.cutoff, expires_after=model.gate.expires_after)
    return Evaluation(
        trained_model=data_version,
        champion=champion.version if champion else None,
        compared=compared,
        winner=best.name if best else None,
        metric=metric_key(model.metric),
        reason=best.reason if best else reason,
        verdict=found,
        spent=budget.cost(level, [each.p_value for each in compared if each.p_value is not None]),
    )


def _overtaken(trained: TrainedModel, learnt: TrainingSet, champion: ledger.Champion | None) -> str:
    """Why candidates that are judged again are so no more: another version became champion that has learnt as much."""
    if champion is None or not trained.learnt or learnt.cutoff > champion.trained_until:
        return ""
    return f"version {champion.version} became champion since, and was trained until {format_time(champion.trained_until)}"


@dataclass(frozen=True, slots=True)
class _Gate:
    """What the candidates of one evaluation share; ``current`` is the champion's manifest."""

    runtime: Runtime
    model: Model
    training_set: TrainingSet
    current: Version | None
    level: float
    cause: str


def outcome(compared: Sequence[Compared], waited: timedelta, *, expires_after: timedelta) -> tuple[Verdict, str]:
    """The verdict of the candidate that came furthest, and all reasons; what has waited too long to be decided is rejected."""
    verdicts = {verdict(each.rules) for each in compared}
    reason = "; ".join(f"{each.name}: {each.reason}" for each in compared)
    furthest: Verdict = next((each for each in FURTHEST if each in verdicts), "rejected")
    if furthest == "inconclusive" and waited >= expires_after:
        return "rejected", f"expired: not decided in {format_duration(waited)}; {reason}"
    return furthest, reason


def _compare(gate: _Gate, candidate: Trained) -> Compared:
    tested = renewed(gate.runtime.lake.get_frame(candidate.backtest), gate.model.label)
    tested = trusted(tested, gate.training_set.quarantined)  # a second look's first days may have been quarantined since
    if candidate.refused:
        return _unjudged(candidate.name, EXPORT, f"its exported answers are not its own: {candidate.refused}")
    if gate.current is not None:
        tested = tested.filter(tested[EVENT_TIME] >= gate.current.training_set.cutoff)
    days = judged_days(gate.model, candidate, tested, gate.current, cutoff=gate.training_set.cutoff, cause=gate.cause)
    try:
        if not days.passed:
            return _compared(candidate.name, [days], _kept_as(candidate))
        if gate.current is None:
            return _first(gate.model, candidate, tested, gate.training_set)
        return _against(gate, candidate, tested, gate.current, days) if days.allowed else _unseen(gate, candidate, days)
    except UndefinedMetricError as error:
        return _undefined(gate, candidate, days, error)
    except (MetricError, NotServableError) as error:
        return _unjudged(candidate.name, "comparison", str(error))


def _undefined(gate: _Gate, candidate: Trained, days: Rule, error: UndefinedMetricError) -> Compared:
    """A candidate on days that give the metric no value: it waits for others; without a champion there is no second look."""
    if gate.current is None:
        return _unjudged(candidate.name, "comparison", str(error))
    waits = Rule(name="comparison", passed=None, words=f"{error}; it waits for days on which they differ")
    return _compared(candidate.name, [waits, days], _kept_as(candidate))


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
    compared = _compared(candidate.name, rules, _kept_as(candidate))
    by_window = window_losses(model, tested)
    return replace(compared, loss=loss, champion_loss=baseline_loss, window_losses=by_window)


def _against(gate: _Gate, candidate: Trained, tested: "pl.DataFrame", current: Version, judged: Rule) -> Compared:
    """A candidate against the champion, on the days that the rule has found."""
    model, metric = gate.model, gate.model.metric
    labels, answers = tested[LABEL].to_numpy(), tested[CANDIDATE].to_numpy()
    champion, note = _champion_answers(gate.runtime, model, current, tested)
    losses = _loss(metric, labels, answers), _loss(metric, labels, champion)
    days = tested[EVENT_TIME].dt.date().to_numpy()
    compared_on = metric, days, labels, champion, answers
    comparison = compare(*compared_on)
    spread = _spread(gate, current, daily_losses(metric, days, labels, champion))
    limits = Allowance.of(model.gate, metric, gate.cause, spread=spread, champion_loss=losses[1], level=gate.level)
    parts = [part for name in model.gate.slices for part in slices(name, tested[name].to_numpy(), *compared_on)]
    baseline_loss = _loss(metric, labels, np.full(answers.shape, gate.training_set.baseline))
    rules = [
        *check_candidate(model.gate, metric, limits, comparison, Speed(candidate.latency_ms, candidate.slowdown)),
        *slice_rules(model.gate, metric, parts, limits.slice),
        baseline_rule(metric, model.task.baseline_name, losses[0], baseline_loss, first=False),
        *figure_rules(model, labels, answers),
        judged,
        _EXPORTED,
    ]
    shown = comparison.difference
    return replace(
        _compared(candidate.name, rules, f"{note}{_kept_as(candidate)}"),
        mean=shown.mean,
        lower=shown.lower(gate.level),
        upper=shown.upper(gate.level),
        days=shown.days,
        rows=comparison.rows,
        loss=losses[0],
        champion_loss=losses[1],
        window_losses=window_losses(model, tested),
        margin=limits.allowed,
        level=gate.level,
        p_value=shown.p_value(limits.allowed) if math.isfinite(shown.error) else None,
    )


def _unseen(gate: _Gate, candidate: Trained, days: Rule) -> Compared:
    """A candidate that there are no days to judge on: of its loss is expected what was of the champion's.

    It waits for days where that is not known, as the guard and its evidence would have nothing to go by.
    """
    assert gate.current is not None, "a first candidate is judged"
    try:
        expected = expectation(gate.runtime.lake, gate.model, gate.current)
    except MetricError as error:
        return _compared(candidate.name, [replace(days, passed=None, words=f"not judged: {error}; it waits for days")], "")
    rules = [days, latency(gate.model.gate, Speed(candidate.latency_ms, candidate.slowdown)), _EXPORTED]
    compared = _compared(candidate.name, rules, _kept_as(candidate))
    margin = allowed_difference(gate.model.gate.question(gate.cause), _spread(gate, gate.current, np.empty(0)), same=0.0)
    windows = list(expected.windows)
    return replace(compared, loss=expected.loss, champion_loss=expected.loss, window_losses=windows, margin=margin)


def _spread(gate: _Gate, current: Version, judged: Floats) -> float:
    """The standard deviation of the champion's weekly mean loss: by the days of its own backtest, and those judged now."""
    metric, own = gate.model.metric, renewed(gate.runtime.lake.get_frame(current.candidate.backtest), gate.model.label)
    before = np.empty(0)
    if own.height:
        days, labels = own[EVENT_TIME].dt.date().to_numpy(), own[LABEL].to_numpy()
        before = daily_losses(metric, days, labels, own[CANDIDATE].to_numpy())
    known = np.concatenate([before, judged])
    spread = mean_of_days(known[np.isfinite(known)]).weekly_spread
    return spread if math.isfinite(spread) else 0.0


def _kept_as(candidate: Trained) -> str:
    told = candidate.signature and not_portable(candidate.signature)
    return f"; {told}" if told else ""


def _loss(metric: Metric, labels: Labels, answers: Floats) -> float:
    """The metric's loss.

    Raises:
        UndefinedMetricError: when it has none on these rows.
    """
    loss = metric.loss(labels, answers)
    if not math.isfinite(loss):
        alike = f"the {len(labels)} labels to judge by are all {labels[0]}"
        raise UndefinedMetricError(f"{metric.title} cannot be computed: {alike}")
    return loss


def _champion_answers(runtime: Runtime, model: Model, current: Version, tested: "pl.DataFrame") -> tuple[Floats, str]:
    """The champion's answers by the inputs of its own schema, and a note where that is not the declared one."""
    from everfit.training.version_scorer import open_scorer

    own = champion_inputs(runtime, model, current, tested)
    scorer = open_scorer(manifests.content_of(runtime.lake, current), own.signature)
    return scorer.score(own.rows), own.note


def _unjudged(name: str, rule: str, reason: str) -> Compared:
    """A candidate that could not be compared, by the rule that says why."""
    return _compared(name, [Rule(name=rule, passed=False, words=reason)], "")


def _compared(name: str, rules: list[Rule], note: str) -> Compared:
    """What a candidate's rules say, without figures of a comparison."""
    return Compared(
        name=name,
        mean=None,
        lower=None,
        upper=None,
        days=0,
        rows=0,
        loss=0.0,
        champion_loss=0.0,
        passed=verdict(rules) == "passed",
        reason=f"{reason_of(rules)}{note}",
        rules=rules,
    )
