"""What each day was made from, and which days are out of date because that has changed.

A day of raw data is made from the rows that had landed: ``source_days`` counts the publications that touched it. A day of
features is made from the raw days that its views look back on (before the go-live also those that bring its labels) and from
its own requests in the log, by the declaration of then.
"""

import hashlib
import inspect
import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa

from everfit.declaration import Model
from everfit.deployment import Deployment
from everfit.features.views import Latest
from everfit.store import judgements, partitions, source_days
from everfit.store.partitions import PartitionVersion
from everfit.workflow.versions import stage_version

DAY = timedelta(days=1)
KNOWN_WITHIN = timedelta(days=7)  # a row is taken to be known at most this long after its own event time

_LOGGED = sa.text("""
    SELECT (event_time AT TIME ZONE 'UTC')::date AS day, count(*) FROM predictions
    WHERE model = :model AND role = 'champion' AND event_time >= :since GROUP BY day
""")


def midnight(day: str | date) -> datetime:
    """The beginning of a day, UTC."""
    return datetime.combine(date.fromisoformat(str(day)), time(), UTC)


def raw_dataset(model: Model, source: str) -> str:
    """Name of the dataset of a source's landed rows."""
    return f"{model.name}/raw_data/{source}"


def features_dataset(model: Model) -> str:
    """Name of the dataset of a model's features."""
    return f"{model.name}/features"


def lookback(model: Model, day: str) -> str:
    """The first day whose raw rows can matter for features of ``day``; the first of all where a view looks back without end."""
    taken = [(view.ttl, feature) for view in model.views for feature in view.features.values()]
    if any(ttl is None and isinstance(feature, Latest) for ttl, feature in taken):
        return "0001-01-01"
    reach = [window for view in model.views for window in view.windows] + [ttl for ttl, _ in taken if ttl]
    return (midnight(day) - max(reach, default=DAY) - KNOWN_WITHIN).date().isoformat()


def lookahead(model: Model, day: str) -> str:
    """The last day whose raw rows can matter for features of ``day``.

    Before the go-live its events are the labelled rows of ``history``, and a label may be made of a row of a later day.
    """
    if midnight(day) >= model.go_live:
        return day
    read = inspect.signature(model.history).parameters
    reach = [model.training.label_delay - source.known_after for source in model.sources if source.name in read]
    later = midnight(day) + math.ceil(max(reach, default=DAY * 0) / DAY) * DAY
    return max(day, min(later, model.go_live - DAY).date().isoformat())


def horizon(connection: sa.Connection, model: Model) -> date:
    """The first day that is not whole yet by the model's clock (by the go-live, before it ticks)."""
    return max(judgements.clock(connection, model) or model.go_live, model.go_live).date()


@dataclass(frozen=True, slots=True)
class Lineage:
    """What has landed and what was made of it, at one moment, by day: publications that touched it, and newest versions."""

    model: Model
    landed: list[str]
    changes: source_days.Changes
    raw: Mapping[str, Mapping[str, PartitionVersion]]
    features: Mapping[str, PartitionVersion]
    logged: Mapping[str, int]

    @classmethod
    def read(cls, connection: sa.Connection, model: Model, *, since: str | None = None) -> "Lineage":
        """All of it up to the model's clock; requests are counted from ``since`` on."""
        sources = [source.name for source in model.sources]
        whole = horizon(connection, model)
        changes = source_days.changes(connection, sources, before=whole)
        counted_since = max(model.go_live, midnight(since)) if since else model.go_live
        logged = connection.execute(_LOGGED, {"model": model.name, "since": counted_since})
        return cls(
            model,
            sorted({day for days in changes.values() for day in days}),
            changes,
            {source: partitions.held(connection, raw_dataset(model, source)) for source in sources},
            partitions.held(connection, features_dataset(model)),
            {day.isoformat(): count for day, count in logged},
        )

    def raw_inputs(self, source: str, day: str) -> dict[str, Any]:
        """What a day of a source is cut from now."""
        return {"changes": self.changes[source].get(day, 0)}

    def features_inputs(self, day: str) -> dict[str, Any]:
        """What the features of a day would be made from now: the digest of the raw versions they see, and their requests.

        Which versions those were says ``partition_versions``: of each day since ``since`` the newest made by then.
        """
        since, until = lookback(self.model, day), lookahead(self.model, day)
        digest = hashlib.sha256()
        for source, days in self.raw.items():
            order = list(days)
            seen = order[bisect_left(order, since) : bisect_right(order, until)]
            digest.update("".join(f"{source} {one} {days[one].hash}\n" for one in seen).encode())
        return {"since": since, "raw_data": digest.hexdigest(), "requests": self.logged.get(day, 0)}

    def stale_raw(self) -> dict[str, str]:
        """The landed days whose raw data are not, or no longer, cut from all that landed; each with the reason."""
        code = stage_version(self.model, "raw_data")
        found = {}
        for day in self.landed:
            reasons = {self._raw_reason(source, day, code) for source in self.raw} - {""}
            if reasons:
                found[day] = "; ".join(sorted(reasons))
        return found

    def stale_features(self) -> dict[str, str]:
        """The landed days whose features are not, or no longer, made from what has landed; each with the reason."""
        code = stage_version(self.model, "features")
        behind = self.stale_raw()
        reasons = ((day, self._features_reason(day, code, behind)) for day in self.landed)
        return {day: reason for day, reason in reasons if reason}

    def _raw_reason(self, source: str, day: str, code: str) -> str:
        version = self.raw[source].get(day)
        if version is None:
            return "never made"
        if version.code_version != code:
            return "the sources' declaration changed"
        return "rows were added or corrected" if version.inputs != self.raw_inputs(source, day) else ""

    def _features_reason(self, day: str, code: str, behind: Iterable[str]) -> str:
        version = self.features.get(day)
        if version is None:
            return "never made"
        if version.code_version != code:
            return "the features' declaration changed"
        then, now, until = version.inputs, self.features_inputs(day), lookahead(self.model, day)
        if then.get("raw_data") != now["raw_data"] or any(now["since"] <= one <= until for one in behind):
            return "rows that it looks back on were added or corrected"
        return "more requests were logged" if then.get("requests", 0) < now["requests"] else ""


@dataclass(frozen=True, slots=True)
class Outdated:
    """The days of a model to be made or made again, by day, each with the reason."""

    raw_data: Mapping[str, str]
    features: Mapping[str, str]

    def __bool__(self) -> bool:
        return bool(self.raw_data or self.features)

    @property
    def days(self) -> list[str]:
        """The days of either, in order."""
        return sorted({*self.raw_data, *self.features})


def outdated(deployment: Deployment, model: Model, *, since: str = "", before: str = "9999") -> Outdated:
    """The landed days in ``[since, before)`` whose raw data or features do not follow from what has landed."""
    with deployment.engine.connect() as connection:
        lineage = Lineage.read(connection, model)
    stages = (lineage.stale_raw(), lineage.stale_features())
    return Outdated(*({day: reason for day, reason in found.items() if since <= day < before} for found in stages))


def stale_days(deployment: Deployment, model: Model, *, before: datetime) -> list[str]:
    """The landed days before a moment that are out of date, in order: what a training up to that moment has to make first."""
    return outdated(deployment, model, before=before.date().isoformat()).days
