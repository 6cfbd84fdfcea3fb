"""Records of when the rows of each landed day became known to a model's views, kept beside the versions of its days.

A day's record is valid for the number of publications that had touched the day (``changes``) and for the code that made it; a
day that was touched since is read again from its landed rows.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa

from everfit.declaration import Model, Source
from everfit.declaration.views import FeatureView
from everfit.features.spans import DAY, Span, known_spans
from everfit.pipeline.code_versions import stage_version
from everfit.store import frames, partitions
from everfit.store.partitions import PartitionVersion
from everfit.store.source_days import Changes
from everfit.timing import format_time, midnight, parse_time

if TYPE_CHECKING:
    import polars as pl

Spans = dict[str, dict[str, dict[str, list[Span]]]]  # source → day → view → when its rows became known

DAYS_AT_ONCE = 30


def newest(connection: sa.Connection, model: Model) -> Spans:
    """The recorded spans of every day."""
    return {
        source.name: {
            day: _spans(version) for day, version in partitions.newest_versions(connection, _dataset(model, source)).items()
        }
        for source in _viewed(model)
    }


def bring_up(connection: sa.Connection, model: Model, changes: Changes) -> None:
    """Record the spans of landed days that were touched, or whose declaration changed, since they were recorded.

    Args:
        connection: in a transaction; rows are read after ``changes``, so that none is missed.
        model: the model.
        changes: all landed days of the model's sources.
    """
    code = _code(model)
    for source in _viewed(model):
        on_record = partitions.newest_versions(connection, _dataset(model, source))
        days = changes[source.name]
        behind = [day for day, count in days.items() if not _holds(on_record.get(day), count, code)]
        for several in _runs(behind):
            first, last = date.fromisoformat(several[0]), date.fromisoformat(several[-1])
            rows = frames.landed(connection, source, (midnight(first), midnight(last) + DAY))
            by_day = frames.by_day(rows, source.event_time, several)
            record(connection, model, source, by_day, days)


def record(
    connection: sa.Connection, model: Model, source: Source, rows: "Mapping[str, pl.DataFrame]", changes: Mapping[str, int]
) -> None:
    """Record the spans of days with the given landed rows."""
    views = [view for view in model.views if view.source == source.name]
    if not views:
        return
    code = _code(model)
    versions = []
    for day, frame in rows.items():
        spans = {view.name: _written(view, frame) for view in views}
        digest = hashlib.sha256(msgspec.json.encode(spans, order="deterministic")).hexdigest()[:32]  # not an object of the lake
        inputs = {"changes": changes.get(day, 0), "spans": spans}
        versions.append(PartitionVersion(_dataset(model, source), day, digest, frame.height, code, inputs))
    partitions.record(connection, versions)


def _viewed(model: Model) -> list[Source]:
    """The sources that the views read."""
    return [source for source in model.sources if any(view.source == source.name for view in model.views)]


def _dataset(model: Model, source: Source) -> str:
    return f"{model.name}/spans/{source.name}"


def _code(model: Model) -> str:
    return f"{stage_version(model, 'raw_data')} {stage_version(model, 'features')}"


def _holds(version: PartitionVersion | None, changes: int, code: str) -> bool:
    return version is not None and (version.inputs["changes"], version.code_version) == (changes, code)


def _runs(days: Sequence[str]) -> Iterator[list[str]]:
    """Runs of consecutive days, of limited length."""
    run: list[str] = []
    for day in days:
        if run and (len(run) == DAYS_AT_ONCE or date.fromisoformat(day) - date.fromisoformat(run[-1]) != timedelta(days=1)):
            yield run
            run = []
        run.append(day)
    if run:
        yield run


def _written(view: FeatureView, frame: "pl.DataFrame") -> list[list[str]]:
    return [[format_time(moment) for moment in span] for span in known_spans(view, frame)]


def _spans(version: PartitionVersion) -> dict[str, list[Span]]:
    return {view: [_read(span) for span in spans] for view, spans in version.inputs["spans"].items()}


def _read(span: Sequence[str]) -> tuple[datetime, datetime]:
    first, last = map(parse_time, span)
    return first, last
