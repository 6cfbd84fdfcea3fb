"""What travels on the topics survives the journey, and what breaks its contract is refused with the reason."""

from datetime import UTC, datetime

import pytest

from everfit.errors import EventError
from everfit.topics.events import DEPLOYMENTS, OUTCOMES, PREDICTIONS, Deployment, Event, decode, encode
from tests.events import outcome, prediction

DEPLOYED = Deployment(model="m", version=2, role="champion", reason="better", at=datetime(1996, 9, 4, tzinfo=UTC))


@pytest.mark.parametrize(("topic", "event"), [(PREDICTIONS, prediction(3)), (OUTCOMES, outcome(3)), (DEPLOYMENTS, DEPLOYED)])
def test_events_survive_the_journey(topic: str, event: Event) -> None:
    assert decode(topic, encode(event)) == event
    assert encode(event).count(b"Z") >= 1, "times travel in UTC"


@pytest.mark.parametrize(
    ("topic", "value", "told"),
    [
        (PREDICTIONS, None, "tombstone"),
        (PREDICTIONS, b"\xff\xfe", "not of Prediction's form"),
        (OUTCOMES, b"[]", "not of Outcome's form"),
        (OUTCOMES, encode(outcome(0)).replace(b":1.0", b":1e999"), "Outcome"),
        (PREDICTIONS, encode(prediction(0)).replace(b"champion", b"king"), "role"),
        (PREDICTIONS, encode(prediction(0)).replace(b"00:00Z", b"00:00"), "timezone"),
    ],
)
def test_a_broken_contract_is_told(topic: str, value: bytes | None, told: str) -> None:
    with pytest.raises(EventError, match=told):
        decode(topic, value)
