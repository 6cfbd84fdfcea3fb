"""What travels on the topics: JSON, decoded and validated by msgspec. The key of every record is the entity.

``everfit.predictions``   identity (event_time, request_id, model, version)
``everfit.outcomes``      identity (observed_at, model, request_id): a correction is a further row
``everfit.deployments``   what serves from when on, and why
"""

import math
from datetime import UTC, datetime, timedelta
from typing import Literal, cast, get_args

import msgspec

from everfit.errors import EventError

PREDICTIONS = "everfit.predictions"
OUTCOMES = "everfit.outcomes"
DEPLOYMENTS = "everfit.deployments"

Role = Literal["champion", "challenger", "shadow"]
ROLES: tuple[Role, ...] = get_args(Role)
Value = float | str | None


class Prediction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One answer of one model version. ``score`` is the probability of the label, in [0, 1]."""

    request_id: str
    model: str
    version: int
    role: Role
    entity: str
    event_time: datetime
    features: dict[str, Value]
    score: float
    degraded: bool = False
    schema: str


class Outcome(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The truth of one request, as known at ``observed_at``."""

    request_id: str
    model: str
    outcome: float
    observed_at: datetime


class Deployment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A version took a role."""

    model: str
    version: int
    role: Role
    reason: str
    at: datetime


Event = Prediction | Outcome | Deployment

_ENCODER = msgspec.json.Encoder()
_DECODERS = {kind: msgspec.json.Decoder(kind) for kind in (Prediction, Outcome, Deployment)}
KINDS: dict[str, type[Event]] = {PREDICTIONS: Prediction, OUTCOMES: Outcome, DEPLOYMENTS: Deployment}


def encode(event: Event) -> bytes:
    """The event as one JSON document; times in UTC."""
    return _ENCODER.encode(event)


def decode(topic: str, value: bytes | None, *, not_after: datetime | None = None) -> Event:
    """Decode and validate one record.

    Args:
        topic: decides which event is expected.
        value: the record's bytes; None is a tombstone.
        not_after: times past this moment break the contract, so that a wrong clock never moves ours.

    Raises:
        EventError: when it cannot be decoded or breaks its contract; the message says why.
    """
    if value is None:
        raise EventError("empty value (a tombstone)")
    try:
        event = cast(Event, _DECODERS[KINDS[topic]].decode(value))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise EventError(f"not a {KINDS[topic].__name__}: {error}") from error
    if isinstance(event, Prediction) and not (0 <= event.score <= 1):
        raise EventError(f"score {event.score} is no probability in [0, 1]")
    if isinstance(event, Outcome) and not math.isfinite(event.outcome):
        raise EventError(f"outcome {event.outcome} is not finite")
    moment = time_of(event)
    if moment.tzinfo is None:
        raise EventError(f"time {moment.isoformat()} has no time zone")
    if not_after is not None and moment > not_after:
        raise EventError(f"time {moment.isoformat()} is ahead of the tolerated {not_after.isoformat()}")
    return event


def time_of(event: Event) -> datetime:
    """The event's own time: of the event, of the observation, or of the deployment."""
    match event:
        case Prediction():
            return event.event_time
        case Outcome():
            return event.observed_at
        case Deployment():
            return event.at


def wall_clock() -> datetime:
    """Now, UTC. It wakes processes and stamps records; it never decides anything."""
    return datetime.now(UTC)


def ahead_of(now: datetime, tolerance: timedelta) -> datetime:
    """The latest time that is still believed."""
    return now + tolerance
