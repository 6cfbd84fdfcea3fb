"""Rows in COPY's text format, copied to a staging table and inserted from there unless their identity is stored already.

COPY itself has no ON CONFLICT. The staging tables live as long as the session and are emptied by every commit. Of two rows with
the same identity the first counts. Where not every row was new, each is compared with the stored row: an equal row was
delivered again, a different row is a contradiction.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec
from msgspec import UNSET
from psycopg import Cursor

from everfit.store import locks, staging
from everfit.topics.events import LoggedPrediction, Outcome

_SHARE_WINDOWS = """\
SELECT pg_advisory_xact_lock_shared(hashtextextended(%s || model, 0))
FROM (SELECT DISTINCT model FROM incoming_predictions ORDER BY model) AS models"""
_ARRIVED = "SELECT model, partition, count(*), max(event_time) FROM incoming_predictions GROUP BY model, partition"
NULL = "\\N"  # of COPY
_ENCODER = msgspec.json.Encoder()
_OBSERVED = "SELECT model, count(*) FROM incoming_outcomes GROUP BY model"


Contradictions = dict[int, str]  # position of a line → what it contradicts


class Record(Protocol):
    """The attributes used here of a record of Kafka's client."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def value(self) -> bytes | None: ...


@dataclass(slots=True)
class Rows:
    """Lines for COPY, and the record of each."""

    lines: list[str] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.lines)

    def picked(self, wanted: Sequence[int]) -> "Rows":
        """The rows at these positions."""
        return Rows([self.lines[at] for at in wanted], [self.records[at] for at in wanted])

    def months(self) -> Iterator[str]:
        """The distinct months of the predictions among them, as ``1996-09``."""
        return iter({line[(start := line.index("\t") + 1) : start + 7] for line in self.lines})


@dataclass(frozen=True, slots=True)
class Arrived:
    """The predictions of a model on one partition in a batch: their number, and the newest event time."""

    model: str
    partition: int
    rows: int
    newest: datetime


@dataclass(frozen=True, slots=True)
class Stored:
    """Numbers of a model's new predictions, and of the late ones among them."""

    model: str
    rows: int
    late: int


def prediction_line(event: LoggedPrediction, partition: int, *, plain: bool) -> str:
    """A line of ``incoming_predictions``, its columns in their order. ``plain`` means that nothing in it must be escaped."""
    request_id, entity, features = event.request_id, event.entity, str(event.features, "utf-8")
    if not plain:
        request_id, entity, features = escaped(request_id), escaped(entity), escaped(features)
    return (
        f"{partition}\t{_utc(event.event_time)}\t{request_id}\t{event.model}\t{event.version}\t{event.role}\t{entity}\t{features}"
        f"\t{NULL if event.score is None else repr(event.score)}\t{'t' if event.degraded else 'f'}\t{event.schema}"
        f"\t{NULL if event.scores is UNSET else escaped(str(_ENCODER.encode(event.scores), 'utf-8'))}"
        f"\t{0.0 if event.explored is UNSET else event.explored!r}\n"
    )


def outcome_line(event: Outcome) -> str:
    """A line of ``incoming_outcomes``, its columns in their order."""
    truth = f"{NULL}\t{escaped(event.outcome)}" if isinstance(event.outcome, str) else f"{event.outcome!r}\t{NULL}"
    return f"{_utc(event.observed_at)}\t{event.model}\t{escaped(event.request_id)}\t{truth}\n"


def is_plain(value: bytes) -> bool:
    """Whether a JSON document contains nothing that must be escaped for COPY; JSON escapes control characters itself."""
    return b"\\" not in value and b"\n" not in value and b"\t" not in value and b"\r" not in value


def escaped(text: str) -> str:
    """Text escaped for COPY. Source: https://www.postgresql.org/docs/current/sql-copy.html, text format."""
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def store_predictions(cursor: Cursor[Any], lines: Sequence[str]) -> tuple[list[Arrived], list[Stored], Contradictions]:
    """Insert predictions with new identities; a row whose window has closed is marked as late.

    Returns:
        What arrived, what was new, and the lines that contradict stored rows.
    """
    if not lines:
        return [], [], {}
    _stage(cursor, staging.PREDICTIONS.create, "COPY incoming_predictions FROM STDIN", lines)
    cursor.execute(_SHARE_WINDOWS, (locks.WINDOWS,))
    arrived = [Arrived(*row) for row in cursor.execute(_ARRIVED)]
    stored = [Stored(*row) for row in cursor.execute(staging.STORE_PREDICTIONS)]
    if sum(of_model.rows for of_model in stored) == len(lines):
        return arrived, stored, {}
    contradicting = cursor.execute(staging.CONTRADICTED_PREDICTIONS)
    return arrived, stored, {place: _contradiction("prediction", staging.SCORES, values) for place, *values in contradicting}


def store_outcomes(cursor: Cursor[Any], lines: Sequence[str]) -> tuple[dict[str, int], Contradictions]:
    """Insert outcomes with new identities; returns how many arrived by model, and the lines that contradict stored rows."""
    if not lines:
        return {}, {}
    _stage(cursor, staging.OUTCOMES.create, "COPY incoming_outcomes FROM STDIN", lines)
    observed: dict[str, int] = dict(cursor.execute(_OBSERVED).fetchall())
    if cursor.execute(staging.STORE_OUTCOMES).rowcount == len(lines):
        return observed, {}
    contradicting = cursor.execute(staging.CONTRADICTED_OUTCOMES)
    return observed, {place: _contradiction("outcome", staging.TRUTHS, values) for place, *values in contradicting}


def _contradiction(event: str, names: Sequence[str], values: Sequence[Any]) -> str:
    """The first of the values that differs, or that is there, in words; ``values`` holds each as it is stored and was sent."""
    pairs = list(zip(names, values[::2], values[1::2], strict=True))
    differing = [pair for pair in pairs if pair[1] != pair[2]] or [pair for pair in pairs if pair[1] is not None]
    name, stored, sent = differing[0]
    other = f"has {name} {stored}, this one {sent}" if stored != sent else f"has the {name} {stored} too, and other features"
    remedy = "; a correction has a later observed_at" if event == "outcome" else ""
    return f"contradicts a stored {event} of the same identity, which {other}: the first counts{remedy}"


def _stage(cursor: Cursor[Any], table: str, statement: str, lines: Sequence[str]) -> None:
    cursor.execute(table)
    with cursor.copy(statement) as copy:
        copy.write("".join([f"{place}\t{line}" for place, line in enumerate(lines)]).encode())


def _utc(moment: datetime) -> str:
    return (moment if moment.tzinfo is UTC else moment.astimezone(UTC)).isoformat()
