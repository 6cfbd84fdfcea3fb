"""The versions of views that a model version reads that may become champion again, whatever is declared now."""

from collections.abc import Iterator

import sqlalchemy as sa

from everfit.declaration import Model
from everfit.errors import PromotionError
from everfit.store import ledger, rollouts, schemas
from everfit.store.tables import view_versions


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


def require_views(connection: sa.Connection, model: Model, version: int, schema: str) -> None:
    """Return where all views are up to date that a version of an earlier schema reads.

    Raises:
        PromotionError: when the state of one does not follow publications any more: the version would answer by old values.
    """
    if schema == model.schema_id:
        return
    read = _newest([use for use in schemas.uses(connection).get(model.name, ()) if use[0] == schema])
    states = {(row.view, row.version): row.state for row in connection.execute(sa.select(view_versions))}
    outdated = sorted(view for view, made in read if states.get((view, made)) != "built")
    if outdated:
        raise PromotionError(
            f"version {version} of {model.name} reads {', '.join(outdated)} as declared earlier, whose state is not kept up to "
            "date any more: declare it again and run `everfit prepare`, or train a new version"
        )


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
