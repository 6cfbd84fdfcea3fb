"""The electricity model, live from 16 April 1997."""

from datetime import UTC, datetime

import models.electricity_price as real

electricity_price = real.electricity_price.model_copy(update={"go_live": datetime(1997, 4, 16, tzinfo=UTC)})
