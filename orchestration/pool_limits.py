"""How many trainings run at a time, declared here and registered with Dagster, which does not limit unregistered pools."""

import os
from collections.abc import Iterable, Mapping

import dagster as dg

from assets.pools import TRAINING, training_of
from everfit.declaration import Model
from everfit.environment.variables import setting

TRAININGS_AT_ONCE = "2"  # of all models together; per model it is always 1

_registered: dict[str, Mapping[str, int]] = {}  # by the instance's folder


def limits(models: Iterable[Model], environ: Mapping[str, str] = os.environ) -> dict[str, int]:
    """The slots of each pool.

    Raises:
        SettingsError: when the environment asks for a number of trainings that is none.
    """
    trainings: int = setting("EVERFIT_TRAININGS_AT_ONCE", TRAININGS_AT_ONCE, environ)
    return {TRAINING: trainings} | {training_of(model): 1 for model in models}


def register(instance: dg.DagsterInstance, wanted: Mapping[str, int]) -> None:
    """Register the limits that Dagster lacks; checked once per process."""
    if _registered.get(instance.root_directory) == wanted:
        return
    storage = instance.event_log_storage
    registered = {pool.name: pool.limit for pool in storage.get_pool_limits() if not pool.from_default}
    for pool, slots in wanted.items():
        if registered.get(pool) != slots:
            storage.set_concurrency_slots(pool, slots)
    _registered[instance.root_directory] = dict(wanted)
