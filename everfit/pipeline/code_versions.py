"""Which code made a thing: hashes of everfit's own sources and of what a model declares.

Each stage has a version of its own, which changes with the modules that carry it out and with the parts of the declaration
that it reads, and with nothing else: another learning rate leaves the features as they are.
"""

import hashlib
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal

from everfit.declaration import Model, Part
from everfit.features.fingerprint import function_version

PACKAGE = Path(__file__).parents[1]

Stage = Literal["raw_data", "features", "training_set", "trained_model", "evaluation", "champion"]

LOOK_BACK = "look_back"  # what the features of a day see of raw_data; versioned, never stored

# The modules that carry out a stage. What they read and write with (tables, the lake) decides nothing of the content.
MODULES: dict[Stage, tuple[str, ...]] = {
    "raw_data": ("store/frames.py",),
    "features": ("features/*.py", "store/frames.py"),
    "training_set": ("pipeline/training_set.py", "features/labelled_rows.py", "evidence/out_of_bounds.py"),
    "trained_model": ("pipeline/training.py", "training/*.py", "evaluation/folds.py", "evidence/calibration.py"),
    "evaluation": ("pipeline/evaluation.py", "pipeline/champion_inputs.py", "evaluation/*.py"),
    "champion": ("pipeline/promotion.py",),
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
            yield model.entity, model.identity, model.event_time, model.go_live, function_version(model.history)
            for view in model.views:
                taken = sorted((name, repr(feature)) for name, feature in view.features.items())
                yield view.name, view.source, view.key, view.known_at, view.ttl, view.tie_break, taken
                yield function_version(view.shape)
        case "training_set":
            yield model.label, model.go_live, function_version(model.history), _told(model.training)
            yield [*map(_told, model.request)]
        case "trained_model":
            yield model.label, model.features, [*map(_told, model.candidates)], _told(model.gate), _told(model.drift)
        case "evaluation":
            yield _told(model.gate)
        case "champion":
            yield _told(model.rollout)


def _told(part: Part) -> tuple[str, dict[str, Any]]:
    return type(part).__name__, part.model_dump(mode="json")
