"""The three records as feeds by day: the rows of each source, the requests with their features, the outcomes with the answers.

A champion is fitted every quarter on all that was known; its profile is what the days until the next one are judged by.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache

import numpy as np
import polars as pl

from everfit import Model, Number
from everfit.declaration.reserved_columns import EVENT_TIME, SCORE
from everfit.features.labelled_rows import labelled
from everfit.features.offline import compute
from everfit.sources.validation import check, frame_of
from everfit.timing import wall_clock
from everfit.training.recipe_fit import fit_candidate
from models.electricity_price import electricity_price
from models.flight_delay import flight_delay
from models.traffic_volume import traffic_volume

MODELS: Mapping[str, Model] = {"electricity": electricity_price, "flights": flight_delay, "traffic": traffic_volume}
QUARTER = timedelta(days=91)
SEED = 0
NOISE = ("noise", "more_noise")  # two columns of every source that have nothing to do with one another, until a shift
Days = dict[date, pl.DataFrame]


@dataclass(frozen=True, slots=True)
class Record:
    """A data set's model, the frames of its sources, and its labelled rows with their features, all in order of time."""

    world: str
    model: Model
    sources: Mapping[str, pl.DataFrame]
    rows: pl.DataFrame

    @property
    def cutoffs(self) -> list[datetime]:
        """When champions were fitted, by midnights UTC."""
        last = self.rows[EVENT_TIME].max()
        assert isinstance(last, datetime)
        cutoff, found = datetime.combine(self.model.go_live, time(), UTC), []
        while cutoff < last - QUARTER / 3:
            found.append(cutoff)
            cutoff += QUARTER
        return found

    def answered(self, cutoff: datetime, until: datetime) -> pl.DataFrame:
        """The rows up to a moment with the answers of the champion of that cutoff."""
        known = pl.col(EVENT_TIME) <= cutoff - self.model.training.label_delay
        rows = self.rows.filter(pl.col(EVENT_TIME) < until)
        fitted = fit_candidate(self.model, self.model.candidates[0], rows.filter(known))
        return rows.with_columns(pl.Series(SCORE, np.asarray(fitted.predict(rows), dtype=np.float64)))


@cache
def record(world: str) -> Record:
    """One of the three."""
    model = MODELS[world]
    sources = {}
    for source in model.sources:
        assert source.recorded is not None
        landed = [row.values for row in check(source, source.recorded(), wall_clock())]
        sources[source.name] = frame_of(source, landed).sort(source.event_time)
    rows = compute(model.views, sources, labelled(model, sources)).sort(EVENT_TIME)
    draw = np.random.default_rng(SEED)
    for name, frame in sources.items():
        sources[name] = frame.with_columns(pl.Series(noise, draw.normal(size=frame.height)) for noise in NOISE)
    declared = [source.model_copy(update={"columns": [*source.columns, *map(Number, NOISE)]}) for source in model.sources]
    return Record(world, model.model_copy(update={"sources": declared}), sources, rows)


def by_day(frame: pl.DataFrame, time_column: str) -> Days:
    """Rows by their UTC day."""
    parts = frame.with_columns(_day=pl.col(time_column).dt.date()).partition_by("_day", as_dict=True)
    return {key[0]: rows.drop("_day") for key, rows in parts.items()}
