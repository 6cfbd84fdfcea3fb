"""Where MLflow differs from the ledger: an alias that was set or deleted by hand, or a version that is gone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from everfit.registry import mlflow_rest
from everfit.store import ledger

FOLLOWS_WITHIN = timedelta(minutes=1)  # of a promotion or rollback: the alias is set after it


@dataclass(frozen=True, slots=True)
class Difference:
    """``champion`` is the ledger's version, ``alias`` where MLflow's alias points; None where there is none.

    ``lost``: MLflow does not have the ledger's version any more.
    """

    model: str
    champion: int | None
    alias: int | None
    lost: bool

    def __str__(self) -> str:
        return f"{self.what}; {self.todo}"

    @property
    def what(self) -> str:
        """The champion, and what MLflow has instead."""
        alias = f"MLflow's alias champion is on version {self.alias}" if self.alias else "MLflow has no alias champion"
        if self.champion is None:
            return f"{alias}, and the ledger knows no champion of {self.model}: none serves"
        lost = f", and MLflow has lost version {self.champion}" if self.lost else ""
        return f"the ledger says version {self.champion} is champion, and that one serves; {alias}{lost}"

    @property
    def todo(self) -> str:
        """The commands that repair it."""
        restore = f"`everfit promote {self.model} --restore` sets it back" if self.champion else ""
        other = self.alias if self.alias != self.champion else None
        adopt = f"`everfit promote {self.model} {other}` makes version {other} champion" if other else ""
        return ", ".join(filter(None, [restore, adopt]))


def differences(connection: sa.Connection, mlflow: str, models: Iterable[str]) -> Sequence[Difference]:
    """The models whose alias or version differs from the ledger; not where the champion is so new that the alias may follow.

    Raises:
        ServiceError: when MLflow does not answer.
    """
    return [difference for model in models if (difference := _compare(connection, mlflow, model))]


def _compare(connection: sa.Connection, mlflow: str, model: str) -> Difference | None:
    if ledger.is_newer(connection, model, FOLLOWS_WITHIN):
        return None
    champion = ledger.champion(connection, model)
    version = champion.version if champion else None
    alias = _alias(mlflow, model)
    lost = version is not None and mlflow_rest.read(mlflow, "model-versions/get", name=model, version=str(version)) is None
    return Difference(model, version, alias, lost) if alias != version or lost else None


def _alias(mlflow: str, model: str) -> int | None:
    registered = mlflow_rest.read(mlflow, "registered-models/get", name=model) or {}
    aliases = registered.get("registered_model", {}).get("aliases", [])
    return next((int(alias["version"]) for alias in aliases if alias["alias"] == "champion"), None)
