"""Which of K classes are learnt together, and how the answers about G groups become answers about the classes.

``counts`` int[K] are the rows of each class. A group is a list of places in the declared order.
"""

from collections.abc import Sequence
from typing import Any


def groups(counts: Any, enough_rows: int) -> list[list[int]]:
    """The classes with rows, each by itself; those with fewer than ``enough_rows`` together.

    One alone is learnt with the next rarest.
    """
    rising = [int(place) for place in counts.argsort(kind="stable") if counts[place]]
    rare = [place for place in rising if counts[place] < enough_rows]
    rare = rising[:2] if len(rare) == 1 else rare
    return sorted([*([sorted(rare)] if rare else []), *([place] for place in rising if place not in rare)])


def shares_within(groups: Sequence[Sequence[int]], counts: Any, shares: Any) -> Any:
    """float64[G, K]: the share of each class in its group; ``shares`` float64[K] of classes without rows are given by all."""
    import numpy as np

    matrix = np.zeros((len(groups), len(counts)))
    matrix[:, counts == 0] = shares[counts == 0]
    for at, group in enumerate(groups):
        matrix[at, group] = (1 - shares[counts == 0].sum()) * counts[group] / counts[group].sum()
    return matrix


def notes(groups: Sequence[Sequence[int]], counts: Any, classes: Sequence[str]) -> list[str]:
    """What is learnt otherwise than declared, for people."""
    merged = [", ".join(f"{classes[at]!r} ({counts[at]} rows)" for at in group) for group in groups if len(group) > 1]
    unseen = [repr(name) for name, count in zip(classes, counts, strict=True) if not count]
    none = f"without a row among {counts.sum()}, and answered with a small probability: {', '.join(unseen)}"
    return [*(f"learnt as one class: {names}" for names in merged), *([none] if unseen else [])]
