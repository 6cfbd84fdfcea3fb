"""How far the views are, and which champions are served degraded because of them: what status lists and doctor explains."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from everfit.declaration import Model
from everfit.errors import EverfitError
from everfit.pipeline import manifests
from everfit.pipeline.manifests import Version
from everfit.runtime import Runtime
from everfit.serving.input_sources import Registered, inputs_of
from everfit.store import ledger, schemas, view_versions
from everfit.store.view_versions import DeclaredViews, State, ViewVersion


@dataclass(frozen=True, slots=True)
class ViewState:
    """One version of a view; ``share`` of it is built, of 1."""

    view: str
    version: str
    source: str
    state: State
    share: float
    problem: str | None


@dataclass(frozen=True, slots=True)
class ViewFault:
    """What is wrong with a view, or with the inputs of a model's champion, and what to do."""

    subject: str
    what: str
    todo: str


def read_states(engine: sa.Engine) -> list[ViewState]:
    """Every registered version, the oldest of a view first."""
    with engine.connect() as connection:
        registered = view_versions.registered(view_versions.cursor_of(connection))
    return [
        ViewState(*name, one.definition.source, one.state, round(one.share, 4), one.problem) for name, one in registered.items()
    ]


def read_faults(runtime: Runtime) -> list[ViewFault]:
    """What degrades answers: declared views that are not built, and champions that want what is no longer declared."""
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
            yield ViewFault(subject, "as it is declared it was never built", "run `everfit up`, or `everfit prepare`")
        elif version.problem:
            todo = "correct the declaration, or the rows, and run `everfit up`"
            yield ViewFault(subject, f"cannot be built from what has landed in {definition.source}: {version.problem}", todo)
        elif version.state == "stale":
            what = f"rows of {definition.source} were published by a process with another declaration; answers are degraded"
            yield ViewFault(
                subject, what, "start that process anew; serving, a publication or `everfit up` builds the view again"
            )
        elif version.state == "building":
            what = f"{version.share:.0%} of it are built; until then an older version answers, or nulls"
            yield ViewFault(subject, what, "wait, or run `everfit up`, which builds it and shows how far it is")


def _of_champion(runtime: Runtime, model: Model, champion: ledger.Champion, registered: Registered) -> Iterator[ViewFault]:
    try:
        signature = manifests.signature_of(runtime.lake, manifests.get(runtime.lake, champion.manifest, Version))
    except EverfitError:  # doctor tells of the lake by itself
        return
    if signature.schema == model.schema_id:
        return
    inputs = inputs_of(model, signature, registered)
    read = {name for reading in inputs.readings for name in reading.features} | inputs.fields
    gone = [name for name, _ in signature.features if name not in read]
    stale = [one.name[0] for one in inputs.readings if (held := registered.versions.get(one.name)) and held.state == "stale"]
    reasons = [
        *([f"null are {', '.join(gone)}"] if gone else []),
        *([f"not kept up to date are its versions of {', '.join(sorted(set(stale)))}"] if stale else []),
        *(["what its features were is not written down"] if inputs.degraded and not gone else []),
    ]
    if reasons:
        what = f"version {champion.version} is of an earlier schema and served degraded: {'; '.join(reasons)}"
        yield ViewFault(f"champion of {model.name}", what, f"train one of the declared features: `everfit train {model.name}`")
