"""The electricity model, asked to retrain every week, so that there is something to time."""

import models.electricity_price as real

_limits = real.electricity_price.limits.model_copy(update={"retrains_per_month": 1_000})
_freshness = type(real.electricity_price.freshness)(max_training_age="6d")

electricity_price = real.electricity_price.model_copy(update={"limits": _limits, "freshness": _freshness})
