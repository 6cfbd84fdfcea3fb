"""What training rows are put together from: days of features, labels and quarantines, newest or as a training recorded them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Self

from everfit.declaration import Model
from everfit.declaration.reserved_columns import EXPLORED, LABEL, OBSERVED_AT, REQUEST_ID, WEIGHT
from everfit.errors import EmptyPartitionError
from everfit.evidence.propensity import weighed
from everfit.pipeline.day_isolation import failing_days
from everfit.pipeline.lineage import features_dataset, raw_dataset
from everfit.pipeline.manifests import TrainingSet
from everfit.runtime import Runtime
from everfit.store import frames, partitions, quarantines
from everfit.store.quarantines import Span
from everfit.timing import midnight

if TYPE_CHECKING:
    import polars as pl

COLUMNS = (REQUEST_ID, LABEL, OBSERVED_AT)
PROPENSITY = (EXPLORED, WEIGHT)  # of the labels of a model that explores


def days_of_history(model: Model, made: Mapping[str, str], cutoff: datetime) -> Mapping[str, str]:
    """Of all days of features, those that a training with this cutoff may read.

    Raises:
        EmptyPartitionError: when there are none.
    """
    before = {day: digest for day, digest in made.items() if midnight(day) < cutoff}
    if not before:
        raise EmptyPartitionError(f"{model.name}: no features before {cutoff:%Y-%m-%d}; materialize features first")
    history = model.training.history
    first = "" if history == "all" else f"{cutoff - history:%Y-%m-%d}"
    kept = {day: digest for day, digest in before.items() if day >= first}
    if not kept:
        sources = ", ".join(source.name for source in model.sources)
        raise EmptyPartitionError(
            f"{model.name}: it is trained on days since {first}, and the newest with features is {max(before)}: nothing of "
            f"{sources} has landed since; publish its rows, or declare a longer history"
        )
    return kept


@dataclass(frozen=True, slots=True)
class TrainingParts:
    """Objects of the lake by day, and the labels that the log holds.

    ``days`` are of the features, ``sources`` of each source before the go-live, which ``history`` makes labels of;
    ``outcomes`` are the labels since then (REQUEST_ID, LABEL, OBSERVED_AT; EXPLORED and WEIGHT of a model that explores);
    ``quarantined`` are spans to leave out.
    """

    days: Mapping[str, str]
    sources: Mapping[str, Mapping[str, str]]
    outcomes: "pl.DataFrame"
    quarantined: Sequence[Span]

    @classmethod
    def newest(cls, runtime: Runtime, model: Model, cutoff: datetime) -> Self:
        """What is known by the cutoff, as it is now; without days that could not be made lately, whose content may be wrong.

        Raises:
            EmptyPartitionError: when no features before the cutoff were ever computed, or none as new as the declared history.
            DeclarationError: when ``seen`` of the model's exploration fails.
        """
        with runtime.engine.connect() as connection:
            made = days_of_history(model, partitions.newest(connection, features_dataset(model)), cutoff)
            stale = failing_days(connection, model)  # what they hold does not follow from what has landed
            days = {day: digest for day, digest in made.items() if day not in stale}
            before = min(cutoff, model.go_live).date()
            sources = {
                source.name: partitions.newest(connection, raw_dataset(model, source.name), before=before)
                for source in model.sources
            }
            answered = frames.logged(connection, model, (model.go_live, cutoff), known_at=cutoff, late=True)
            quarantined = quarantines.excluded_spans(connection, model)
        return cls(days, sources, _labels(model, answered), quarantined)

    @classmethod
    def recorded(cls, runtime: Runtime, given: TrainingSet) -> Self:
        """Those of a training set, whatever has landed or was corrected since.

        Raises:
            MissingObjectError: when the lake lacks one of them.
        """
        assert given.outcomes is not None, "a record of an older version lacks them"
        return cls(given.days, given.sources, runtime.lake.get_frame(given.outcomes), given.quarantined)

    def of_days(self, days: Mapping[str, str]) -> Self:
        """These with other days of features."""
        return replace(self, days=days)


def _labels(model: Model, answered: "pl.DataFrame") -> "pl.DataFrame":
    """One row for each request whose outcome is known, and counts, in event order."""
    known = answered.filter(answered[LABEL].is_not_null())
    distinct = known.unique(REQUEST_ID, keep="first", maintain_order=True)
    return weighed(model, distinct).select(*COLUMNS, *(PROPENSITY if model.exploration else ()))
