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

    No lock is held while MLflow is asked, so that no rollback waits for it. Whoever has moved the alias reads the ledger again:
    so the last to move it has moved it to the newest champion.

    Raises:
        LostVersionError: when MLflow does not have the version.
        ServiceError: when it does not answer.
    """
    newest, agreed, moved = _champion(runtime, name), None, False
    while newest is not None and newest != agreed:
        if runtime.registry.roles(name).get("champion") != newest:
            runtime.registry.point(name, "champion", newest)
            moved = True
        newest, agreed = _champion(runtime, name), newest
    if agreed is not None and moved and name in runtime.models:
        publish_card(runtime, runtime.models[name], agreed)


def _champion(runtime: Runtime, name: str) -> int | None:
    with runtime.engine.connect() as connection:
        champion = ledger.champion(connection, name)
    return champion.version if champion else None
