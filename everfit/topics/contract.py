"""What the declared models allow on the log. A record that breaks it becomes a dead letter with the reason.

A record that passed fits the tables and the declaration: its model is declared, its schema is the declared one or that of a
version, every feature is of that schema, its time lies between the go-live and the tolerated future, and its texts can be
stored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import UNSET

from everfit.declaration import Column, Integer, Model, Numeric, Task
from everfit.declaration.input_kinds import size_of
from everfit.declaration.number_range import EXACT, LARGEST
from everfit.declaration.task_failure import failed_check, require_text
from everfit.declaration.values import shown
from everfit.declaration.views import Features, Kind, Schemas
from everfit.errors import EventError, UnknownSchemaError
from everfit.timing import format_time
from everfit.topics.events import LoggedPrediction, Outcome, decode_as

MAX_BYTES = 2**20  # of one record: Kafka's default limit
MAX_SENT = 1_000_000  # of one record and its key as serving sends it; what Kafka adds is counted by its limit too

_NUMBER = Annotated[float, msgspec.Meta(ge=-LARGEST, le=LARGEST)]
_WHOLE = Annotated[int, msgspec.Meta(ge=-EXACT, le=EXACT)] | Annotated[float, msgspec.Meta(gt=-EXACT, lt=EXACT)]
_NUL = b"\\u0000"  # JSON cannot hold it otherwise, and Postgres cannot hold it at all

Event = TypeVar("Event", LoggedPrediction, Outcome)


@dataclass(frozen=True, slots=True)
class _Inputs:
    """The features of one schema."""

    features: msgspec.json.Decoder[Any]
    unbounded: Sequence[tuple[int, str, Sequence[float]]]  # features that may be declared missing by a value beyond all others


@dataclass(frozen=True, slots=True)
class _Terms:
    """One model's part of the contract."""

    model: Model
    schema: str
    schemas: dict[str, _Inputs]
    since: datetime
    tolerance: timedelta


def require_time(model: Model, moment: datetime, now: datetime) -> None:
    """Refuse a time that the log would refuse: before the go-live, or further ahead than is tolerated.

    Raises:
        EventError: with the time, and the limit that it breaks.
    """
    _check_time(model.name, model.go_live, model.log.future_tolerance, moment, now)


def require_size(key: bytes, value: bytes) -> None:
    """Refuse a record that Kafka would never take.

    Raises:
        EventError: with its size.
    """
    if len(key) + len(value) > MAX_SENT:
        raise EventError(f"its record has {len(key) + len(value)} bytes with the key; a record is sent with {MAX_SENT} at most")


class Contract:
    """Decoders of both topics, compiled once for the declared models and the schemas of their versions."""

    def __init__(self, models: Mapping[str, Model], schemas: Mapping[str, Schemas] = MappingProxyType({})) -> None:
        """``schemas`` are those of versions, by model and id; the declared ones need not be among them."""
        self._terms = {name: _terms(model) for name, model in models.items()}
        self.learn(schemas)
        self._predictions = msgspec.json.Decoder(LoggedPrediction)
        self._outcomes = msgspec.json.Decoder(Outcome)

    def learn(self, schemas: Mapping[str, Schemas]) -> None:
        """From now on these schemas are allowed, too."""
        for name, terms in self._terms.items():
            for schema, features in schemas.get(name, {}).items():
                if schema not in terms.schemas:
                    terms.schemas[schema] = _inputs(terms.model, features)

    def prediction(self, value: bytes | None, now: datetime) -> LoggedPrediction:
        """Decode and check one record of ``everfit.predictions``.

        Args:
            value: the record's bytes; None is a tombstone.
            now: the wall clock, against which a time counts as in the future.

        Raises:
            UnknownSchemaError: when nothing but its schema is unknown so far.
            EventError: when it breaks the contract; the message says in which way.
        """
        event = _decode(self._predictions, value)
        terms = self._of(event.model)
        inputs = terms.schemas.get(event.schema)
        if inputs is None:
            schema = f"schema {_short(event.schema)}"
            raise UnknownSchemaError(f"{schema} is not the declared {terms.schema} of {event.model}, nor that of a version")
        try:
            features = inputs.features.decode(event.features)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise EventError(f"features do not fit {event.model}: {error}{_too_large(event.features)}") from error
        for place, name, missing in inputs.unbounded:
            number = getattr(features, f"feature_{place}")
            if not _bounded(number) and number not in missing:
                raise EventError(f"features do not fit {event.model}: {name!r} is {shown(number)}, beyond ±{LARGEST:g}")
        _check_answer(terms.model.task, event)
        _check_time(event.model, terms.since, terms.tolerance, event.event_time, now)
        if value and _NUL in value:
            _check_texts(event.request_id, event.entity, *msgspec.structs.astuple(features))
        return event

    def outcome(self, value: bytes | None, now: datetime) -> Outcome:
        """Decode and check one record of ``everfit.outcomes``; as :meth:`prediction`."""
        event = _decode(self._outcomes, value)
        terms = self._of(event.model)
        task = terms.model.task
        try:
            if (fault := task.label_fault(event.outcome)) != "":
                fault = require_text(fault)
        except Exception as error:
            raise EventError(_unchecked(task, f"outcome {event.outcome} of {event.model}", error)) from error
        if fault:
            raise EventError(f"outcome {_told(event.outcome)} is no label of {event.model}: {fault}; correct it, and redrive")
        _check_time(event.model, terms.since, terms.tolerance, event.observed_at, now)
        _check_texts(event.request_id, event.outcome)
        return event

    def _of(self, model: str) -> _Terms:
        try:
            return self._terms[model]
        except KeyError:
            raise EventError(f"no model {_short(model)} is declared") from None


def _check_answer(task: Task, event: LoggedPrediction) -> None:
    """Refuse what is no answer of the task.

    Raises:
        EventError: with the score or the scores.
    """
    answer = _answer(task, event)
    what = f"score {answer}" if answer is event.score else f"scores {event.scores}"
    try:
        if (fault := task.answer_fault(answer)) != "":
            fault = require_text(fault)
    except Exception as error:  # a task may raise anything; the records after this one are read
        raise EventError(_unchecked(task, f"{what} of {event.model}", error)) from error
    if fault:
        raise EventError(f"{what} is no {fault}" if answer is event.score else f"{what} are no {fault}")


def _answer(task: Task, event: LoggedPrediction) -> float | list[float]:
    """The answer as the task has it: a number, or the numbers in their order."""
    names = task.score_names
    if not names:
        if event.score is None or event.scores is not UNSET:
            raise EventError(f"score {event.score}: {event.model} answers one number, as the score, and has no scores")
        return event.score
    if event.score is not None or event.scores is UNSET:
        raise EventError(f"score {event.score}: {event.model} answers scores {', '.join(names)}, and its score is null")
    if event.scores.keys() != set(names):
        raise EventError(f"scores of {_short(', '.join(event.scores))}; {event.model} has those of {', '.join(names)}")
    return [event.scores[name] for name in names]


def _told(outcome: float | str) -> str:
    return _short(outcome) if isinstance(outcome, str) else str(outcome)


def _unchecked(task: Task, value: str, error: Exception) -> str:
    return f"{failed_check(task, value, error)} and redrive"


def _terms(model: Model) -> _Terms:
    schemas = {model.schema_id: _inputs(model, model.features)}
    return _Terms(model, model.schema_id, schemas, model.go_live, model.log.future_tolerance)


def _inputs(model: Model, features: Features) -> _Inputs:
    """The decoder of the features of one schema: a request's field as it is declared, the others by their kind."""
    declared = {(column.name, column.input_kind): column for column in model.request}
    columns = [declared.get(feature) for feature in features]
    taken = [_logged(kind) if column is None else _taken(column) for (_, kind), column in zip(features, columns, strict=True)]
    fields = [
        (f"feature_{place}", kind | None, msgspec.field(name=name))
        for place, ((name, _), kind) in enumerate(zip(features, taken, strict=True))
    ]
    decoder = msgspec.json.Decoder(msgspec.defstruct("Features", fields, forbid_unknown_fields=True))
    unbounded = [(i, c.name, c.missing) for i, c in enumerate(columns) if isinstance(c, Numeric) and taken[i] is float]
    return _Inputs(decoder, unbounded)


def _taken(column: Column) -> Any:
    """The type of a request's field on the log."""
    if isinstance(column, Numeric) and not all(map(_bounded, column.missing)):
        return float
    return _WHOLE if isinstance(column, Integer) else _logged(column.input_kind)


def _logged(kind: Kind) -> Any:
    """The type of an input of this kind on the log."""
    if size := size_of(kind):
        return Annotated[list[_NUMBER], msgspec.Meta(min_length=size, max_length=size)]
    return {"number": _NUMBER, "flag": bool}.get(kind, str)


def _bounded(value: float | None) -> bool:
    return value is None or abs(value) <= LARGEST


def _too_large(features: msgspec.Raw) -> str:
    """The first number beyond the bounds, for a message; empty where there is none."""
    try:
        values = msgspec.json.decode(features, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    numbers = ((name, value) for name, value in values.items() if isinstance(value, int | float))
    return next((f"; {name!r} is {shown(value)}" for name, value in numbers if abs(value) > EXACT), "")


def _decode(decoder: msgspec.json.Decoder[Event], value: bytes | None) -> Event:
    if value is not None and len(value) > MAX_BYTES:
        raise EventError(f"{len(value)} bytes; a record holds {MAX_BYTES} at most")
    return decode_as(decoder, value)


def _check_time(model: str, since: datetime, tolerance: timedelta, moment: datetime, now: datetime) -> None:
    if moment < since:
        raise EventError(f"time {moment.isoformat()} is before {format_time(since)}, the go-live of {model}")
    if moment > now + tolerance:
        latest = format_time(now + tolerance)
        raise EventError(f"time {moment.isoformat()} is ahead of the tolerated {latest}")


def _check_texts(*values: object) -> None:
    for value in values:
        if isinstance(value, str) and "\0" in value:
            raise EventError(f"text {_short(value)} holds a NUL character")


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else f"{text[:80]}…")
