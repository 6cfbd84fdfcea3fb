"""The alert rule on comparators: where too many of a model's newest could not be fitted, its decisions go on without regret."""

import os
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from everfit.alerts.state import Findings
from everfit.declaration import Model
from everfit.environment.variables import setting
from everfit.store import comparators
from everfit.store.comparators import Comparator

NEWEST = 8  # that have ended, among which the share of those that failed is computed


def failure_budget(environ: Mapping[str, str] = os.environ) -> float:
    """The share of a model's newest comparators that may fail or come too late: ``EVERFIT_ALERT_COMPARATORS``, or 25 %.

    Raises:
        SettingsError: when it is not a percentage.
    """
    share: float = setting("EVERFIT_ALERT_COMPARATORS", "25%", environ)
    return share


def look(connection: sa.Connection, models: Mapping[str, Model], budget: float) -> Findings:
    """The models whose policy wants comparators and seldom gets one."""
    wanting = [name for name, model in models.items() if comparators.recipe_name(model)]
    told = {name: message for name in wanting if (message := too_few(comparators.ended(connection, name, NEWEST), budget))}
    return Findings({"comparators"}, {(name, "comparators"): message for name, message in told.items()}, {})


def too_few(newest: Sequence[Comparator], budget: float) -> str:
    """What is wrong with the comparators that ended last, newest first; empty where no larger share failed than may."""
    failed = [each for each in newest if each.state == "failed"]
    if not failed or len(failed) <= budget * len(newest):
        return ""
    without = f"{len(failed)} of the newest {len(newest)} comparators are missing, so decisions go on without regret"
    return f"{without}; the last: {failed[0].reason}; does `everfit comparators` run, and has it the time for a fit a window?"
