"""The lineage of days: what each day was made from, and which days are out of date because that has changed.

A day of raw data is made from the landed rows: ``source_days`` counts the publications that touched it. A day of features is
made, by the declaration of that time, from the day's requests and from the raw days with rows that became known in time for
them and have not expired: ``known_at`` alone decides which these are, so that the result does not depend on which days are made
together, nor on how long after its own time, or before it, a row becomes known.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from everfit.declaration import Model
from everfit.declaration.rollouts import ANSWERING
from everfit.features.spans import days_reached, reach
from everfit.pipeline import past_requests, span_records
from everfit.pipeline.code_versions import stage_version
from everfit.pipeline.day_isolation import failing_days
from everfit.pipeline.horizon import horizon
from everfit.runtime import Runtime
from everfit.store import partitions, source_days
from everfit.store.partitions import PartitionVersion
from everfit.timing import midnight

_LOGGED = sa.text("""
    SELECT (event_time AT TIME ZONE 'UTC')::date AS day, count(*) FROM predictions
    WHERE model = :model AND role = ANY(:roles) AND event_time >= :since GROUP BY day
""")


def raw_dataset(model: Model, source: str) -> str:
    """Name of the dataset of a source's landed rows."""
    return f"{model.name}/raw_data/{source}"


def scored_dataset(model: Model) -> str:
    """The answers to the model's table of requests, by day."""
    return f"{model.name}/scored requests"


def features_dataset(model: Model) -> str:
    """Name of the dataset of a model's features."""
    return f"{model.name}/features"


@dataclass(frozen=True)
class Lineage:
    """What has landed and what was made from it, at one moment, by day.

    ``changes`` are the publications that touched each landed day; ``landed`` are the complete days among them. ``raw``
    and ``features`` are newest versions, ``spans`` are when a day's rows became known to each view, ``request_digests`` a
    digest of the requests of each day before the go-live, and ``logged`` counts those of each day since.
    """

    model: Model
    whole_before: str
    changes: source_days.Changes
    raw: Mapping[str, Mapping[str, PartitionVersion]]
    features: Mapping[str, PartitionVersion]
    spans: span_records.Spans
    request_digests: Mapping[str, str]
    logged: Mapping[str, int]

    @classmethod
    def on_record(cls, runtime: Runtime, model: Model, *, counted: bool = False) -> "Lineage":
        """The recorded lineage, without running a function of the model; with ``counted``, requests in the log are counted."""
        with runtime.engine.connect() as connection:
            return cls._read(connection, model, _logged(connection, model, model.go_live) if counted else {})

    @classmethod
    def _read(cls, connection: sa.Connection, model: Model, logged: Mapping[str, int]) -> "Lineage":
        sources = [source.name for source in model.sources]
        past = past_requests.newest(connection, model)
        return cls(
            model,
            horizon(connection, model).isoformat(),
            source_days.changes(connection, sources),
            _raw(connection, model),
            partitions.newest_versions(connection, features_dataset(model)),
            span_records.newest(connection, model),
            past.inputs["days"] if past else {},
            logged,
        )

    @classmethod
    def up_to_date(cls, runtime: Runtime, model: Model, *, since: str | None = None) -> "Lineage":
        """The lineage with its records updated to what has landed; requests in the log are counted from ``since`` on."""
        with runtime.engine.begin() as connection:
            changes = source_days.changes(connection, [source.name for source in model.sources])
            span_records.bring_up(connection, model, changes)
            past_requests.bring_up(connection, runtime.lake, model, changes)
            counted_since = max(model.go_live, midnight(since)) if since else model.go_live
            return replace(cls._read(connection, model, _logged(connection, model, counted_since)), changes=changes)

    def after_cut(self, runtime: Runtime) -> "Lineage":
        """This lineage after days of raw data were cut."""
        with runtime.engine.connect() as connection:
            raw, spans = _raw(connection, self.model), span_records.newest(connection, self.model)
        return replace(self, raw=raw, spans=spans)

    @cached_property
    def landed(self) -> list[str]:
        """The complete days with landed rows, in order."""
        return sorted({day for days in self.changes.values() for day in days if day < self.whole_before})

    @cached_property
    def visible_days(self) -> Mapping[str, list[tuple[str, str]]]:
        """For each landed day the (source, day) pairs with rows that its requests may depend on, in order."""
        visible_days: dict[date, list[tuple[str, str]]] = {date.fromisoformat(day): [] for day in self.landed}
        days = list(visible_days)
        for source, of_source in self.spans.items():
            reaches = {view.name: reach(view) for view in self.model.views if view.source == source}
            for day, of_views in of_source.items():
                source_day = source, day  # for a view whose rows never expire, every later day depends on it
                reached = (days_reached(of_views.get(view, []), after, days) for view, after in reaches.items())
                for later in set[date]().union(*reached):
                    visible_days[later].append(source_day)
        return dict(zip(self.landed, visible_days.values(), strict=True))

    def raw_inputs(self, source: str, day: str) -> dict[str, Any]:
        """The inputs that a day of a source would be cut from now."""
        return {"changes": self.changes[source].get(day, 0)}

    def features_inputs(self, day: str) -> dict[str, Any]:
        """The inputs that the features of a day would be made from now: a digest of their raw versions, and their requests.

        The versions can be looked up in ``partition_versions``: the newest of each day in the spans at that time.
        """
        digest = hashlib.sha256("".join(map(self._versions.__getitem__, self.visible_days[day])).encode())
        since = min((source_day for _, source_day in self.visible_days[day]), default=day)
        digests = {"asked": self.request_digests.get(day, "")} if midnight(day) < self.model.go_live else {}
        return {"since": since, "raw_data": digest.hexdigest(), "requests": self.logged.get(day, 0), **digests}

    @cached_property
    def _versions(self) -> Mapping[tuple[str, str], str]:
        """A line for each day of a source with its version; for an incomplete day, with the number of its publications."""
        lines = {}
        for source, days in self.spans.items():
            for day in days:
                version = self.raw[source].get(day) if day < self.whole_before else None
                lines[source, day] = f"{source} {day} {version.hash if version else self.changes[source].get(day, 0)}\n"
        return lines

    def stale_raw(self) -> dict[str, str]:
        """The landed days whose raw data are missing or out of date, each with the reason."""
        code = stage_version(self.model, "raw_data")
        stale = {}
        for day in self.landed:
            reasons = {self._raw_reason(source, day, code) for source in self.raw} - {""}
            if reasons:
                stale[day] = "; ".join(sorted(reasons))
        return stale

    def stale_features(self) -> dict[str, str]:
        """The landed days whose features are missing or out of date, each with the reason."""
        code = stage_version(self.model, "features")
        behind = self._behind()
        reasons = ((day, self._features_reason(day, code, behind)) for day in self.landed)
        return {day: reason for day, reason in reasons if reason}

    def _raw_reason(self, source: str, day: str, code: str) -> str:
        version = self.raw[source].get(day)
        if version is None:
            return "never made"
        if version.code_version != code:
            return "the sources' declaration changed"
        return "rows were added or corrected" if version.inputs != self.raw_inputs(source, day) else ""

    def _behind(self) -> set[tuple[str, str]]:
        """The landed days of each source whose raw data are out of date."""
        code = stage_version(self.model, "raw_data")
        return {(source, day) for source in self.raw for day in self.landed if self._raw_reason(source, day, code)}

    def _features_reason(self, day: str, code: str, behind: set[tuple[str, str]]) -> str:
        version = self.features.get(day)
        if version is None:
            return "never made"
        if version.code_version != code:
            return "the features' declaration changed"
        then, now = version.inputs, self.features_inputs(day)
        if then.get("raw_data") != now["raw_data"] or not behind.isdisjoint(self.visible_days[day]):
            return "rows that it looks back on were added or corrected"
        if then.get("asked") != now.get("asked"):
            return "its requests were added or corrected"
        return "more requests were logged" if then.get("requests", 0) < now["requests"] else ""


def _logged(connection: sa.Connection, model: Model, since: datetime) -> dict[str, int]:
    """Number of logged requests of each day."""
    counted = connection.execute(_LOGGED, {"model": model.name, "since": since, "roles": list(ANSWERING)})
    return {day.isoformat(): count for day, count in counted}


def _raw(connection: sa.Connection, model: Model) -> dict[str, dict[str, PartitionVersion]]:
    return {source.name: partitions.newest_versions(connection, raw_dataset(model, source.name)) for source in model.sources}


@dataclass(frozen=True, slots=True)
class Outdated:
    """The days of a model to make or to make again, by day, each with the reason."""

    raw_data: Mapping[str, str]
    features: Mapping[str, str]

    def __bool__(self) -> bool:
        return bool(self.raw_data or self.features)

    @property
    def days(self) -> list[str]:
        """The days of either, in order."""
        return sorted({*self.raw_data, *self.features})


def outdated(
    runtime: Runtime, model: Model, *, since: str = "", before: str = "9999", lineage: Lineage | None = None
) -> Outdated:
    """The landed days in ``[since, before)`` whose raw data or features are out of date.

    ``lineage`` is the lineage to use; by default it is updated first, which runs the model's functions.
    """
    lineage = lineage or Lineage.up_to_date(runtime, model)
    stages = (lineage.stale_raw(), lineage.stale_features())
    return Outdated(*({day: reason for day, reason in reasons.items() if since <= day < before} for reasons in stages))


def stale_days(runtime: Runtime, model: Model, *, before: datetime, lineage: Lineage | None = None) -> list[str]:
    """The landed days before a moment that are out of date, in order, which a training up to that moment must make first.

    Days that recently failed are left out; they are tried again every night.
    """
    stale = outdated(runtime, model, before=before.date().isoformat(), lineage=lineage).days
    with runtime.engine.connect() as connection:
        failing = failing_days(connection, model)
    return [day for day in stale if day not in failing]
