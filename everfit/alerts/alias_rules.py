"""Whether MLflow's aliases are those of the ledger: an alias that was moved by hand is an alert, and changes nothing else."""

from collections.abc import Collection

import sqlalchemy as sa

from everfit.alerts.state import Findings
from everfit.errors import ServiceError
from everfit.registry.difference import differences


def look(connection: sa.Connection, mlflow: str, models: Collection[str]) -> Findings:
    """An alert of the family ``registry`` a model; while MLflow does not answer none is raised, and none is over."""
    try:
        differing = differences(connection, mlflow, models)
    except ServiceError:
        return Findings((), {}, {})
    return Findings({"registry"}, {(difference.model, "registry"): str(difference) for difference in differing}, {})
