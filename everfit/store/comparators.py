"""Comparators: models that are always fresh, to hold a champion against; asked for exactly once, fitted outside the tick."""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from everfit.declaration import Model
from everfit.store import channels, locks, requests
from everfit.store.failures import storable
from everfit.store.tables import comparators, retrain_requests
from everfit.timing import format_time

State = Literal["asked", "fitted", "failed"]

_columns = comparators.c


@dataclass(frozen=True, slots=True)
class Comparator:
    """One that was asked for. It learns nothing known after ``start``, where its window begins.

    ``fitted`` names it in the lake, once it is; ``reason`` says why it failed. ``attempts`` counts the fits that were begun.
    """

    id: str
    model: str
    start: datetime
    recipe: str
    champion: int
    state: State
    attempts: int = 0
    fitted: str | None = None
    fit_seconds: float | None = None
    reason: str | None = None


_ROW = [_columns[name] for name in Comparator.__slots__]


def recipe_name(model: Model) -> str | None:
    """What the model's policy compares the champion with: ``recipe``, ``light``, or the name of a recipe of its own."""
    wanted = getattr(model.retraining, "comparator", None)
    return wanted if isinstance(wanted, str | None) else str(wanted.name)


def ask(connection: sa.Connection, model: Model, champion: int, start: datetime) -> bool:
    """Ask for the comparator of the window that begins at ``start``, where the model's policy wants one of it.

    The id derives from model, start and recipe: it is asked for once, whoever asks. With ``every=k`` the windows have one whose
    number, counted from the go-live, k divides. Those of the model that nobody has fitted in time are given up.
    """
    recipe = recipe_name(model)
    if recipe is None:
        return False
    grid, every = model.windows, int(getattr(model.retraining, "every", 1))
    _give_up(connection, model, start - (every + 1) * grid.length - model.training.label_delay)
    if (start - grid.anchor) // grid.length % every:
        return False
    name = hashlib.sha256("|".join([model.name, format_time(start), recipe]).encode()).hexdigest()[:16]
    row = {"id": name, "model": model.name, "start": start, "recipe": recipe, "champion": champion, "state": "asked"}
    written = insert(comparators).values(row).on_conflict_do_nothing().returning(_columns.id)
    if connection.execute(written).first() is None:
        return False
    connection.execute(sa.select(sa.func.pg_notify(channels.COMPARATORS, "")))
    return True


def _give_up(connection: sa.Connection, model: Model, before: datetime) -> None:
    """End those that came too late for every decision."""
    late = sa.select(_columns.id).where(_columns.model == model.name, _columns.state == "asked", _columns.start < before)
    for name in connection.execute(late).scalars().all():
        end_failed(connection, name, "nobody fitted it before what it was for was decided")


@contextmanager
def taken(engine: sa.Engine, models: Collection[str]) -> Iterator[Comparator | None]:
    """The newest of these models' that waits and nobody fits, which nobody else takes while the block lasts; None without any.

    Its attempt is counted. It is held by the session alone, so that a long fit is no long transaction.
    """
    with engine.connect() as session, ExitStack() as held:
        yield next(filter(None, (_taken(session, held, asked) for asked in _waiting(session, models))), None)


def _waiting(connection: sa.Connection, models: Collection[str]) -> Sequence[str]:
    """Newest first; not those that a training under way will leave its candidate for."""
    asked, open_ones = retrain_requests.c, requests.OPEN
    under_way = sa.exists().where(asked.model == _columns.model, asked.cutoff == _columns.start, asked.status.in_(open_ones))
    query = sa.select(_columns.id).where(_columns.state == "asked", _columns.model.in_(models), ~under_way)
    return connection.execute(query.order_by(_columns.start.desc(), _columns.id)).scalars().all()


def _taken(session: sa.Connection, held: ExitStack, name: str) -> Comparator | None:
    """One that waits, locked until ``held`` is left; None where another session has it, or has ended it."""
    key = (locks.FITTING, sa.func.hashtext(name))
    if not session.execute(sa.select(sa.func.pg_try_advisory_lock(*key))).scalar():
        return None
    held.callback(_let_go, session, key)
    counted = sa.update(comparators).where(_columns.id == name, _columns.state == "asked")
    row = session.execute(counted.values(attempts=_columns.attempts + 1).returning(*_ROW)).first()
    session.commit()
    return Comparator(*row) if row else None


def _let_go(session: sa.Connection, key: tuple[Any, ...]) -> None:
    session.rollback()
    session.execute(sa.select(sa.func.pg_advisory_unlock(*key)))
    session.commit()


_FITTED_NOW = sa.text("""
    SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = :fitting
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
""")


def any_fitted_now(connection: sa.Connection) -> bool:
    """Whether a process fits one now."""
    return bool(connection.execute(_FITTED_NOW, {"fitting": locks.FITTING}).scalar())


def open_of(connection: sa.Connection, model: str) -> Sequence[Comparator]:
    """Those of a model that are not fitted yet, oldest first."""
    query = sa.select(*_ROW).where(_columns.model == model, _columns.state == "asked").order_by(_columns.start)
    return [Comparator(*row) for row in connection.execute(query)]


def ended(connection: sa.Connection, model: str, number: int) -> Sequence[Comparator]:
    """The newest of a model that were fitted or failed, newest first."""
    query = sa.select(*_ROW).where(_columns.model == model, _columns.state != "asked")
    return [Comparator(*row) for row in connection.execute(query.order_by(_columns.start.desc()).limit(number))]


def standing(connection: sa.Connection, model: Model, start: datetime) -> Comparator | None:
    """The one that stands for the window that begins at ``start``: its own, or the newest before it; None without any."""
    of_model = (_columns.model == model.name, _columns.recipe == recipe_name(model), _columns.start <= start)
    row = connection.execute(sa.select(*_ROW).where(*of_model).order_by(_columns.start.desc()).limit(1)).first()
    return Comparator(*row) if row else None


def end_fitted(connection: sa.Connection, name: str, fitted: str, fit_seconds: float) -> bool:
    """Record what was fitted; False where it has ended already."""
    return _end(connection, name, {"state": "fitted", "fitted": fitted, "fit_seconds": fit_seconds})


def end_failed(connection: sa.Connection, name: str, reason: str) -> bool:
    """Record why it cannot be fitted; False where it has ended already."""
    return _end(connection, name, {"state": "failed", "reason": storable(reason)})


def _end(connection: sa.Connection, name: str, values: dict[str, object]) -> bool:
    update = sa.update(comparators).where(_columns.id == name, _columns.state == "asked")
    return connection.execute(update.values(**values, ended_at=sa.func.now())).rowcount == 1
