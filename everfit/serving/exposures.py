"""Answers as they are logged: every answer of a version to a row is one record, with the role in which it was given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from msgspec import UNSET

from everfit.declaration import Model
from everfit.declaration.rollouts import Role
from everfit.declaration.values import Value
from everfit.errors import EventError, NotServableError, RequestError
from everfit.serving.answer_check import answer_fields
from everfit.serving.counters import Metrics
from everfit.serving.loaded_versions import Version
from everfit.serving.prediction_log import PredictionLog
from everfit.serving.producer import Record
from everfit.timing import wall_clock
from everfit.topics.contract import Contract, require_size
from everfit.topics.events import Prediction, encode


@dataclass(frozen=True, slots=True)
class Row:
    """One row as a version scores and logs it: its id, its entity, and all inputs of the version."""

    request_id: str
    entity: str
    features: Mapping[str, Value]
    degraded: bool
    explored: float = 0.0  # the share of explored units, where its unit is one


@dataclass(frozen=True, slots=True)
class Exposure:
    """A version in a role, before some rows of one moment."""

    model: Model
    role: Role
    version: Version
    at: datetime
    rows: Sequence[Row]

    @property
    def inputs(self) -> list[Mapping[str, Value]]:
        """The inputs of each row."""
        return [row.features for row in self.rows]

    @property
    def labels(self) -> dict[str, str]:
        """What its figures are counted under."""
        return {"model": self.model.name, "role": self.role, "version": str(self.version.number)}


class ExposureLog:
    """Turns answers into records that the log takes, and adds them to it."""

    def __init__(self, models: Mapping[str, Model], log: PredictionLog, metrics: Metrics) -> None:
        self._contract = Contract(models)
        self._log = log
        self._metrics = metrics

    def records(self, exposure: Exposure, answers: Sequence[Any]) -> list[Record]:
        """One record a row; what Kafka or the log's reader would set aside is refused: what is answered can be read later.

        Raises:
            NotServableError: when an answer is none of the model's task, or the task fails at it.
            RequestError: when the log would not take a record.
        """
        signature = exposure.version.scorer.signature
        try:
            records = [self._record(exposure, row, answer) for row, answer in zip(exposure.rows, answers, strict=True)]
        except NotServableError:
            self._metrics.out_of_range.add(1, **exposure.labels)
            raise
        self._contract.learn({exposure.model.name: {signature.schema: signature.features}})
        now = wall_clock()
        try:
            for record in records:
                require_size(*record)
                self._contract.prediction(record.value, now)
        except EventError as error:
            raise RequestError(f"the answer cannot be logged, and is not given: {error}") from error
        return records

    def add(self, exposure: Exposure, records: Sequence[Record]) -> None:
        """Log what was answered."""
        for record in records:
            self._log.add(record)
        self._metrics.answers.add(len(records), **exposure.labels)
        self._metrics.degraded.add(sum(row.degraded for row in exposure.rows), **exposure.labels)

    def _record(self, exposure: Exposure, row: Row, answer: Any) -> Record:
        model, version = exposure.model, exposure.version
        prediction = Prediction(
            request_id=row.request_id,
            model=model.name,
            version=version.number,
            role=exposure.role,
            entity=row.entity,
            event_time=exposure.at,
            features=dict(row.features),
            degraded=row.degraded,
            explored=row.explored or UNSET,
            schema=version.scorer.signature.schema,
            **answer_fields(model, version.number, answer),
        )
        return Record(row.entity.encode(), encode(prediction))
