"""Experiments: candidates with other settings, trained, tracked and held against the champion, and never promoted."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from everfit.declaration import Model, Recipe
from everfit.errors import LaunchError
from everfit.pipeline import evaluation, retraining, training, training_record, training_set
from everfit.pipeline.manifests import Evaluation
from everfit.pipeline.trackers import Tracker
from everfit.pipeline.unfinished_training import forget
from everfit.runtime import Runtime


class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    """What was tried, by candidate, the figures on the rolling origins, and the verdict that a training would have had."""

    model: str
    cutoff: datetime
    settings: dict[str, dict[str, Any]]
    metrics: dict[str, dict[str, float]]
    verdict: Evaluation


def experiment(runtime: Runtime, model: Model, tracker: Tracker, *, cutoff: datetime | None = None) -> Experiment:
    """Train the model's candidates and hold them against the champion.

    No version, no row of the ledger, no request and no stage of the model changes; only days that are out of date are made.

    Args:
        runtime: where the model's data and versions are.
        model: as :func:`with_settings` changed it.
        tracker: where it is recorded, from before the first fit on.
        cutoff: nothing known later is trained on; by default the last midnight that the model's clock passed.
    """
    until = cutoff or training_set.default_cutoff(runtime, model, None)
    retraining.make_days(runtime, model, until)
    assembled = training_set.assemble(runtime, model, cutoff=until, request=None)
    given = msgspec.structs.replace(assembled, cause="experiment", reason="tried by a person; never promoted")
    training_record.begin(tracker, runtime, model, given)
    trained = training.train(runtime, model, given, runtime.lake.put_json(given), tracker)
    training_record.finish(tracker, runtime, model, trained)
    verdict = evaluation.evaluate(runtime, model, trained, runtime.lake.put_json(trained))
    forget(runtime.lake, model, given, trained.champion)
    training_record.judged(tracker, model, verdict)
    return Experiment(
        model=model.name,
        cutoff=until,
        settings={each.name: each.parameters() for each in model.candidates},
        metrics={each.name: each.metrics for each in trained.candidates},
        verdict=verdict,
    )


def with_settings(model: Model, settings: Mapping[str, str]) -> Model:
    """The model with other values, by ``{candidate}.{setting}``, and only the candidates that they name; all where none is.

    Raises:
        LaunchError: when a candidate or a setting is not declared.
        DeclarationError: when a value is none of the setting's.
    """
    declared = {each.name: each for each in model.candidates}
    values: dict[str, dict[str, Any]] = {}
    for key, text in settings.items():
        name, dot, field = key.partition(".")
        if not dot or name not in declared:
            known = ", ".join(declared)
            raise LaunchError(f"no candidate {name!r} in {key!r}; {model.name} declares {known}; write CANDIDATE.SETTING=VALUE")
        if field not in (known_fields := _fields(declared[name])):
            raise LaunchError(f"{name} has no setting {field!r}; it has {', '.join(known_fields)}")
        values.setdefault(name, {})[field] = _value(text)
    tried = [_changed(declared[name], changes) for name, changes in values.items()]
    return model.model_copy(update={"candidates": tried or list(model.candidates)})


def _changed(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    return type(recipe)(**{**dict(recipe), **changes})


def _fields(recipe: Recipe) -> list[str]:
    return [name for name in type(recipe).model_fields if name != "name"]


def _value(text: str) -> Any:
    """A value as JSON writes it, such as 40, 1e-3 or [64, 32]; any other text is itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text
