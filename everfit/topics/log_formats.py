"""Log formats: other systems' records on the topics of predictions and outcomes, decoded into everfit's events.

A package adds a format by an entry point of the group ``everfit.log_formats`` (:mod:`everfit.environment.extensions`): a class
that is called with the declared models. ``EVERFIT_LOG_FORMAT`` names the one to read; without it the topics hold everfit's own
JSON, which needs no translation.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from everfit.declaration import Model
from everfit.environment.extensions import members
from everfit.errors import EventError, SettingsError
from everfit.topics.events import PREDICTIONS, Outcome, Prediction, encode

LOG_FORMAT = "EVERFIT_LOG_FORMAT"
OWN = "everfit"


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A record as Kafka holds it; the value of a tombstone is empty.

    A dead letter keeps the value alone: when it is redriven, it has no key and no headers.
    """

    topic: str
    partition: int
    offset: int
    value: bytes
    key: bytes | None = None
    headers: Mapping[str, bytes] = field(default_factory=dict)


class LogFormat(Protocol):
    """Decodes the records of another system. Any exception makes the record a dead letter, with the exception as its reason."""

    def decode_predictions(self, record: LogRecord) -> Iterable[Prediction]:
        """The predictions of a record of ``everfit.predictions``: as many as it holds answers, or none."""

    def decode_outcomes(self, record: LogRecord) -> Iterable[Outcome]:
        """The outcomes of a record of ``everfit.outcomes``, likewise."""


@dataclass(frozen=True, slots=True)
class Translator:
    """An installed log format at work: what it decodes is written in everfit's own JSON, and then checked like any record."""

    name: str
    log_format: LogFormat

    def values(self, record: LogRecord) -> list[bytes]:
        """The record's events, a JSON document each.

        Raises:
            EventError: when the format cannot decode the record; the message says why.
        """
        is_prediction = record.topic == PREDICTIONS
        decode = self.log_format.decode_predictions if is_prediction else self.log_format.decode_outcomes
        expected = Prediction if is_prediction else Outcome
        try:
            return [encode(_required(event, expected)) for event in decode(record)]
        except (Exception, SystemExit) as error:
            raise EventError(f"log format {self.name} cannot decode it: {type(error).__name__}: {error}") from error


def _required(event: Prediction | Outcome, expected: type[Prediction | Outcome]) -> Prediction | Outcome:
    if not isinstance(event, expected):
        raise TypeError(f"it gives {type(event).__name__}, where {expected.__name__} is expected")
    return event


def translator(models: Mapping[str, Model], environ: Mapping[str, str] = os.environ) -> Translator | None:
    """What translates the records of the log format that ``EVERFIT_LOG_FORMAT`` names; None where that is everfit's own.

    Raises:
        SettingsError: when no installed package has that format, it cannot be made, or lacks a method; and when any installed
            format cannot be imported, or has the name of everfit's own.
    """
    name = environ.get(LOG_FORMAT) or OWN
    formats = members("log_formats", {OWN: None})
    if name not in formats:
        choices = ", ".join(formats)
        raise SettingsError(f"{LOG_FORMAT}={name!r} is no log format; there are {choices}: install its package, or set another")
    return None if name == OWN else Translator(name, _made(name, formats[name], models))


def _made(name: str, make: Callable[[Mapping[str, Model]], LogFormat], models: Mapping[str, Model]) -> LogFormat:
    remedy = f"repair its package, or set another {LOG_FORMAT}"
    try:
        log_format = make(models)
    except (Exception, SystemExit) as error:
        raise SettingsError(f"log format {name} cannot be made ({type(error).__name__}: {error}); {remedy}") from error
    for method in ("decode_predictions", "decode_outcomes"):
        if not callable(getattr(log_format, method, None)):
            raise SettingsError(f"log format {name} has no method {method}(record); {remedy}")
    return log_format
