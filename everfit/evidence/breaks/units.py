"""Another unit, or a sign turned: the day lies far from what is usual, and once the change is undone it lies inside."""

from collections.abc import Callable, Iterator, Sequence

from everfit.evidence.breaks import Break, BreakKind, JudgedDay
from everfit.evidence.column_ranges import ColumnRange

SLACK = 0.5  # of the width of a quantile's range: how far outside an undone quantile may lie
FAR = 3  # of the five quantiles must lie beyond their limits

Undo = Callable[[float], float]


def _divided(by: float) -> Undo:
    return lambda value: value / by


CHANGES: Sequence[tuple[BreakKind, str, Undo]] = (
    *(("scale", f"{factor:g} times as large", _divided(factor)) for factor in (1e2, 1e3, 1e6, 60.0, 3600.0)),
    *(("scale", f"{factor:g} times as small", _divided(1 / factor)) for factor in (1e2, 1e3, 1e6, 60.0, 3600.0)),
    ("offset", "as °F in place of °C", lambda value: (value - 32) / 1.8),
    ("offset", "as °C in place of °F", lambda value: value * 1.8 + 32),
    ("offset", "as °C in place of K", lambda value: value + 273.15),
    ("offset", "as K in place of °C", lambda value: value - 273.15),
    ("offset", "as °F in place of K", lambda value: (value - 32) / 1.8 + 273.15),
    ("offset", "as K in place of °F", lambda value: (value - 273.15) * 1.8 + 32),
    ("sign", "with its sign turned", lambda value: -value),
)


def broken_units(day: JudgedDay) -> Iterator[Break]:
    """Numbers that a change of unit or sign explains."""
    for past, figures in day.measured():
        if not figures.quantiles or not is_far(past, figures.quantiles, day.chance):
            continue
        fitting = [
            (_distance(past, undone), kind, words)
            for kind, words, undo in CHANGES
            if fits(past, undone := sorted(undo(value) for value in figures.quantiles))
        ]
        if fitting:
            _, kind, words = min(fitting)
            usual, middle = past.unscaled(past.quantiles[2].middle), figures.quantiles[2]
            told = f"{past.column} is {words}: its median is {middle:.4g}, on usual days {usual:.4g}"
            yield Break(past.column, kind, middle, usual, told)


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
