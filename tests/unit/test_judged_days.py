"""Which days a candidate is judged on: only those with rows count, and a champion that is too young leaves none."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from everfit import Gate, Model
from everfit.declaration.reserved_columns import EVENT_TIME
from everfit.evaluation.folds import folds
from everfit.pipeline.judged_days import judged_days
from models.electricity_price import electricity_price

CUTOFF = datetime(1996, 10, 2, tzinfo=UTC)
DAY = timedelta(days=1)


def asked(**gate: Any) -> Model:
    return electricity_price.model_copy(update={"gate": Gate(**gate)})


def rule(model: Model, age: float | None, days: list[float]) -> tuple[bool | None, str]:
    """The rule's outcome and words for a champion of that age, where there are rows so many days before the cutoff."""
    tested = pl.DataFrame({EVENT_TIME: [CUTOFF - day * DAY for day in days]}, {EVENT_TIME: pl.Datetime("us", "UTC")})
    champion: Any = None if age is None else SimpleNamespace(training_set=SimpleNamespace(cutoff=CUTOFF - age * DAY))
    candidate: Any = SimpleNamespace(folds_left_out={"1996-09-25": "no labelled row in it"} if len(days) < 5 else {})
    found = judged_days(model, candidate, tested, champion, cutoff=CUTOFF, cause="drift")
    return found.passed, found.words


EACH = [day - 0.5 for day in range(1, 7)]
HOURS = [0.1, 0.2, 1.1, 1.2, 2.1, 2.2]  # six rows of three days


@pytest.mark.parametrize(
    ("model", "age", "days", "passed", "told"),
    [
        (asked(), 7, EACH, True, "6 days with rows that the champion has not seen can be judged"),
        (asked(), 7, HOURS, None, "3 days with rows, fewer than 5, that the champion has not seen can be judged"),
        (asked(), 14, EACH, True, "6 days with rows"),
        (
            asked(),
            14,
            [],
            None,
            "0 days with rows, fewer than 6, .*; the fold of 1996-09-25 was left out: no labelled row",
        ),
        (asked(), 1, [], True, "not judged: the champion has seen all but 1.0 days, .*; left to the guard"),
        (asked(prove="better"), 1, [], None, "too few to learn from and to judge on; it waits for more"),
        (asked(), 0.0, [], None, "it has learnt nothing that the champion has not; it waits for days that neither has seen"),
        (asked(), -7, [], None, "it has learnt nothing that the champion has not"),
        (asked(require={"auc": 0.7}), 1, [], None, "it waits for more"),
        (asked(), None, EACH, False, "6 days with rows, fewer than 7, can be judged"),
        (asked(min_unseen_days=1), None, EACH, True, "6 days with rows can be judged"),
    ],
)
def test_days_with_rows_decide(model: Model, age: float | None, days: list[float], passed: bool | None, told: str) -> None:
    found, words = rule(model, age, days)
    assert found is passed, words
    assert pl.Series([words]).str.contains(told).all(), words


def test_a_champion_of_seven_days_leaves_six_to_judge() -> None:
    (first, *_) = folds(Gate(), CUTOFF, CUTOFF - 7 * DAY)
    assert first.start - (CUTOFF - 7 * DAY) == DAY
