"""Metrics against numbers worked out by hand, folds and gate as tables of cases, the interval against its own coverage."""

import math
import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from everfit import BinaryClassification, Gate, Question
from everfit.declaration.binary_classification import auc
from everfit.declaration.metrics import OwnLoss
from everfit.evaluation.comparison import Comparison, Slice, compare, mean_interval, row_differences, slices
from everfit.evaluation.figures import baseline_rule
from everfit.evaluation.folds import folds
from everfit.evaluation.gate import Speed, check_candidate, latency
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
        (28, [(28, 21), (21, 14), (14, 7), (7, 0)]),
        (17, [(17, 14), (14, 7), (7, 0)]),
        (14, [(14, 7), (7, 0)]),
        (7, [(7, 0)]),
        (6.5, []),
        (0, []),
        (-3, []),
    ],
)
def test_folds_leave_out_what_the_champion_has_seen(unseen_days: float | None, expected: list[tuple[int, int]]) -> None:
    unseen_since = None if unseen_days is None else CUTOFF - timedelta(days=unseen_days)
    found = folds(GATE, CUTOFF, unseen_since)
    assert [((CUTOFF - fold.start) / timedelta(days=1), (CUTOFF - fold.end) / timedelta(days=1)) for fold in found] == expected


def test_an_interval_weighs_days_by_their_rows_and_repeats_itself() -> None:
    days, differences = np.array(["a"] * 30 + ["b"] * 10), np.array([-0.1] * 30 + [0.1] * 10)
    found = mean_interval(days, differences, confidence=0.9, seed=3)
    assert found == mean_interval(days, differences, confidence=0.9, seed=3)
    assert found == pytest.approx((-0.05, -0.1, 0.1))


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(5)
    days = np.repeat(np.arange(28), 48)
    covered = 0
    for trial in range(100):
        shared = np.repeat(random.normal(0, 0.05, 28), 48)
        _, lower, upper = mean_interval(days, shared + random.normal(0.01, 0.2, len(days)), confidence=0.9, seed=trial)
        covered += lower <= 0.01 <= upper
    assert 80 <= covered <= 97


def test_one_day_says_nothing_of_the_next() -> None:
    labels = np.array([1.0, 0.0] * 24)
    found = compare(LOG_LOSS, np.zeros(48), labels, np.full(48, 0.5), np.where(labels, 0.9, 0.1), confidence=0.9)
    assert found.mean == pytest.approx(math.log(0.5 / 0.9))
    assert (found.lower, found.upper, found.days, found.rows) == (-math.inf, math.inf, 1, 48)
    with pytest.raises(ValueError, match="no rows"):
        compare(LOG_LOSS, np.array([]), np.array([]), np.array([]), np.array([]), confidence=0.9)


def test_slices_are_means_by_value_null_included() -> None:
    labels, champion, candidate = np.array([1.0, 0.0, 1.0, 0.0]), np.full(4, 0.5), np.array([0.25, 0.25, 0.5, 0.5])
    difference = row_differences(LOG_LOSS, labels, champion, candidate)
    found = slices("weekday", np.array([0.0, 1.0, 1.0, np.nan]), difference)
    assert [(part.name, part.rows) for part in found] == [("weekday=0.0", 1), ("weekday=1.0", 2), ("weekday=null", 1)]
    assert [part.mean for part in found] == pytest.approx([math.log(2), math.log(0.5 / 0.75) / 2, 0])


BETTER = Comparison(-0.02, -0.03, -0.01, 28, 1344)
SAME = Comparison(-0.001, -0.004, 0.001, 28, 1344)
WORSE = Comparison(0.02, 0.01, 0.03, 28, 1344)


@pytest.mark.parametrize(
    ("cause", "comparison", "parts", "latency_ms", "passed", "told"),
    [
        ("drift", BETTER, [], 1.0, True, r"better: log loss -0.0200 .* interval \[-0.0300, -0.0100\]"),
        ("drift", SAME, [], 1.0, False, "not shown to be better: .*must be below -0.0000"),
        ("drift", Comparison(-1e-9, -2e-9, -1e-10, 7, 1_008), [], 1.0, False, "not shown to be better"),
        ("freshness", SAME, [], 1.0, True, r"no worse: .*allowed \+0.0020"),
        ("freshness", WORSE, [], 1.0, False, r"not shown to be no worse: .* must be below \+0.0020"),
        ("drift", BETTER, [Slice("weekday=6", 0.2, 192)], 1.0, False, r"weekday=6 collapses: \+0.2000 on 192 rows"),
        ("drift", BETTER, [Slice("weekday=6", 0.2, 49)], 1.0, True, "better"),
        ("drift", BETTER, [Slice("weekday=6", 0.05, 192)], 1.0, True, r"worst slice weekday=6 \+0.0500"),
        ("drift", BETTER, [], 20.5, False, "too slow: 20.50 ms an answer, allowed 20"),
        ("drift", Comparison(-1.0, -math.inf, math.inf, 1, 48), [], 1.0, False, "not shown to be better"),
        ("drift", Comparison(math.nan, math.nan, math.nan, 28, 1344), [], 1.0, False, "not shown to be better"),
        (
            "drift",
            BETTER,
            [Slice("a=1", -0.1, 99), Slice("a=2", math.nan, 99), Slice("a=3", 0.0, 99)],
            1.0,
            False,
            "a=2 collapses",
        ),
        ("drift", BETTER, [], math.nan, False, "too slow: nan ms"),
    ],
)
def test_gate(cause: str, comparison: Comparison, parts: list[Slice], latency_ms: float, passed: bool, told: str) -> None:
    rules = check_candidate(GATE, LOG_LOSS, cause, comparison, parts, Speed(latency_ms), 0.6)
    assert verdict(rules) == ("passed" if passed else "rejected")
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
    reason = reason_of(check_candidate(GATE, LOG_LOSS, "drift", BETTER, [], Speed(25.0, 3.0), 0.6))
    assert reason.startswith(
        "too slow: 25.00 ms an answer (75.00 measured while a fixed graph took 3.0 times its time), allowed 20"
    )
