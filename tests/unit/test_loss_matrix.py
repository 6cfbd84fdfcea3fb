"""Models fitted at the start of each window on what was known then, and what they lost from then on; kept for the next time."""

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from everfit import Exploration, TrainingWindow
from everfit.declaration.reserved_columns import EVENT_TIME, EXPLORED, WEIGHT
from everfit.errors import SimulationError
from everfit.pipeline.loss_matrix import loss_matrix
from everfit.store.fit_cache import FitCache
from tests.counting import DAY, LIVE, declared, rows


def test_each_model_learns_what_was_known_and_is_scored_from_then_on() -> None:
    fits: list[int] = []
    model = declared(fits, training=TrainingWindow(label_delay="1h"))
    losses = loss_matrix(model, model.candidates[0], rows(timedelta(hours=1)), (LIVE + DAY, LIVE + 5 * DAY))
    assert (losses.start, losses.windows, losses.lag) == (LIVE, 3, 0)
    assert sorted(fits) == [8, 10, 12]
    assert losses.sums.tolist() == [[4.5, 5.5, 6.5, 7.5, 8.5], [0, 0, 5.5, 6.5, 7.5], [0, 0, 0, 0, 6.5]]
    assert losses.rows.tolist() == [1] * 5
    assert losses.due_rows.tolist() == [1] * 5


def test_of_a_model_that_explores_the_explored_rows_are_scored() -> None:
    """All that counts is learnt from, each by its weight."""
    fits: list[int] = []
    model = declared(fits, exploration=Exploration(share=0.5))
    known = rows(timedelta()).with_columns(
        pl.when(pl.col(EVENT_TIME).dt.day() % 2 == 0).then(0.5).otherwise(0.0).alias(EXPLORED), pl.lit(1.0).alias(WEIGHT)
    )
    losses = loss_matrix(model, model.candidates[0], known, (LIVE, LIVE + 4 * DAY))
    assert sorted(fits) == [8, 10]
    assert losses.rows.tolist() == [0, 1, 0, 1]


def test_late_labels_are_learnt_late_and_score_a_window_late() -> None:
    fits: list[int] = []
    model = declared(fits, training=TrainingWindow(label_delay="60h"))
    losses = loss_matrix(model, model.candidates[0], rows(timedelta(hours=60)), (LIVE, LIVE + 6 * DAY))
    assert sorted(fits) == [6, 8, 10]
    assert losses.lag == 2
    assert losses.due_rows.tolist() == [1] * 6


def test_rows_whose_label_is_not_due_in_time_score_no_window() -> None:
    model = declared([], training=TrainingWindow(label_delay="14h"))
    losses = loss_matrix(model, model.candidates[0], rows(timedelta(hours=14)), (LIVE, LIVE + 6 * DAY))
    assert losses.lag == 0
    assert losses.due_rows.tolist() == [1, 0, 1, 0, 1, 0]
    assert losses.due_sums[0].tolist() == [5.0, 0, 7.0, 0, 9.0, 0]


def test_a_light_fit_learns_one_row_in_so_many() -> None:
    fits: list[int] = []
    model = declared(fits, training=TrainingWindow(label_delay="1h"))
    loss_matrix(model, model.candidates[0], rows(timedelta(hours=1)), (LIVE, LIVE + 6 * DAY), one_in=4)
    assert sorted(fits) == [2, 3, 3]


def test_what_was_fitted_is_kept_by_rows_recipe_and_cutoff(tmp_path: Path) -> None:
    fits: list[int] = []
    model, cache, told = declared(fits), FitCache(tmp_path), list[tuple[int, int]]()
    span = LIVE, LIVE + 6 * DAY
    first = loss_matrix(model, model.candidates[0], rows(DAY), span, cache=cache, told=lambda *done: told.append(done))
    assert told == [(1, 3), (2, 3), (3, 3)]
    again = loss_matrix(model, model.candidates[0], rows(DAY), span, cache=cache)
    assert len(fits) == 3
    assert again.sums.tolist() == first.sums.tolist()
    assert again.seconds.tolist() == first.seconds.tolist()
    next(tmp_path.rglob("*.json")).write_text('{"sums": [')
    loss_matrix(model, model.candidates[0], rows(DAY), span, cache=cache)
    assert len(fits) == 4
    loss_matrix(model, model.candidates[0], rows(DAY).head(13), span, cache=cache)
    assert len(fits) == 7
    other = model.candidates[0].model_copy(update={"settings": 2.0})
    loss_matrix(model, other, rows(DAY), span, cache=cache)
    assert len(fits) == 10


@pytest.mark.parametrize(
    ("span", "said"),
    [
        ((LIVE + 20 * DAY, LIVE + 30 * DAY), "counting: no labelled row from 2024-01-29T00:00:00Z on, in 10 days"),
        ((LIVE - 8 * DAY, LIVE), "counting: nothing is known before 2024-01-01T00:00:00Z; begin later, by --from"),
        ((LIVE, LIVE - DAY), "counting: no labelled row from 2024-01-09T00:00:00Z on, in 0 days"),
    ],
)
def test_a_span_without_rows_is_told(span: tuple[datetime, datetime], said: str) -> None:
    model = declared([])
    with pytest.raises(SimulationError, match=said):
        loss_matrix(model, model.candidates[0], rows(DAY), span)
