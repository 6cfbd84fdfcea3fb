"""The state of the views, and the champions that are degraded because of them, for status and doctor."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from everfit.declaration import Model
from everfit.declaration.feature_changes import feature_changes
from everfit.errors import EverfitError
from everfit.pipeline import manifests
from everfit.pipeline.manifests import Version
from everfit.runtime import Runtime
from everfit.serving.input_sources import Registered, inputs_of
from everfit.store import ledger, schemas, view_versions
from everfit.store.view_versions import DeclaredViews, State, ViewVersion


@dataclass(frozen=True, slots=True)
class ViewState:
    """A version of a view; ``share`` is its built share, from 0 to 1."""

    view: str
    version: str
    source: str
    state: State
    share: float
    problem: str | None


@dataclass(frozen=True, slots=True)
class ViewFault:
    """What is wrong with a view, or with the inputs of a model's champion, and the remedy."""

    subject: str
    what: str
    todo: str


def read_states(engine: sa.Engine) -> list[ViewState]:
    """Every registered version, oldest of a view first."""
    with engine.connect() as connection:
        registered = view_versions.registered(view_versions.cursor_of(connection))
    return [
        ViewState(*name, version.definition.source, version.state, round(version.share, 4), version.problem)
        for name, version in registered.items()
    ]


def read_faults(runtime: Runtime) -> list[ViewFault]:
    """What degrades answers: declared views that are not built, and champions with inputs that are no longer declared."""
    models = runtime.models
    with runtime.engine.connect() as connection:
        cursor = view_versions.cursor_of(connection)
        registered = Registered(view_versions.registered(cursor), schemas.uses(connection))
        champions = {name: ledger.champion(connection, name) for name in models}
    return [
        *_of_views(models, registered.versions),
        *(
            fault
            for name, champion in champions.items()
            if champion
            for fault in _of_champion(runtime, models[name], champion, registered)
        ),
    ]


def _of_views(models: Mapping[str, Model], versions: Mapping[tuple[str, str], ViewVersion]) -> Iterator[ViewFault]:
    for (view, number), definition in DeclaredViews(models.values()).definitions.items():
        version, subject = versions.get((view, number)), f"view {view}"
        if version is None:
            yield ViewFault(subject, "its declared version was never built", "run `everfit up`, or `everfit prepare`")
        elif version.problem:
            todo = "correct the declaration, or the rows, and run `everfit up`"
            yield ViewFault(subject, f"cannot be built from the landed rows of {definition.source}: {version.problem}", todo)
        elif version.state == "stale":
            what = f"rows of {definition.source} were published by a process with another declaration; answers are degraded"
            yield ViewFault(subject, what, "restart that process; serving, a publication or `everfit up` builds the view again")
        elif version.state == "building":
            what = f"{version.share:.0%} of it is built; until then an older version answers, or nulls"
            yield ViewFault(subject, what, "wait, or run `everfit up`, which builds it and shows how far it is")


def _of_champion(runtime: Runtime, model: Model, champion: ledger.Champion, registered: Registered) -> Iterator[ViewFault]:
    try:
        signature = manifests.signature_of(runtime.lake, manifests.get(runtime.lake, champion.manifest, Version))
    except EverfitError:  # another check of doctor reports the lake
        return
    if signature.schema == model.schema_id:
        return
    inputs = inputs_of(model, signature, registered)
    read = {name for reading in inputs.readings for name in reading.features} | inputs.fields
    gone = [name for name, _ in signature.features if name not in read]
    stale = [
        version.name[0]
        for version in inputs.readings
        if (registered_version := registered.versions.get(version.name)) and registered_version.state == "stale"
    ]
    reasons = [
        *([f"its inputs {', '.join(gone)} are null"] if gone else []),
        *([f"its versions of {', '.join(sorted(set(stale)))} are not kept up to date"] if stale else []),
        *(["its features were not recorded"] if inputs.degraded and not gone else []),
    ]
    if reasons:
        what = f"version {champion.version} is of an earlier schema and served degraded: {'; '.join(reasons)}"
        if changes := feature_changes(signature.features, model.features):
            what = f"{what}; declared since: {changes}"
        yield ViewFault(
            f"champion of {model.name}", what, f"train a version with the declared features: `everfit train {model.name}`"
        )
