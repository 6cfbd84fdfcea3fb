"""The alert rule on what ends without an answer: too many runs without a verdict, or windows without evidence.

Comparators that are missing have a rule of their own.
"""

import os
from collections.abc import Mapping

import sqlalchemy as sa

from everfit.alerts.state import Findings
from everfit.declaration import Model
from everfit.environment.variables import setting
from everfit.store.unanswered import Unanswered, unanswered

LEAST = 4  # fewer show no share
TODO = {
    "runs without a verdict": "`everfit history {model}` has their reasons",
    "windows without evidence": "do outcomes arrive, and enough rows a window? `everfit history {model}` says what each lacked",
}


def unanswered_budget(environ: Mapping[str, str] = os.environ) -> float:
    """The share of a model's newest runs or windows that may end without an answer: ``EVERFIT_ALERT_UNANSWERED``, or 50 %.

    Raises:
        SettingsError: when it is not a percentage.
    """
    share: float = setting("EVERFIT_ALERT_UNANSWERED", "50%", environ)
    return share


def look(connection: sa.Connection, models: Mapping[str, Model], budget: float) -> Findings:
    """The models of which too much ends without an answer."""
    told = [(found, message) for found in unanswered(connection, models) if (message := too_many(found, budget))]
    return Findings({"unanswered"}, {(found.model, f"unanswered:{found.what}"): message for found, message in told}, {})


def too_many(found: Unanswered, budget: float) -> str:
    """What is wrong; empty where no larger share is without an answer than may be, or too few have ended to tell."""
    if found.what not in TODO or found.of < LEAST or found.count <= budget * found.of:
        return ""
    return f"{found.count} of the newest {found.of}: {found.what}; {TODO[found.what].format(model=found.model)}"
