"""Metrics against numbers worked out by hand, folds and gate as tables of cases, the interval against its own coverage."""

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from everfit import BinaryClassification, Brier, Gate, Question
from everfit.declaration.binary_classification import auc
from everfit.declaration.metrics import OwnLoss
from everfit.evaluation.comparison import Comparison, compare
from everfit.evaluation.figures import baseline_rule
from everfit.evaluation.folds import folds, required_days
from everfit.evaluation.gate import Allowance, Speed, allowed_difference, check_candidate, latency
from everfit.evaluation.intervals import Mean
from everfit.evaluation.rules import reason_of, verdict

CUTOFF = datetime(1997, 5, 21, tzinfo=UTC)
UP = BinaryClassification(label="up")
LOG_LOSS = OwnLoss.of(UP)
GATE = Gate(margin=0.002, by_cause={"drift": Question(prove="better")}, slice_margin=0.1)


def test_log_loss_of_known_probabilities() -> None:
    losses = UP.losses(np.array([1.0, 0.0, 1.0]), np.array([0.5, 0.75, 0.0]))
    assert losses.tolist() == pytest.approx([math.log(2), math.log(4), -math.log(1e-15)])


def test_auc_counts_ties_half_as_sklearn_does() -> None:
    random = np.random.default_rng(0)
    labels, scores = random.integers(0, 2, 500).astype(float), random.integers(0, 20, 500) / 20
    assert auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    with pytest.raises(ValueError, match="both outcomes"):
        auc(np.ones(3), np.ones(3))


def test_summary_names_what_is_defined() -> None:
    found = UP.summary(np.array([1.0, 0.0]), np.array([0.75, 0.25]))
    assert found == pytest.approx(
        {"rows": 2, "positives": 0.5, "log_loss": math.log(4 / 3), "brier": 0.0625, "calibration_error": 0.25, "auc": 1.0}
    )
    assert "auc" not in UP.summary(np.ones(2), np.array([0.75, 0.25]))
    with pytest.raises(ValueError, match="no labelled rows"):
        UP.summary(np.array([]), np.array([]))


def test_base_rate_loss_is_the_entropy_of_its_own_rows() -> None:
    labels = np.array([1.0, 0.0, 0.0, 0.0])
    losses = UP.losses(labels, np.full(4, UP.baseline(labels)))
    assert losses.mean() == pytest.approx(-(0.25 * math.log(0.25) + 0.75 * math.log(0.75)))


@pytest.mark.parametrize(
    ("unseen_days", "expected"),
    [
        (None, [(28, 21), (21, 14), (14, 7), (7, 0)]),
        (90, [(28, 21), (21, 14), (14, 7), (7, 0)]),
        (35, [(28, 21), (21, 14), (14, 7), (7, 0)]),
        (28, [(23, 18), (18, 12), (12, 6), (6, 0)]),
        (14, [(12, 9), (9, 6), (6, 3), (3, 0)]),
        (7, [(6, 5), (5, 3), (3, 2), (2, 0)]),
        (2.5, [(2, 1), (1, 0)]),
        (2, []),
        (0, []),
        (-3, []),
    ],
)
def test_folds_are_laid_into_the_days_that_the_champion_has_not_seen(
    unseen_days: float | None, expected: list[tuple[int, int]]
) -> None:
    unseen_since = None if unseen_days is None else CUTOFF - timedelta(days=unseen_days)
    found = folds(GATE, CUTOFF, unseen_since)
    assert [((CUTOFF - fold.start) / timedelta(days=1), (CUTOFF - fold.end) / timedelta(days=1)) for fold in found] == expected
    assert all(unseen_since is None or fold.start > unseen_since for fold in found), "each recipe has learnt what is new"


@pytest.mark.parametrize(("judged", "needed"), [(28, 6), (6, 6), (5, 5), (1.5, 2)])
def test_days_that_are_needed_are_those_judged_of_the_least_unseen(judged: float, needed: int) -> None:
    assert required_days(GATE, timedelta(days=judged)) == needed


def compared(mean: float, error: float, days: int = 28) -> Comparison:
    return Comparison(Mean(mean, error, days), 48 * days)


def limits(cause: str) -> Allowance:
    return Allowance.of(GATE, LOG_LOSS, cause, spread=0.0, champion_loss=0.6, level=0.05)


BETTER, SAME, WORSE = compared(-0.02, 0.005), compared(-0.001, 0.001), compared(0.02, 0.005)


@pytest.mark.parametrize(
    ("cause", "comparison", "latency_ms", "passed", "told"),
    [
        ("drift", BETTER, 1.0, True, r"better: log loss -0.0200 .* interval \[-0.0285, -0.0115\] at the level 0.05 a side"),
        ("drift", SAME, 1.0, None, "not shown to be better, nor the contrary; more days may tell: .*must be below -0.0000"),
        ("drift", compared(-1e-9, 1e-10), 1.0, False, "shown not to be better"),
        ("drift", WORSE, 1.0, False, "shown not to be better"),
        ("freshness", compared(0.003, 0.002), 1.0, None, "not shown to be no worse, nor the contrary"),
        ("freshness", SAME, 1.0, True, r"no worse: .*allowed \+0.0020"),
        ("freshness", WORSE, 1.0, False, r"shown not to be no worse: .* must be below \+0.0020"),
        ("drift", BETTER, 20.5, False, "too slow: 20.50 ms an answer, allowed 20"),
        ("drift", compared(-1.0, math.inf, 1), 1.0, None, "not shown to be better"),
        ("drift", compared(math.nan, math.inf), 1.0, None, "not shown to be better"),
        ("drift", BETTER, math.nan, False, "too slow: nan ms"),
    ],
)
def test_gate(cause: str, comparison: Comparison, latency_ms: float, passed: bool | None, told: str) -> None:
    rules = check_candidate(GATE, LOG_LOSS, limits(cause), comparison, Speed(latency_ms))
    assert verdict(rules) == {True: "passed", False: "rejected", None: "inconclusive"}[passed]
    assert re.search(told, "; ".join(rule.words for rule in rules))
    assert all(rule.words in reason_of(rules) for rule in rules if not rule.passed)


@pytest.mark.parametrize(
    ("loss", "latency_ms", "passed", "told"),
    [
        (0.6, 1.0, True, "first champion: log loss 0.6000 against 0.6900"),
        (0.69, 1.0, False, "knows nothing"),
        (math.nan, 1.0, False, "knows nothing"),
        (0.6, 21.0, False, "too slow"),
        (0.6, math.nan, False, "too slow"),
    ],
)
def test_the_first_champion_must_beat_the_base_rate(loss: float, latency_ms: float, passed: bool, told: str) -> None:
    rules = [
        baseline_rule(LOG_LOSS, "share of positives", loss, 0.69, first=True),
        latency(GATE, Speed(latency_ms)),
    ]
    assert verdict(rules) == ("passed" if passed else "rejected")
    assert told in reason_of(rules)


def test_a_reason_tells_what_was_measured_on_a_busy_machine() -> None:
    reason = reason_of(check_candidate(GATE, LOG_LOSS, limits("drift"), BETTER, Speed(25.0, 3.0)))
    assert reason.startswith(
        "too slow: 25.00 ms an answer (75.00 measured while a fixed graph took 3.0 times its time), allowed 20"
    )


@pytest.mark.parametrize(
    ("question", "allowed"),
    [
        (Question(), 0.01),
        (Question(margin="5 % of a week's spread"), 0.005),
        (Question(margin=0.03), 0.03),
        (Question(margin=0), 1e-5),
        (Question(prove="better"), -1e-5),
        (Question(prove="better", margin="50 % of a week's spread"), -0.05),
    ],
)
def test_what_is_allowed_follows_from_the_question(question: Question, allowed: float) -> None:
    assert allowed_difference(question, 0.1, same=1e-5) == pytest.approx(allowed)


def test_the_difference_of_the_same_answers_is_no_worse_and_not_better() -> None:
    days, labels, answers = np.repeat(np.arange(7), 2), np.tile([1.0, 0.0], 7), np.full(14, 0.4)
    comparison = compare(LOG_LOSS, days, labels, answers, answers)
    outcomes = {
        prove: check_candidate(
            Gate(),
            LOG_LOSS,
            Allowance(allowed_difference(Question(prove=prove), 0.1, same=1e-5), 0.1, 0.05),
            comparison,
            Speed(1),
        )[0].passed
        for prove in ("no_worse", "better")
    }
    assert outcomes == {"no_worse": True, "better": False}
    with pytest.raises(ValueError, match="no rows"):
        compare(LOG_LOSS, np.array([]), np.array([]), np.array([]), np.array([]))


def test_without_budget_nothing_is_shown_and_the_reason_says_so() -> None:
    spent = Allowance(0.01, 0.1, 0.0)
    rule = check_candidate(GATE, LOG_LOSS, spent, BETTER, Speed(1.0))[0]
    assert rule.passed is None
    assert "the year's budget of wrong promotions is spent" in rule.words


@pytest.mark.parametrize(("prove", "passed", "told"), [("no_worse", True, "no worse: "), ("better", False, "not to be better")])
def test_against_a_champion_without_any_loss_the_question_is_what_was_declared(prove: Any, passed: bool, told: str) -> None:
    gate = Gate(prove=prove)
    held = Allowance.of(gate, Brier(), "drift", spread=0.0, champion_loss=0.0, level=0.05)
    rule = check_candidate(gate, Brier(), held, compared(0.0, 0.0), Speed(1.0))[0]
    assert rule.passed is passed
    assert told in rule.words
