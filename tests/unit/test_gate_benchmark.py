"""The arithmetic of the gate's benchmark, on worlds of which the answer is known."""

import numpy as np
import pytest

from benchmarks._gate_gain import kept_shares, power
from benchmarks._gate_intervals import misses, real_misses
from benchmarks._gate_losses import GO_LIVE, World
from benchmarks._gate_picture import BUDGETS, DAYS, draw
from benchmarks._gate_play import Gates, backtest, layout, weekly
from everfit.declaration import Gate

LAST = 600


def world(gain: float) -> World:
    """Each day's model is better by so much than that of the day before, on days that differ."""
    noise = np.random.default_rng(0).normal(1.0, 0.1, LAST)
    return World(noise[None, :] - gain * np.arange(LAST)[:, None], np.arange(LAST))


def test_a_gate_that_passes_every_week_keeps_the_whole_gain() -> None:
    better = world(0.001)
    assert [*weekly(Gates(Gate(), better, [better]), GO_LIVE, LAST)] == [*range(GO_LIVE, LAST, 7)]
    assert kept_shares(Gate(), better) == {"1997": pytest.approx(1.0), "1998": pytest.approx(1.0)}
    assert power(Gate(), better) == 1.0


def test_a_gate_that_passes_nothing_keeps_nothing() -> None:
    worse = world(-0.01)
    assert [*weekly(Gates(Gate(), worse, [worse]), GO_LIVE, LAST)] == [GO_LIVE]
    assert power(Gate(), worse) == 0.0


def test_what_a_bad_candidate_costs_is_spent_for_a_year() -> None:
    worse = world(-0.01)
    gates = Gates(Gate(), worse, [worse])
    assert gates.judge(GO_LIVE, backtest(Gate(), worse, GO_LIVE), GO_LIVE + 28) == []
    ((day, cost),) = gates.spent
    assert day == GO_LIVE + 28
    assert cost == pytest.approx(0.3 / 0.3)


def test_a_fold_is_scored_by_the_model_of_its_start() -> None:
    assert layout(Gate(), 207, 200) == [range(201, 202), range(202, 204), range(204, 205), range(205, 207)]
    moved = World(np.arange(LAST)[:, None] + np.zeros(LAST), np.arange(LAST))
    assert backtest(Gate(), moved, 207, 200).tolist() == [201, 202, 202, 204, 205, 205]


def test_shuffled_days_are_looked_up_by_their_order() -> None:
    order = np.arange(LAST)[::-1]
    assert World(np.tile(np.arange(LAST), (2, 1)), order).loss(1, range(3)).tolist() == [LAST - 1, LAST - 2, LAST - 3]


def test_an_interval_of_days_that_never_differ_misses_what_follows_a_change() -> None:
    losses = np.zeros((LAST, LAST))
    assert real_misses(7, World(losses, np.arange(LAST))) == 0.0
    losses[:, 300:] = np.arange(LAST)[:, None]  # newer models lose more from then on
    assert 0.0 < real_misses(7, World(losses, np.arange(LAST))) < 0.2
    assert misses(7, world(0.001).losses, seed=0)["autocorrelated"] < 0.1


def test_the_picture_holds_what_was_measured() -> None:
    cases = {f"coverage of {days}": {"shuffled": 0.05} for days in DAYS}
    cases |= {f"real coverage of {days}": {"real order": 0.2} for days in DAYS}
    ratios = {f"false_ratio of {budget:g}": {"better, 1 candidate": 0.5} for budget in BUDGETS}
    drawn = draw(cases | ratios)
    assert drawn.count("<circle") == len(BUDGETS) + 2 * len(DAYS)
    assert "better, 1 candidate" in drawn
    assert "Weekly retraining" not in drawn
