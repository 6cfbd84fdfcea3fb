"""Who serves: the champion by the ledger, and who answers beside it."""

from dataclasses import dataclass

import sqlalchemy as sa

from everfit.store import ledger


@dataclass(frozen=True, slots=True)
class Served:
    """The versions that serve a model.

    ``share``, between 0 and 1, of the values of ``unit`` (a field of the request; empty: the entity) gets the challenger's
    answers; ``shadows`` answer along for the log alone.
    """

    champion: int | None = None
    challenger: int | None = None
    share: float = 0.0
    unit: str = ""
    shadows: tuple[int, ...] = ()


def served(connection: sa.Connection, model: str) -> Served:
    """Who serves now."""
    champion = ledger.champion(connection, model)
    return Served(champion.version if champion else None)
