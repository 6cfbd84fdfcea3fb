"""The electricity model, live from 16 April 1997, retrained for drift."""

from datetime import UTC, datetime

import models.electricity_price as real
from everfit import OnDrift

electricity_price = real.electricity_price.model_copy(
    update={"go_live": datetime(1997, 4, 16, tzinfo=UTC), "retraining": OnDrift()}
)
