"""What a model version reads that may become champion again, whatever is declared now: views, and fields of a request."""

from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from everfit.declaration import Model
from everfit.declaration.views import Features
from everfit.errors import PromotionError
from everfit.features.definition import Definition
from everfit.store import ledger, rollouts, schemas, view_versions
from everfit.store.view_versions import ViewVersion


def rollback_views(connection: sa.Connection) -> set[tuple[str, str]]:
    """By view and version, what champions, those they replaced, and versions in a rollout read; it is kept up to date.

    All that was declared is kept where an older everfit did not record the schema of one of them.
    """
    return {
        name
        for model, uses in schemas.uses(connection).items()
        for schema in _schemas(connection, model)
        for name in _newest([use for use in uses if schema in (None, use[0])])
    }


def require_inputs(connection: sa.Connection, model: Model, version: int, schema: str) -> None:
    """Return where serving has all that a version of an earlier schema reads: fields of a request, and views up to date.

    Raises:
        PromotionError: with what it lacks; the version would answer by nulls, or by old values.
    """
    if schema == model.schema_id:
        return
    read = _newest([use for use in schemas.uses(connection).get(model.name, ()) if use[0] == schema])
    registered = view_versions.registered(view_versions.cursor_of(connection))
    outdated = sorted(view for view, made in read if not _is_built(registered.get((view, made))))
    if outdated:
        raise PromotionError(
            f"version {version} of {model.name} reads {', '.join(outdated)} as declared earlier, whose state is not kept up to "
            "date any more: declare it again and run `everfit prepare`, or train a new version"
        )
    definitions = [registered[name].definition for name in read]
    if lost := _lost_fields(model, schemas.of_model(connection, model).get(schema, []), definitions):
        raise PromotionError(
            f"version {version} of {model.name} reads {', '.join(lost)} of the request, which has no such field any more, and "
            "would answer by nulls: declare it again as it was, or train a new version"
        )


def _is_built(version: ViewVersion | None) -> bool:
    return version is not None and version.state == "built"


def _lost_fields(model: Model, features: Features, views: Sequence[Definition]) -> list[str]:
    """The fields that a schema takes from the request, keys of its views among them, and that are not declared any more.

    Where no view was recorded with the schema, those of today count as its own.
    """
    fields = {(column.name, column.input_kind) for column in model.request}
    known = fields.union(model.features) if not views else fields
    own = [name for name, kind in features if (name, kind) not in known and not any(view.has(name, kind) for view in views)]
    keys = {view.key for view in views} - {name for name, _ in fields}
    return sorted({*own, *keys})


def _schemas(connection: sa.Connection, model: str) -> set[str | None]:
    recorded = [ledger.recorded(connection, model, version) for version in _versions(connection, model)]
    return {version.schema for version in recorded if version is not None}


def _versions(connection: sa.Connection, model: str) -> Iterator[int]:
    champion = ledger.champion(connection, model)
    if champion is None:
        return
    yield champion.version
    if replaced := ledger.predecessor(connection, model, champion.version):
        yield replaced
    if rollout := rollouts.challenging(connection, model):
        yield rollout.version
    guarded = rollouts.provisional(connection, model)
    if guarded and guarded.replaces:
        yield guarded.replaces


def _newest(uses: list[schemas.Use]) -> list[tuple[str, str]]:
    """Of each schema and view, the version that was declared last; ``uses`` are in that order."""
    by_view: dict[tuple[str, str], tuple[str, str]] = {}
    for schema, view, version in uses:
        by_view.setdefault((schema, view), (view, version))
    return list(by_view.values())
