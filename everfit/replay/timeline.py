"""What happened, and when it could first be known: recorded source rows, outcomes and requests merged by event time."""

import inspect
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from everfit.declaration import Model, Source
from everfit.errors import SourceError
from everfit.events import Outcome
from everfit.timing import format_time

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks at ``event_time``. ``inputs`` holds the declared request fields."""

    request_id: str
    entity: str
    event_time: datetime
    inputs: Row


@dataclass(frozen=True, slots=True)
class Instant:
    """All that becomes known at one moment, to be played in this order: a request at ``at`` sees the rows of ``at``."""

    at: datetime
    rows: Mapping[str, Sequence[Row]]  # by source
    outcomes: Sequence[tuple[str, Outcome]]  # each with its entity, the key of its record
    requests: Sequence[Request]


def timeline(model: Model, start: datetime, end: datetime) -> Iterator[Instant]:
    """The instants of ``[start, end)`` in event-time order.

    A source row happens when it is published, an outcome when it is observed, a request at its event time. Outcomes of
    requests from before the go-live are history, not outcomes, and do not show.

    Raises:
        SourceError: when a source has nothing on record.
    """
    rows: dict[datetime, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for source in model.sources:
        for known_at, row in published(source, start, end):
            rows[known_at][source.name].append(row)
    outcomes: dict[datetime, list[tuple[str, Outcome]]] = defaultdict(list)
    requests: dict[datetime, list[Request]] = defaultdict(list)
    for request, outcome in _asked(model):
        if start <= request.event_time < end:
            requests[request.event_time].append(request)
        if start <= outcome.observed_at < end and request.event_time >= model.go_live:
            outcomes[outcome.observed_at].append((request.entity, outcome))
    for at in sorted(rows.keys() | outcomes.keys() | requests.keys()):
        yield Instant(at, rows.get(at, {}), outcomes.get(at, []), requests.get(at, []))


def published(source: Source, start: datetime | None, end: datetime) -> list[tuple[datetime, Row]]:
    """A source's recorded rows that were first known in ``[start, end)``, each with that moment, in its order."""
    import polars as pl

    known = recorded(source).with_columns(known_at=pl.col(source.event_time) + source.known_after)
    known = known.filter(pl.col("known_at") < end, *([] if start is None else [pl.col("known_at") >= start]))
    known = known.sort("known_at", maintain_order=True)
    names = [column.name for column in source.columns]
    return list(zip(known["known_at"].to_list(), known.select(names).to_dicts(), strict=True))


def recorded(source: Source) -> Any:
    """Everything on record of a source, as a Polars frame.

    Raises:
        SourceError: when the declaration names nothing that could be read.
    """
    import narwhals.stable.v2 as nw

    if source.recorded is None:
        raise SourceError(f"source {source.name} has nothing on record to play; declare it with recorded=…")
    return nw.from_native(source.recorded(), eager_only=True).to_polars()


def _asked(model: Model) -> Iterator[tuple[Request, Outcome]]:
    """Every request of the model's history with its outcome; ids depend on the history alone, not on the range played."""
    import narwhals.stable.v2 as nw

    read = {name: nw.from_native(recorded(model.source(name))) for name in inspect.signature(model.history).parameters}
    rows = nw.from_native(model.history(**read), eager_only=True).to_polars().sort("event_time", maintain_order=True).to_dicts()
    fields = [column.name for column in model.request]
    at_once = Counter(row["event_time"] for row in rows)
    seen: Counter[str] = Counter()
    for row in rows:
        at, entity = row["event_time"], str(row[model.entity])
        name = f"{model.name}-{format_time(at)}" + (f"-{entity}" if at_once[at] > 1 else "")
        seen[name] += 1
        request_id = name if seen[name] == 1 else f"{name}-{seen[name]}"
        outcome = Outcome(
            request_id=request_id, model=model.name, outcome=float(row[model.label]), observed_at=row["observed_at"]
        )
        yield Request(request_id, entity, at, {field: row[field] for field in fields}), outcome
