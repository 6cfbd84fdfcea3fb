"""Whether MLflow's aliases are where the ledger says: a person who moves one by hand is told, and nothing else changes."""

from collections.abc import Collection

import sqlalchemy as sa

from everfit.alerts.state import Findings
from everfit.errors import ServiceError
from everfit.registry.difference import differences


def look(connection: sa.Connection, mlflow: str, models: Collection[str]) -> Findings:
    """An alert of the family ``registry`` a model; nothing is known, and nothing over, while MLflow does not answer."""
    try:
        found = differences(connection, mlflow, models)
    except ServiceError:
        return Findings((), {}, {})
    return Findings({"registry"}, {(one.model, "registry"): str(one) for one in found}, {})
