"""What an orchestrator is told of days that it does not make itself: the sources' rows, and what each day looks back on."""

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
    """The data version of one day of an asset, and ``told`` of it under the name ``what``."""

    asset: str
    day: str
    version: str
    what: str
    told: int | str


def untold(runtime: Runtime, model: Model, days: Sequence[str] | None = None, lineage: Lineage | None = None) -> list[Observed]:
    """What differs from what was noted: of all whole days, or of the sources on some days alone.

    ``lineage`` is what is on record, where it is at hand.
    """
    lineage = lineage or Lineage.on_record(runtime, model)
    with runtime.engine.connect() as connection:
        seen = [*_sources(lineage)] if days is None else [one for one in _sources(lineage) if one.day in days]
        seen += [*_look_back(lineage)]
        noted = {asset: partitions.newest(connection, _dataset(model, asset)) for asset in {one.asset for one in seen}}
    return [one for one in seen if noted[one.asset].get(one.day) != one.version]


def note(runtime: Runtime, model: Model, seen: Sequence[Observed]) -> None:
    """Remember what was told."""
    with runtime.engine.begin() as connection:
        for asset, told in groupby(sorted(seen, key=attrgetter("asset")), key=attrgetter("asset")):
            dataset = _dataset(model, asset)
            partitions.record(connection, [PartitionVersion(dataset, one.day, one.version, 0, "", {}) for one in told])


def _sources(lineage: Lineage) -> Iterator[Observed]:
    for source, days in lineage.changes.items():
        whole = ((day, changes) for day, changes in days.items() if day < lineage.whole_before)
        yield from (Observed(source, day, str(changes), "publications", changes) for day, changes in whole)


def _look_back(lineage: Lineage) -> Iterator[Observed]:
    """Of the days whose own raw data were cut."""
    for day in lineage.landed:
        if all(day in made for made in lineage.raw.values()):
            inputs = lineage.features_inputs(day)
            version = "-".join(filter(None, [inputs["raw_data"][:32], inputs.get("asked")]))
            yield Observed(LOOK_BACK, day, version, "since", inputs["since"])


def _dataset(model: Model, asset: str) -> str:
    return f"{model.name}/observed/{asset}"
