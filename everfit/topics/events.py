"""What travels on the topics: JSON, decoded and validated by msgspec. The key of every record is the entity.

``everfit.predictions``   identity (event_time, request_id, model, version)
``everfit.outcomes``      identity (observed_at, model, request_id): a correction is a further row
``everfit.deployments``   what serves from when on, and why
"""

from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from everfit.declaration.rollouts import Role
from everfit.declaration.values import Value
from everfit.errors import EventError

PREDICTIONS = "everfit.predictions"
OUTCOMES = "everfit.outcomes"
DEPLOYMENTS = "everfit.deployments"

Scores = dict[str, float]

MAX_ID_CHARACTERS = 512  # a key of the stores: an index of Postgres takes no row of more than 2,704 bytes
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID_CHARACTERS)]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Version = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every prediction says, however its features are held.

    ``score`` is what the model's task answers; where that is several numbers, ``scores`` holds them by class or quantile, and
    ``score`` is null. ``explored`` is the share of units that were explored, where this one was among them; without it, or 0,
    it was not.
    """

    request_id: Id
    model: str
    version: Version
    role: Role
    entity: str
    event_time: Moment
    score: float | None
    scores: Scores | msgspec.UnsetType = msgspec.UNSET
    degraded: bool = False
    explored: Share | msgspec.UnsetType = msgspec.UNSET
    schema: str


class Prediction(Answer, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One answer of one model version."""

    features: dict[str, Value]


class LoggedPrediction(Answer, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A prediction as the log's reader holds it: its features are still the JSON that was sent."""

    features: msgspec.Raw


class Outcome(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The truth of one request, as known at ``observed_at``: a number, or a class as text."""

    request_id: Id
    model: str
    outcome: float | str
    observed_at: Moment


class Deployment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A version took a role, or ended its rollout without one: ``none``."""

    model: str
    version: int
    role: Role | Literal["none"]
    reason: str
    at: Moment


Event = Prediction | Outcome | Deployment
Decoded = TypeVar("Decoded")

_ENCODER = msgspec.json.Encoder()
_DECODERS: dict[type[Event], msgspec.json.Decoder[Any]] = {
    kind: msgspec.json.Decoder(kind) for kind in (Prediction, Outcome, Deployment)
}
KINDS: dict[str, type[Event]] = {PREDICTIONS: Prediction, OUTCOMES: Outcome, DEPLOYMENTS: Deployment}


def encode(event: Event) -> bytes:
    """The event as one JSON document; times in UTC."""
    return _ENCODER.encode(event)


def decode(topic: str, value: bytes | None) -> Event:
    """Decode one record as it was sent; :mod:`everfit.topics.contract` says what of it the log takes.

    Args:
        topic: decides which event is expected.
        value: the record's bytes; None is a tombstone.

    Raises:
        EventError: when it cannot be decoded; the message says why.
    """
    event: Event = decode_as(_DECODERS[KINDS[topic]], value)
    return event


def decode_as(decoder: msgspec.json.Decoder[Decoded], value: bytes | None) -> Decoded:
    """Decode one record by a decoder that the caller keeps; as :func:`decode`."""
    if value is None:
        raise EventError("empty value (a tombstone)")
    try:
        return decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise EventError(f"not of {decoder.type.__name__}'s form: {error}") from error
