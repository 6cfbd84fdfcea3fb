"""What a comparator answers: its record in the lake, and its answers to the rows of a window."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from everfit.environment import formats
from everfit.environment.formats import Kept
from everfit.store.comparators import Comparator
from everfit.store.lake import Lake
from everfit.timing import format_time
from everfit.training.artifact import Signature
from everfit.training.version_scorer import open_scorer

if TYPE_CHECKING:
    import polars as pl

    from everfit.training.arrays import Floats


class FittedComparator(Kept, frozen=True, kw_only=True):
    """What was fitted; ``artifact`` names it in the lake, ``rows`` are those that it has learnt."""

    model: str
    cutoff: datetime
    recipe: str
    config: dict[str, Any]
    artifact: str
    signature: Signature
    rows: int
    fit_seconds: float


@dataclass(frozen=True, slots=True)
class FreshAnswers:
    """The comparator that stands for a window: its answers, or ``reason``, why there are none."""

    lake: Lake
    found: Comparator

    @property
    def cutoff(self) -> datetime:
        """Nothing known after it was learnt."""
        return self.found.start

    @property
    def fit_seconds(self) -> float | None:
        """How long the fit took; None where there is none."""
        return self.found.fit_seconds

    @property
    def reason(self) -> str:
        """Why there are no answers; empty where there are."""
        since = format_time(self.found.start)
        match self.found.state:
            case "fitted":
                return ""
            case "failed":
                return f"the comparator of {since} could not be fitted: {self.found.reason}"
            case "asked":
                return f"the comparator of {since} is not fitted yet"

    def answers(self, rows: "pl.DataFrame") -> "Floats":
        """The answers to rows with the features, float64[N] or float64[N, K].

        Raises:
            LakeError: when the lake lacks it.
            FeatureError: when a feature's column is missing, as where the declaration has changed since.
        """
        kept = self.kept
        return open_scorer(self.lake.get(kept.artifact, kept.signature.kind), kept.signature).score(rows)

    @property
    def kept(self) -> FittedComparator:
        """What was fitted.

        Raises:
            LakeError: when the lake lacks it.
        """
        assert self.found.fitted is not None, self.reason
        return formats.read(self.lake.get(self.found.fitted, "json"), FittedComparator, self.found.fitted)
