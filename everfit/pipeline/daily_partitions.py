"""Daily partitions: the landed rows of a day, and the features of its events as they were known."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from everfit.declaration import Model, Source
from everfit.declaration.reserved_columns import EVENT_TIME, REQUEST_ID, renewed
from everfit.errors import EmptyPartitionError, LakeError
from everfit.features.spans import DAY
from everfit.pipeline import past_requests, span_records
from everfit.pipeline.code_versions import stage_version
from everfit.pipeline.horizon import horizon
from everfit.pipeline.lineage import Lineage, features_dataset, raw_dataset
from everfit.runtime import Runtime
from everfit.store import frames, partitions, source_days
from everfit.store.partitions import PartitionVersion
from everfit.timing import midnight

if TYPE_CHECKING:
    import polars as pl

ALWAYS = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class DayMade:
    """One partition that was made: its day, data version, rows, and share of nulls."""

    day: str
    data_version: str
    rows: int
    null_share: float


@dataclass(frozen=True, slots=True)
class Computed:
    """Features that were made, the raw days that had to be cut before, and what both were made from."""

    days: list[DayMade]
    cut: list[DayMade]
    lineage: Lineage


def available_days(runtime: Runtime, model: Model) -> list[str]:
    """The whole days on which rows have landed, up to where the model's clock stands (the go-live, before it ticks)."""
    with runtime.engine.connect() as connection:
        names = [source.name for source in model.sources]
        return source_days.landed(connection, names, before=horizon(connection, model))


def land_days(runtime: Runtime, model: Model, days: Sequence[str]) -> list[DayMade]:
    """Cut what has landed on these days into partitions of the lake, one object a source and day.

    A day whose rows were all moved away by corrections is cut empty.

    Raises:
        EmptyPartitionError: when nothing has ever landed on one of them; nothing is recorded then.
    """
    span = (midnight(min(days)), midnight(max(days)) + DAY)
    made: list[list[PartitionVersion]] = []
    parts: list[dict[str, pl.DataFrame]] = []
    code = stage_version(model, "raw_data")
    with runtime.engine.begin() as connection:
        changes = source_days.changes(connection, [source.name for source in model.sources])
        _require_landed(model, days, {day for touched in changes.values() for day in touched})
        for source in model.sources:
            cut = frames.by_day(frames.landed(connection, source, span), source.event_time, days)
            dataset, touched = raw_dataset(model, source.name), changes[source.name]
            versions = [_put(runtime, dataset, day, cut[day], code, {"changes": touched.get(day, 0)}) for day in days]
            partitions.record(connection, versions)
            span_records.record(connection, model, source, cut, touched)
            made.append(versions)
            parts.append(cut)
    return [_day_made(day, [by_day[i] for by_day in made], [cut[day] for cut in parts]) for i, day in enumerate(days)]


def compute_days(runtime: Runtime, model: Model, days: Sequence[str], *, lineage: Lineage | None = None) -> Computed:
    """Compute the features of the events of these days, each as of its own event time, from all that has landed by now.

    ``lineage`` is the record as it was brought up just now, where it is at hand.

    Events are the labelled rows of ``history`` before the go-live, and the requests in the prediction log from then on. Raw
    days of which they may see a row, and that were not cut yet or were touched since, are cut first.

    Raises:
        EmptyPartitionError: when nothing has landed on one of the days, or the model's clock has not passed it.
    """
    from everfit.features.offline import compute

    lineage = lineage or Lineage.up_to_date(runtime, model, since=min(days))
    _require_landed(model, days, lineage.landed)
    seen = {one for day in days for one in lineage.seen[day]}
    behind = sorted({day for _, day in seen} & set(lineage.stale_raw()))
    cut = land_days(runtime, model, behind) if behind else []
    lineage = lineage.after_cut(runtime) if cut else lineage
    seen = {one for day in days for one in lineage.seen[day]}  # a day that another run has cut meanwhile may reach these
    code, dataset = stage_version(model, "features"), features_dataset(model)
    with runtime.engine.begin() as connection:
        sources = {source.name: _seen_rows(runtime, connection, lineage, source, seen) for source in model.sources}
        spine = _spine(runtime, connection, model, (midnight(min(days)), midnight(max(days)) + DAY))
        by_day = frames.by_day(compute(model.views, sources, spine), EVENT_TIME, days)
        made = [_put(runtime, dataset, day, by_day[day], code, lineage.features_inputs(day)) for day in days]
        partitions.record(connection, made)
    return Computed([_day_made(day, [one], [by_day[day]]) for day, one in zip(days, made, strict=True)], cut, lineage)


def _seen_rows(
    runtime: Runtime, connection: sa.Connection, lineage: Lineage, source: Source, seen: Collection[tuple[str, str]]
) -> "pl.DataFrame":
    """The rows of the days of a source that are seen: of whole days as they were cut, of later ones as they have landed."""
    import polars as pl

    days = sorted(day for name, day in seen if name == source.name)
    whole = [lineage.raw[source.name][day].hash for day in days if day < lineage.whole_before]
    later = [(midnight(day), midnight(day) + DAY) for day in days if day >= lineage.whole_before]
    parts = [_load_source(runtime, source, whole)] if whole else []
    parts += [frames.landed(connection, source, span) for span in later]
    return pl.concat(parts) if parts else frames.decode_rows(source, [])


def load_raw(runtime: Runtime, model: Model, *, since: date | None = None, before: datetime) -> "Mapping[str, pl.DataFrame]":
    """The newest versions of the raw partitions of ``[since, before)``, one frame a source."""
    with runtime.engine.connect() as connection:
        found = {
            source.name: partitions.newest(connection, raw_dataset(model, source.name), since=since, before=before.date())
            for source in model.sources
        }
    return {source.name: _load_source(runtime, source, list(found[source.name].values())) for source in model.sources}


def load_features(runtime: Runtime, model: Model, hashes: Sequence[str]) -> "pl.DataFrame":
    """Days of features one after the other: REQUEST_ID, EVENT_TIME and the declared features, in their order.

    Raises:
        LakeError: when a day was made by an earlier declaration, which lacks a feature or has it of another kind.
    """
    import polars as pl

    kinds = {name: frames.TYPES[kind] for name, kind in model.features}
    parts = [renewed(runtime.lake.get_frame(digest), model.label) for digest in hashes]
    for part in parts:
        lacking = [name for name, kind in kinds.items() if part.columns and part.schema.get(name) != kind]
        if lacking:
            raise LakeError(
                f"{model.name}: days of features made by an earlier declaration lack {', '.join(lacking)}; "
                "make them anew by `everfit backfill`"
            )
    present = [part.select(REQUEST_ID, EVENT_TIME, *kinds) for part in parts if part.columns]
    return pl.concat(present) if present else pl.DataFrame()


def _load_source(runtime: Runtime, source: Source, hashes: Sequence[str]) -> "pl.DataFrame":
    """Days of a source one after the other, by its declared columns; one that a day was cut without is null in it."""
    import polars as pl

    columns = {column.name: column.frame_type() for column in source.columns}
    parts = [pl.DataFrame(schema=columns)]
    for part in map(runtime.lake.get_frame, hashes):
        present = {name: kind for name, kind in columns.items() if name in part.columns}
        for name, kind in present.items():
            if part.schema[name] != kind and not (part.schema[name].is_numeric() and kind.is_numeric()):
                told = f"{source.name}: days cut by an earlier declaration hold {name} as {part.schema[name]}, not {kind}"
                raise LakeError(f"{told}; cut them anew by `everfit backfill`")
        parts.append(part.select(pl.col(name).cast(kind) for name, kind in present.items()))
    return pl.concat(parts, how="diagonal")


def _spine(runtime: Runtime, connection: sa.Connection, model: Model, span: tuple[datetime, datetime]) -> "pl.DataFrame":
    """The events of a span: REQUEST_ID, EVENT_TIME and the request's fields."""
    import polars as pl

    start, end = span
    parts = []
    if start < model.go_live:
        past = past_requests.newest(connection, model)
        assert past is not None, "brought up before"
        asked = runtime.lake.get_frame(past.hash)
        parts.append(asked.filter(pl.col(EVENT_TIME).is_between(start, min(end, model.go_live), closed="left")))
    if end > model.go_live:
        wanted = [REQUEST_ID, EVENT_TIME, *(column.name for column in model.request)]
        answered = frames.logged(connection, model, (max(start, model.go_live), end), known_at=ALWAYS, late=True)
        parts.append(answered.select(wanted).unique([REQUEST_ID, EVENT_TIME], keep="first", maintain_order=True))
    return pl.concat(parts).sort(EVENT_TIME, REQUEST_ID)


def _require_landed(model: Model, days: Sequence[str], landed: Collection[str]) -> None:
    empty = [day for day in days if day not in landed]
    if empty:
        told = f"{', '.join(empty[:5])}{f' and {len(empty) - 5} more days' if len(empty) > 5 else ''}"
        raise EmptyPartitionError(
            f"{model.name}: nothing has landed on {told}, or its clock has not passed it; publish the rows first, "
            "or choose other days"
        )


def _put(
    runtime: Runtime, dataset: str, day: str, frame: "pl.DataFrame", code: str, inputs: Mapping[str, Any]
) -> PartitionVersion:
    return PartitionVersion(dataset, day, runtime.lake.put_frame(frame), frame.height, code, inputs)


def _day_made(day: str, versions: Sequence[PartitionVersion], parts: "Sequence[pl.DataFrame]") -> DayMade:
    import hashlib

    joined = "".join(version.hash for version in versions)
    data_version = versions[0].hash if len(versions) == 1 else hashlib.sha256(joined.encode()).hexdigest()
    cells = sum(part.height * part.width for part in parts)
    nulls = sum(sum(part.null_count().row(0)) for part in parts if part.height)
    return DayMade(day, data_version, sum(version.rows for version in versions), nulls / cells if cells else 0.0)
