"""Daily partitions: the landed rows of a day, and the features of its events as they were known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from everfit.declaration import Model
from everfit.deployment import Deployment
from everfit.errors import EmptyPartitionError
from everfit.features.views import Latest
from everfit.store import frames, judgements, partitions
from everfit.store.partitions import PartitionVersion
from everfit.workflow.versions import code_version

if TYPE_CHECKING:
    import polars as pl

DAY = timedelta(days=1)
KNOWN_WITHIN = timedelta(days=7)  # a row is taken to be known at most this long after its own event time
ALWAYS = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class DayMade:
    """One partition that was made: its day, data version, rows, and share of nulls."""

    day: str
    data_version: str
    rows: int
    null_share: float


def midnight(day: str | date) -> datetime:
    """The beginning of a day, UTC."""
    return datetime.combine(date.fromisoformat(str(day)), time(), UTC)


def raw_dataset(model: Model, source: str) -> str:
    """Name of the dataset of a source's landed rows."""
    return f"{model.name}/raw_data/{source}"


def features_dataset(model: Model) -> str:
    """Name of the dataset of a model's features."""
    return f"{model.name}/features"


def available_days(deployment: Deployment, model: Model) -> list[str]:
    """The whole days on which rows have landed, up to where the model's clock stands (the go-live, before it ticks)."""
    with deployment.engine.connect() as connection:
        clock = max(judgements.clock(connection, model) or model.go_live, model.go_live)
        names = [source.name for source in model.sources]
        query = sa.text(
            "SELECT DISTINCT (event_time AT TIME ZONE 'UTC')::date AS day FROM source_rows "
            "WHERE source = ANY(:sources) AND event_time < :until ORDER BY day"
        )
        until = datetime.combine(clock.date(), time(), UTC)
        return [str(day) for day in connection.execute(query, {"sources": names, "until": until}).scalars()]


def land_days(deployment: Deployment, model: Model, days: Sequence[str]) -> list[DayMade]:
    """Cut what has landed on these days into partitions of the lake, one object a source and day.

    Raises:
        EmptyPartitionError: when nothing has landed on one of them; nothing is recorded then.
    """
    span = (midnight(min(days)), midnight(max(days)) + DAY)
    made: dict[str, list[PartitionVersion]] = {}
    cut: dict[str, dict[str, pl.DataFrame]] = {}
    with deployment.engine.begin() as connection:
        for source in model.sources:
            rows = frames.landed(connection, source, span)
            cut[source.name] = _by_day(rows, source.event_time, days)
        empty = [day for day in days if all(cut[source.name][day].is_empty() for source in model.sources)]
        if empty:
            raise EmptyPartitionError(
                f"{model.name}: nothing has landed on {', '.join(empty[:5])}"
                f"{f' and {len(empty) - 5} more days' if len(empty) > 5 else ''}; publish the rows first, or choose other days"
            )
        for source in model.sources:
            made[source.name] = [
                _put(deployment, model, raw_dataset(model, source.name), day, cut[source.name][day]) for day in days
            ]
            partitions.record(connection, made[source.name])
    return [
        _day_made(day, [by_day[i] for by_day in made.values()], [parts[day] for parts in cut.values()])
        for i, day in enumerate(days)
    ]


def compute_days(deployment: Deployment, model: Model, days: Sequence[str]) -> list[DayMade]:
    """Compute the features of the events of these days, each as of its own event time.

    Events are the labelled rows of ``history`` before the go-live, and the requests in the prediction log from then on.

    Raises:
        EmptyPartitionError: when a day's raw data were never cut.
    """
    from everfit.features.offline import compute

    span = (midnight(min(days)), midnight(max(days)) + DAY)
    sources = load_raw(deployment, model, since=_lookback(model, span[0]), before=span[1])
    with deployment.engine.begin() as connection:
        _require(connection, model, days)
        spine = _spine(connection, model, sources, span)
        frame = compute(model.views, sources, spine)
        by_day = _by_day(frame, "event_time", days)
        dataset = features_dataset(model)
        made = [_put(deployment, model, dataset, day, by_day[day]) for day in days]
        partitions.record(connection, made)
    return [_day_made(day, [version], [by_day[day]]) for day, version in zip(days, made, strict=True)]


def load_raw(
    deployment: Deployment, model: Model, *, since: date | None = None, before: datetime
) -> "Mapping[str, pl.DataFrame]":
    """The newest versions of the raw partitions of ``[since, before)``, one frame a source."""
    with deployment.engine.connect() as connection:
        found = {
            source.name: partitions.newest(connection, raw_dataset(model, source.name), since=since, before=before.date())
            for source in model.sources
        }
    return {name: load_frames(deployment, list(days.values())) for name, days in found.items()}


def load_frames(deployment: Deployment, hashes: Sequence[str]) -> "pl.DataFrame":
    """Objects of the lake one after the other."""
    import polars as pl

    return pl.concat([deployment.lake.get_frame(digest) for digest in hashes]) if hashes else pl.DataFrame()


def history(model: Model, sources: "Mapping[str, pl.DataFrame]") -> "pl.DataFrame":
    """The labelled rows that ``model.history`` makes of raw sources.

    Returns:
        One row an event: request_id, event_time, the request's fields, the label (0 or 1) and observed_at.
    """
    import inspect

    import narwhals.stable.v2 as nw
    import polars as pl

    read = inspect.signature(model.history).parameters
    frame: pl.DataFrame = model.history(*(nw.from_native(sources[name]) for name in read)).to_native()
    fields = [pl.col(column.name).cast(frames.TYPES[column.kind]) for column in model.request]
    identity = pl.format("history-{}-{}", pl.col("event_time").dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ"), pl.col(model.entity))
    label = pl.col(model.label).cast(pl.Float64)
    return frame.select(identity.alias("request_id"), "event_time", *fields, label, "observed_at")


def _spine(
    connection: sa.Connection, model: Model, sources: "Mapping[str, pl.DataFrame]", span: tuple[datetime, datetime]
) -> "pl.DataFrame":
    """The events of a span: request_id, event_time and the request's fields."""
    import polars as pl

    wanted = ["request_id", "event_time", *(column.name for column in model.request)]
    start, end = span
    parts = []
    if start < model.go_live:
        before = pl.col("event_time").is_between(start, min(end, model.go_live), closed="left")
        parts.append(history(model, sources).filter(before).select(wanted))
    if end > model.go_live:
        since = (max(start, model.go_live), end)
        parts.append(frames.logged(connection, model, since, known_at=ALWAYS, late=True).select(wanted))
    return pl.concat(parts).sort("event_time", "request_id")


def _lookback(model: Model, start: datetime) -> date | None:
    """From which day on raw rows can matter for features at ``start``; None where one view looks back without end."""
    taken = [(view.ttl, feature) for view in model.views for feature in view.features.values()]
    if any(ttl is None and isinstance(feature, Latest) for ttl, feature in taken):
        return None
    reach = [window for view in model.views for window in view.windows] + [ttl for ttl, _ in taken if ttl]
    return (start - max(reach, default=DAY) - KNOWN_WITHIN).date()


def _require(connection: sa.Connection, model: Model, days: Sequence[str]) -> None:
    cut = {day for source in model.sources for day in partitions.newest(connection, raw_dataset(model, source.name))}
    missing = [day for day in days if day not in cut]
    if missing:
        raise EmptyPartitionError(f"{model.name}: raw_data has no partition {missing[0]}; materialize raw_data for it first")


def _by_day(frame: "pl.DataFrame", column: str, days: Sequence[str]) -> "dict[str, pl.DataFrame]":
    import polars as pl

    if frame.is_empty():
        return dict.fromkeys(days, frame)
    parts = frame.with_columns(pl.col(column).dt.date().cast(pl.String).alias("_day")).partition_by(
        "_day", as_dict=True, include_key=False, maintain_order=True
    )
    return {day: parts.get((day,), frame.clear()) for day in days}


def _put(deployment: Deployment, model: Model, dataset: str, day: str, frame: "pl.DataFrame") -> PartitionVersion:
    digest = deployment.lake.put_frame(frame)
    return PartitionVersion(dataset, day, digest, frame.height, code_version(model), {})


def _day_made(day: str, versions: Sequence[PartitionVersion], parts: "Sequence[pl.DataFrame]") -> DayMade:
    import hashlib

    joined = "".join(version.hash for version in versions)
    data_version = versions[0].hash if len(versions) == 1 else hashlib.sha256(joined.encode()).hexdigest()
    cells = sum(part.height * part.width for part in parts)
    nulls = sum(sum(part.null_count().row(0)) for part in parts if part.height)
    return DayMade(day, data_version, sum(version.rows for version in versions), nulls / cells if cells else 0.0)
