"""The electricity model, asked to retrain every week by the age of its data alone, so that there is something to time."""

import models.electricity_price as real
from everfit import OnDrift

_limits = real.electricity_price.limits.model_copy(update={"retrains_per_month": 1_000})
_freshness = type(real.electricity_price.freshness)(max_training_age="6d")

electricity_price = real.electricity_price.model_copy(
    update={"limits": _limits, "freshness": _freshness, "retraining": OnDrift()}
)
