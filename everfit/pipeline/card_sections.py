"""The sections of a version's card, each from what is on record of it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from everfit.declaration import Model
from everfit.declaration.feature_notes import feature_notes
from everfit.pipeline import manifests
from everfit.pipeline.card_tables import table
from everfit.pipeline.manifests import TrainingSet, Version
from everfit.pipeline.native_versions import not_portable
from everfit.pipeline.version_records import unrecorded_of
from everfit.store.lake import Lake
from everfit.store.ledger import VersionStep
from everfit.timing import format_duration, format_time

DIGITS = 12  # of a hash that stands for its object
MAIN_PACKAGES = ("everfit", "numpy", "polars", "scikit-learn", "torch", "onnx")


def trained_on(model: Model, given: TrainingSet) -> str:
    """Rows and days, and what was left out."""
    days = [*given.days]
    span = f"{len(days):,} days, {days[0]} to {days[-1]}" if days else "no day"
    baseline = ", ".join(f"{name} {value:.4g}" for name, value in model.task.baseline_figures(given.baseline).items())
    told = [
        f"{given.rows:,} rows of {span}, labelled by `{model.label}` ({baseline}). Data version `{given.rows_hash[:DIGITS]}`."
    ]
    if given.quarantined:
        spans = ", ".join(f"{start:%Y-%m-%d}" for start, _ in given.quarantined)
        told.append(f"Left out, as their data looked broken: {spans}.")
    if given.unusable:
        told.append(f"{given.unusable:,} rows were left out: {given.unusable_because}.")
    return "\n\n".join(told)


def hashes(given: TrainingSet) -> str:
    """Each day of its features with the hash of what it was."""
    return " · ".join(f"{day} `{digest[:DIGITS]}`" for day, digest in given.days.items())


def rules(described: Version) -> str:
    """Every rule that the version was held to."""
    judged = next((each for each in described.evaluation.compared if each.name == described.candidate.name), None)
    if judged is None or not judged.rules:
        return described.evaluation.reason
    return table(["rule", "outcome", "finding"], [[rule.name, rule.state, rule.words] for rule in judged.rules])


def decided(steps: Sequence[VersionStep]) -> str:
    """What the ledger says of it."""
    shown = [[f"{step.event_time:%Y-%m-%d %H:%M}", step.words, step.actor, step.reason] for step in steps]
    return table(["model's clock", "step", "by", "reason"], shown) or "Nobody yet."


def limits(lake: Lake, model: Model, described: Version) -> str:
    """What it must not be trusted with."""
    return "\n".join(f"- {each}" for each in _limits(lake, model, described))


def _limits(lake: Lake, model: Model, described: Version) -> Iterator[str]:
    given, candidate = described.training_set, described.candidate
    age = format_duration(model.freshness.max_training_age)
    yield f"It knows nothing from after {format_time(given.cutoff)}; its training data count as too old {age} later."
    if model.training.label_delay:
        delay = format_duration(model.training.label_delay)
        yield f"Of the last {delay} before that it has seen no row, as labels may be late."
    yield "Its figures hold for the days that it was judged on; what has changed since is what its checks in Dagster watch."
    if kept := not_portable(manifests.signature_of(lake, described)):
        yield f"It is {kept}."
    for name, reason in candidate.left_out.items():
        yield f"`{name}` has no weight: {reason}."
    for day, reason in candidate.folds_left_out.items():
        yield f"It was not judged on the days from {day}: {reason}."
    yield from (f"Learnt otherwise than declared: {note}." for note in candidate.notes)
    yield from (f"{why[0].upper()}{why[1:]}." for why in unrecorded_of(described))


def recipe(described: Version) -> str:
    """Its settings, and what a search has found."""
    candidate = described.candidate
    found = manifests.found(candidate)
    shown = [[f"`{name}`", _written(value)] for name, value in _flat(candidate.config) if name != "name"]
    return "\n\n".join(filter(None, [f"Found by its search: {found}." if found else "", table(["setting", "value"], shown)]))


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _written(value: Any) -> str:
    return "none" if value is None else str(value)


def features(model: Model, described: Version) -> str:
    """What each of its inputs is, as it is declared now; those that are not declared any more by name alone."""
    notes = {note.name: note for note in feature_notes(model)}
    signature = described.candidate.signature
    named = signature.features if signature else model.features
    shown = []
    for name, kind in named:
        note = notes.get(name)
        unit = f" ({note.unit})" if note and note.unit else ""
        about = [f"{note.description}{unit}", note.definition] if note else ["", "not declared any more"]
        shown.append([f"`{name}`", kind, *about])
    return table(["feature", "kind", "meaning", "taken from"], shown)


def made_from(model: Model, version: int, described: Version) -> str:
    """Lineage and environment, and how it is made again."""
    given, made = described.training_set, described.made_with
    shown = [
        ["request", given.request or "none: by hand"],
        ["parent", f"version {described.parent}, whose fit it went on from" if described.parent else "none: fitted anew"],
        ["training rows", f"`{given.rows_hash}`"],
        ["training", f"`{described.evaluation.trained_model}`"],
        ["artifact", f"`{described.candidate.artifact}`"],
        ["code", f"`{given.code_version}`"],
    ]
    if made:
        used = [f"{name} {made.environment.packages[name]}" for name in MAIN_PACKAGES if name in made.environment.packages]
        more = len(made.environment.packages) - len(used)
        shown += [
            ["commit", made.commit.words],
            ["declaration", f"`{made.declaration_id[:DIGITS]}`"],
            ["your modules", ", ".join(f"{name} `{digest[:DIGITS]}`" for name, digest in made.modules.items())],
            ["seeds", ", ".join(f"{name} {seed}" for name, seed in made.seeds.items())],
            ["environment", f"Python {made.environment.python}, {made.environment.system}, {made.environment.machine}"],
            ["packages", f"{', '.join(used)}, and {more} more in environment.json of its run"],
        ]
    again = f"`everfit reproduce {model.name} {version}` makes it again and compares."
    return f"{table(['what', 'which'], shown)}\n\n{again}"
