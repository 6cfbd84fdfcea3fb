"""How far a model's days reach: the first day that is not whole yet."""

from datetime import date, datetime

import sqlalchemy as sa

from everfit.declaration import Model
from everfit.store import model_clocks


def horizon_at(model: Model, clock: datetime | None) -> date:
    """The first day that is not whole yet by a model's clock (by the go-live, before it ticks)."""
    return max(clock or model.go_live, model.go_live).date()


def horizon(connection: sa.Connection, model: Model) -> date:
    """The same by where the model's clock stands now."""
    return horizon_at(model, model_clocks.read(connection, model))
