"""The electricity market's days as losses: of a model for each cutoff, on each other day, in the real order or in none.

Every whole day of the market has 48 half-hours, so that a day is one value, its mean loss, and what gates, timetables and
orders of days do is arithmetic on one matrix. The declared recipe is fitted on the declared features, fits side by side.
"""

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt
import polars as pl

from everfit.declaration.metrics import RowMetric
from everfit.declaration.reserved_columns import EVENT_TIME, LABEL
from everfit.declaration.tasks import Floats
from everfit.features.labelled_rows import labelled
from everfit.features.offline import compute
from everfit.sources.validation import check, frame_of
from everfit.timing import wall_clock
from everfit.training.recipe_fit import fit_candidate
from models.electricity_price import electricity_price, half_hours, recorded_half_hours

FIRST = datetime(1996, 5, 7, tzinfo=UTC)  # of the record, from which days are counted
ROWS = 48  # a day
GO_LIVE = (electricity_price.go_live - FIRST).days
BACKTEST = electricity_price.gate.backtest.days
SHUFFLED_CUTOFFS = 365
LEARNT = 200  # days that each model of the shuffled record learns from

Days = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class World:
    """Days in an order: on the day at position t, the model of cutoff c loses ``losses[c, order[t]]``."""

    losses: Floats
    order: Days

    def loss(self, cutoff: int, days: range) -> Floats:
        """A model's mean losses on the days at these positions."""
        return cast("Floats", self.losses[cutoff, self.order[days.start : days.stop]])


@dataclass(frozen=True, slots=True)
class Shuffled:
    """The record without order: ``labels[D, ROWS]`` of days that no model has learnt, and ``answers[C, D, ROWS]`` to them.

    Each model has learnt equally many days, the next one seven days' worth of others; so no model knows more than another.
    """

    labels: Floats
    answers: Floats

    def losses(self, base_share: float = 0.0) -> Floats:
        """losses[C, D], where so much of every answer is replaced by the share of positive labels."""
        blended = (1 - base_share) * self.answers + base_share * self.labels.mean()
        return np.stack([daily_losses(self.labels, each) for each in blended])


class _Record(NamedTuple):
    frame: pl.DataFrame
    days: Days


@cache
def _record() -> _Record:
    """The labelled rows with their features, as a stack makes them, and the day of each."""
    landed = [row.values for row in check(half_hours, recorded_half_hours(), wall_clock())]
    sources = {half_hours.name: frame_of(half_hours, landed)}
    frame = compute(electricity_price.views, sources, labelled(electricity_price, sources))
    return _Record(frame, (frame[EVENT_TIME] - FIRST).dt.total_days().to_numpy())


def whole_days() -> Days:
    """The days that have all their half-hours."""
    return np.flatnonzero(np.bincount(_record().days) == ROWS)


@cache
def real_order() -> World:
    """A model for each day's start, from a backtest before go-live to the record's end, of all days before."""
    days, end = whole_days(), int(whole_days()[-1]) + 1
    cutoffs = range(GO_LIVE - BACKTEST, end)
    labels, losses = _labels(days), np.full((end, end), np.nan)
    for cutoff, answers in zip(cutoffs, _answers([np.arange(cutoff) for cutoff in cutoffs], days), strict=True):
        losses[cutoff, days] = daily_losses(labels, answers)
    return World(losses, np.arange(end))


def shuffled(seed: int) -> Shuffled:
    """Half of the days, drawn, are learnt in an order without meaning; the others are for judging."""
    days = np.random.default_rng(seed).permutation(whole_days())
    learnt, rest = np.split(days, [LEARNT + SHUFFLED_CUTOFFS])
    answers = _answers([learnt[cutoff : cutoff + LEARNT] for cutoff in range(SHUFFLED_CUTOFFS)], rest)
    return Shuffled(_labels(rest), np.stack([*answers]))


def daily_losses(labels: Floats, answers: Floats) -> Floats:
    """The mean loss of each day, float64[D], by the model's metric; labels[D, ROWS], answers[D, ROWS]."""
    metric = cast("RowMetric", electricity_price.metric)
    losses = metric.losses(labels.ravel(), answers.ravel().astype(np.float64))
    return cast("Floats", losses.reshape(labels.shape).mean(axis=1))


def _labels(days: Days) -> Floats:
    """labels[D, ROWS] of whole days, in the order given."""
    return _by_day(_record().frame[LABEL].to_numpy(), days)


def _answers(learnt: Sequence[Days], answered: Days) -> Iterator[Floats]:
    """Of a fit on each of these sets of days, its answers[D, ROWS] to whole days."""
    with multiprocessing.get_context("spawn").Pool(os.cpu_count(), _one_thread) as pool:
        yield from pool.imap(partial(_fitted_answers, answered), learnt, chunksize=8)


def _one_thread() -> None:
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    threadpool_limits(1)


def _fitted_answers(answered: Days, learnt: Days) -> Floats:
    frame, days = _record()
    recipe = electricity_price.candidates[0]
    fitted = fit_candidate(electricity_price, recipe, frame.filter(pl.Series(np.isin(days, learnt))))
    return _by_day(np.asarray(fitted.predict(frame), dtype=np.float32), answered)


def _by_day(values: Floats, days: Days) -> Floats:
    """values[D, ROWS] of whole days, of values of all rows."""
    starts = np.searchsorted(_record().days, days)
    return cast("Floats", values[starts[:, None] + np.arange(ROWS)])
