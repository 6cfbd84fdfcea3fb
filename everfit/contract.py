"""What the declared models allow on the log. What a record breaks is told, and it goes to the dead letters, never further.

A record that passed fits the tables and the declaration: its model is declared, its schema and every feature are the declared
ones, its time lies between the go-live and the tolerated future, and its texts can be stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec

from everfit.declaration import Model
from everfit.errors import EventError
from everfit.events import LoggedPrediction, Outcome, decode_as
from everfit.timing import format_time

MAX_BYTES = 2**20  # of one record: as much as Kafka takes unless it is told to take more
LABELS = (0.0, 1.0)

_KINDS: dict[str, Any] = {"category": str | None, "number": float | None}
_NUL = b"\\u0000"  # JSON cannot hold it otherwise, and Postgres cannot hold it at all

Event = TypeVar("Event", LoggedPrediction, Outcome)


@dataclass(frozen=True, slots=True)
class _Terms:
    """One model's part of the contract."""

    schema: str
    features: msgspec.json.Decoder[Any]
    since: datetime
    tolerance: timedelta


class Contract:
    """Decoders of both topics, compiled once for the declared models."""

    def __init__(self, models: Mapping[str, Model]) -> None:
        self._terms = {name: _terms(model) for name, model in models.items()}
        self._predictions = msgspec.json.Decoder(LoggedPrediction)
        self._outcomes = msgspec.json.Decoder(Outcome)

    def prediction(self, value: bytes | None, now: datetime) -> LoggedPrediction:
        """Decode and check one record of ``everfit.predictions``.

        Args:
            value: the record's bytes; None is a tombstone.
            now: the wall clock, against which a time counts as in the future.

        Raises:
            EventError: when it breaks the contract; the message says how.
        """
        event = _decode(self._predictions, value)
        terms = self._of(event.model)
        if event.schema != terms.schema:
            raise EventError(f"schema {event.schema!r} is not the declared {terms.schema} of {event.model}")
        try:
            features = terms.features.decode(event.features)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise EventError(f"features do not fit {event.model}: {error}") from error
        if not 0 <= event.score <= 1:
            raise EventError(f"score {event.score} is no probability in [0, 1]")
        _check_time(event.model, terms, event.event_time, now)
        if value and _NUL in value:
            _check_texts(event.request_id, event.entity, *msgspec.structs.astuple(features))
        return event

    def outcome(self, value: bytes | None, now: datetime) -> Outcome:
        """Decode and check one record of ``everfit.outcomes``; as :meth:`prediction`."""
        event = _decode(self._outcomes, value)
        terms = self._of(event.model)
        if event.outcome not in LABELS:
            raise EventError(f"outcome {event.outcome} is no label of {event.model}: 0 or 1")
        _check_time(event.model, terms, event.observed_at, now)
        _check_texts(event.request_id)
        return event

    def _of(self, model: str) -> _Terms:
        try:
            return self._terms[model]
        except KeyError:
            raise EventError(f"no model {_short(model)} is declared") from None


def _terms(model: Model) -> _Terms:
    fields = [
        (f"feature_{number}", _KINDS[kind], msgspec.field(name=name)) for number, (name, kind) in enumerate(model.features)
    ]
    features = msgspec.defstruct("Features", fields, forbid_unknown_fields=True)
    return _Terms(model.schema_id, msgspec.json.Decoder(features), model.go_live, model.log.future_tolerance)


def _decode(decoder: msgspec.json.Decoder[Event], value: bytes | None) -> Event:
    if value is not None and len(value) > MAX_BYTES:
        raise EventError(f"{len(value)} bytes; a record holds {MAX_BYTES} at most")
    return decode_as(decoder, value)


def _check_time(model: str, terms: _Terms, moment: datetime, now: datetime) -> None:
    if moment < terms.since:
        raise EventError(f"time {moment.isoformat()} is before {format_time(terms.since)}, the go-live of {model}")
    if moment > now + terms.tolerance:
        latest = format_time(now + terms.tolerance)
        raise EventError(f"time {moment.isoformat()} is ahead of the tolerated {latest}")


def _check_texts(*values: object) -> None:
    for value in values:
        if isinstance(value, str) and "\0" in value:
            raise EventError(f"text {_short(value)} holds a NUL character")


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else f"{text[:80]}…")
