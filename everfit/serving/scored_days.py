"""Days of a table of requests, answered and logged as serving does, by all versions that have a role, each request once.

A day's answers are an object of the lake before the first of them is sent. What was interrupted is sent again from there, and a
day that is scored again adds the answers to rows that had none: a request that was answered keeps its answer, whoever is
champion by then, and what arrives twice falls on the log's identity.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from everfit.declaration import Model
from everfit.declaration.reserved_columns import DEGRADED, EVENT_TIME, REQUEST_ID, VERSION
from everfit.errors import RefusedError
from everfit.features.spans import DAY
from everfit.pipeline.lineage import scored_dataset
from everfit.runtime import Runtime
from everfit.serving.batch_answers import ALONG, ENTITY, RECORD, answer_rows, nothing_answered, requests_of
from everfit.serving.batch_roles import BatchRoles, TableVersions
from everfit.serving.batch_scoring import PROBLEM
from everfit.serving.producer import KafkaLogProducer, Producer, Record
from everfit.store import frames, locks, partitions, served_roles, source_days
from everfit.store.partitions import PartitionVersion
from everfit.timing import midnight
from everfit.topics.events import PREDICTIONS

if TYPE_CHECKING:
    import polars as pl

ROWS_SENT_AT_ONCE = 500


class ScoredDay(NamedTuple):
    """A day that was scored: its rows, of which some could not be answered or sent, each reason once."""

    day: str
    data_version: str
    rows: int
    scored: int
    degraded: int
    problems: Sequence[str]
    versions: Sequence[int]


def due_days(connection: sa.Connection, model: Model, today: date) -> list[str]:
    """The whole days of the table that were not scored yet, or not to the end, or on which rows have landed since; in order."""
    source = requests_of(model)
    changes = source_days.changes(connection, [source.name], before=today)[source.name]
    on_record = partitions.newest_versions(connection, scored_dataset(model))
    return [
        day
        for day, count in changes.items()
        if date.fromisoformat(day) >= model.go_live.date() and (day not in on_record or not _holds(on_record[day], count))
    ]


def score_days(runtime: Runtime, model: Model, days: Sequence[str], now: datetime) -> Iterator[ScoredDay]:
    """Score these days in the order of time, so that the model's clock passes none of them before its answers are sent.

    Raises:
        ServiceError: when there is no champion yet, or Kafka or another service does not answer.
        SettingsError: when the model declares no table of requests.
    """
    versions = TableVersions(runtime, model)
    with closing(KafkaLogProducer(runtime.settings.kafka, PREDICTIONS)) as producer:
        for day in sorted(days):
            yield score_day(runtime, versions, producer, day, now)


def score_day(runtime: Runtime, versions: TableVersions, producer: Producer, day: str, now: datetime) -> ScoredDay:
    """Score one day by who serves now, and send its answers; a day without rows is recorded as empty.

    Raises:
        ServiceError: when the online features cannot be read, or Kafka does not acknowledge: score it again.
    """
    answered = None
    while answered is None:
        answered = _answered(runtime, versions.roles(), day, now)
    made, answers = answered
    records = [
        Record(key.encode(), value.encode())
        for key, given, along in answers.select(ENTITY, RECORD, ALONG).rows()
        for value in (given, *(along or ()))
        if value
    ]
    lots = [records[start : start + ROWS_SENT_AT_ONCE] for start in range(0, len(records), ROWS_SENT_AT_ONCE)]
    refused = {record.value.decode(): fault for lot in lots for record, fault in _send(producer, lot)}
    _note_sent(runtime, made)
    sent = answers.drop_nulls(RECORD)
    problems = [*answers[PROBLEM].drop_nulls(), *refused.values()]
    scored = sum(record not in refused for record in sent[RECORD])
    by = sorted(sent[VERSION].unique())
    return ScoredDay(day, made.hash, answers.height, scored, int(sent[DEGRADED].sum()), problems, by)


def _answered(runtime: Runtime, roles: BatchRoles, day: str, now: datetime) -> "tuple[PartitionVersion, pl.DataFrame] | None":
    """The day's answers, those of before and those to rows that had none, as they are recorded before any is sent.

    A second run of the day waits for the first, so that both do not answer the same rows. None where others serve by now: a
    rollout's step begins after the newest day on record, which is so answered in the roles of that step, or before it.
    """
    import polars as pl

    model, schema = roles.champion.model, roles.champion.scorer.signature.schema
    dataset, source, start = scored_dataset(model), requests_of(model), midnight(day)
    with runtime.engine.begin() as connection:
        locks.hold(connection, locks.DATASET + dataset)
        changes = source_days.changes(connection, [source.name])[source.name].get(day, 0)
        before = partitions.newest_versions(connection, dataset).get(day)
        kept = runtime.lake.get_frame(before.hash).drop_nulls(RECORD) if before else nothing_answered()
        asked = frames.landed(connection, source, (max(start, model.go_live), start + DAY))
        added = answer_rows(runtime, roles, asked, set(kept[REQUEST_ID]), now)
        answers = pl.concat([kept, added], how="diagonal").sort(EVENT_TIME, REQUEST_ID, maintain_order=True)
        inputs = {"changes": changes, "sent": False}
        made = PartitionVersion(dataset, day, runtime.lake.put_frame(answers), answers.height, schema, inputs)
        locks.hold(connection, locks.LEDGER + model.name)
        if served_roles.served(connection, model.name) != roles.served:
            return None
        partitions.record(connection, [made])
    return made, answers


def _note_sent(runtime: Runtime, made: PartitionVersion) -> None:
    """Record that a day's answers are sent, unless another run has added to them meanwhile: that one sends them all."""
    with runtime.engine.begin() as connection:
        locks.hold(connection, locks.DATASET + made.dataset)
        if partitions.newest_versions(connection, made.dataset)[made.partition].hash == made.hash:
            partitions.record(connection, [replace(made, inputs={**made.inputs, "sent": True})])


def _send(producer: Producer, records: Sequence[Record]) -> list[tuple[Record, str]]:
    """Send records; those that Kafka will never take are found by bisection, and told."""
    try:
        producer.send(records)
    except RefusedError as error:
        if len(records) == 1:
            return [(records[0], f"{error}, {len(records[0].value):,} bytes")]
        middle = len(records) // 2
        return _send(producer, records[:middle]) + _send(producer, records[middle:])
    return []


def _holds(version: PartitionVersion, changes: int) -> bool:
    return (version.inputs["changes"], version.inputs["sent"]) == (changes, True)
