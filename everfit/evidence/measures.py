"""How far a column's window is from its reference. A measure is a class; the table names all of them.

``wasserstein`` and ``jensenshannon`` are Evidently's own distances, to the last digit, without the cost of its report. The
others stand in where these two could not tell a change from no change.
"""

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from everfit.declaration.input_kinds import size_of
from everfit.declaration.views import Kind
from everfit.errors import FormatError
from everfit.evidence.column_statistics import (
    COMMON_SHARE,
    WordCount,
    as_text,
    common,
    deviation_of,
    magnitude,
    null_share,
    present,
    unseen_share,
    vectors_of,
    word_counts,
)

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
        kind: of the columns that it measures; None measures every column, beside the measures of its kind.
        drawn_as: what of the column Evidently's page shows, where it is not the column itself.
        evidently: the method that draws it on Evidently's page; None leaves it out.
        rare_share: categories that are rarer in both columns are taken together.
    """

    name: ClassVar[str]
    kind: ClassVar[Kind | None]
    evidently: ClassVar[str | None] = None
    drawn_as: ClassVar[str] = ""
    rare_share: ClassVar[float] = 0.0

    def distance(self, reference: "pl.Series", window: "pl.Series") -> float:
        """The distance; 0 where either column holds no value, which is the null share's business."""
        reference, window = self.values(reference), self.values(window)
        return 0.0 if reference.is_empty() or window.is_empty() else self.between(reference, window)

    def values(self, column: "pl.Series") -> "pl.Series":
        """What is measured of a column: the values that are present, or what is computed of each."""
        return present(column)

    @property
    def draws_numbers(self) -> bool:
        """Whether Evidently's page shows numbers of it, and not categories."""
        return self.evidently == Wasserstein.evidently

    @abstractmethod
    def between(self, reference: "pl.Series", window: "pl.Series") -> float:
        """The distance of two columns of what :meth:`values` returns."""

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
        return deviation_of(self.values(reference)) >= FINE

    def obstacle(self, reference: "pl.Series", threshold: float) -> str:
        """Beside what holds for all: values so small that the least deviation hides them."""
        values = self.values(reference)
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
        values = self.values(reference), self.values(window)
        return threshold * self.scale(*values) / Wasserstein().scale(*values)


class JensenShannon(Measure):
    """Square root of the Jensen-Shannon divergence in nats, at most 0.8326, over the categories of both columns."""

    name, kind, evidently = "jensenshannon", "category", "jensenshannon"

    def values(self, column: "pl.Series") -> "pl.Series":
        """As text, a flag as ``true`` or ``false``."""
        return as_text(present(column))

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
        return bool(
            usual + LEAST_LIMIT * floor < self.farthest(reference) and unseen_share(self.values(reference)) <= MOST_UNSEEN
        )


class CommonJensenShannon(JensenShannon):
    """The same, categories that are rare in both columns taken together."""

    name, rare_share = "common_jensenshannon", COMMON_SHARE

    def suits(self, reference: "pl.Series", windows: "Sequence[pl.Series]", floor: float) -> bool:  # noqa: ARG002
        """Any column of categories."""
        return True


class TextLength(ScaledWasserstein):
    """Earth mover's distance of the texts' numbers of characters, over their deviation."""

    name, kind, drawn_as = "text_length", "text", "length of"

    def values(self, column: "pl.Series") -> "pl.Series":
        """Numbers of characters."""
        return present(column).str.len_chars().cast(float)


class UnseenWords(Measure):
    """Share of the words that the reference does not hold, beyond the share that further texts of the same kind would have.

    That is expected of further texts which each text of the reference has if the others alone are looked at.
    """

    name, kind = "unseen_words", "text"

    def between(self, reference: "pl.Series", window: "pl.Series") -> float:
        """Of all words of the window."""
        return self.excess(word_counts(reference), word_counts(window))

    @staticmethod
    def excess(known: Mapping[str, WordCount], words: Mapping[str, WordCount]) -> float:
        """The same of words that are counted already."""
        return max(0.0, _share(words, [word for word in words if word not in known]) - _expected(known))

    def farthest(self, reference: "pl.Series") -> float:
        """That of a window none of whose words is known."""
        return 1 - _expected(word_counts(reference))


def _expected(known: Mapping[str, WordCount]) -> float:
    return _share(known, [word for word, count in known.items() if count.texts == 1])


def _share(counts: Mapping[str, WordCount], some: Sequence[str]) -> float:
    return sum(counts[word].words for word in some) / max(1, sum(count.words for count in counts.values()))


class VectorNorm(ScaledWasserstein):
    """Earth mover's distance of the vectors' lengths, over their deviation."""

    name, kind, drawn_as = "vector_norm", "vector", "norm of"

    def values(self, column: "pl.Series") -> "pl.Series":
        """The Euclidean norms."""
        import polars as pl

        return pl.Series(np.linalg.norm(vectors_of(column), axis=1), dtype=pl.Float64)


class VectorMean(Measure):
    """Distance of the mean vectors, over the root mean square distance of the reference's vectors from their mean."""

    name, kind = "vector_mean", "vector"

    def between(self, reference: "pl.Series", window: "pl.Series") -> float:
        """Euclidean; of a reference that is constant over a thousandth of its norm."""
        past, now = vectors_of(reference), vectors_of(window)
        centre = past.mean(axis=0)
        spread = float(np.sqrt(np.square(past - centre).sum(axis=1).mean()))
        scale = max(spread, LEAST_DEVIATION * float(np.linalg.norm(centre)))
        return float(np.linalg.norm(now.mean(axis=0) - centre)) / (scale or 1.0)


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


TABLE: tuple[Measure, ...] = (
    *(Wasserstein(), ScaledWasserstein(), JensenShannon(), CommonJensenShannon()),
    *(TextLength(), UnseenWords(), VectorNorm(), VectorMean(), NullShare()),
)
_ALL_OF = ("text", "vector")  # kinds of which every measure counts; of the others the first that suits the column
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


def measures_for(kind: Kind, reference: "pl.Series", windows: "Sequence[pl.Series]", floor: float) -> "Sequence[Measure]":
    """The measures of a column: of a text and a vector all, else the first that can tell a change of it from no change."""
    family = "vector" if size_of(kind) else "category" if kind == "flag" else kind
    of_kind = [measure for measure in TABLE if measure.kind == family]
    if family in _ALL_OF:
        return of_kind
    return [next(measure for measure in of_kind if measure.suits(reference, windows, floor))]
