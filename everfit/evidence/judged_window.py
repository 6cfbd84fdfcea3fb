"""What a kind of evidence judges: one version's share of a closed window, and what is on record about that version."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from everfit.declaration import Model
from everfit.declaration.views import Features
from everfit.declaration.window_grid import Span
from everfit.evidence.calibration import Calibration
from everfit.evidence.checked_days import DayVerdict
from everfit.evidence.counts import Tally
from everfit.evidence.quality import Profile

if TYPE_CHECKING:
    import polars as pl

    from everfit.declaration.tasks import Floats
    from everfit.evidence.performance import Expectation


class Comparator(Protocol):
    """A model that learnt all that was known when a window began, which the champion is held against."""

    @property
    def cutoff(self) -> datetime:
        """Nothing known after it was learnt."""

    @property
    def fit_seconds(self) -> float | None:
        """How long its fit took; None where it is not fitted."""

    @property
    def reason(self) -> str:
        """Why it has no answers; empty where it has."""

    def answers(self, rows: "pl.DataFrame") -> "Floats":
        """Its answers to rows with the inputs, float64[N] or float64[N, K]; only where there is no ``reason``.

        Raises:
            FeatureError: when the rows lack one of its inputs.
        """


class JudgedWindow(Protocol):
    """One version's share of a closed window. Rows and records are read when they are first used, and once."""

    @property
    def model(self) -> Model:
        """The declaration."""

    @property
    def span(self) -> Span:
        """Of event time, half-open."""

    @property
    def complete_at(self) -> datetime:
        """The event time at which the window could close: outcomes that were observed later are not among the rows."""

    @property
    def version(self) -> int:
        """Whose answers are judged."""

    @property
    def trained_until(self) -> datetime:
        """The cutoff of the version's training data."""

    @property
    def is_whole(self) -> bool:
        """Whether this version alone answered the window."""

    @property
    def requests(self) -> int | None:
        """How many requests of the window clients got answers to, whoever answered; one version is judged by them."""

    @property
    def inputs(self) -> Features:
        """Name and kind of the version's inputs."""

    @property
    def row_count(self) -> int:
        """How many rows of clients the version answered, as champion or challenger."""

    @property
    def rows(self) -> "pl.DataFrame":
        """These rows, or a sample of them: EVENT_TIME, SCHEMA, EXPLORED, inputs, SCORE, and LABEL, null where not known.

        A kind that triggers a quarantine is given them all, any other none of a quarantined day: there may be none left.
        """

    @property
    def quarantined_rows(self) -> int:
        """How many are not given because their day is quarantined."""

    @property
    def sampling(self) -> dict[str, int]:
        """For the detail of what is measured on the rows: ``sampled_of`` how many, where they are a sample."""

    @property
    def counts(self) -> Tally:
        """Counts over all rows, those of quarantined days included."""

    @property
    def schemas(self) -> Collection[str]:
        """Ids of the schemas that were ever declared."""

    @property
    def days(self) -> Sequence[DayVerdict]:
        """The verdicts on the window's days that were judged by this version's profile; none for a window within a day."""

    @property
    def profile(self) -> Profile:
        """Of the version's training windows, by column."""

    @property
    def calibration(self) -> Calibration:
        """The version's thresholds of drift."""

    def earlier(self, kind: str, newest: int) -> "Sequence[tuple[datetime, dict[str, Any]]]":
        """Of the newest evidence of that kind on this version, from before the window: the window's end and the detail."""

    @property
    def reference(self) -> "pl.DataFrame":
        """The version's reference sample: EVENT_TIME, inputs and SCORE."""

    @property
    def comparator(self) -> Comparator | None:
        """The one that stands for this window; None where the model's policy wants none, or none was asked for by then."""

    @property
    def expectation(self) -> "Expectation":
        """What the version's own backtest promised, by the model's metric."""

    @property
    def newest_matured(self) -> "JudgedWindow | None":
        """The version's share of the newest window of which all labels were due when this one could close.

        Where labels come soon, that is this one: see :func:`everfit.evidence.regret.windows_behind`. None where the version
        answered nothing of it.
        """
