"""The rollout of docs/extending.md: a canary that answers some requests beside the champion."""

from collections.abc import Collection
from typing import Any

from everfit.declaration.rollouts import Role
from models.electricity_price import electricity_price
from tests.extensions import documented
from tests.serving import WatchedRegistry
from tests.serving_over_http import NAME, Serve, logged, predict

PAGE: dict[str, Any] = {}
exec(documented("Rollouts"), PAGE)


class Canary(PAGE["Canary"]):  # type: ignore[misc, valid-type]
    """The page's, which fails at one request."""

    def answering(self, request_id: str, loaded: Collection[Role]) -> Role:
        if request_id == "broken":
            raise RuntimeError("as the test wants it")
        if request_id == "shadow":
            return "shadow"
        role: Role = super().answering(request_id, loaded)
        return role


def test_a_canary_answers_its_share_and_the_champion_the_rest(
    serve: Serve, registry: WatchedRegistry, kafka: str, event_time: str
) -> None:
    registry.assign({"champion": 1, "challenger": 2, "shadow": 3})
    client = serve(kafka, models={NAME: electricity_price.model_copy(update={"rollout": Canary(percent=30)})})
    answers = [predict(client, request_id=f"r{number}", event_time=event_time).json()["version"] for number in range(40)]
    assert {1, 2} == set(answers)
    assert 4 <= answers.count(2) <= 20
    for wrong in ("broken", "shadow"):
        assert predict(client, request_id=wrong, event_time=event_time).json()["version"] == 1, "the champion stands in"
    client.post("/flush").raise_for_status()
    events = logged(kafka, 84)
    served = {event.request_id: event.version for event in events if event.role in ("champion", "challenger")}
    assert [served[f"r{number}"] for number in range(40)] == answers
    assert sum(event.role == "shadow" for event in events) == 42, "the shadow answers every request along"


def test_a_canary_without_a_challenger_leaves_all_to_the_champion(serve: Serve, kafka: str, event_time: str) -> None:
    client = serve(kafka, models={NAME: electricity_price.model_copy(update={"rollout": Canary(percent=100)})})
    assert predict(client, event_time=event_time).json()["version"] == 1
