"""Losses of models by window, added up: what was served, timers, and the best that hindsight finds."""

from datetime import timedelta

import numpy as np
import pytest

from tests.losses import START, ageing, by_hand


def test_what_is_served_is_added_up_from_one_model_to_the_next() -> None:
    losses = by_hand()
    assert losses.windows == 3
    assert losses.mean([0]) == pytest.approx(22 / 6)
    assert losses.mean([0, 1]) == pytest.approx((2 + 3 + 8) / 6)
    assert losses.mean([0, 2]) == pytest.approx((2 + 6 + 3) / 6)
    assert losses.weekly == pytest.approx((2 + 3 + 3) / 6)
    assert losses.hindsight(3) == pytest.approx([22 / 6, 11 / 6, 8 / 6, 8 / 6])


def test_a_window_is_scored_on_what_is_due() -> None:
    losses = by_hand()
    assert losses.due_mean(0, 1) == 2.0
    assert losses.due_mean(1, 2) == 3.0
    empty = losses.cut(2)
    assert empty.due_mean(0, 0) == 1.0
    empty.due_rows[:] = 0
    assert np.isnan(empty.due_mean(0, 0))


def test_timers_and_hindsight_are_those_of_another_computation() -> None:
    losses = ageing()
    assert losses.windows == 10
    assert losses.mean([0]) == pytest.approx(1.777054249386778)
    assert losses.mean([0, 3, 7]) == pytest.approx(1.3628309019839275)
    assert losses.weekly == pytest.approx(1.2074438279138628)
    assert losses.timer(2) == pytest.approx(1.3741926768661006)
    assert losses.hindsight(3) == pytest.approx([1.777054249386778, 1.461313325459569, 1.348906768104817, 1.3074161914777798])


def test_a_cut_begins_with_its_own_models_and_days() -> None:
    losses, cut = ageing(), ageing().cut(3, 40)
    assert (cut.start, cut.windows, len(cut.rows)) == (START + timedelta(days=21), 3, 19)
    assert cut.mean([0, 2]) == pytest.approx(
        (losses.sums[3, 21:35].sum() + losses.sums[5, 35:40].sum()) / losses.rows[21:40].sum()
    )


def test_the_best_moments_lose_what_hindsight_reaches() -> None:
    losses = ageing()
    for count in range(4):
        moments = losses.best_moments(count)
        assert len(moments) == count
        assert losses.mean([0, *moments]) == pytest.approx(losses.hindsight(count)[-1])
    assert by_hand().best_moments(1) == [2]
