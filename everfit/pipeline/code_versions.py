"""Which code made a thing: each stage of a model has a version, and so have all of them together.

A stage's version changes with the code that carries it out, as :mod:`everfit.pipeline.source_closure` follows it by the
imports, with the user's code that it calls, and with the parts of the declaration that it reads, and with nothing else:
another learning rate leaves the features as they are, and another plot leaves everything.
"""

import hashlib
from collections.abc import Callable, Iterator
from functools import cache
from types import FunctionType
from typing import Any, Literal, get_args

from everfit.declaration import Column, Model, Part
from everfit.declaration.metrics import FunctionMetric
from everfit.declaration.recipes import Recipe
from everfit.features.fingerprint import class_version, function_version
from everfit.pipeline.source_closure import source_closure
from everfit.pipeline.source_module import source_module

Stage = Literal["raw_data", "features", "training_set", "trained_model", "evaluation", "champion"]
STAGES: tuple[Stage, ...] = get_args(Stage)  # in their order

LOOK_BACK = "look_back"  # what the features of a day see of raw_data; versioned, never stored

# Where a stage begins; what it rests on follows. A module is named where it is reached by no import: one is run as a program.
ROOTS: dict[Stage, tuple[str, ...]] = {
    "raw_data": ("everfit.pipeline.daily_partitions.land_days",),
    "features": (
        "everfit.pipeline.daily_partitions.compute_days",
        "everfit.pipeline.past_requests.bring_up",
        "everfit.features.spans",
    ),
    "training_set": ("everfit.pipeline.training_set.assemble",),
    "trained_model": ("everfit.pipeline.training.train", "everfit.training.parity", "everfit.training.native_worker"),
    "evaluation": ("everfit.pipeline.evaluation.evaluate", "everfit.training.native_worker"),
    "champion": ("everfit.pipeline.promotion.conclude", "everfit.evaluation.rules"),
}

# What decides nothing of a stage's content: declared parts (their values count), what rows are read and written with, the
# record of what was made from what, and what a person is shown.
NEUTRAL = (
    "everfit.declaration.columns",
    "everfit.declaration.fit_context",
    "everfit.declaration.part",
    "everfit.declaration.values",
    "everfit.declaration.views",
    "everfit.environment",
    "everfit.errors",
    "everfit.features.fingerprint",
    "everfit.pipeline.code_versions",
    "everfit.pipeline.day_isolation",
    "everfit.pipeline.day_summary",
    "everfit.pipeline.horizon",
    "everfit.pipeline.lineage",
    "everfit.pipeline.model_card",
    "everfit.pipeline.provenance",
    "everfit.pipeline.span_records",
    "everfit.pipeline.trackers",
    "everfit.pipeline.training_progress",
    "everfit.pipeline.unfinished_training",
    "everfit.registry",
    "everfit.store.declarations",
    "everfit.store.failures",
    "everfit.store.ledger",
    "everfit.store.model_clocks",
    "everfit.store.partitions",
    "everfit.store.requests",
    "everfit.store.source_days",
    "everfit.store.tables",
    "everfit.topics",
    "everfit.training.fit_place",
    "everfit.training.fit_progress",
)


def stage_version(model: Model, stage: Stage) -> str:
    """Twelve hex digits that change with what a stage of this model makes of the same inputs."""
    return _digest(source_version(ROOTS[stage]), *map(repr, _declared(model, stage)))


def fit_version(model: Model, recipe: Recipe) -> str:
    """Twelve hex digits that change with what one candidate's fit and its answers on the rolling origins rest on.

    Other candidates, the rules of the gate and the policy of drift are no part of it.
    """
    alone = model.model_copy(update={"candidates": [recipe]})
    return _digest(source_version(ROOTS["trained_model"]), *map(repr, _fitted(alone)))


def code_version(model: Model) -> str:
    """Twelve hex digits that change with the version of any stage of this model."""
    return _digest(*(stage_version(model, stage) for stage in STAGES))


@cache
def source_version(roots: tuple[str, ...]) -> str:
    """SHA-256 over the source of everything that the roots rest on.

    Raises:
        LookupError: when one of them is not there.
    """
    return hashlib.sha256(repr(source_closure(roots, NEUTRAL)).encode()).hexdigest()


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _declared(model: Model, stage: Stage) -> Iterator[Any]:
    """The parts of a declaration that a stage reads, each with a representation that holds all of it."""
    match stage:
        case "raw_data":
            yield from ((s.name, [*map(_with_code, s.columns)], s.identity, s.event_time) for s in model.sources)
        case "features":
            yield [*map(_values, model.request)]
            yield model.entity, model.identity, model.event_time, model.go_live, _function(model.history), model.task.label_kind
            for view in model.views:
                taken = sorted((name, repr(feature)) for name, feature in view.features.items())
                yield view.name, view.source, view.key, view.known_at, view.ttl, view.tie_break, taken
                yield _function(view.shape)
        case "training_set":
            yield _with_code(model.task), model.go_live, _function(model.history), _values(model.training)
            yield [*map(_values, model.request)]
            if model.exploration is not None:
                yield "exploration", model.exploration.seen and _function(model.exploration.seen)
        case "trained_model":
            yield from _fitted(model)
            yield _values(model.drift)
        case "evaluation":
            yield _with_code(model.task), _metric(model), _values(model.gate)
            yield [*map(_function, model.gate.checks)]
        case "champion":
            yield [*map(_values, model.rollout)]


def _fitted(model: Model) -> Iterator[Any]:
    """What candidates are fitted with, and how their rolling origins are laid."""
    yield _with_code(model.task), _metric(model), model.features, (model.gate.backtest, model.gate.folds)
    yield [*map(_with_code, model.candidates)]
    if model.weights is not None:
        yield _function(model.weights)


def _values(part: Part) -> tuple[str, dict[str, Any]]:
    for_people = {"description", "unit"} if isinstance(part, Column) else None
    return type(part).__name__, part.model_dump(mode="json", exclude=for_people)


def _metric(model: Model) -> Any:
    """The metric, with the code of its class and of a function of the user's."""
    metric = model.metric
    code = _function(metric.function) if isinstance(metric, FunctionMetric) else ""
    return _class(type(metric)), metric.model_dump(exclude={"function"}), code


def _with_code(part: Part) -> tuple[Any, ...]:
    """The values of a part that does something itself, and the versions of its class and of the code that it was given."""
    functions = [_function(value) for _, value in part if isinstance(value, FunctionType)]
    recipes = [_with_code(value) for _, value in part if isinstance(value, Recipe)]
    classes = [_class(value) for _, value in part if isinstance(value, type)]
    return *_values(part), _class(type(part)), *functions, *recipes, *classes


def _class(kind: type) -> str:
    return _source(kind) or class_version(kind)


def _function(function: Callable[..., Any]) -> tuple[str, str]:
    """The version of a user's function by what it holds, such as what a wrapper was made with, and by its source."""
    return function_version(function), _source(function)


def _source(defined: Any) -> str:
    """The version of what a module defines, imports inside of functions included; empty for what was typed in."""
    name = getattr(defined, "__qualname__", "").partition(".")[0]  # what lies in a function or a class is a part of it
    module = source_module(getattr(defined, "__module__", None) or "")
    return source_version((f"{module.name}.{name}",)) if module and name in module.definitions else ""
