"""The labelled rows over which policies are played: of the stack's log, or of the declaration's own record."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import polars as pl

    from everfit.declaration import Model
    from everfit.runtime import Runtime
    from everfit.store.fit_cache import FitCache


class Past(NamedTuple):
    """A declared model, its labelled rows with their features, and where the losses of fits are kept."""

    model: "Model"
    rows: "pl.DataFrame"
    cache: "FitCache"


def past_rows(name: str, *, recorded: bool) -> Past:
    """All rows that a training may learn from by now. Nothing is written.

    Args:
        name: of the model.
        recorded: take the recorded rows of the declaration's sources, and no stack; else the log of the stack that is up.
    """
    from everfit.runtime import Runtime

    if recorded:
        return _recorded(name)
    with Runtime.load() as runtime:
        return logged(runtime, name)


def _recorded(name: str) -> Past:
    from everfit.declaration.discovery import find_model, load_models
    from everfit.environment.settings import addresses
    from everfit.replay.recorded_rows import recorded_rows
    from everfit.store.fit_cache import FitCache

    model = find_model(load_models(), name)
    return Past(model, recorded_rows(model), FitCache(Path(addresses()["lake"])))


def logged(runtime: "Runtime", name: str) -> Past:
    """The rows of the stack's log and of the history before it, as they are known now."""
    from everfit.declaration.discovery import find_model
    from everfit.pipeline.training_parts import TrainingParts
    from everfit.pipeline.training_set import collect, default_cutoff
    from everfit.store.database import reachable
    from everfit.store.fit_cache import FitCache

    model = find_model(runtime.models, name)
    from_the_first = model.model_copy(update={"training": model.training.model_copy(update={"history": "all"})})
    with reachable(runtime.engine):
        cutoff = default_cutoff(runtime, model, None)
        rows = collect(runtime, from_the_first, cutoff, TrainingParts.newest(runtime, from_the_first, cutoff)).rows
    return Past(model, rows, FitCache(runtime.settings.lake))
