"""The flights model gone live on 1 May 2013, so that four months of days lie before it."""

from datetime import UTC, datetime

import models.flight_delay as real

flight_delay = real.flight_delay.model_copy(update={"go_live": datetime(2013, 5, 1, tzinfo=UTC)})
