"""What a user declares: a :class:`Model` and its parts. Frozen, validated at construction, unknown keys refused.

Budgets are stated, not thresholds: 'four false alarms a year', 'three retrainings a month'.
"""

import hashlib
import inspect
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from everfit.bounds import LARGEST
from everfit.errors import DeclarationError
from everfit.features.views import FeatureView, Kind
from everfit.timing import Duration, Moment

MINUTE = timedelta(minutes=1)
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class Part(BaseModel):
    """A frozen part of a declaration; a bad value raises :class:`DeclarationError` that names the field."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise DeclarationError(_told(type(self).__name__, values, error)) from error


def _told(part: str, values: dict[str, Any], error: ValidationError) -> str:
    """One line a mistake: ``Model electricity_price: gate.folds: Input should be …, got 0``."""
    label = " ".join(filter(None, [part, str(values.get("name", ""))]))
    lines = []
    for mistake in error.errors():
        field = ".".join(map(str, mistake["loc"])) or "declaration"
        what = mistake["msg"].removeprefix("Value error, ")
        got = "" if mistake["type"] in ("missing", "value_error") else f", got {mistake['input']!r}"
        lines.append(f"{label}: {field}: {what}{got}")
    return "\n".join(lines)


# Columns of sources and requests


class Column(Part):
    """A named, typed column. ``nullable`` says whether a null is a value like another."""

    kind: ClassVar[Kind | Literal["time"]]
    name: Name
    nullable: bool = False


class Category(Column):
    """A string from an open set."""

    kind = "category"

    def __init__(self, name: str, **values: Any) -> None:
        super().__init__(name=name, **values)


Outside = Literal["refuse", "clip", "keep"]


class Numeric(Column):
    """What a number's declaration says beside its name.

    ``missing`` lists values that stand for nothing, as -3.4e38 does on maps: every door reads them as null, so that the column
    is nullable. ``outside`` says what becomes of a value beyond ``between``: it is refused, taken as the nearest bound, or kept
    and counted by quality. Where it is left out sources refuse and requests keep.
    """

    kind = "number"
    outside: Outside | None = None
    missing: list[float] = []

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        between: tuple[float, float] | None = getattr(self, "between", None)
        if between is not None and not -LARGEST <= between[0] <= between[1] <= LARGEST:
            raise ValueError(f"between={between}: the lower bound comes first, and neither lies beyond ±{LARGEST:g}")
        if self.outside is not None and between is None:
            raise ValueError(f"outside={self.outside!r} says nothing without between=(low, high)")
        if self.missing and not self.nullable:
            raise ValueError(f"missing={self.missing} is read as null; let the column be nullable")
        return self


class Number(Numeric):
    """A float64 within ±1e37, and within ``between`` (both ends included) where it is declared."""

    between: tuple[float, float] | None = None

    def __init__(self, name: str, **values: Any) -> None:
        super().__init__(name=name, **_implied(values))


class Integer(Numeric):
    """A whole number, within ``between`` (both ends included) where it is declared.

    In a source it has 64 bits and is exact. What is a model's input is a float64: a request's lies within ±2^53, and so does
    what a view takes as a number. An id that may be larger is a Category of the request, and a view's key.
    """

    between: tuple[int, int] | None = None

    def __init__(self, name: str, **values: Any) -> None:
        super().__init__(name=name, **_implied(values))


def _implied(values: dict[str, Any]) -> dict[str, Any]:
    """A column with missing values is nullable."""
    return ({"nullable": True} if values.get("missing") else {}) | values


class Time(Column):
    """A moment, UTC, to the microsecond."""

    kind = "time"

    def __init__(self, name: str, **values: Any) -> None:
        super().__init__(name=name, **values)


class Source(Part):
    """A stream of rows that the outside world publishes.

    ``identity`` names the columns that make a row one row: a second row of the same identity is a correction.
    ``event_time`` decides the day a row belongs to; ``known_after`` is how much later it is published.
    ``recorded`` reads everything on record, for the bootstrap and the replay, as a narwhals-compatible frame.
    """

    name: Name
    columns: list[Column]
    identity: list[str]
    event_time: str
    known_after: Duration = timedelta()
    recorded: Callable[[], Any] | None = None

    @model_validator(mode="after")
    def _columns_exist(self) -> Self:
        names = [column.name for column in self.columns]
        _unique("columns", names)
        for named in [*self.identity, self.event_time]:
            if named not in names:
                raise ValueError(f"{named!r} is no column of source {self.name}; it has {', '.join(names)}")
        times = [column.name for column in self.columns if column.kind == "time"]
        if self.event_time not in times:
            raise ValueError(
                f"event_time {self.event_time!r} is no time of source {self.name}; it has {', '.join(times) or 'none'}"
            )
        return self


# What is trained


class BinaryClassification(Part):
    """Will it happen? The label is a column of 0 and 1; the score is the probability of 1."""

    label: Name


class Candidate(Part):
    """A recipe that may become the champion. ``seed`` makes its fits repeatable."""

    name: Name
    seed: int = 0


class GradientBoosting(Candidate):
    """scikit-learn's ``HistGradientBoostingClassifier``."""

    name: Name = "gradient_boosting"
    trees: int = Field(100, ge=1, le=5_000)
    leaves: int = Field(15, ge=2, le=255)
    learning_rate: float = Field(0.1, gt=0, le=1)
    min_leaf_rows: int = Field(20, ge=1)
    l2: float = Field(0.0, ge=0)


class TorchMLP(Candidate):
    """A multilayer perceptron of PyTorch on standardised inputs, trained by AdamW."""

    name: Name = "mlp"
    hidden: tuple[Annotated[int, Field(ge=1, le=4_096)], ...] = (64, 32)
    epochs: int = Field(20, ge=1, le=1_000)
    batch_rows: int = Field(512, ge=1)
    learning_rate: float = Field(2e-3, gt=0, le=1)
    weight_decay: float = Field(1e-3, ge=0)


class TrainingWindow(Part):
    """Which rows are trained on: ``history`` is 'all' or a duration before the cutoff.

    Labels come at most ``label_delay`` after their event, all but a negligible few. Rows younger than that are neither trained
    nor judged on: of these only the quick labels would be known, and quick labels are not like the others (a flight that has
    landed already is seldom late).
    """

    history: Literal["all"] | Duration = "all"
    label_delay: Duration = timedelta()


# When, and whether, to replace the champion


class PredictionLog(Part):
    """How the prediction log is read: how late a row may be, and how far ahead of the clock it may claim to be."""

    lateness: Duration = timedelta(minutes=30)
    future_tolerance: Duration = timedelta(hours=1)
    idle_after: Duration = timedelta(seconds=30)


class Gate(Part):
    """What a candidate must show against the champion, on rolling origins over the newest matured days.

    ``backtest`` is cut in ``folds``; each fold's recipe is trained only on what came before it. Days that the champion was
    trained on do not count; fewer than ``min_unseen_days`` and nothing is launched. ``confidence`` is that of the interval
    of the mean daily difference; ``margin`` what freshness may cost; ``slice_margin`` what no slice may lose.
    ``max_latency_ms`` is what one answer may take on a quiet machine: what other work adds is measured beside it and left out.
    """

    metric: Literal["log_loss"] = "log_loss"
    backtest: Duration = timedelta(days=28)
    folds: int = Field(4, ge=1, le=52)
    min_unseen_days: int = Field(7, ge=1)
    confidence: float = Field(0.9, gt=0.5, lt=1)
    margin: float = Field(0.002, ge=0)
    slices: list[Name] = []
    slice_margin: float = Field(0.1, gt=0)
    slice_rows: int = Field(50, ge=1)
    max_latency_ms: float = Field(20.0, gt=0)


class QualityPolicy(Part):
    """When a window of the log counts as broken.

    A row of which a field lies outside its ``between`` is neither trained nor compared on. Where more than the share
    ``out_of_bounds`` of a window's rows are such in one field, that field is taken to be broken, and quarantined.
    """

    out_of_bounds: float = Field(0.01, ge=0, le=1)


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

    ``alert_after`` is the dead man's switch, by the wall clock: where nothing was promoted for so long, the loop may have
    stopped, and somebody is told. By default twice ``max_training_age``; at least a minute.
    """

    max_training_age: Duration
    alert_after: Duration | None = None

    @property
    def silence(self) -> timedelta:
        """After how much wall-clock time without a promotion somebody is told."""
        return self.alert_after or max(2 * self.max_training_age, MINUTE)

    @model_validator(mode="after")
    def _tellable(self) -> Self:
        if self.alert_after is not None and self.alert_after < MINUTE:
            raise ValueError(f"alert_after={self.alert_after}: Dagster tells nothing shorter than a minute")
        return self


class BackfillPolicy(Part):
    """How days that are out of date are made: the nightly schedule's time of day, and the most days that one run makes.

    A run costs seconds before its first day; its days are computed together, in memory.
    """

    at: str = Field("02:00", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    days_per_run: int = Field(90, ge=1, le=3_660)


class Straight(Part):
    """What passes the gate becomes champion at once."""


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


class Model(Part):
    """One model, declared once: its data, features, candidates and the budgets of its loop.

    ``history`` is a function whose parameters name sources; it returns labelled rows with ``event_time``, the entity, the
    request fields, the label and ``observed_at`` (when the label was known). Before ``go_live`` these are the training rows;
    afterwards the prediction log and its outcomes are, and ``history`` serves only the replay, as the outside world.
    Where it leaves ``event_time`` out, the column that the model's ``event_time`` names is taken: a time of one of the sources.
    ``identity`` names the columns of ``history`` that tell apart requests of one event time; by default the entity does.
    """

    name: Name
    description: str = ""
    owners: list[str] = []
    task: BinaryClassification
    entity: Name
    identity: list[Name] = []
    event_time: Name | None = None
    go_live: Moment
    sources: list[Source] = Field(min_length=1)
    request: list[Column] = Field(min_length=1)
    views: list[FeatureView] = []
    history: Callable[..., Any]
    candidates: list[Candidate] = Field(min_length=1)
    training: TrainingWindow = TrainingWindow()
    log: PredictionLog = PredictionLog()
    gate: Gate = Gate()
    quality: QualityPolicy = QualityPolicy()
    drift: DriftPolicy = DriftPolicy()
    freshness: FreshnessPolicy
    backfill: BackfillPolicy = BackfillPolicy()
    rollout: Straight = Straight()
    limits: Limits = Limits()

    @field_validator("request")
    @classmethod
    def _request_is_flat(cls, columns: list[Column]) -> list[Column]:
        for column in columns:
            if column.kind == "time":
                raise ValueError(f"{column.name!r} is a time; a request's only time is event_time")
        return columns

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        sources = [source.name for source in self.sources]
        _unique("sources", sources)
        _unique("views", [view.name for view in self.views])
        _unique("candidates", [candidate.name for candidate in self.candidates])
        _unique("features", [name for name, _ in self.features])
        fields = [column.name for column in self.request]
        if self.entity not in fields:
            raise ValueError(f"entity {self.entity!r} is no request field; the request has {', '.join(fields)}")
        numbers = [column.name for column in self.request if isinstance(column, Number)]
        nullable = {column.name for column in self.request if column.nullable}
        for key in [self.entity, *(view.key for view in self.views)]:
            if key in nullable:
                raise ValueError(f"{key!r} is nullable, and what a request is about, or a view is keyed by, must be there")
        for view in self.views:
            if view.source not in sources:
                raise ValueError(f"view {view.name} reads {view.source!r}; the sources are {', '.join(sources)}")
            if view.key not in fields:
                raise ValueError(f"view {view.name} is keyed by {view.key!r}; the request has {', '.join(fields)}")
            if view.key in numbers:
                raise ValueError(f"view {view.name} is keyed by {view.key!r}, a Number; a key is a Category or an Integer")
        times = [column.name for source in self.sources for column in source.columns if column.kind == "time"]
        if self.event_time is not None and self.event_time not in times:
            raise ValueError(f"event_time {self.event_time!r} is no time column of a source; they have {', '.join(times)}")
        for read in inspect.signature(self.history).parameters:
            if read not in sources:
                raise ValueError(f"history reads {read!r}; the sources are {', '.join(sources)}")
        names = [name for name, _ in self.features]
        for sliced in self.gate.slices:
            if sliced not in names:
                raise ValueError(f"gate.slices names {sliced!r}; the features are {', '.join(names)}")
        return self

    @property
    def label(self) -> str:
        """Name of the label column."""
        return self.task.label

    @property
    def features(self) -> list[tuple[str, Kind]]:
        """Name and kind of every model input: the request's fields first, then each view's, in declared order."""
        own: list[tuple[str, Kind]] = [(c.name, "category" if c.kind == "category" else "number") for c in self.request]
        return own + [(name, feature.kind) for view in self.views for name, feature in view.features.items()]

    @property
    def schema_id(self) -> str:
        """Eight hex digits that change with the names or kinds of the inputs."""
        return hashlib.sha256(json.dumps(self.features).encode()).hexdigest()[:8]

    def source(self, name: str) -> Source:
        """The declared source of that name."""
        return next(source for source in self.sources if source.name == name)

    def window_of(self, moment: datetime) -> tuple[datetime, datetime]:
        """The half-open window ``[start, end)`` of the grid that a moment falls in, anchored at ``go_live``."""
        start = self.go_live + (moment - self.go_live) // self.drift.window * self.drift.window
        return start, start + self.drift.window

    def window_after(self, closed_until: datetime) -> tuple[datetime, datetime]:
        """The window that follows what has closed: it begins where that ended, and ends at the next bound of the grid.

        So no row is judged twice or passed over where ``drift.window`` has changed; the first window may be shorter then.
        """
        return closed_until, self.window_of(closed_until)[1]


def _unique(what: str, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{what}: {', '.join(twice)} declared twice; every name must be its own")
