"""MLflow's alias follows the ledger: whatever was cut off in between, or changed by hand, both agree afterwards."""

import logging
from collections.abc import Iterable

from everfit.errors import LostVersionError, ServiceError
from everfit.pipeline.model_card import publish_card
from everfit.runtime import Runtime
from everfit.store import ledger

logger = logging.getLogger(__name__)


def reconcile(runtime: Runtime, names: Iterable[str]) -> None:
    """Set the aliases of these models right; what MLflow does not answer or has lost is left to the next time, and logged."""
    for name in names:
        try:
            set_alias(runtime, name)
        except (ServiceError, LostVersionError) as error:
            logger.warning("MLflow's alias of %s stays as it is: %s", name, error)


def set_alias(runtime: Runtime, name: str) -> None:
    """Set the alias ``champion`` of a model to the ledger's version, where it is elsewhere; its card says who decided.

    Under the ledger's lock: a promotion that has moved the alias may not be committed yet.

    Raises:
        LostVersionError: when MLflow does not have the version.
        ServiceError: when it does not answer.
    """
    with runtime.engine.begin() as connection:
        ledger.lock(connection, name)
        champion = ledger.champion(connection, name)
        if champion is None or runtime.registry.roles(name).get("champion") == champion.version:
            return
        runtime.registry.point(name, "champion", champion.version)
    if name in runtime.models:
        publish_card(runtime, runtime.models[name], champion.version)
