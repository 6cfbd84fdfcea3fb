"""The labelled rows of a declaration's own record, with their features as they were known at the time: no stack is needed."""

from typing import TYPE_CHECKING

import polars as pl

from everfit.declaration import Model
from everfit.declaration.reserved_columns import LABEL
from everfit.evidence.out_of_bounds import within
from everfit.features.labelled_rows import labelled
from everfit.features.offline import compute
from everfit.replay.timeline import recorded
from everfit.sources.validation import check, frame_of
from everfit.timing import wall_clock

if TYPE_CHECKING:
    from everfit.declaration import Source


def recorded_rows(model: Model) -> pl.DataFrame:
    """All recorded rows that a training may learn from, in event order: those whose label is one, within the declared bounds.

    Raises:
        SourceError: when a source has no record, or its rows do not fit.
    """
    sources = {source.name: _checked(source) for source in model.sources}
    rows = within(model, compute(model.views, sources, labelled(model, sources)))
    return rows.filter(pl.Series(model.task.usable(rows[LABEL].to_numpy()), dtype=pl.Boolean))


def _checked(source: "Source") -> pl.DataFrame:
    return frame_of(source, [row.values for row in check(source, recorded(source), wall_clock())])
