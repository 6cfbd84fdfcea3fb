"""Another unit, or a sign turned: the day lies far from what is usual, and once the change is undone it lies inside."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from everfit.evidence.breaks import Break, BreakKind, JudgedDay
from everfit.evidence.day_figures import LEVELS
from everfit.evidence.usual.column_ranges import ColumnRange

SLACK = 0.5  # of the width of a quantile's range: how far outside an undone quantile may lie
MIDDLE = len(LEVELS) // 2
FAR = 3  # of the five quantiles must lie beyond their limits

Undo = Callable[[float], float]


def _divided(by: float) -> Undo:
    return lambda value: value / by


KELVIN, CELSIUS, FAHRENHEIT = (200.0, 340.0), (-60.0, 65.0), (-75.0, 150.0)  # of what has temperatures on Earth
ANY = (-math.inf, math.inf)


class _Change(NamedTuple):
    """In words, how it is undone, and between which values the usual median and the day's must lie."""

    kind: BreakKind
    words: str
    undo: Undo
    usual: tuple[float, float] = ANY
    now: tuple[float, float] = ANY


CHANGES: Sequence[_Change] = (
    *(_Change("scale", f"{factor:g} times as large", _divided(factor)) for factor in (1e2, 1e3, 1e6, 60.0, 3600.0)),
    *(_Change("scale", f"{factor:g} times as small", _divided(1 / factor)) for factor in (1e2, 1e3, 1e6, 60.0, 3600.0)),
    _Change("offset", "in °F in place of °C", lambda value: (value - 32) / 1.8, CELSIUS, FAHRENHEIT),
    _Change("offset", "in °C in place of °F", lambda value: value * 1.8 + 32, FAHRENHEIT, CELSIUS),
    _Change("offset", "in °C in place of K", lambda value: value + 273.15, KELVIN, CELSIUS),
    _Change("offset", "in K in place of °C", lambda value: value - 273.15, CELSIUS, KELVIN),
    _Change("offset", "in °F in place of K", lambda value: (value - 32) / 1.8 + 273.15, KELVIN, FAHRENHEIT),
    _Change("offset", "in K in place of °F", lambda value: (value - 273.15) * 1.8 + 32, FAHRENHEIT, KELVIN),
    _Change("sign", "with its sign turned", lambda value: -value),
)


def broken_units(day: JudgedDay) -> Iterator[Break]:
    """Numbers that a change of unit or sign explains."""
    for past, figures in day.measured():
        quantiles = figures.quantiles
        if not quantiles or not past.is_spread or not is_far(past, quantiles, day.chance):
            continue
        usual, now = past.unscaled(past.quantiles[MIDDLE].middle), quantiles[MIDDLE]
        fitting = [
            (_distance(past, undone), change)
            for change in CHANGES
            if change.usual[0] <= usual <= change.usual[1] and change.now[0] <= now <= change.now[1]
            if fits(past, undone := sorted(change.undo(value) for value in quantiles))
        ]
        if fitting:
            change = min(fitting, key=lambda pair: pair[0])[1]
            words = f"{past.column} is {change.words}: its median is {now:.4g}, on usual days {usual:.4g}"
            yield Break(past.column, change.kind, now, usual, words)


def is_far(past: ColumnRange, quantiles: Sequence[float], chance: float) -> bool:
    """Whether most quantiles lie beyond what a usual day's could be."""
    beyond = 0
    for usual, value in zip(past.quantiles, quantiles, strict=False):
        low, high = usual.limits(chance)
        beyond += not low <= past.scaled(value) <= high
    return beyond >= FAR


def fits(past: ColumnRange, quantiles: Sequence[float]) -> bool:
    """Whether every quantile lies where a usual day's does."""
    pairs = list(zip(past.quantiles, quantiles, strict=False))
    return bool(pairs) and all(usual.holds(past.scaled(value), SLACK) for usual, value in pairs)


def _distance(past: ColumnRange, quantiles: Sequence[float]) -> float:
    return sum(abs(past.scaled(value) - usual.middle) for usual, value in zip(past.quantiles, quantiles, strict=False))
