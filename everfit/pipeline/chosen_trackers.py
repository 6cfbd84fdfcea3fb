"""Which trackers record: those that ``EVERFIT_TRACKERS`` names, with commas; without it MLflow and every installed one."""

import os
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from logging import Logger
from typing import Any

from everfit.environment.extensions import usable
from everfit.environment.settings import Settings
from everfit.environment.variables import setting
from everfit.errors import SettingsError
from everfit.pipeline.trackers import Makers, TrackedRun, Tracker

TRACKERS = "EVERFIT_TRACKERS"
MLFLOW, WANDB = "mlflow", "wandb"
OWN = {MLFLOW: "everfit.pipeline.mlflow_tracker:MlflowTracker", WANDB: "everfit.pipeline.wandb_tracker:WandbTracker"}


def own_trackers(settings: Settings) -> dict[str, Callable[[TrackedRun], Tracker]]:
    """everfit's own, by name; each is imported when it is first called."""
    return {name: partial(_made, place, settings) for name, place in OWN.items()}


def chosen_trackers(own: Makers, logger: Logger, environ: Mapping[str, str] = os.environ) -> Makers:
    """The trackers that record, by name in the order in which the variable names them.

    Args:
        own: everfit's own trackers, by name.
        logger: gets a warning for each installed one that cannot be used and is left out.
        environ: where the variable is read.

    Raises:
        SettingsError: when the variable names one that does not exist.
    """
    installed, faults = usable("trackers", own)
    for fault in faults:
        logger.warning("%s; the run goes on without it", fault)
    known = {**own, **installed}
    return {name: known[name] for name in _names(installed, environ)}


def tracker_faults(environ: Mapping[str, str]) -> list[str]:
    """What keeps a named tracker from recording, in words."""
    try:
        names = _names(usable("trackers", OWN)[0], environ)
    except SettingsError as error:
        return [str(error)]
    if WANDB in names and find_spec("wandb") is None:
        return [f"{TRACKERS} names wandb, and the package is not installed: pip install 'everfit[wandb]'"]
    return []


def _names(installed: Mapping[str, Any], environ: Mapping[str, str]) -> list[str]:
    named = setting(TRACKERS, environ=environ)
    if named is None:
        return [MLFLOW, *installed]
    known, names = {**OWN, **installed}, list(dict.fromkeys(named.split(",")))
    if unknown := [name for name in names if name not in known]:
        raise SettingsError(
            f"{TRACKERS} names {unknown[0]!r}, which is no tracker; there are {', '.join(known)}: "
            "install its package, or name others"
        )
    return names


def _made(place: str, settings: Settings, run: TrackedRun) -> Tracker:
    module, _, name = place.partition(":")
    tracker: Tracker = getattr(import_module(module), name)(settings, run)
    return tracker
