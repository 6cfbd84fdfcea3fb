"""What is read off one column, or off two that are compared: shares, spreads, magnitudes and common categories."""

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt
    import polars as pl

_WORD = re.compile(r"\w+")

NOISE = 1e-9  # of a column's magnitude: what varies less is constant, written by different arithmetic
COMMON_SHARE = 0.05  # of the rows: categories that are rarer in both columns are taken together


def present(column: "pl.Series") -> "pl.Series":
    """The values without nulls and, of numbers, without NaN and infinity."""
    if column.null_count():
        column = column.drop_nulls()
    if not column.dtype.is_float() or np.isfinite(column.to_numpy()).all():
        return column
    return column.filter(column.is_finite())


def as_text(categories: "pl.Series") -> "pl.Series":
    """Categories as text, flags as ``true`` and ``false``."""
    import polars as pl

    return categories.cast(pl.String) if categories.dtype == pl.Boolean else categories


def vectors_of(column: "pl.Series") -> "npt.NDArray[np.float64]":
    """The vectors that are present, float64[N, size]."""
    return present(column).to_numpy().astype(np.float64)


class WordCount(NamedTuple):
    """How often a word occurs, and in how many texts."""

    words: int
    texts: int


def word_counts(texts: "pl.Series") -> dict[str, WordCount]:
    """The words of texts that are present, in small letters."""
    split = [_WORD.findall(text.lower()) for text in present(texts).to_list()]
    occurring = Counter(word for words in split for word in words)
    holding = Counter(word for words in split for word in set(words))
    return {word: WordCount(count, holding[word]) for word, count in occurring.items()}


def null_share(column: "pl.Series") -> float:
    """Share of rows without a value; 0 of no rows."""
    return 1 - len(present(column)) / len(column) if len(column) else 0.0


def varies(values: "pl.Series") -> bool:
    """Whether there are two different values among values that are present."""
    if values.is_empty():
        return False
    return values.n_unique() > 1 if values.dtype.is_nested() else not bool((values == values[0]).all())


def magnitude(numbers: "pl.Series") -> float:
    """The largest absolute value of finite numbers; 0 of no numbers."""
    return float(np.abs(numbers.to_numpy().astype(np.float64)).max()) if len(numbers) else 0.0


def deviation_of(numbers: "pl.Series") -> float:
    """Standard deviation of finite numbers; 0 of those that are constant but for the noise of arithmetic."""
    values = numbers.to_numpy().astype(np.float64)
    largest = magnitude(numbers)
    relative = float(np.std(values / largest)) if largest else 0.0  # the squares of tiny and of huge numbers are no numbers
    return relative * largest if relative > NOISE else 0.0


def common(reference: "pl.Series", window: "pl.Series", share: float = COMMON_SHARE) -> set[str]:
    """The categories that make up at least that share of the rows of one of the two columns."""
    counted = [(Counter(column.to_list()), len(column)) for column in (reference, window)]
    return {value for counts, rows in counted for value, count in counts.items() if count >= share * rows}


def unseen_share(categories: "pl.Series") -> float:
    """Expected share of further rows with a category that is not among these: that of categories met once (Good, Turing)."""
    counts = Counter(present(categories).to_list())
    return sum(count == 1 for count in counts.values()) / counts.total() if counts else 0.0
