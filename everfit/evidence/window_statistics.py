"""What a window says about its columns in numbers that a chart can follow: each is near 0 where nothing has changed.

Every statistic is in units of its own sampling noise: of independent rows like the reference's it has a deviation of about 1,
however many rows the window holds. Numbers are looked at by their ranks in the reference, so that no outlier and no unit
matters; of a text that is its length, of a vector its norm.
"""

import math
from collections.abc import Sequence
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from everfit.declaration.input_kinds import size_of
from everfit.declaration.tasks import Floats
from everfit.declaration.views import Features, Kind
from everfit.evidence.category_shares import CategoryShares, above_zero, normal_score
from everfit.evidence.column_statistics import null_share, present, vectors_of, word_counts
from everfit.evidence.measures import UnseenWords, VectorMean
from everfit.evidence.ranks import Ranks

if TYPE_CHECKING:
    import polars as pl

MOST_PAIRS = 1_000  # of columns whose relation is followed; of more, those most related in the reference
FEWEST_VALUES = 10  # fewer say nothing of a column
LEAST_VARYING = 0.01  # deviation of a column's ranks below which it is as good as constant, and has no relations
AT_ONCE = 128  # pairs, so that a wide window takes little memory

MEAN, SPREAD, RELATION, NULLS = "mean rank", "spread of ranks", "relation", "null share"
SHARES, RARE, WORDS, VECTOR = "shares", "share of rare ones", "new words", "mean vector"
_OF_KIND = {
    "number": (MEAN, SPREAD),
    "category": (SHARES, RARE),
    "text": (MEAN, SPREAD, WORDS),
    "vector": (MEAN, SPREAD, VECTOR),
}


class Statistic(NamedTuple):
    """One number of a window: of a column, or of two."""

    name: str
    column: str
    other: str = ""

    def __str__(self) -> str:
        return f"{self.name} of {self.column}{' and ' * bool(self.other)}{self.other}"


def statistics_of(reference: "pl.DataFrame", columns: Features) -> list[Statistic]:
    """What is followed of these columns: by kind, the null share of each, and relations of the numbers."""
    each = [Statistic(name, column) for column, kind in columns for name in (*_OF_KIND[_family(kind)], NULLS)]
    return each + [
        Statistic(RELATION, a, b) for a, b in _pairs(reference, [name for name, kind in columns if kind == "number"])
    ]


def _family(kind: Kind) -> str:
    return "vector" if size_of(kind) else "category" if kind == "flag" else kind


def _pairs(reference: "pl.DataFrame", numbers: Sequence[str]) -> list[tuple[str, str]]:
    """The pairs of varying numbers; of too many, those most related in the reference."""
    ranks = {name: Ranks(reference[name]) for name in numbers}
    varying = [name for name in numbers if ranks[name].deviation > LEAST_VARYING]
    pairs = [*combinations(range(len(varying)), 2)]
    if len(pairs) > MOST_PAIRS:
        table = np.nan_to_num(np.column_stack([ranks[name].of(reference[name]) for name in varying]))
        strength = np.abs(np.corrcoef(table, rowvar=False))
        firsts, seconds = np.triu_indices(len(varying), 1)
        kept = np.sort(np.argsort(-strength[firsts, seconds], kind="stable")[:MOST_PAIRS])
        pairs = [*zip(firsts[kept].tolist(), seconds[kept].tolist(), strict=True)]
    return [(varying[a], varying[b]) for a, b in pairs]


class WindowStatistics:
    """Computes the statistics of windows against one reference."""

    def __init__(self, reference: "pl.DataFrame", statistics: Sequence[Statistic]) -> None:
        self.statistics = statistics
        self.reference = reference
        self._names = {s.column: {of.name for of in statistics if of.column == s.column} for s in statistics if not s.other}
        ranked = {name for s in statistics if s.name in (MEAN, SPREAD, RELATION) for name in (s.column, s.other) if name}
        self._ranks = {name: Ranks(reference[name]) for name in sorted(ranked)}
        self._nulls = {name: null_share(reference[name]) for name in self._names}
        self._shares = {s.column: CategoryShares(reference[s.column]) for s in statistics if s.name in (SHARES, RARE)}
        self._words = {s.column: word_counts(reference[s.column]) for s in statistics if s.name == WORDS}
        self._related = [(s.column, s.other) for s in statistics if s.other]

    def of(self, rows: "pl.DataFrame") -> Floats:
        """statistics[P] of a window; NaN where its columns hold too few values.

        Args:
            rows: the columns of the reference.
        """
        ranks = {name: column.of(rows[name]) for name, column in self._ranks.items()}
        by_column = {name: self._column(name, rows[name], ranks.get(name)) for name in self._names}
        relations = iter(self._relations(ranks))
        return np.array([next(relations) if s.other else by_column[s.column][s.name] for s in self.statistics])

    def _column(self, name: str, column: "pl.Series", ranks: Floats | None) -> dict[str, float]:
        """By the names of what is followed of a column."""
        made = dict.fromkeys(self._names[name], math.nan)
        values = present(column)
        if NULLS in made:
            made[NULLS] = above_zero(1 - len(values) / len(column), self._nulls[name], len(column))
        if len(values) < FEWEST_VALUES or self._nulls[name] == 1:
            return made
        if ranks is not None:
            made |= {MEAN: self._ranks[name].mean(ranks), SPREAD: self._ranks[name].spread(ranks)}
        if name in self._shares:
            made[SHARES], made[RARE] = self._shares[name].differences(values)
        if WORDS in made:
            made[WORDS] = 2 * math.sqrt(len(values)) * UnseenWords.excess(self._words[name], word_counts(values))
        if VECTOR in made:
            apart, size = VectorMean().distance(self.reference[name], column), vectors_of(values).shape[1]
            made[VECTOR] = normal_score(size * len(values) * apart**2, size)
        return made

    def _relations(self, ranks: dict[str, Floats]) -> Floats:
        """relations[pairs]: covariances of ranks, less the reference's, in standard errors."""
        if not self._related:
            return np.empty(0)
        means, counts = _covariances(ranks, self._related)
        usual, deviations = self._usual_relations
        return np.where(counts < FEWEST_VALUES, np.nan, np.sqrt(counts) * (means - usual) / deviations)

    @cached_property
    def _usual_relations(self) -> tuple[Floats, Floats]:
        """The reference's covariances, and the deviation of one row's product."""
        ranks = {name: column.of(self.reference[name]) for name, column in self._ranks.items()}
        means, _ = _covariances(ranks, self._related)
        centred = {name: np.nan_to_num(values - np.nanmean(values)) for name, values in ranks.items()}
        deviations = np.array([float((centred[a] * centred[b]).std()) for a, b in self._related])
        return means, np.maximum(deviations, LEAST_VARYING)


def _covariances(ranks: dict[str, Floats], pairs: Sequence[tuple[str, str]]) -> tuple[Floats, Floats]:
    """The covariance of each pair's ranks in the rows where both are there, and how many these are."""
    parts = [_some_covariances(ranks, pairs[at : at + AT_ONCE]) for at in range(0, len(pairs), AT_ONCE)]
    means, counts = zip(*parts, strict=True)
    return np.concatenate(means), np.concatenate(counts)


def _some_covariances(ranks: dict[str, Floats], pairs: Sequence[tuple[str, str]]) -> tuple[Floats, Floats]:
    first, second = (np.array([ranks[pair[side]] for pair in pairs]) for side in (0, 1))
    missing = np.isnan(first) | np.isnan(second)
    counts = (missing.shape[1] - missing.sum(axis=1)).astype(np.float64)
    if missing.any():
        first, second = np.where(missing, 0.0, first), np.where(missing, 0.0, second)
    some = np.maximum(counts, 1)
    return np.einsum("ij,ij->i", first, second) / some - first.sum(axis=1) / some * (second.sum(axis=1) / some), counts
