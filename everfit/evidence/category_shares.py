"""How the shares of a window's categories differ from a reference's, in units of sampling noise."""

import math
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from everfit.evidence.column_statistics import COMMON_SHARE, as_text, present

if TYPE_CHECKING:
    import polars as pl

RARE_SHARE = 0.005  # of the reference: rarer categories are taken together, with those it does not hold
FEWEST_COMMON = 10  # rows of a window: a category that it holds more often, and the reference seldom, stands for itself
LEAST_SCORE = -2.0  # shares can agree by chance to the last row


class CategoryShares:
    """The shares of the reference's categories; the rare ones count as one, together with those that it does not hold."""

    def __init__(self, reference: "pl.Series") -> None:
        counts = Counter(as_text(present(reference)).to_list())
        self._rows = max(1, counts.total())
        self._shares = {value: count / self._rows for value, count in sorted(counts.items())}
        self._known = {value: share for value, share in self._shares.items() if share >= RARE_SHARE}
        self._rare = 1 - sum(self._known.values())

    def differences(self, values: "pl.Series") -> tuple[float, float]:
        """How far the shares of all categories are, and by how much that of the rare and new ones grew.

        The first is the Jensen-Shannon divergence as a normal score: 8 N times it is χ² where nothing has changed.

        Args:
            values: values[N] of the window, none of them null.
        """
        counts = Counter(as_text(values).to_list())
        rows = counts.total()
        least = max(FEWEST_COMMON, COMMON_SHARE * rows)
        own = sorted(value for value, count in counts.items() if count >= least and value not in self._known)
        named = [*self._known, *own]
        past = [self._shares.get(value, 0.0) for value in named]
        now = [counts[value] / rows for value in named]
        p, q = (np.array([*shares, max(0.0, 1 - sum(shares))]) for shares in (past, now))
        p, q = p[p + q > 0], q[p + q > 0]
        common = sum(counts[value] for value in self._known)
        far = normal_score(8 * rows * _divergence(p, q), max(1, len(p) - 1))
        return far, above_zero(1 - common / rows, self._rare, rows)


def _divergence(p: "np.typing.NDArray[np.float64]", q: "np.typing.NDArray[np.float64]") -> float:
    from scipy.special import rel_entr

    middle = (p + q) / 2
    return float(rel_entr(p, middle).sum() + rel_entr(q, middle).sum()) / 2


def above_zero(share: float, usual: float, rows: int) -> float:
    """Two shares' difference, the first of so many rows, in standard errors, by the stabilized arcsine (Anscombe 1948)."""
    of_rows = (share * rows + 3 / 8) / (rows + 3 / 4)
    return 2 * math.sqrt(rows) * (math.asin(math.sqrt(min(of_rows, 1.0))) - math.asin(math.sqrt(min(max(usual, 0.0), 1.0))))


def normal_score(squares: float, degrees: int) -> float:
    """A χ² of so many degrees of freedom as the normal deviate of the same tail."""
    from scipy.special import chdtrc, ndtri

    tail = max(float(chdtrc(degrees, squares)), 1e-300)
    return max(float(-ndtri(tail)), LEAST_SCORE) if tail < 1 else LEAST_SCORE
