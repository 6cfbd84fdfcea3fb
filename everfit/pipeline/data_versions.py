"""The data versions of days that the orchestrator does not make: of the sources' rows, and of what each day looks back on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from everfit.declaration import Model
from everfit.pipeline.code_versions import LOOK_BACK
from everfit.pipeline.lineage import Lineage
from everfit.runtime import Runtime
from everfit.store import partitions
from everfit.store.partitions import PartitionVersion


@dataclass(frozen=True, slots=True)
class Observed:
    """The data version of a day of an asset, and the ``value`` to show with it under the name ``what``."""

    asset: str
    day: str
    version: str
    what: str
    value: int | str


def unreported(
    runtime: Runtime, model: Model, days: Sequence[str] | None = None, lineage: Lineage | None = None
) -> list[Observed]:
    """The data versions that differ from the reported ones: of all complete days, or of the sources on some days only.

    ``lineage`` is the recorded one, where the caller has it.
    """
    lineage = lineage or Lineage.on_record(runtime, model)
    with runtime.engine.connect() as connection:
        current = [*_sources(lineage)] if days is None else [observed for observed in _sources(lineage) if observed.day in days]
        current += [*_look_back(lineage)]
        noted = {
            asset: partitions.newest(connection, _dataset(model, asset)) for asset in {observed.asset for observed in current}
        }
    return [observed for observed in current if noted[observed.asset].get(observed.day) != observed.version]


def mark_reported(runtime: Runtime, model: Model, current: Sequence[Observed]) -> None:
    """Record data versions as reported."""
    with runtime.engine.begin() as connection:
        for asset, versions in groupby(sorted(current, key=attrgetter("asset")), key=attrgetter("asset")):
            dataset = _dataset(model, asset)
            partitions.record(
                connection, [PartitionVersion(dataset, observed.day, observed.version, 0, "", {}) for observed in versions]
            )


def _sources(lineage: Lineage) -> Iterator[Observed]:
    for source, days in lineage.changes.items():
        whole = ((day, changes) for day, changes in days.items() if day < lineage.whole_before)
        yield from (Observed(source, day, str(changes), "publications", changes) for day, changes in whole)


def _look_back(lineage: Lineage) -> Iterator[Observed]:
    """The data versions of what days look back on, of days whose own raw data exist."""
    for day in lineage.landed:
        if all(day in made for made in lineage.raw.values()):
            inputs = lineage.features_inputs(day)
            version = "-".join(filter(None, [inputs["raw_data"][:32], inputs.get("asked")]))
            yield Observed(LOOK_BACK, day, version, "since", inputs["since"])


def _dataset(model: Model, asset: str) -> str:
    return f"{model.name}/observed/{asset}"
