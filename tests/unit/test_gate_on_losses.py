"""The gate's verdicts on losses of which the answer is known."""

from datetime import timedelta

import numpy as np
import pytest

from everfit import Gate
from everfit.declaration.gate import Question
from everfit.policy.gate_on_losses import GateOnLosses
from everfit.policy.losses import Losses
from tests.losses import START, WEEK


def world(gain: float, windows: int = 12, own: float = 0.001) -> Losses:
    """Each model is better by so much than that of the week before, on days that differ, for each in its own way."""
    days, rng = windows * 7, np.random.default_rng(0)
    by_day = rng.normal(1.0, 0.05, days) + rng.normal(0.0, own, (windows, days))
    sums = 10 * (by_day - gain * np.arange(windows)[:, None])
    rows = np.full(days, 10.0)
    return Losses(START, WEEK, 0, sums, rows, sums, rows, np.ones(windows))


@pytest.mark.parametrize(("gain", "status"), [(0.01, "promoted"), (0.0, "promoted"), (-0.05, "rejected")])
def test_what_is_better_or_as_good_passes_and_what_is_worse_does_not(gain: float, status: str) -> None:
    assert GateOnLosses(Gate(), world(gain))(0, 8, 8, "regret") == status


def test_what_must_be_better_waits_while_it_is_not_shown_and_expires() -> None:
    gate = GateOnLosses(Gate(prove="better"), world(0.0, own=0.05))
    assert gate(0, 6, 6, "regret") == "inconclusive"
    assert gate(0, 6, 9, "second_look") == "inconclusive"
    assert gate(0, 6, 10, "second_look") == "rejected"


def test_a_cause_asks_its_own_question() -> None:
    gate = Gate(by_cause={"drift": Question(prove="better", margin=0.5)})
    assert GateOnLosses(gate, world(0.01))(0, 8, 8, "regret") == "promoted"
    assert GateOnLosses(gate, world(0.01))(0, 8, 8, "drift") == "rejected"


def test_what_a_bad_candidate_costs_is_spent_for_a_year() -> None:
    gate = GateOnLosses(Gate(), world(-0.05))
    gate(0, 8, 8, "regret")
    ((at, cost),) = gate.spent
    assert at == START + 8 * WEEK
    assert cost == pytest.approx(0.3 / 0.3)


def test_days_whose_labels_come_later_judge_nothing() -> None:
    losses = world(-0.05)
    late = Losses(losses.start, WEEK, 8, *(losses.sums, losses.rows) * 2, losses.seconds)
    assert GateOnLosses(Gate(), late)(0, 8, 8, "regret") == "promoted"  # left to the guard
    assert GateOnLosses(Gate(prove="better"), late)(0, 8, 8, "regret") == "inconclusive"


def test_a_fold_is_scored_by_the_newest_model_before_it() -> None:
    losses = world(0.0)
    losses.sums[6, :] += 50.0  # the model of week 6, which scores a fold that begins with it
    assert GateOnLosses(Gate(backtest=timedelta(days=14), folds=1), losses)(0, 8, 8, "regret") == "rejected"
    assert GateOnLosses(Gate(backtest=timedelta(days=7), folds=1), losses)(0, 8, 8, "regret") == "promoted"
