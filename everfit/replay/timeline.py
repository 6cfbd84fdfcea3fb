"""Recorded source rows, outcomes and requests, merged in the order in which they became known."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from everfit.declaration import Integer, Model, Source
from everfit.declaration.reserved_columns import EVENT_TIME, LABEL, OBSERVED_AT, REQUEST_ID
from everfit.errors import SourceError
from everfit.features.running_sums import key_of
from everfit.topics.events import Outcome

if TYPE_CHECKING:
    import polars as pl

Row = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """A client's request at ``event_time``. ``inputs`` are the declared request fields."""

    request_id: str
    entity: str
    event_time: datetime
    inputs: Row


@dataclass(frozen=True, slots=True)
class Instant:
    """Requests of one moment, and what became known since the previous requests; to be played in the order of the fields.

    A request at ``at`` sees the rows of ``at``. The last instant of a range may have no requests.
    """

    at: datetime
    rows: Mapping[str, Sequence[Row]]  # by source
    outcomes: Sequence[tuple[str, Outcome]]  # each with its entity, the key of its record
    requests: Sequence[Request]


def timeline(model: Model, start: datetime, end: datetime) -> Iterator[Instant]:
    """The instants of ``[start, end)`` in event-time order.

    The time of a source row is its publication, that of an outcome its observation, that of a request its event time.
    Outcomes of requests from before the go-live belong to the history and are left out.

    Raises:
        SourceError: when a source that the model's history reads has no recorded rows, or the history does not fit.
    """
    import polars as pl

    from everfit.features.labelled_rows import labelled

    read = inspect.signature(model.history).parameters
    history = labelled(model, {name: recorded(model.source(name)) for name in read})
    played = {source.name: published(source, start, end) for source in model.sources}
    requests = history.filter(pl.col(EVENT_TIME).is_between(start, end, closed="left"))
    observed = pl.col(OBSERVED_AT).is_between(start, end, closed="left") & (pl.col(EVENT_TIME) >= model.go_live)
    outcomes = history.filter(observed).sort(OBSERVED_AT, maintain_order=True)
    yield from _merged(model, played, outcomes, requests)


def published(source: Source, start: datetime | None, end: datetime) -> "pl.DataFrame":
    """A source's recorded rows that became known in ``[start, end)``, in that order.

    Returns:
        The source's columns and ``_known_at``; no rows where the source has no record.
    """
    import polars as pl

    names = [column.name for column in source.columns]
    if source.recorded is None:
        return pl.DataFrame(schema=[*names, "_known_at"])
    rows = recorded(source).select(*names, _known_at=pl.col(source.event_time) + source.known_after)
    rows = rows.filter(pl.col("_known_at") < end, *([] if start is None else [pl.col("_known_at") >= start]))
    return rows.sort("_known_at", maintain_order=True)


def recorded(source: Source) -> "pl.DataFrame":
    """All recorded rows of a source.

    Raises:
        SourceError: when the declaration has no record to read.
    """
    import narwhals.stable.v2 as nw

    if source.recorded is None:
        raise SourceError(f"source {source.name} has no recorded rows to replay; declare it with recorded=…")
    rows: pl.DataFrame = nw.from_native(source.recorded(), eager_only=True).to_polars()
    return rows


class _Due(Generic[T]):
    """Events in the order of time, taken as the clock passes them."""

    def __init__(self, moments: "pl.Series", happening: Iterator[T]) -> None:
        self._coming = zip(moments, happening, strict=True)
        self._next = next(self._coming, None)

    def until(self, at: datetime) -> list[T]:
        """The events up to ``at`` that were not taken before."""
        taken = []
        while self._next is not None and self._next[0] <= at:
            taken.append(self._next[1])
            self._next = next(self._coming, None)
        return taken


def _merged(
    model: Model, played: Mapping[str, "pl.DataFrame"], outcomes: "pl.DataFrame", requests: "pl.DataFrame"
) -> Iterator[Instant]:
    rows = {name: _Due(frame["_known_at"], frame.drop("_known_at").iter_rows(named=True)) for name, frame in played.items()}
    observed = _Due(outcomes[OBSERVED_AT], (_outcome(model, row) for row in outcomes.iter_rows(named=True)))
    merged = (_request(model, row) for row in requests.iter_rows(named=True))

    def instant(at: datetime, together: Sequence[Request]) -> Instant:
        rows_by_source = {name: due.until(at) for name, due in rows.items()}
        return Instant(
            at, {name: due_rows for name, due_rows in rows_by_source.items() if due_rows}, observed.until(at), together
        )

    for at, together in groupby(merged, key=lambda request: request.event_time):
        yield instant(at, list(together))
    ends = [frame["_known_at"].max() for frame in played.values()] + [outcomes[OBSERVED_AT].max()]
    rest = instant(max((end for end in ends if isinstance(end, datetime)), default=model.go_live), [])
    if rest.rows or rest.outcomes:
        yield rest


def _request(model: Model, row: dict[str, Any]) -> Request:
    fields = {column.name: row[column.name] for column in model.request}
    whole = {column.name for column in model.request if isinstance(column, Integer)}
    inputs = {name: int(value) if name in whole and value is not None else value for name, value in fields.items()}
    return Request(row[REQUEST_ID], key_of(row[model.entity]), row[EVENT_TIME], inputs)


def _outcome(model: Model, row: dict[str, Any]) -> tuple[str, Outcome]:
    outcome = Outcome(request_id=row[REQUEST_ID], model=model.name, outcome=row[LABEL], observed_at=row[OBSERVED_AT])
    return key_of(row[model.entity]), outcome
