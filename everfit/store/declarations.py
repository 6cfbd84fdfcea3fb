"""The facts of a declaration that may not change once rows depend on them: recorded with the rows, compared at every start.

``docs/changes.md`` lists for every setting whether it may change and what happens then.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from everfit.declaration import Model
from everfit.declaration.discovery import broken_modules
from everfit.errors import DeclarationError
from everfit.store.failures import Part
from everfit.store.isolation import Isolation
from everfit.store.tables import clocks, declaration_documents, declarations, source_days
from everfit.timing import format_time, wall_clock

SEEN_EVERY = timedelta(hours=1)  # the shortest interval between writes of seen_at
SOURCE = "source "
REASONS = {
    "go_live": "windows and training sets are anchored at it",
    "entity": "every logged request refers to an entity",
    "identity": "the ids of recorded requests depend on it, and outcomes would no longer match them",
    "task": "existing outcomes and versions are of the former task",
    SOURCE: "the landed rows are stored by it",
}

Facts = Mapping[str, str]


def facts(model: Model) -> dict[str, str]:
    """The facts by name: the model's may not change once a prediction was logged, a source's once rows have landed."""
    recorded = {
        "go_live": format_time(model.go_live),
        "entity": model.entity,
        "identity": ", ".join(model.identity) or "the entity",
        "task": " ".join([type(model.task).__name__, "of", model.label, *_of(model.task.score_names)]),
    }
    for source in model.sources:
        recorded[f"{SOURCE}{source.name}: identity"] = ", ".join(source.identity)
        recorded[f"{SOURCE}{source.name}: event_time"] = source.event_time
        recorded |= {f"{SOURCE}{source.name}: kind of {column.name}": column.input_kind for column in source.columns}
    return recorded


def _of(names: Sequence[str]) -> list[str]:
    """What an answer's numbers are, as a part of the fact; nothing where it is one number."""
    return [f"({', '.join(names)})"] if names else []


def refusals(connection: sa.Connection, models: Iterable[Model]) -> dict[str, str]:
    """The reason why each refused model's declaration is refused, by name; the facts of the others are recorded."""
    now = wall_clock()
    columns = declarations.c
    stored = {row.model: row for row in connection.execute(sa.select(declarations))}
    logged = set(connection.execute(sa.select(clocks.c.model).distinct()).scalars())
    landed = set(connection.execute(sa.select(source_days.c.source).distinct()).scalars())
    reasons = {}
    for model in models:
        before, declared = stored.get(model.name), facts(model)
        pinned = dict(_pinned(before.facts, model.name in logged, landed)) if before else {}
        if changes := [name for name, value in pinned.items() if declared.get(name, value) != value]:
            reasons[model.name] = _sentence(model, changes, pinned, declared)
            continue
        kept = {name: value for name, value in pinned.items() if name.startswith(SOURCE)} | declared
        if before is None or kept != before.facts or before.seen_at + SEEN_EVERY < now:
            values = {"model": model.name, "facts": kept, "seen_at": now}
            written = insert(declarations).values(values)
            connection.execute(written.on_conflict_do_update(index_elements=[columns.model], set_=values))
    return reasons


def isolate_refused(engine: sa.Engine, models: Mapping[str, Model], isolation: Isolation) -> dict[str, str]:
    """Isolate modules that cannot be imported and refused models; returns the reasons of the latter by name."""
    with engine.begin() as connection:
        changed = refusals(connection, models.values())
    broken = broken_modules(models)
    isolation.update_stage("declaration", {Part(name, "declaration"): why for name, why in {**broken, **changed}.items()})
    if not broken:  # otherwise the set of models is not known
        isolation.forget_others(models)
    return changed


def require_unchanged(connection: sa.Connection, model: Model) -> None:
    """Refuse a declaration in which a recorded fact has changed.

    Raises:
        DeclarationError: with what has changed, and the remedy.
    """
    if why := refusals(connection, [model]).get(model.name):
        raise DeclarationError(why)


def keep(connection: sa.Connection, model: str, name: str, document: Mapping[str, Any]) -> None:
    """Keep a whole declaration by its id, once."""
    values = {"id": name, "model": model, "document": dict(document)}
    connection.execute(insert(declaration_documents).values(values).on_conflict_do_nothing())


def _pinned(before: Facts, is_logged: bool, landed: Collection[str]) -> Iterator[tuple[str, str]]:
    """The facts that rows depend on."""
    for name, value in before.items():
        source = name.removeprefix(SOURCE).partition(":")[0] if name.startswith(SOURCE) else None
        if is_logged if source is None else source in landed:
            yield name, value


def _sentence(model: Model, changes: Collection[str], before: Facts, now: Facts) -> str:
    recorded = [f"{name} was {before[name]!r} and is {now[name]!r} now, but {_reason(name)}" for name in changes]
    remedy = "set it back" if len(recorded) == 1 else "set them back"
    if all(name.startswith(SOURCE) for name in changes):
        return f"{model.name}: {'; '.join(recorded)}; {remedy}, or declare a source of another name"
    return f"{model.name}: {'; '.join(recorded)}; {remedy}, or give the model another name, with which it starts empty"


def _reason(name: str) -> str:
    return REASONS[SOURCE if name.startswith(SOURCE) else name]
