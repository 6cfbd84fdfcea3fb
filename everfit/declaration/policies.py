"""When, and whether, to replace the champion: budgets, not thresholds."""

from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, model_validator

from everfit.declaration.part import Part
from everfit.timing import Duration

MINUTE = timedelta(minutes=1)


class TrainingWindow(Part):
    """Which rows are trained on: ``history`` is 'all' or a duration before the cutoff.

    Labels come at most ``label_delay`` after their event, all but a negligible few. Rows younger than that are neither trained
    nor judged on: of these only the quick labels would be known, and quick labels are not like the others (a flight that has
    landed already is seldom late).

    A fit that takes longer than ``max_fit``, or with those beside it more than the share ``max_fit_memory`` of the machine's
    memory, is ended, and its candidate set aside.
    """

    history: Literal["all"] | Duration = "all"
    label_delay: Duration = timedelta()
    max_fit: Duration = Field(timedelta(hours=2), gt=timedelta(), exclude=True)  # no part of what the rows are made by
    max_fit_memory: float = Field(0.8, gt=0, le=1, exclude=True)


class PredictionLog(Part):
    """How the prediction log is read: how late a row may be, and how far ahead of the clock it may claim to be."""

    lateness: Duration = timedelta(minutes=30)
    future_tolerance: Duration = timedelta(hours=1)
    idle_after: Duration = timedelta(seconds=30)


class QualityPolicy(Part):
    """When a day of the log or of a source counts as broken.

    On a healthy feed all checks of all columns together may be wrong ``false_quarantines_per_year`` times a year.
    A row of which a field lies outside its ``between`` is neither trained nor compared on. Where more than the share
    ``out_of_bounds`` of the rows are such in one field, that field is taken to be broken, and quarantined.

    A quarantine that nobody has released lasts ``expires_after`` beyond its day by the model's clock; by default for ever.
    """

    false_quarantines_per_year: float = Field(2.0, gt=0)
    out_of_bounds: float = Field(0.01, ge=0, le=1)
    expires_after: Duration | None = Field(None, gt=timedelta())


class DriftPolicy(Part):
    """When a window of the log counts as drifted.

    Distances are calibrated on windows of the training time itself, so that about ``false_alarms_per_year`` would be raised
    with nothing happening. ``agree`` of the last ``of`` windows make an alarm. ``settle`` is how much labelled time after
    the first of them a retraining waits for. ``reference`` is how far back the champion's reference sample reaches.
    """

    window: Duration = timedelta(days=7)
    min_rows: int = Field(200, ge=2)
    false_alarms_per_year: float = Field(4.0, gt=0)
    agree: int = Field(1, ge=1)
    of: int = Field(1, ge=1)
    settle: Duration = timedelta()
    reference: Duration = timedelta(days=180)
    sample_rows: int = Field(2_000, ge=50)
    safety: float = Field(1.5, ge=1)
    floor: float = Field(0.05, gt=0)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.agree > self.of:
            raise ValueError(f"agree={self.agree} of={self.of}: more windows cannot agree than are looked at")
        if self.window < timedelta(hours=1):
            raise ValueError(f"window={self.window}: shorter than an hour")
        return self


class FreshnessPolicy(Part):
    """The champion's training data may be at most ``max_training_age`` old by the model's clock: then it is retrained.

    ``alert_after`` is a watchdog by the wall clock: where nothing was promoted for so long, the loop may have
    stopped, and an alert is sent. By default twice ``max_training_age``; at least a minute.
    """

    max_training_age: Duration
    alert_after: Duration | None = None

    @property
    def silence(self) -> timedelta:
        """The wall-clock time without a promotion after which an alert is sent."""
        return self.alert_after or max(2 * self.max_training_age, MINUTE)

    @model_validator(mode="after")
    def _at_least_a_minute(self) -> Self:
        if self.alert_after is not None and self.alert_after < MINUTE:
            raise ValueError(f"alert_after={self.alert_after}: Dagster notices nothing shorter than a minute")
        return self


class BackfillPolicy(Part):
    """How days that are out of date are made: the nightly schedule's time of day, and the most days that one run makes.

    A run costs seconds before its first day; its days are computed together, in memory.
    """

    at: str = Field("02:00", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    days_per_run: int = Field(90, ge=1, le=3_660)


class Limits(Part):
    """How often the loop may act, and when it stops asking until a person or time reopens it.

    What a person asks for is counted by none of them, and what failed by no quota. Freshness is held back by its own requests
    alone, never by those for another cause, and by no breaker.

    A run that failed is launched again, ``attempts`` times in all: the second time after ``retry_after`` of wall clock, then
    after twice that, and so on. So is a window judged again that could not be; after that it closes, and says so.
    """

    cooldown: Duration = timedelta(days=7)
    retrains_per_month: int = Field(4, ge=1)
    stop_after_rejections: int = Field(3, ge=1)
    reopen_after: Duration = timedelta(days=28)
    attempts: int = Field(3, ge=1, le=10)
    retry_after: Duration = timedelta(seconds=30)
