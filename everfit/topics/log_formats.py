"""Log formats: other systems' records on the topics of predictions and outcomes, decoded into everfit's events.

A package adds a format by an entry point of the group ``everfit.log_formats`` (:mod:`everfit.environment.extensions`): a class
that is called with the declared models. ``EVERFIT_LOG_FORMAT`` names the one to read; without it the topics hold everfit's own
JSON, which needs no translation.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from everfit.declaration import Model
from everfit.environment.extensions import extensions
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
        try:
            return [encode(event) for event in decode(record)]
        except Exception as error:
            raise EventError(f"log format {self.name} cannot decode it: {type(error).__name__}: {error}") from error


def translator(models: Mapping[str, Model], environ: Mapping[str, str] = os.environ) -> Translator | None:
    """What translates the records of the log format that ``EVERFIT_LOG_FORMAT`` names; None where that is everfit's own.

    Raises:
        SettingsError: when no installed package has that format, or it cannot be made.
    """
    name = environ.get(LOG_FORMAT) or OWN
    if name == OWN:
        return None
    installed = extensions("log_formats")
    if name not in installed:
        known = ", ".join([OWN, *installed])
        raise SettingsError(f"{LOG_FORMAT}={name!r} is no log format; there are {known}: install its package, or set another")
    try:
        return Translator(name, installed[name](models))
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise SettingsError(f"log format {name} cannot be made ({reason}); repair its package, or set {LOG_FORMAT}") from error
