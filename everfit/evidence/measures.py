"""How far a column's window is from its reference. A measure is a class; the table names all of them.

``wasserstein`` and ``jensenshannon`` are Evidently's own distances, to the last digit, without the cost of its report. The
others stand in where these two could not tell a change from no change.
"""

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from everfit.declaration.views import Kind
from everfit.errors import FormatError
from everfit.evidence.column_statistics import COMMON_SHARE, common, deviation_of, magnitude, null_share, present, unseen_share

if TYPE_CHECKING:
    import polars as pl

LEAST_DEVIATION = 0.001  # Evidently divides by at least this: a constant column that changes is far, not infinitely far
FINE = LEAST_DEVIATION / 10  # a column that varies less is measured on its own scale
FARTHEST_SHARES = math.sqrt(math.log(2))  # of two columns that have no category in common
LEAST_LIMIT = 2.0  # twice the column's own spread: what the few windows of a calibration cannot show
MOST_UNSEEN = 0.1  # of the rows of a later window, with categories that training time never held


class Measure(ABC):
    """A distance of a column's window from its reference.

    Attributes:
        name: as it is kept with the thresholds of a version.
        kind: of the columns that it measures; None measures every column, beside the measure of its kind.
        evidently: the method that draws it on Evidently's page; None leaves it out.
        rare_share: categories that are rarer in both columns are taken together.
    """

    name: ClassVar[str]
    kind: ClassVar[Kind | None]
    evidently: ClassVar[str | None] = None
    rare_share: ClassVar[float] = 0.0

    def distance(self, reference: "pl.Series", window: "pl.Series") -> float:
        """The distance; 0 where either column holds no value, which is the null share's business."""
        reference, window = present(reference), present(window)
        return 0.0 if reference.is_empty() or window.is_empty() else self.between(reference, window)

    @abstractmethod
    def between(self, reference: "pl.Series", window: "pl.Series") -> float:
        """The distance of two columns of values that are present."""

    def farthest(self, reference: "pl.Series") -> float:
        """The largest distance that any window can have from the reference."""
        return 0.0 if present(reference).is_empty() else math.inf

    def suits(self, reference: "pl.Series", windows: "Sequence[pl.Series]", floor: float) -> bool:  # noqa: ARG002
        """Whether it can tell a change from no change; ``floor`` is the least spread of the distances of ``windows``."""
        return True

    def obstacle(self, reference: "pl.Series", threshold: float) -> str:
        """Why no window of note reaches the threshold; empty where one does."""
        if present(reference).is_empty():
            return "the reference holds no value of it"
        farthest = self.farthest(reference)
        if threshold > farthest:
            return f"{self.name} reaches {farthest:.3f} at most, its threshold is {threshold:.3f}"
        return ""

    def drawn_threshold(self, threshold: float, reference: "pl.Series", window: "pl.Series") -> float:  # noqa: ARG002
        """The threshold in units of Evidently's method."""
        return threshold


class Wasserstein(Measure):
    """Earth mover's distance of finite numbers, over the larger of the reference's standard deviation and 0.001."""

    name, kind, evidently = "wasserstein", "number", "wasserstein"

    def between(self, reference: "pl.Series", window: "pl.Series") -> float:
        """In units of :meth:`scale`."""
        from scipy.stats import wasserstein_distance

        return float(wasserstein_distance(reference.to_numpy(), window.to_numpy())) / self.scale(reference, window)

    def scale(self, reference: "pl.Series", window: "pl.Series") -> float:  # noqa: ARG002
        """What the distance of two columns of finite numbers is divided by."""
        return max(float(np.std(reference.to_numpy())), LEAST_DEVIATION)

    def suits(self, reference: "pl.Series", windows: "Sequence[pl.Series]", floor: float) -> bool:  # noqa: ARG002
        """Whether the column varies on a scale that Evidently knows."""
        return deviation_of(present(reference)) >= FINE

    def obstacle(self, reference: "pl.Series", threshold: float) -> str:
        """Beside what holds for all: values so small that the least deviation hides them."""
        values = present(reference)
        reason = super().obstacle(reference, threshold)
        if reason or deviation_of(values) >= FINE or threshold * LEAST_DEVIATION <= magnitude(values):
            return reason
        small = f"its values, at most {magnitude(values):.3g}, are too small for a scale of {LEAST_DEVIATION}"
        return f"{small}; the next training chooses another"


class ScaledWasserstein(Wasserstein):
    """The same over the deviation however small; over a thousandth of the column's magnitude where it is constant."""

    name = "scaled_wasserstein"

    def scale(self, reference: "pl.Series", window: "pl.Series") -> float:
        """The column's own scale."""
        least = LEAST_DEVIATION * (magnitude(reference) or magnitude(window) or 1.0)
        return deviation_of(reference) or max(least, math.ulp(0.0))  # a thousandth of the smallest number is none

    def suits(self, reference: "pl.Series", windows: "Sequence[pl.Series]", floor: float) -> bool:  # noqa: ARG002
        """Any column of numbers."""
        return True

    def obstacle(self, reference: "pl.Series", threshold: float) -> str:
        """No value is too small for its own scale."""
        return Measure.obstacle(self, reference, threshold)

    def drawn_threshold(self, threshold: float, reference: "pl.Series", window: "pl.Series") -> float:
        """Evidently knows no scale below 0.001."""
        values = present(reference), present(window)
        return threshold * self.scale(*values) / Wasserstein().scale(*values)


class JensenShannon(Measure):
    """Square root of the Jensen-Shannon divergence in nats, at most 0.8326, over the categories of both columns."""

    name, kind, evidently = "jensenshannon", "category", "jensenshannon"

    def between(self, reference: "pl.Series", window: "pl.Series") -> float:
        """Of the shares of each category."""
        from scipy.spatial.distance import jensenshannon

        shares = [Counter(reference.to_list()), Counter(window.to_list())]
        values = sorted(common(reference, window, self.rare_share))
        p, q = ([counts[value] / counts.total() for value in values] for counts in shares)
        if self.rare_share:
            p, q = ([*named, max(0.0, 1 - sum(named))] for named in (p, q))
        return float(jensenshannon(p, q))

    def farthest(self, reference: "pl.Series") -> float:
        """That of two columns without a category in common."""
        return 0.0 if present(reference).is_empty() else FARTHEST_SHARES

    def suits(self, reference: "pl.Series", windows: "Sequence[pl.Series]", floor: float) -> bool:
        """Whether usual windows leave room for an alarm, and most later rows will hold categories that the reference holds."""
        usual = np.median([self.distance(reference, window) for window in windows])
        return bool(usual + LEAST_LIMIT * floor < self.farthest(reference) and unseen_share(reference) <= MOST_UNSEEN)


class CommonJensenShannon(JensenShannon):
    """The same, categories that are rare in both columns taken together."""

    name, rare_share = "common_jensenshannon", COMMON_SHARE

    def suits(self, reference: "pl.Series", windows: "Sequence[pl.Series]", floor: float) -> bool:  # noqa: ARG002
        """Any column of categories."""
        return True


class NullShare(Measure):
    """Difference of the shares of nulls."""

    name, kind = "null_share", None

    def distance(self, reference: "pl.Series", window: "pl.Series") -> float:
        """Also where a column holds no value."""
        return self.between(reference, window)

    def between(self, reference: "pl.Series", window: "pl.Series") -> float:
        """Of whole columns."""
        return abs(null_share(window) - null_share(reference))

    def farthest(self, reference: "pl.Series") -> float:
        """All null, or none."""
        share = null_share(reference)
        return max(share, 1 - share)

    def obstacle(self, reference: "pl.Series", threshold: float) -> str:
        """A reference without values is one from which windows can differ, too."""
        farthest = self.farthest(reference)
        return f"{self.name} reaches {farthest:.3f} at most, its threshold is {threshold:.3f}" if threshold > farthest else ""


TABLE: tuple[Measure, ...] = (Wasserstein(), ScaledWasserstein(), JensenShannon(), CommonJensenShannon(), NullShare())
OF_EVERY_COLUMN = tuple(measure for measure in TABLE if measure.kind is None)


def measure_named(name: str) -> Measure:
    """The measure of that name.

    Raises:
        FormatError: when there is none, as where a newer version of everfit wrote the thresholds.
    """
    for measure in TABLE:
        if measure.name == name:
            return measure
    raise FormatError(f"no measure {name!r} of drift; there are {', '.join(m.name for m in TABLE)}; upgrade everfit")


def measure_for(kind: Kind, reference: "pl.Series", windows: "Sequence[pl.Series]", floor: float) -> Measure:
    """The first measure of the kind that can tell a change of this column from no change."""
    return next(measure for measure in TABLE if measure.kind == kind and measure.suits(reference, windows, floor))
