"""What training learns about the inputs themselves: the vocabulary of each category, centre and scale of each number."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from everfit.training.arrays import Floats

PORTION_ROWS = 65_536
MOST_CATEGORIES = 254  # the tree learner bins into 255, and one is kept for what is missing


@dataclass(frozen=True, slots=True, eq=False)
class Encoding:
    """Fitted on training rows. A null category was read as "" and is a category like another where training has nulls.

    Attributes:
        vocabularies: of each category column the values known, sorted; at most :data:`MOST_CATEGORIES`, the most frequent.
        means: float64[Dn], 0 for a column that was always null.
        scales: float64[Dn], standard deviations; 1 for a constant column, so that it cannot explode when it comes alive.
    """

    vocabularies: tuple[tuple[str, ...], ...]
    means: Floats
    scales: Floats

    @classmethod
    def fit(cls, numbers: Floats, categories: Any) -> "Encoding":
        """Learn from numbers float64[N, Dn] and categories str[N, Dc]; neither is changed."""
        counts = np.maximum(np.isfinite(numbers).sum(axis=0), 1)
        means = _sums(numbers, lambda known, rows: np.where(known, rows, 0.0)) / counts
        variances = (
            _sums(numbers, lambda known, rows: np.where(known, np.square(np.where(known, rows, 0.0) - means), 0.0)) / counts
        )
        scales = np.sqrt(variances)
        scales[scales <= 1e-9 * np.maximum(np.abs(means), 1e-9)] = 1.0
        return cls(tuple(_vocabulary(column) for column in categories.T), means, scales)

    def codes(self, categories: Any) -> Floats:
        """Positions in the vocabularies, float64[N, Dc]; NaN for what is unknown."""
        codes = np.full(categories.shape, np.nan)
        for i, vocabulary in enumerate(self.vocabularies):
            positions = {value: float(position) for position, value in enumerate(vocabulary)}
            codes[:, i] = [positions.get(value, np.nan) for value in categories[:, i]]
        return codes


def _sums(numbers: Floats, of: Callable[[Any, Floats], Floats]) -> Floats:
    """The sums over the rows, float64[Dn], of what ``of(isfinite(rows), rows)`` gives; one row after the other, as numpy adds.

    Many rows are taken in portions, so that little memory is needed beside them.
    """
    portion = PORTION_ROWS if numbers.shape[1] > 1 else len(numbers) + 1  # numpy adds a single column in another order
    sums = np.zeros((0, numbers.shape[1]))
    for start in range(0, max(len(numbers), 1), portion):
        rows = numbers[start : start + portion]
        sums = np.vstack([sums, of(np.isfinite(rows), rows)]).sum(axis=0, keepdims=True)
    total: Floats = sums[0]
    return total


def _vocabulary(column: Any) -> tuple[str, ...]:
    counts = Counter(column.tolist())
    frequent = sorted(counts, key=lambda value: (-counts[value], value))[:MOST_CATEGORIES]
    return tuple(sorted(frequent))
