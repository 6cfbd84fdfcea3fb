"""What of a declaration may not change once rows rest on it: written down when they come, compared at every start.

``docs/changes.md`` says of every setting whether it may change and what happens then.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from everfit.declaration import Model
from everfit.declaration.discovery import broken_modules
from everfit.errors import DeclarationError
from everfit.store.failures import Part
from everfit.store.isolation import Isolation
from everfit.store.tables import clocks, declarations, source_days
from everfit.timing import format_time, wall_clock

SEEN_EVERY = timedelta(hours=1)  # seen_at is written no more often
SOURCE = "source "
REASONS = {
    "go_live": "windows and training sets are laid from it",
    "entity": "every logged request is about one",
    "identity": "the requests of the record are named by it, and their outcomes would find none",
    "task": "the outcomes and the versions that there are answer another question",
    SOURCE: "the rows that have landed are kept by it",
}

Facts = Mapping[str, str]


def facts(model: Model) -> dict[str, str]:
    """What must stay as it is, by name: of the model once a prediction was logged, of its sources once rows have landed."""
    told = {
        "go_live": format_time(model.go_live),
        "entity": model.entity,
        "identity": ", ".join(model.identity) or "the entity",
        "task": f"{type(model.task).__name__} of {model.label}",
    }
    for source in model.sources:
        told[f"{SOURCE}{source.name}: identity"] = ", ".join(source.identity)
        told[f"{SOURCE}{source.name}: event_time"] = source.event_time
        told |= {f"{SOURCE}{source.name}: kind of {column.name}": column.kind for column in source.columns}
    return told


def refused(connection: sa.Connection, models: Iterable[Model]) -> dict[str, str]:
    """Why each of these models is refused as it is declared now, by name; those that may be as they are are written down."""
    now = wall_clock()
    columns = declarations.c
    held = {row.model: row for row in connection.execute(sa.select(declarations))}
    logged = set(connection.execute(sa.select(clocks.c.model).distinct()).scalars())
    landed = set(connection.execute(sa.select(source_days.c.source).distinct()).scalars())
    found = {}
    for model in models:
        before, declared = held.get(model.name), facts(model)
        pinned = dict(_pinned(before.facts, model.name in logged, landed)) if before else {}
        if changes := [name for name, value in pinned.items() if declared.get(name, value) != value]:
            found[model.name] = _sentence(model, changes, pinned, declared)
            continue
        kept = {name: value for name, value in pinned.items() if name.startswith(SOURCE)} | declared
        if before is None or kept != before.facts or before.seen_at + SEEN_EVERY < now:
            values = {"model": model.name, "facts": kept, "seen_at": now}
            written = insert(declarations).values(values)
            connection.execute(written.on_conflict_do_update(index_elements=[columns.model], set_=values))
    return found


def set_aside(engine: sa.Engine, models: Mapping[str, Model], isolation: Isolation) -> dict[str, str]:
    """Write down which modules cannot be imported and which models are refused as declared; returns the latter, with why."""
    with engine.begin() as connection:
        changed = refused(connection, models.values())
    broken = broken_modules(models)
    isolation.settle("declaration", {Part(name, "declaration"): why for name, why in {**broken, **changed}.items()})
    if not broken:  # otherwise nobody knows which models there are
        isolation.forget_others(models)
    return changed


def require_unchanged(connection: sa.Connection, model: Model) -> None:
    """Refuse what may not change.

    Raises:
        DeclarationError: with what has changed, and the way out.
    """
    if why := refused(connection, [model]).get(model.name):
        raise DeclarationError(why)


def _pinned(before: Facts, is_logged: bool, landed: Collection[str]) -> Iterator[tuple[str, str]]:
    """Those that rows rest on."""
    for name, value in before.items():
        source = name.removeprefix(SOURCE).partition(":")[0] if name.startswith(SOURCE) else None
        if is_logged if source is None else source in landed:
            yield name, value


def _sentence(model: Model, changes: Collection[str], before: Facts, now: Facts) -> str:
    told = [f"{name} was {before[name]!r} and is {now[name]!r} now, but {_reason(name)}" for name in changes]
    way_out = "set it back" if len(told) == 1 else "set them back"
    if all(name.startswith(SOURCE) for name in changes):
        return f"{model.name}: {'; '.join(told)}; {way_out}, or declare a source of another name"
    return f"{model.name}: {'; '.join(told)}; {way_out}, or give the model another name: it then begins anew"


def _reason(name: str) -> str:
    return REASONS[SOURCE if name.startswith(SOURCE) else name]
