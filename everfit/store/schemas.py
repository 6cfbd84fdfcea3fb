"""The schemas in a model's log: those that were declared, and those of registered versions.

A schema is the names and kinds of a model's inputs, in order; its id is ``Model.schema_id``. Rows of the log are read by their
own schema, even where another is declared now.
"""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from everfit.declaration import Model
from everfit.declaration.views import Features, Schemas
from everfit.features.definition import define
from everfit.store.tables import schema_views, schemas

Use = tuple[str, str, str]  # schema, view and version that were declared together


def declare(connection: sa.Connection, model: Model) -> None:
    """Record what a model declares now: its schema and the versions of its views."""
    record(connection, model.name, model.schema_id, model.features)
    definitions = [define(view, model.source(view.source)) for view in model.views]
    if definitions:
        named = {"model": model.name, "schema": model.schema_id}
        rows = [named | {"view": definition.view, "version": definition.version} for definition in definitions]
        again = insert(schema_views).on_conflict_do_update(
            constraint=schema_views.primary_key, set_={"declared_at": sa.func.now()}
        )
        connection.execute(again, rows)


def record(connection: sa.Connection, model: str, schema: str, features: Features) -> None:
    """Record the schema of a version of a model."""
    row = {"model": model, "schema": schema, "features": [list(feature) for feature in features]}
    connection.execute(insert(schemas).values(row).on_conflict_do_nothing())


def of_model(connection: sa.Connection, model: Model) -> Schemas:
    """The schemas of a model by id, including the declared one."""
    query = sa.select(schemas.c.schema, schemas.c.features).where(schemas.c.model == model.name)
    return {schema: _features(pairs) for schema, pairs in connection.execute(query)} | {model.schema_id: model.features}


def of_all(connection: sa.Connection) -> Mapping[str, Schemas]:
    """The recorded schemas of every model, by its name."""
    by_model: dict[str, dict[str, Features]] = {}
    for model, schema, features in connection.execute(sa.select(schemas.c.model, schemas.c.schema, schemas.c.features)):
        by_model.setdefault(model, {})[schema] = _features(features)
    return by_model


def uses(connection: sa.Connection) -> Mapping[str, list[Use]]:
    """The versions of views that each model declared with each schema, newest declaration first."""
    table = schema_views
    order = (table.c.declared_at.desc(), table.c.view, table.c.version)
    by_model: dict[str, list[Use]] = {}
    for model, *use in connection.execute(
        sa.select(table.c.model, table.c.schema, table.c.view, table.c.version).order_by(*order)
    ):
        by_model.setdefault(model, []).append((use[0], use[1], use[2]))
    return by_model


def _features(pairs: Sequence[Sequence[str]]) -> Features:
    return [(name, kind) for name, kind in pairs]
