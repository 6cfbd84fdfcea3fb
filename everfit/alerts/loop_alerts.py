"""The alerts of the loop: the rules on the models and on the log, looked at after a pass, and sent where they are due."""

import logging
from collections.abc import Mapping

import sqlalchemy as sa

from everfit.alerts import comparator_rules, log_rules, model_rules, rollout_rules
from everfit.alerts.channels import installed_channels
from everfit.alerts.notification import notify
from everfit.alerts.state import Findings
from everfit.declaration import Model
from everfit.store import log_state
from everfit.timing import wall_clock

logger = logging.getLogger(__name__)


def send(engine: sa.Engine, models: Mapping[str, Model]) -> None:
    """Send what is wrong with the models and the log to the installed channels. A failure is logged: the tick goes on."""
    try:
        notify(engine, _findings(engine, models), installed_channels())
    except Exception:
        logger.exception("alerts are not sent; the next tick tries again")


def _findings(engine: sa.Engine, models: Mapping[str, Model]) -> Findings:
    now = wall_clock()
    with engine.begin() as connection:
        findings = model_rules.look(connection, models)
        findings |= rollout_rules.look(connection, models)
        findings |= comparator_rules.look(connection, models, comparator_rules.failure_budget())
        findings |= log_rules.look(connection, log_rules.dead_letter_budget())
        return findings | log_rules.lag_causes(log_state.note_lags(connection, now), now, log_rules.patience())
