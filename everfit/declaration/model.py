"""One model, declared once."""

import hashlib
import inspect
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol, Self, runtime_checkable

from pydantic import Field, InstanceOf, SerializeAsAny, field_validator, model_validator

from everfit.declaration.columns import Column, Number
from everfit.declaration.daily_scoring import BatchScoring, batch_fault, with_requests
from everfit.declaration.exploration import Exploration, exploration_fault
from everfit.declaration.gate import Gate
from everfit.declaration.input_checks import inputs_fault
from everfit.declaration.metric_choice import chosen_metric
from everfit.declaration.metrics import Metric, OwnLoss
from everfit.declaration.part import Name, Part, call_fault, require_unique
from everfit.declaration.policies import (
    BackfillPolicy,
    DriftPolicy,
    FreshnessPolicy,
    Limits,
    PredictionLog,
    QualityPolicy,
    TrainingWindow,
)
from everfit.declaration.recipes import DeclaredRecipe
from everfit.declaration.required_figures import require_fault
from everfit.declaration.retraining import Decision, Finding, History, cause_fault, policy_fault
from everfit.declaration.rollouts import Step, rollout_steps, stages_of
from everfit.declaration.source import Source
from everfit.declaration.tasks import Task
from everfit.declaration.views import FeatureView, Kind
from everfit.declaration.window_grid import WindowGrid
from everfit.timing import Moment

HISTORY_TIMES = ("event_time", "observed_at")  # columns that every history makes beside the label


@runtime_checkable
class RetrainingPolicy(Protocol):
    """When to retrain: ``Model(retraining=…)``.

    It decides by its arguments alone, so that the same evidence leads to the same decision. It has a representation that says
    how it is configured, as a frozen dataclass has: requests are named by it. ``model.limits`` are above every policy.
    """

    def decide(self, model: "Model", at: datetime, current: Sequence[Finding], history: History) -> Decision:
        """Decide on the window that ends ``at``.

        Args:
            model: the declaration.
            at: end of the window, in event time.
            current: the champion's findings on this window; empty where nothing could be judged.
            history: what came before.
        """


class Model(Part):
    """One model, declared once: its data, features, candidates and the budgets of its loop.

    ``history`` is a function whose parameters name sources; it returns labelled rows with ``event_time``, the entity, the
    request fields, the label and ``observed_at`` (when the label was known). Before ``go_live`` these are the training rows;
    afterwards the prediction log and its outcomes are, and ``history`` serves only the replay, as the outside world.
    Where it leaves ``event_time`` out, the column that the model's ``event_time`` names is taken: a time of one of the sources.
    ``identity`` names the columns of ``history`` that tell apart requests of one event time; by default the entity does.
    ``metric`` is what versions are compared and judged by: a metric, its name, or a function ``losses(labels, answers)``; by
    default the task's loss.
    ``weights`` is a function of the rows (a frame of N with the features, the label and ``event_time``) to positive numbers,
    float64[N]: how much each row counts in a fit. What the gate and the pages compare stays unweighted.
    ``exploration`` lets a random slice through, where decisions by the model choose which outcomes are seen.
    ``batch`` names a table whose rows are scored once a day, for a model that no client asks.
    ``retraining`` decides when to retrain; by default a change that evidence shows does, and training data that are too old.
    """

    name: Name
    description: str = ""
    owners: list[str] = []
    task: SerializeAsAny[InstanceOf[Task]]
    declared_metric: SerializeAsAny[InstanceOf[Metric]] | None = Field(None, alias="metric")
    entity: Name
    identity: list[Name] = []
    event_time: Name | None = None
    go_live: Moment
    sources: list[Source] = Field(min_length=1)
    request: list[Column] = Field(min_length=1)
    views: list[FeatureView] = []
    history: Callable[..., Any]
    weights: Callable[[Any], Any] | None = None
    candidates: list[DeclaredRecipe] = Field(min_length=1)
    training: TrainingWindow = TrainingWindow()
    log: PredictionLog = PredictionLog()
    gate: Gate = Gate()
    quality: QualityPolicy = QualityPolicy()
    drift: DriftPolicy = DriftPolicy()
    freshness: FreshnessPolicy
    backfill: BackfillPolicy = BackfillPolicy()
    batch: BatchScoring | None = None
    retraining: RetrainingPolicy | None = None
    rollout: list[InstanceOf[Step]] = []
    exploration: Exploration | None = None
    limits: Limits = Limits()

    @model_validator(mode="before")
    @classmethod
    def _metric_fits_the_task(cls, values: Any) -> Any:
        """Brings the metric into its form, and the task into the one that minimises it where recipes can."""
        task, given = values.get("task"), values.get("metric", values.get("declared_metric"))
        rest = {name: value for name, value in values.items() if name != "declared_metric"}
        if given is None or not isinstance(task, Task):
            return rest
        try:
            metric = chosen_metric(given, task)
        except ValueError as error:
            raise ValueError(f"metric: {error}") from error
        return rest | {"metric": metric, "task": task.minimising(metric.fit_loss) if metric.fit_loss else task}

    @model_validator(mode="before")
    @classmethod
    def _requests_are_a_source(cls, values: Any) -> Any:
        return (
            values | {"sources": with_requests(values.get("batch"), values.get("sources"))} if "sources" in values else values
        )

    @field_validator("request")
    @classmethod
    def _request_is_flat(cls, columns: list[Column]) -> list[Column]:
        for column in columns:
            if column.kind == "time":
                raise ValueError(f"{column.name!r} is a time; a request's only time is event_time")
        return columns

    @field_validator("weights")
    @classmethod
    def _weights_take_rows(cls, weights: Any) -> Any:
        if weights is not None and (fault := call_fault(weights, "rows")):
            raise ValueError(f"it cannot be called as weights(rows): {fault}")
        return weights

    @field_validator("retraining", mode="before")
    @classmethod
    def _retraining_is_a_policy(cls, policy: Any) -> Any:
        if policy is not None and (fault := policy_fault(policy)):
            raise ValueError(fault)
        return policy

    @field_validator("rollout", mode="before")
    @classmethod
    def _rollout_is_one(cls, rollout: Any) -> Any:
        return rollout_steps(rollout)

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        require_unique("sources", [source.name for source in self.sources])
        require_unique("views", [view.name for view in self.views])
        require_unique("candidates", [candidate.name for candidate in self.candidates])
        require_unique("features", [name for name, _ in self.features])
        return self

    @model_validator(mode="after")
    def _label_is_no_time(self) -> Self:
        if self.label in HISTORY_TIMES:
            raise ValueError(f"the label is called {self.label!r}, as a time that history makes; give the label another name")
        return self

    @model_validator(mode="after")
    def _keys_are_fields(self) -> Self:
        fields = {column.name: column for column in self.request}
        numbers = [name for name, column in fields.items() if isinstance(column, Number)]
        declared = f"the request has {', '.join(fields)}"
        if self.entity not in fields:
            raise ValueError(f"entity {self.entity!r} is no request field; {declared}")
        for view in self.views:
            if view.key not in fields:
                raise ValueError(f"view {view.name} is keyed by {view.key!r}; {declared}")
            if view.key in numbers:
                raise ValueError(f"view {view.name} is keyed by {view.key!r}, a Number; a key is a Category or an Integer")
        for key in [self.entity, *(view.key for view in self.views)]:
            if fields[key].nullable:
                raise ValueError(f"{key!r} is nullable, and what a request is about, or a view is keyed by, must be there")
        return self

    @model_validator(mode="after")
    def _sources_are_declared(self) -> Self:
        sources = [source.name for source in self.sources]
        declared = f"the sources are {', '.join(sources)}"
        for view in self.views:
            if view.source not in sources:
                raise ValueError(f"view {view.name} reads {view.source!r}; {declared}")
        for read in inspect.signature(self.history).parameters:
            if read not in sources:
                raise ValueError(f"history reads {read!r}; {declared}")
        times = [column.name for source in self.sources for column in source.columns if column.kind == "time"]
        if self.event_time is not None and self.event_time not in times:
            raise ValueError(f"event_time {self.event_time!r} is no time column of a source; they have {', '.join(times)}")
        return self

    @model_validator(mode="after")
    def _slices_are_features(self) -> Self:
        names = [name for name, _ in self.features]
        for name in self.gate.slices:
            if name not in names:
                raise ValueError(f"gate.slices names {name!r}; the features are {', '.join(names)}")
        return self

    @model_validator(mode="after")
    def _required_figures_exist(self) -> Self:
        if fault := require_fault(self.gate.require, self.task, self.metric):
            raise ValueError(f"gate.require: {fault}")
        return self

    @model_validator(mode="after")
    def _causes_exist(self) -> Self:
        if fault := cause_fault(self.gate.by_cause, self.retraining):
            raise ValueError(f"gate.by_cause: {fault}")
        return self

    @model_validator(mode="after")
    def _inputs_are_where_they_fit(self) -> Self:
        if fault := inputs_fault(self):
            raise ValueError(fault)
        return self

    @model_validator(mode="after")
    def _units_are_fields(self) -> Self:
        fields = [column.name for column in self.request]
        for stage in stages_of(self.rollout):
            if stage.unit and stage.unit not in fields:
                raise ValueError(f"rollout: unit {stage.unit!r} is no request field; the request has {', '.join(fields)}")
        return self

    @model_validator(mode="after")
    def _exploration_fits(self) -> Self:
        if fault := exploration_fault(self):
            raise ValueError(f"exploration: {fault}")
        return self

    @model_validator(mode="after")
    def _table_holds_requests(self) -> Self:
        if fault := batch_fault(self):
            raise ValueError(f"batch: {fault}")
        return self

    @property
    def label(self) -> str:
        """Name of the label column."""
        return self.task.label

    @property
    def metric(self) -> Metric:
        """What versions are compared and judged by."""
        return self.declared_metric or OwnLoss.of(self.task)

    @property
    def features(self) -> list[tuple[str, Kind]]:
        """Name and kind of every model input: the request's fields first, then each view's, in declared order."""
        own = [(column.name, column.input_kind) for column in self.request]
        return own + [(name, feature.kind) for view in self.views for name, feature in view.features.items()]

    @property
    def schema_id(self) -> str:
        """Eight hex digits that change with the names or kinds of the inputs."""
        return hashlib.sha256(json.dumps(self.features).encode()).hexdigest()[:8]

    def source(self, name: str) -> Source:
        """The declared source of that name."""
        return next(source for source in self.sources if source.name == name)

    @property
    def windows(self) -> WindowGrid:
        """The windows of the prediction log that are judged, counted from ``go_live``."""
        return WindowGrid(self.go_live, self.drift.window, self.log.lateness, self.log.idle_after)
