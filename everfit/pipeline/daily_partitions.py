"""Daily partitions: the landed rows of a day, and the features of its events as known at their time."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from everfit.declaration import Model, Source
from everfit.declaration.reserved_columns import EVENT_TIME, REQUEST_ID
from everfit.errors import EmptyPartitionError
from everfit.features.spans import DAY
from everfit.pipeline import past_requests, span_records
from everfit.pipeline.code_versions import stage_version
from everfit.pipeline.day_summary import DaySummary, summarize
from everfit.pipeline.horizon import horizon
from everfit.pipeline.lineage import Lineage, features_dataset, raw_dataset
from everfit.pipeline.partition_frames import load_source
from everfit.runtime import Runtime
from everfit.store import frames, masks, partitions, source_days
from everfit.store.partitions import PartitionVersion
from everfit.timing import midnight

if TYPE_CHECKING:
    import polars as pl

ALWAYS = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Computed:
    """Computed features, the raw days that were cut before, and the lineage of both."""

    days: list[DaySummary]
    cut: list[DaySummary]
    lineage: Lineage


def available_days(runtime: Runtime, model: Model) -> list[str]:
    """The complete days with landed rows, up to the model's clock (the go-live, before it advances)."""
    with runtime.engine.connect() as connection:
        names = [source.name for source in model.sources]
        return source_days.landed(connection, names, before=horizon(connection, model))


def land_days(runtime: Runtime, model: Model, days: Sequence[str]) -> list[DaySummary]:
    """Write the landed rows of these days, without what is masked, as partitions to the lake, one object per source and day.

    A day whose rows were all moved to other days by corrections gets an empty partition.

    Raises:
        EmptyPartitionError: when nothing has landed on one of them; nothing is recorded then.
    """
    span = (midnight(min(days)), midnight(max(days)) + DAY)
    made: list[list[PartitionVersion]] = []
    parts: list[dict[str, pl.DataFrame]] = []
    code = stage_version(model, "raw_data")
    with runtime.engine.begin() as connection:
        changes = source_days.changes(connection, [source.name for source in model.sources])
        _require_landed(model, days, {day for touched in changes.values() for day in touched})
        for source in model.sources:
            cut = frames.by_day(masks.landed(connection, source, span), source.event_time, days)
            dataset, touched = raw_dataset(model, source.name), changes[source.name]
            versions = [_put(runtime, dataset, day, cut[day], code, {"changes": touched.get(day, 0)}) for day in days]
            partitions.record(connection, versions)
            span_records.record(connection, model, source, cut, touched)
            made.append(versions)
            parts.append(cut)
    return [summarize(day, [by_day[i] for by_day in made], [cut[day] for cut in parts]) for i, day in enumerate(days)]


def compute_days(runtime: Runtime, model: Model, days: Sequence[str], *, lineage: Lineage | None = None) -> Computed:
    """Compute the features of the events of these days, each as of its own event time, from all landed rows.

    ``lineage`` is the lineage just updated, where the caller has it.

    Events are the labelled rows of ``history`` before the go-live, and the requests in the prediction log from then on. Raw
    days of which they may see a row, and that were not cut yet or were touched since, are cut first.

    Raises:
        EmptyPartitionError: when nothing has landed on one of the days, or the model's clock has not passed it.
    """
    from everfit.features.offline import compute

    lineage = lineage or Lineage.up_to_date(runtime, model, since=min(days))
    _require_landed(model, days, lineage.landed)
    visible = {source_day for day in days for source_day in lineage.visible_days[day]}
    behind = sorted({day for _, day in visible} & set(lineage.stale_raw()))
    cut = land_days(runtime, model, behind) if behind else []
    lineage = lineage.after_cut(runtime) if cut else lineage
    # another run may have cut a further day in the meantime
    visible = {source_day for day in days for source_day in lineage.visible_days[day]}
    code, dataset = stage_version(model, "features"), features_dataset(model)
    with runtime.engine.begin() as connection:
        sources = {source.name: _visible_rows(runtime, connection, lineage, source, visible) for source in model.sources}
        spine = _spine(runtime, connection, model, (midnight(min(days)), midnight(max(days)) + DAY))
        by_day = frames.by_day(compute(model.views, sources, spine), EVENT_TIME, days)
        made = [_put(runtime, dataset, day, by_day[day], code, lineage.features_inputs(day)) for day in days]
        partitions.record(connection, made)
    summaries = [summarize(version.partition, [version], [by_day[version.partition]]) for version in made]
    return Computed(summaries, cut, lineage)


def _visible_rows(
    runtime: Runtime, connection: sa.Connection, lineage: Lineage, source: Source, visible: Collection[tuple[str, str]]
) -> "pl.DataFrame":
    """The visible rows of a source: of complete days from their partitions, of later days as they have landed."""
    import polars as pl

    days = sorted(day for name, day in visible if name == source.name)
    whole = [lineage.raw[source.name][day].hash for day in days if day < lineage.whole_before]
    later = [(midnight(day), midnight(day) + DAY) for day in days if day >= lineage.whole_before]
    parts = [load_source(runtime, source, whole)] if whole else []
    parts += [masks.landed(connection, source, span) for span in later]
    return pl.concat(parts) if parts else frames.decode_rows(source, [])


def _spine(runtime: Runtime, connection: sa.Connection, model: Model, span: tuple[datetime, datetime]) -> "pl.DataFrame":
    """The events of a span: REQUEST_ID, EVENT_TIME and the request's fields."""
    import polars as pl

    start, end = span
    parts = []
    if start < model.go_live:
        past = past_requests.newest(connection, model)
        assert past is not None, "brought up before"
        requests = runtime.lake.get_frame(past.hash)
        parts.append(requests.filter(pl.col(EVENT_TIME).is_between(start, min(end, model.go_live), closed="left")))
    if end > model.go_live:
        wanted = [REQUEST_ID, EVENT_TIME, *(column.name for column in model.request)]
        logged = frames.logged(connection, model, (max(start, model.go_live), end), known_at=ALWAYS, late=True)
        parts.append(logged.select(wanted).unique([REQUEST_ID, EVENT_TIME], keep="first", maintain_order=True))
    return pl.concat(parts).sort(EVENT_TIME, REQUEST_ID)


def _require_landed(model: Model, days: Sequence[str], landed: Collection[str]) -> None:
    empty = [day for day in days if day not in landed]
    if empty:
        listed = f"{', '.join(empty[:5])}{f' and {len(empty) - 5} more days' if len(empty) > 5 else ''}"
        raise EmptyPartitionError(
            f"{model.name}: nothing has landed on {listed}, or its clock has not passed it; publish the rows first, "
            "or choose other days"
        )


def _put(
    runtime: Runtime, dataset: str, day: str, frame: "pl.DataFrame", code: str, inputs: Mapping[str, Any]
) -> PartitionVersion:
    return PartitionVersion(dataset, day, runtime.lake.put_frame(frame), frame.height, code, inputs)
