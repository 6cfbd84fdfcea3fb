"""The electricity model, live from 16 April 1997, retrained for its alarms."""

from datetime import UTC, datetime

import models.electricity_price as real
from everfit import OnDrift

_declared = {"go_live": datetime(1997, 4, 16, tzinfo=UTC), "retraining": OnDrift()}

electricity_price = real.electricity_price.model_copy(update=_declared)
