"""Two columns exchanged: each looks like the other, and the one that always was above is below."""

from collections.abc import Iterator
from itertools import combinations, permutations
from statistics import fmean

from everfit.evidence.breaks import Break, JudgedDay
from everfit.evidence.breaks.units import fits
from everfit.evidence.column_statistics import as_text, present
from everfit.evidence.day_figures import WORDS
from everfit.evidence.usual.column_ranges import ColumnRange
from everfit.evidence.usual.pair_ranges import CLEARLY

FOREIGN = 0.5  # share of a category's values that must be the other column's


def swapped_columns(day: JudgedDay) -> Iterator[Break]:
    """Numbers by which of them is above the other, categories by their values."""
    measured = {past.column: (past, figures) for past, figures in day.measured()}
    for pair in day.profile.pairs:
        share = day.figures.above.get(pair.name)
        if share is None or share > 1 - CLEARLY or pair.usual.low < CLEARLY or not {pair.higher, pair.lower} <= measured.keys():
            continue
        (higher, of_higher), (lower, of_lower) = measured[pair.higher], measured[pair.lower]
        if fits(lower, of_higher.quantiles) and fits(higher, of_lower.quantiles):
            yield from _told(pair.higher, pair.lower, share, pair.usual.middle)
    words = [past for past, _ in measured.values() if past.kind in WORDS and past.known]
    for first, second in combinations(words, 2):
        foreign = min(_foreign(day, a, b) for a, b in permutations((first, second)))
        if foreign >= FOREIGN:
            yield from _told(first.column, second.column, foreign, 0.0)


def _told(first: str, second: str, figure: float, usual: float) -> Iterator[Break]:
    for column, other in ((first, second), (second, first)):
        yield Break(column, "swapped", figure, usual, f"{column} and {other} are exchanged: each has the other's values")


def _foreign(day: JudgedDay, column: ColumnRange, other: ColumnRange) -> float:
    """Share of a column's values that are known of the other alone."""
    values = as_text(present(day.rows[column.column]))
    own, known = set(column.known), set(other.known)
    return fmean(value in known and value not in own for value in values) if len(values) else 0.0
