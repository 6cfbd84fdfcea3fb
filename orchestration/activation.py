"""The default state of automation: on in the embedded stack, off elsewhere until it is turned on."""

import os
from collections.abc import Mapping
from typing import Any

import dagster as dg

from everfit.environment.variables import setting


def is_on(environ: Mapping[str, str] = os.environ) -> bool:
    """What ``EVERFIT_AUTOMATION`` says: ``on``, or ``off`` (and where it is not set).

    Raises:
        SettingsError: when it has another value.
    """
    on: bool = setting("EVERFIT_AUTOMATION", "off", environ)
    return on


def sensor_status() -> Any:
    """The default status of a sensor; a change in Dagster's pages takes precedence."""
    return dg.DefaultSensorStatus.RUNNING if is_on() else dg.DefaultSensorStatus.STOPPED


def schedule_status() -> Any:
    """The default status of a schedule."""
    return dg.DefaultScheduleStatus.RUNNING if is_on() else dg.DefaultScheduleStatus.STOPPED
