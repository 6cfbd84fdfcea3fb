"""The rows of a span that models are scored on, by day, and which of their labels are due when their window is scored."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self, cast

import numpy as np
import numpy.typing as npt

from everfit.declaration import Model
from everfit.declaration.reserved_columns import EVENT_TIME, OBSERVED_AT
from everfit.declaration.tasks import Floats
from everfit.errors import SimulationError
from everfit.evidence.propensity import drawn_by_chance
from everfit.evidence.regret import windows_behind
from everfit.policy.losses import DAY
from everfit.timing import format_time

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class ScoredRows:
    """The rows of a span in event order, the day of each counted from its first, and whether its label is due in time."""

    rows: "pl.DataFrame"
    day: npt.NDArray[np.intp]
    is_due: npt.NDArray[np.bool_]
    days: int

    def by_day(self, values: Floats, first_row: int = 0, *, due: bool = False) -> Floats:
        """Values of the rows from one on, added up by day."""
        counted = values * self.is_due[first_row:] if due else values
        return cast("Floats", np.bincount(self.day[first_row:], weights=counted, minlength=self.days))

    @classmethod
    def of(cls, model: Model, rows: "pl.DataFrame", first: datetime, days: int, window: timedelta) -> Self:
        """The rows of so many days from the first on, in windows of this length; of a model that explores, explored ones.

        Raises:
            SimulationError: when there are none.
        """
        import polars as pl

        within = drawn_by_chance(model, rows.filter(pl.col(EVENT_TIME).is_between(first, first + days * DAY, closed="left")))
        if within.is_empty():
            raise SimulationError(f"{model.name}: no labelled row from {format_time(first)} on, in {max(days, 0)} days")
        since = pl.col(EVENT_TIME) - first
        number = since.dt.total_microseconds() // (window // timedelta(microseconds=1))
        decided = first + (number + 1 + windows_behind(model)) * window + model.log.lateness
        is_due = (pl.col(EVENT_TIME) + model.training.label_delay <= decided) & (pl.col(OBSERVED_AT) <= decided)
        seen = within.select(day=since.dt.total_days(), due=is_due)
        return cls(within, seen["day"].to_numpy().astype(np.intp), seen["due"].to_numpy(), days)
