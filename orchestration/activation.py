"""One switch for everything that acts by itself: on in the embedded stack, off elsewhere until somebody turns it on."""

import os
from collections.abc import Mapping
from typing import Any

import dagster as dg

from everfit.environment.variables import setting


def is_on(environ: Mapping[str, str] = os.environ) -> bool:
    """What ``EVERFIT_AUTOMATION`` says: ``on``, or ``off`` (and where it is not set).

    Raises:
        SettingsError: when it says something else.
    """
    on: bool = setting("EVERFIT_AUTOMATION", "off", environ)
    return on


def switched() -> Any:
    """The default status of a sensor. What a person switches in Dagster's pages wins over it."""
    return dg.DefaultSensorStatus.RUNNING if is_on() else dg.DefaultSensorStatus.STOPPED


def scheduled() -> Any:
    """The default status of a schedule."""
    return dg.DefaultScheduleStatus.RUNNING if is_on() else dg.DefaultScheduleStatus.STOPPED
