"""What travels on the topics survives the journey, and what breaks its contract is refused with the reason."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from everfit.errors import EventError
from everfit.events import DEPLOYMENTS, OUTCOMES, PREDICTIONS, Deployment, Event, decode, encode, time_of
from tests.events import outcome, prediction

DEPLOYED = Deployment(model="m", version=2, role="champion", reason="better", at=datetime(1996, 9, 4, tzinfo=UTC))


@pytest.mark.parametrize(("topic", "event"), [(PREDICTIONS, prediction(3)), (OUTCOMES, outcome(3)), (DEPLOYMENTS, DEPLOYED)])
def test_events_survive_the_journey(topic: str, event: Event) -> None:
    assert decode(topic, encode(event)) == event
    assert encode(event).count(b"Z") >= 1, "times travel in UTC"


def test_a_time_with_another_offset_is_the_same_moment() -> None:
    elsewhere = prediction(0, at=datetime(1996, 9, 4, 10, tzinfo=timezone(timedelta(hours=10))))
    assert time_of(decode(PREDICTIONS, encode(elsewhere))) == datetime(1996, 9, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    ("topic", "value", "told"),
    [
        (PREDICTIONS, None, "tombstone"),
        (PREDICTIONS, b"\xff\xfe", "not a Prediction"),
        (OUTCOMES, b"[]", "not a Outcome"),
        (OUTCOMES, encode(outcome(0)).replace(b":1.0", b":1e999"), "Outcome"),
        (PREDICTIONS, encode(prediction(0, score=-0.1)), "no probability"),
        (PREDICTIONS, encode(prediction(0)).replace(b"champion", b"king"), "role"),
        (PREDICTIONS, encode(prediction(0)).replace(b"00:00Z", b"00:00"), "no time zone"),
    ],
)
def test_a_broken_contract_is_told(topic: str, value: bytes | None, told: str) -> None:
    with pytest.raises(EventError, match=told):
        decode(topic, value)


def test_a_time_ahead_of_what_is_tolerated_is_refused() -> None:
    event = prediction(0)
    assert decode(PREDICTIONS, encode(event), not_after=event.event_time) == event
    with pytest.raises(EventError, match="ahead of the tolerated"):
        decode(PREDICTIONS, encode(event), not_after=event.event_time - timedelta(seconds=1))
