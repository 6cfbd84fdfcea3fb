"""Which code made a thing: hashes of everfit's own sources and of what a model declares.

Each stage has a version of its own, which changes with the modules that carry it out and with the parts of the declaration
that it reads, and with nothing else: another learning rate leaves the features as they are.
"""

import hashlib
import inspect
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, Literal

from everfit.declaration import Model, Part

PACKAGE = Path(__file__).parents[1]

Stage = Literal["raw_data", "features", "training_set", "trained_model", "evaluation", "champion"]

LOOK_BACK = "look_back"  # what the features of a day see of raw_data; versioned, never stored

# The modules that carry out a stage. What they read and write with (tables, the lake) decides nothing of the content.
MODULES: dict[Stage, tuple[str, ...]] = {
    "raw_data": ("store/frames.py",),
    "features": ("features/*.py", "store/frames.py"),
    "training_set": ("workflow/training.py", "features/history.py"),
    "trained_model": ("workflow/training.py", "training/*.py", "evaluation/folds.py", "evidence/calibration.py"),
    "evaluation": ("workflow/judging.py", "evaluation/*.py"),
    "champion": ("workflow/promotion.py",),
}


@cache
def sources_hash(*patterns: str) -> str:
    """SHA-256 over the package's Python files that match, all of them by default, in the order of their names."""
    digest = hashlib.sha256()
    files = {file for pattern in patterns or ("**/*.py",) for file in PACKAGE.glob(pattern)}
    for file in sorted(files):
        digest.update(str(file.relative_to(PACKAGE)).encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def code_version(model: Model) -> str:
    """Twelve hex digits that change with everfit's code or the module that declares the model."""
    module = sys.modules[model.history.__module__]
    declared = Path(module.__file__).read_bytes() if module.__file__ else repr(model).encode()
    return hashlib.sha256(sources_hash().encode() + declared).hexdigest()[:12]


def stage_version(model: Model, stage: Stage) -> str:
    """Twelve hex digits that change with what a stage of this model makes of the same inputs."""
    told = "\n".join([sources_hash(*MODULES[stage]), *map(repr, _declared(model, stage))])
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def _declared(model: Model, stage: Stage) -> Iterator[Any]:
    """The parts of a declaration that a stage reads, each with a representation that says all of it."""
    match stage:
        case "raw_data":
            yield from ((s.name, [*map(_told, s.columns)], s.identity, s.event_time) for s in model.sources)
        case "features":
            yield [*map(_told, model.request)]
            yield model.entity, model.identity, model.go_live, function_version(model.history)
            for view in model.views:
                taken = sorted((name, repr(feature)) for name, feature in view.features.items())
                yield view.name, view.source, view.key, view.known_at, view.ttl, view.tie_break, taken
                yield function_version(view.shape)
        case "training_set":
            yield model.label, model.go_live, function_version(model.history), _told(model.training)
        case "trained_model":
            yield model.label, model.features, [*map(_told, model.candidates)], _told(model.gate), _told(model.drift)
        case "evaluation":
            yield _told(model.gate)
        case "champion":
            yield _told(model.rollout)


def _told(part: Part) -> tuple[str, dict[str, Any]]:
    return type(part).__name__, part.model_dump(mode="json")


@cache
def function_version(function: Callable[..., Any]) -> str:
    """SHA-256 over a function's source and over what it refers to in its own package: functions, and constants by value."""
    told: dict[str, str] = {}
    _tell(function, told)
    return hashlib.sha256(repr(sorted(told.items())).encode()).hexdigest()


def _tell(function: Any, told: dict[str, str]) -> None:
    name = f"{function.__module__}.{function.__qualname__}"
    if name in told:
        return
    told[name] = _source(function)
    package = function.__module__.split(".")[0]
    for used in _names(function.__code__):
        value = function.__globals__.get(used)
        if isinstance(value, FunctionType):
            if value.__module__.split(".")[0] == package:
                _tell(value, told)
        elif not (value is None or callable(value) or isinstance(value, ModuleType)):
            told[f"{name}:{used}"] = repr(value)


def _source(function: Any) -> str:
    """A function's source; its bytecode where it was typed in and has no file."""
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        return repr((function.__code__.co_code, function.__code__.co_consts))


def _names(code: CodeType) -> Iterator[str]:
    """The global names that a function's code and the functions inside it may use."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
