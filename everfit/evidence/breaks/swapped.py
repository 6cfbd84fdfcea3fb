"""Two columns exchanged: each looks like the other, and what one has more than the other has changed its sign."""

from collections.abc import Iterator
from itertools import combinations, permutations
from statistics import fmean

from everfit.evidence.breaks import Break, JudgedDay
from everfit.evidence.breaks.units import fits
from everfit.evidence.column_ranges import ColumnRange
from everfit.evidence.column_statistics import as_text, present
from everfit.evidence.day_figures import WORDS, ColumnFigures
from everfit.evidence.pair_ranges import PairRange, difference

FOREIGN = 0.5  # share of a category's values that must be the other column's
SLACK = 0.25  # of the width of the difference's range


def swapped_columns(day: JudgedDay) -> Iterator[Break]:
    """Numbers by their levels, categories by their values."""
    measured = {past.column: (past, figures) for past, figures in day.measured()}
    for pair in day.profile.pairs:
        if pair.first in measured and pair.second in measured and _numbers(pair, *measured[pair.first], *measured[pair.second]):
            yield from _told(pair.first, pair.second)
    words = [past for past, _ in measured.values() if past.kind in WORDS and past.known]
    for first, second in combinations(words, 2):
        if all(_foreign(day, a, b) >= FOREIGN for a, b in permutations((first, second))):
            yield from _told(first.column, second.column)


def _told(first: str, second: str) -> Iterator[Break]:
    for column, other in ((first, second), (second, first)):
        yield Break(column, "swapped", 1.0, 0.0, f"{column} and {other} are exchanged: each has the other's values")


def _numbers(
    pair: PairRange, first: ColumnRange, of_first: ColumnFigures, second: ColumnRange, of_second: ColumnFigures
) -> bool:
    found = difference(of_first.quantiles, of_second.quantiles, logarithmic=pair.logarithmic)
    if found is None or found * pair.usual.middle >= 0 or not pair.usual.holds(-found, SLACK):
        return False
    return fits(second, of_first.quantiles) and fits(first, of_second.quantiles)


def _foreign(day: JudgedDay, column: ColumnRange, other: ColumnRange) -> float:
    """Share of a column's values that are known of the other alone."""
    values = as_text(present(day.rows[column.column]))
    own, known = set(column.known), set(other.known)
    return fmean(value in known and value not in own for value in values) if len(values) else 0.0
