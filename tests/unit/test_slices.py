"""A slice that collapses is found below a better whole, and chance among many slices is not taken for one."""

from typing import Any

import numpy as np
import pytest

from everfit import AUC, BinaryClassification, Gate
from everfit.declaration.metrics import OwnLoss
from everfit.evaluation.intervals import Mean, daily_losses, mean_of_days
from everfit.evaluation.rules import Rule
from everfit.evaluation.slices import Slice, shown_by_holm, slice_rules, slices

UP = BinaryClassification(label="up")
LOG_LOSS = OwnLoss.of(UP)
DAYS = np.repeat(np.arange(28), 48)
WEEKDAY = (DAYS % 7).astype(float)
RANDOM = np.random.default_rng(11)
LABELS = RANDOM.integers(0, 2, len(DAYS)).astype(float)
CHAMPION = np.clip(0.5 + 0.2 * (LABELS - 0.5) + RANDOM.normal(0, 0.2, len(DAYS)), 0.05, 0.95)
BETTER = np.where(LABELS == 1, 0.75, 0.25)


def rules(candidate: Any, metric: Any = LOG_LOSS, values: Any = WEEKDAY, margin: float = 0.1, **gate: Any) -> list[Rule]:
    parts = [*slices("weekday", values, metric, DAYS, LABELS, CHAMPION, candidate)]
    return slice_rules(Gate(slices=["weekday"], **gate), metric, parts, margin)


@pytest.mark.parametrize("metric", [LOG_LOSS, AUC()], ids=["log_loss", "auc"])
def test_better_over_all_and_worse_on_one_weekday_fails_and_is_named(metric: Any) -> None:
    whole = mean_of_days(daily_losses(metric, DAYS, LABELS, wrong_on(6.0), less=CHAMPION))
    assert whole.mean < 0
    (rule,) = rules(wrong_on(6.0), metric)
    assert (rule.name, rule.passed) == ("slice weekday", False)
    assert rule.words.startswith(f"weekday=6.0 collapses: {'-' if metric.higher_is_better else '+'}")
    assert "on 192 rows of 4 days" in rule.words
    assert rule.words.endswith("by Holm among 7)")
    assert rules(BETTER, metric)[0].passed is True


def wrong_on(weekday: float) -> Any:
    """Better, but on one weekday confidently wrong."""
    return np.where(weekday == WEEKDAY, np.where(LABELS == 1, 0.35, 0.65), BETTER)


def test_what_one_slice_may_lose_and_how_many_rows_it_needs_are_declared() -> None:
    assert rules(wrong_on(6.0), margin=2.0)[0].passed is True
    few = np.where(np.arange(len(DAYS)) % 48 == 0, 1.0, 0.0)
    worse = np.where(few == 1, 1 - BETTER, BETTER)
    (passed,) = rules(worse, values=few, slice_rows=50)
    assert passed.passed is True, "28 rows"
    assert passed.words.endswith("; values of fewer than 50 rows are not judged: 1")
    assert rules(worse, values=few, slice_rows=28)[0].passed is False


def test_a_feature_without_a_part_that_is_judged_has_a_rule_that_says_so() -> None:
    each = np.arange(len(DAYS)).astype(float)
    (rule,) = rules(wrong_on(6.0), values=each)
    assert (rule.name, rule.figure, rule.passed) == ("slice weekday", None, True)
    assert rule.words == "weekday is not judged: none of its values has 50 rows that give a log loss"


def test_one_day_alone_says_nothing_of_a_slice() -> None:
    only = np.where(DAYS == 3, 1.0, 0.0)
    assert rules(np.where(only == 1, 1 - BETTER, BETTER), values=only, slice_rows=48)[0].passed is True


def test_among_many_slices_chance_alone_fails_one_time_in_twenty_at_most() -> None:
    random, failed = np.random.default_rng(3), 0
    for _ in range(100):
        values = random.integers(0, 24, len(DAYS)).astype(float)
        noisy = np.clip(CHAMPION + random.normal(0, 0.3, len(DAYS)), 0.02, 0.98)
        other = np.clip(CHAMPION + random.normal(0, 0.3, len(DAYS)), 0.02, 0.98)
        parts = [*slices("hour", values, LOG_LOSS, DAYS, LABELS, noisy, other)]
        failed += slice_rules(Gate(slices=["hour"]), LOG_LOSS, parts, 1e-9)[0].passed is False
    assert failed <= 10


def test_null_and_nan_are_a_slice_and_values_without_rows_are_none() -> None:
    values = np.where(DAYS < 14, np.nan, 1.0)
    parts = [*slices("weekday", values, LOG_LOSS, DAYS, LABELS, CHAMPION, BETTER)]
    assert [(part.value, part.rows, part.difference.days) for part in parts] == [("1.0", 672, 14), ("null", 672, 14)]


def test_holm_stops_at_the_first_that_is_not_shown() -> None:
    assert shown_by_holm([0.03, 0.01, 0.5, 0.012]) == [False, True, False, True]
    assert shown_by_holm([0.02, 0.04]) == [True, True]
    assert shown_by_holm([0.026, 0.04]) == [False, False]
    assert shown_by_holm([]) == []


def test_a_metric_that_has_no_value_on_a_slice_leaves_it_out() -> None:
    values = np.where(LABELS == 1, 1.0, np.where(DAYS % 2 == 0, 0.0, 1.0))
    assert [part.value for part in slices("weekday", values, AUC(), DAYS, LABELS, CHAMPION, BETTER)] == ["1.0"]


def test_text_and_nothing_are_values_too() -> None:
    two = np.array(["NSW", None, "VIC", None], dtype=object)
    parts = [*slices("region", two, LOG_LOSS, np.arange(4), LABELS[:4], CHAMPION[:4], BETTER[:4])]
    assert [(part.value, part.rows) for part in parts] == [("NSW", 1), ("VIC", 1), ("null", 2)]
    assert [
        part.value for part in slices("region", two[[1, 3]], LOG_LOSS, np.arange(2), LABELS[:2], CHAMPION[:2], BETTER[:2])
    ] == ["null"]


def test_slices_in_which_nothing_differs_make_it_no_easier_to_fail_for_others() -> None:
    same, better, worse = Mean(0.0, 0.0, 28), Mean(-0.1, 0.0, 28), Mean(0.1, 0.05, 28)
    parts = [Slice("weekday", str(number), each, 100) for number, each in enumerate([same, better, worse])]
    assert [part.p_value for part in parts[:2]] == [1.0, 1.0]
    assert parts[2].p_value == pytest.approx(0.0279, abs=1e-4), "shown alone, not among three"
    assert slice_rules(Gate(slices=["weekday"]), LOG_LOSS, parts, 0.01)[0].passed is True
